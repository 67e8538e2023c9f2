/* SPDX-License-Identifier: Apache-2.0 */
/* Class E: partial results and what their log-sum-exp means. tests: AL-5 AT-8 AT-9 SM-3 */
#include <string.h>

#include "certify/museum/exhibit.h"

static void merge_unguarded(const sp_row *row, sp_state *into, sp_state *part) {
  bool both_empty = into->m == -INFINITY && part->m == -INFINITY;
  sp_base_merge(row, into, part);
  if (both_empty) sp_state_scale(row, into, (double)NAN);
}
static const sp_hooks e1_hooks = {.tile = 4, .split = 8, .merge = merge_unguarded};
SP_EXHIBIT(e1, 'E', "E1-merge-of-two-empty-nan", .clause = "AT-9",
           .summary = "merging two empty partial results gives e^(-inf - -inf) = NaN",
           .cite = "flashinfer-ai/flashinfer#4051", .reveals = "the first two splits masked",
           .ops = SP_IN_ROWS, .needs = SP_OPT_MASK, .min_n = 9);

static double plus_inf_if_empty(const sp_row *row, const sp_state *state) {
  return state->l == 0 ? INFINITY : sp_base_lse(row, state);
}
static const sp_hooks e2_hooks = {.lse = plus_inf_if_empty};
SP_EXHIBIT(e2, 'E', "E2-lse-of-empty-row-plus-inf", .clause = "AT-9",
           .summary = "the log-sum-exp of an empty row is +inf",
           .cite = "Dao-AILab/flash-attention#978", .reveals = "an empty row, lse compared",
           .ops = SP_IN_ROWS, .needs = SP_OPT_MASK | SP_OPT_LSE_KEYS);

static void empty_wins(const sp_row *row, sp_state *into, sp_state *part) {
  sp_base_merge(row, into, part);
  if (part->l != 0) return;
  into->m = INFINITY;
  into->l = 1;
  for (uint64_t c = 0; into->acc && c < row->n_value; c++) into->acc[c] = 0;
}
static const sp_hooks e2b_hooks = {.tile = 4, .split = 8, .merge = empty_wins};
SP_EXHIBIT(e2b, 'E', "E2-empty-part-wins-merge", .clause = "AT-9",
           .summary = "an empty part carries +inf as its log-sum-exp and wins the merge",
           .cite = "deepseek-ai/FlashMLA#77", .reveals = "a later split masked", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK, .min_n = 9);

static void merge_base_2(const sp_row *row, sp_state *into, sp_state *part) {
  double m = fmax(into->m, part->m);
  if (into->m != -INFINITY) sp_state_scale(row, into, exp2(into->m - m));
  if (part->m != -INFINITY) sp_state_scale(row, part, exp2(part->m - m));
  into->m = m;
  sp_state_sum(row, into, part);
}
static const sp_hooks e3_hooks = {.tile = 4, .split = 8, .merge = merge_base_2};
SP_EXHIBIT(e3, 'E', "E3-merge-in-base-2", .clause = "SM-3",
           .summary = "partial results in base e are merged with weights 2^(difference)",
           .cite = "sgl-project/sglang#35045", .reveals = "two splits with different maxima",
           .ops = SP_IN_ALL, .min_n = 9);

static double times_ln2(const sp_row *row, const sp_state *state) {
  return sp_fl(row, sp_base_lse(row, state) * 0x1.62e42fefa39efp-1);
}
static const sp_hooks e4_hooks = {.lse = times_ln2};
SP_EXHIBIT(e4, 'E', "E4-lse-times-ln2", .clause = "SM-3",
           .summary = "the log-sum-exp is multiplied by ln 2 although it is natural already",
           .cite = "pytorch/pytorch#181645", .reveals = "any row, lse compared", .ops = SP_IN_ALL,
           .needs = SP_OPT_LSE_KEYS, .min_n = 1);

static double in_base_2(const sp_row *row, const sp_state *state) {
  return sp_fl(row, sp_base_lse(row, state) * 0x1.71547652b82fep+0);
}
static const sp_hooks e5_hooks = {.lse = in_base_2};
SP_EXHIBIT(e5, 'E', "E5-lse-in-base-2", .clause = "SM-3",
           .summary = "the log-sum-exp is returned in base 2", .cite = "deepseek-ai/FlashMLA#106",
           .reveals = "any row, lse compared", .ops = SP_IN_ALL, .needs = SP_OPT_LSE_KEYS,
           .min_n = 1);

/* A split without keys leaves its place in the buffer of partial results as it was. */
static void merge_stale(const sp_row *row, sp_state *into, sp_state *part) {
  enum { ROOM = 256 };
  static sp_state stale = {.m = -INFINITY};
  static double buffer[ROOM];
  size_t bytes = (row->n_value < ROOM ? (size_t)row->n_value : ROOM) * sizeof(double);
  if (part->m != -INFINITY) {
    stale = *part;
    if (part->acc) memcpy(buffer, part->acc, bytes);
  } else {
    part->m = stale.m;
    part->l = stale.l;
    if (part->acc) memcpy(part->acc, buffer, bytes);
  }
  sp_base_merge(row, into, part);
}
static const sp_hooks e6_hooks = {.tile = 4, .split = 8, .merge = merge_stale};
SP_EXHIBIT(e6, 'E', "E6-stale-partial-result", .clause = "AT-8",
           .summary = "a split without keys does not write its partial result, and the merge reads "
                      "what an earlier row left there",
           .cite = "", .reveals = "an empty later split after one with keys", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK, .min_n = 17);

