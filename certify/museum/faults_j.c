/* SPDX-License-Identifier: Apache-2.0 */
/* Class J: the maximum that is subtracted, and the range of what remains. tests: SM-2 SM-3 NU-7 */
#include "certify/museum/exhibit.h"

static double no_max(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  (void)row, (void)m, (void)lo, (void)hi;
  return 0;
}
static const sp_hooks j1a_hooks = {.pivot = no_max};
SP_EXHIBIT(j1a, 'J', "J1-no-max-subtraction", .clause = "SM-2",
           .summary = "no maximum is subtracted: large logits overflow, low ones vanish",
           .cite = "ggml-org/llama.cpp#2665", .reveals = "logits beyond 89 or all below -104",
           .ops = SP_IN_ALL, .min_n = 1);

static double from_zero(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return fmax(sp_base_pivot(row, m, lo, hi), 0);
}
static const sp_hooks j2_hooks = {.pivot = from_zero};
SP_EXHIBIT(j2, 'J', "J2-max-starts-at-zero", .clause = "SM-2",
           .summary = "the maximum starts at 0 (or at FLT_MIN), too high for negative rows",
           .cite = "mit-han-lab/tinyengine#107", .reveals = "all logits below -104",
           .ops = SP_IN_ALL, .min_n = 1);

static double lse_unshifted(const sp_row *row, const sp_state *state) {
  double sum = 0;
  if (state->l == 0 || isinf(state->m)) return sp_base_lse(row, state);
  sum = sp_round_to(SP_F16, state->l * exp(state->m));
  return sp_fl(row, log(sum));
}
static const sp_hooks j4_hooks = {.lse = lse_unshifted};
SP_EXHIBIT(j4, 'J', "J4-lse-unshifted-in-half", .clause = "SM-3",
           .summary = "the log-sum-exp is the logarithm of an unshifted f16 sum: infinite past 11",
           .cite = "apple/coremltools#2690", .reveals = "lse beyond 11 or below -17",
           .ops = SP_IN_ALL, .needs = SP_OPT_LSE_KEYS, .min_n = 1);

static uint64_t n_threads(const sp_row *row) {
  return row->softmax ? row->softmax->n_threads : row->attention->n_threads;
}
static bool by_thread(const sp_row *row, uint64_t split, uint64_t *lo, uint64_t *hi) {
  uint64_t n = n_threads(row);
  if (n < 2 || row->n_keys < n) return sp_base_range(row, split, lo, hi);
  *lo = split * (row->n_keys / n);
  *hi = *lo + row->n_keys / n;
  return split < n;
}
static const sp_hooks j5_hooks = {.range = by_thread};
SP_EXHIBIT(j5, 'J', "J5-threads-lose-remainder", .clause = "AT-8",
           .summary = "keys are dealt out to threads in equal parts and the remainder is lost (a "
                      "guess at the thread's cause)",
           .cite = "ggml-org/llama.cpp#9222", .reveals = "n_threads that does not divide n",
           .ops = SP_IN_ROWS, .min_n = 3);

static double tile_max_only(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return sp_row_none_in(row, lo, hi) ? m : sp_base_pivot(row, -INFINITY, lo, hi);
}
static const sp_hooks j6_hooks = {.tile = 4, .split = 64, .pivot = tile_max_only};
SP_EXHIBIT(j6, 'J', "J6-previous-max-ignored", .clause = "SM-2",
           .summary = "each tile's own maximum replaces the running one, so the rescale overflows",
           .cite = "sgl-project/sglang#20220", .reveals = "a later tile more than 89 lower",
           .ops = SP_IN_ALL, .min_n = 5);

static double first_tile_max(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return m == -INFINITY ? sp_base_pivot(row, m, lo, hi) : m;
}
static const sp_hooks j7_hooks = {.tile = 4, .split = 64, .pivot = first_tile_max};
SP_EXHIBIT(j7, 'J', "J7-max-of-first-tile", .clause = "SM-2",
           .summary = "the maximum of the first tile with keys is used for the whole row",
           .cite = "", .reveals = "a later tile more than 89 higher", .ops = SP_IN_ALL, .min_n = 5);

static double no_max_for_bf16(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return sp_row_dtype(row) == SP_BF16 ? 0 : sp_base_pivot(row, m, lo, hi);
}
static const sp_hooks j8_hooks = {.pivot = no_max_for_bf16};
SP_EXHIBIT(j8, 'J', "J8-no-max-for-bf16", .clause = "SM-2",
           .summary = "the vectorised bf16 path forgets to subtract the maximum",
           .cite = "pytorch/pytorch#62897", .reveals = "bf16 logits or q, logits beyond 89",
           .ops = SP_IN_ALL, .min_n = 1, .dtypes = SP_DTYPE_BIT(SP_BF16));

static double never(const sp_row *row, double m_old, double m_new) {
  (void)row, (void)m_old, (void)m_new;
  return 1;
}
static const sp_hooks j9_hooks = {.tile = 4, .split = 64, .rescale = never};
SP_EXHIBIT(j9, 'J', "J9-sums-not-rescaled", .clause = "SM-2",
           .summary = "sums are not rescaled when the maximum moves", .cite = "",
           .reveals = "ascending tiles", .ops = SP_IN_ALL, .min_n = 5);

static double floor_e_minus_20(const sp_row *row, double t) {
  return t < -20 ? 0 : sp_base_exponential(row, t);
}
static const sp_hooks j10_hooks = {.exponential = floor_e_minus_20};
SP_EXHIBIT(j10, 'J', "J10-weights-below-e-20-flushed", .clause = "NU-10",
           .summary = "exponentials below e^-20 are set to 0", .cite = "",
           .reveals = "weights more than 20 below the maximum", .ops = SP_IN_SOFTMAX, .min_n = 2,
           .dtypes = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_BF16));

const sp_exhibit *const sp_exhibits_j[] = {&j1a, &j2, &j4, &j5, &j6, &j7, &j8, &j9, &j10, NULL};
