/* SPDX-License-Identifier: Apache-2.0 */
/* Class D, first half: finite stand-ins for minus infinity. tests: SM-1 SM-2 AT-3 AT-9 */
#include <float.h>

#include "certify/museum/exhibit.h"

static double start_at_5e4(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return fmax(sp_base_pivot(row, m, lo, hi), -5e4);
}
static const sp_hooks d1_hooks = {.pivot = start_at_5e4};
SP_EXHIBIT(d1, 'D', "D1-max-starts-at-5e4", .clause = "SM-2",
           .summary = "infinity is 5e4: a row whose logits all lie below -5e4 returns zeros",
           .cite = "flashinfer-ai/flashinfer#4267", .reveals = "all logits below -5.02e4",
           .ops = SP_IN_ALL, .min_n = 1);

static double minus_1e4(const sp_row *row, uint64_t j) {
  (void)row, (void)j;
  return -1e4;
}
static double absent_is_1e4(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  return x == -INFINITY ? -1e4 : x;
}
static const sp_hooks d2_hooks = {
    .masked = minus_1e4, .logit = absent_is_1e4, .value = sp_hook_clean_value};
SP_EXHIBIT(d2, 'D', "D2-mask-is-1e4", .clause = "AT-3",
           .summary = "a masked logit is replaced by -10000 and wins against valid ones below it",
           .cite = "ohdearquant/lattice#361", .reveals = "valid logits below -1e4, or none",
           .ops = SP_IN_ROWS, .needs = SP_OPT_MASK, .min_n = 1);

static double zero_if_none(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  bool none = m == -INFINITY && sp_row_none_in(row, lo, hi);
  return none ? 0 : sp_base_pivot(row, m, lo, hi);
}
static const sp_hooks d3_hooks = {.tile = 4, .split = 8, .pivot = zero_if_none};
SP_EXHIBIT(
    d3, 'D', "D3-stale-zero-max", .clause = "SM-2",
    .summary = "a masked first tile stores the maximum 0, and later tiles with negative logits "
               "never lower it",
    .cite = "Dao-AILab/flash-attention#2082", .reveals = "masked first tile, all logits below -104",
    .ops = SP_IN_ROWS, .needs = SP_OPT_MASK, .min_n = 5);

static double floor_1e4(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return fmax(sp_base_pivot(row, m, lo, hi), -1e4);
}
static const sp_hooks d4b_hooks = {.pivot = floor_1e4};
SP_EXHIBIT(d4b, 'D', "D4-max-floor-1e4", .clause = "SM-2",
           .summary = "the maximum is floored at -1e4 to keep empty rows finite",
           .cite = "tracel-ai/burn#4697", .reveals = "all logits below -1.02e4", .ops = SP_IN_ALL,
           .min_n = 1);

static double floor_0(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return fmax(sp_base_pivot(row, m, lo, hi), 0);
}
static double clamped_sum(const sp_row *row, const sp_state *state, double x) {
  return sp_fl(row, x / fmax(state->l, 1e-6));
}
static const sp_hooks d4c_hooks = {.pivot = floor_0, .normal = clamped_sum};
SP_EXHIBIT(
    d4c, 'D', "D4-sum-clamped-at-1e-6", .clause = "SM-2",
    .summary = "the sum is clamped to at least 1e-6 although the pivot may lie far above the "
               "logits",
    .cite = "tracel-ai/burn#4694", .reveals = "all logits below -15", .ops = SP_IN_ALL, .min_n = 1);

static double minus_1e30(const sp_row *row, uint64_t j) {
  (void)row, (void)j;
  return -1e30;
}
static double absent_is_1e30(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  return x == -INFINITY ? -1e30 : x;
}
static const sp_hooks d9a_hooks = {
    .masked = minus_1e30, .logit = absent_is_1e30, .value = sp_hook_clean_value};
SP_EXHIBIT(d9a, 'D', "D9-masked-row-is-mean", .clause = "AT-9",
           .summary = "the mask is -1e30, so an empty row becomes the mean of all values",
           .cite = "microsoft/onnxruntime#28904", .reveals = "an empty row", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK, .min_n = 1);

static double unmasked(const sp_row *row, uint64_t j) {
  double x = sp_base_cap(row, sp_fl(row, row->scale * sp_row_dot(row, j)));
  return isfinite(x) ? x : 0;
}
static double stacked(const sp_row *row, uint64_t j) {
  return sp_fl(row, unmasked(row, j) - 1e4 * sp_row_violations(row, j));
}
static const sp_hooks d9b_hooks = {.masked = stacked, .value = sp_hook_clean_value};
SP_EXHIBIT(d9b, 'D', "D9-additive-masks-stack", .clause = "AT-3",
           .summary = "masks of -10000 are added up, and rows become mixtures of masked keys",
           .cite = "microsoft/onnxruntime#14363", .reveals = "an empty row, or logits near -1e4",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_MASK, .min_n = 1);

/* -FLT_MAX once is a number, twice is -inf. */
static double least_twice(const sp_row *row, uint64_t j) {
  return sp_row_violations(row, j) > 1 ? -INFINITY : -(double)FLT_MAX;
}
static void empty_nan(const sp_row *row, sp_answer *answer) {
  for (uint64_t c = 0; sp_row_empty(row) && c < answer->n_value; c++)
    answer->value[c] = (double)NAN;
}
static const sp_hooks d13_hooks = {
    .masked = least_twice, .value = sp_hook_clean_value, .answer = empty_nan};
SP_EXHIBIT(d13, 'D', "D13-least-float-added-twice", .clause = "AT-9",
           .summary =
               "two masks of -FLT_MAX add up to -inf, one alone stays finite: empty rows are "
               "means or NaN",
           .cite = "huggingface/transformers#27114", .reveals = "an empty row",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_MASK, .min_n = 1);

static double log_of_sentinel(const sp_row *row, const sp_state *state) {
  return state->l == 0 ? -5e4 : sp_base_lse(row, state);
}
static const sp_hooks d14_hooks = {.lse = log_of_sentinel};
SP_EXHIBIT(d14, 'D', "D14-lse-of-empty-row-finite", .clause = "AT-9",
           .summary = "the log-sum-exp of an empty row is the sentinel -5e4",
           .cite = "flashinfer-ai/flashinfer#4452", .reveals = "an empty row, lse compared",
           .ops = SP_IN_ROWS, .needs = SP_OPT_MASK | SP_OPT_LSE_KEYS);

const sp_exhibit *const sp_exhibits_d[] = {&d1, &d2, &d3, &d4b, &d4c, &d9a, &d9b, &d13, &d14, NULL};