static double zero_if_empty(const sp_row *row, const sp_state *state) {
  return state->l == 0 ? 0 : sp_base_lse(row, state);
}
static const sp_hooks e7_hooks = {.lse = zero_if_empty};
SP_EXHIBIT(e7, 'E', "E7-lse-of-empty-row-zero", .clause = "AT-9",
           .summary = "the log-sum-exp of an empty row is 0", .cite = "pytorch/pytorch#134650",
           .reveals = "an empty row, lse compared", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK | SP_OPT_LSE_KEYS);

static void merge_unscaled(const sp_row *row, sp_state *into, sp_state *part) {
  into->m = fmax(into->m, part->m);
  sp_state_sum(row, into, part);
}
static const sp_hooks e8_hooks = {.tile = 4, .split = 8, .merge = merge_unscaled};
SP_EXHIBIT(e8, 'E', "E8-merge-without-rescale", .clause = "AT-8",
           .summary = "partial results are added although their maxima differ", .cite = "",
           .reveals = "two splits with different maxima", .ops = SP_IN_ALL, .min_n = 9);

static bool three_splits(const sp_row *row, uint64_t split, uint64_t *lo, uint64_t *hi) {
  uint64_t size = row->n_keys / 3;
  if (size == 0) return sp_base_range(row, split, lo, hi);
  *lo = split * size;
  *hi = *lo + size;
  return split < 3;
}
static const sp_hooks e9_hooks = {.range = three_splits};
SP_EXHIBIT(e9, 'E', "E9-last-split-drops-remainder", .clause = "AT-8",
           .summary = "each split gets n / splits keys, rounded down, and the remainder is lost",
           .cite = "sgl-project/sglang#2465", .reveals = "n not a multiple of the splits",
           .ops = SP_IN_ALL, .min_n = 4);

static bool with_gap(const sp_row *row, uint64_t split, uint64_t *lo, uint64_t *hi) {
  if (!sp_base_range(row, split, lo, hi)) return false;
  if (*hi < row->n_keys) *hi -= 1;
  return true;
}
static const sp_hooks e10_hooks = {.tile = 4, .split = 8, .range = with_gap};
SP_EXHIBIT(e10, 'E', "E10-gap-between-splits", .clause = "AT-8",
           .summary = "the last key before a split border belongs to no split", .cite = "",
           .reveals = "a dominant key at a split border", .ops = SP_IN_ALL, .min_n = 9);

static bool with_overlap(const sp_row *row, uint64_t split, uint64_t *lo, uint64_t *hi) {
  if (!sp_base_range(row, split, lo, hi)) return false;
  if (split > 0) *lo -= 1;
  return true;
}
static const sp_hooks e11_hooks = {.tile = 4, .split = 8, .range = with_overlap};
SP_EXHIBIT(e11, 'E', "E11-splits-overlap", .clause = "AT-8",
           .summary = "the key before a split border is counted by both splits",
           .cite = "Dao-AILab/flash-attention#1328", .reveals = "a dominant key at a split border",
           .ops = SP_IN_ALL, .min_n = 9);

static double log_without_max(const sp_row *row, const sp_state *state) {
  return sp_fl(row, log(state->l));
}
static const sp_hooks e13_hooks = {.lse = log_without_max};
SP_EXHIBIT(e13, 'E', "E13-lse-forgets-max", .clause = "SM-3",
           .summary = "the log-sum-exp is ln l without the maximum", .cite = "",
           .reveals = "any row whose maximum is not 0, lse compared", .ops = SP_IN_ALL,
           .needs = SP_OPT_LSE_KEYS, .min_n = 1);

/* l is brought to the common maximum, the output accumulator is not. */
static void merge_sum_only(const sp_row *row, sp_state *into, sp_state *part) {
  sp_state into_sum = {.m = into->m, .l = into->l}, part_sum = {.m = part->m, .l = part->l};
  sp_base_merge(row, &into_sum, &part_sum);
  sp_state_sum(row, into, part);
  into->m = into_sum.m;
  into->l = into_sum.l;
}
static const sp_hooks e15_hooks = {.tile = 4, .split = 8, .merge = merge_sum_only};
SP_EXHIBIT(e15, 'E', "E15-merge-rescales-sum-only", .clause = "AT-8",
           .summary = "the merge rescales the sums but not the output accumulators", .cite = "",
           .reveals = "two splits with different maxima", .ops = SP_IN_HEADS, .min_n = 9);

const sp_exhibit *const sp_exhibits_e[] = {&e1, &e2, &e2b, &e3,  &e4,  &e5,  &e6, &e7,
                                           &e8, &e9, &e10, &e11, &e13, &e15, NULL};
