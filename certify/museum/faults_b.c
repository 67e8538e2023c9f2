/* SPDX-License-Identifier: Apache-2.0 */
/* Class B: the sink logit and the running maximum: overflow, NaN, phantom sinks. tests: AL-2 AL-4
 * AT-9 */
#include <float.h>

#include "certify/museum/exhibit.h"

static void fill(sp_answer *answer, double x) {
  for (uint64_t c = 0; c < answer->n_value; c++) answer->value[c] = x;
  answer->lse_keys = answer->lse_total = x;
}

static void fold_without_max(const sp_row *row, sp_state *state) {
  sp_hook_fold_unshifted(row, state, row->sink_logit);
}
static const sp_hooks b1_hooks = {.fold = fold_without_max};
SP_EXHIBIT(
    b1, 'B', "B1-sink-not-in-max", .clause = "AL-2",
    .summary = "the sink logit does not take part in the maximum, so e^(sink - max) overflows",
    .cite = "Dao-AILab/flash-attention#2752",
    .reveals = "a sink logit more than 89 above the logits", .ops = SP_IN_ALL,
    .needs = SP_OPT_SINK_LOGIT);

static double placeholder(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return fmax(sp_base_pivot(row, m, lo, hi), -1e5);
}
static void seed_in_tile_0(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi) {
  (void)hi;
  if (lo == 0) sp_hook_fold_unshifted(row, state, row->sink_logit);
}
static const sp_hooks b2_hooks = {.tile = 4,
                                  .split = 8,
                                  .pivot = placeholder,
                                  .tile_done = seed_in_tile_0,
                                  .fold = sp_hook_no_fold};
SP_EXHIBIT(b2, 'B', "B2-placeholder-max-with-sink", .clause = "AL-2",
           .summary =
               "the maximum of a tile without keys stays at -1e5, e^(sink + 1e5) is infinite, "
               "and the merge makes inf * 0",
           .cite = "NVIDIA/TensorRT-LLM#19220", .reveals = "a masked first tile and a sink logit",
           .ops = SP_IN_ROWS, .needs = SP_OPT_SINK_LOGIT | SP_OPT_MASK, .min_n = 5);

static double sink_is_pivot(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return isfinite(row->sink_logit) ? row->sink_logit : sp_base_pivot(row, m, lo, hi);
}
static const sp_hooks b3_hooks = {.pivot = sink_is_pivot};
SP_EXHIBIT(b3, 'B', "B3-sink-is-the-only-max", .clause = "AL-2",
           .summary = "the sink logit alone is subtracted, so logits far above it overflow",
           .cite = "", .reveals = "logits more than 89 above the sink logit", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT, .min_n = 1);

static void empty_total_nan(const sp_row *row, sp_answer *answer) {
  if (row->has_sink && sp_row_empty(row)) answer->lse_total = (double)NAN;
}
static const sp_hooks b4_hooks = {.answer = empty_total_nan};
SP_EXHIBIT(b4, 'B', "B4-lse-nan-on-empty-row-with-sink", .clause = "AT-9",
           .summary = "lse_total of an empty row is -inf + inf = NaN instead of the sink logit",
           .cite = "NVIDIA/cudnn-frontend#333", .reveals = "an empty row with a sink logit",
           .ops = SP_IN_ROWS, .needs = SP_OPT_SINK_LOGIT | SP_OPT_MASK | SP_OPT_LSE_TOTAL);

static void phantom(sp_row *row) {
  if (!row->has_sink) row->sink_logit = -(double)FLT_MAX;
}
static double lowest(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return fmax(sp_base_pivot(row, m, lo, hi), -(double)FLT_MAX);
}
static const sp_hooks b6_hooks = {.prepare = phantom, .pivot = lowest};
SP_EXHIBIT(b6, 'B', "B6-phantom-sink", .clause = "AL-4",
           .summary = "no sink logit is encoded as -FLT_MAX and still added, which counts 1 where "
                      "the maximum is -FLT_MAX too (a review's remark)",
           .cite = "NVIDIA/TensorRT-LLM#7937", .reveals = "an empty row without a sink logit",
           .ops = SP_IN_ROWS, .needs = SP_OPT_MASK | SP_OPT_LSE_TOTAL);

static void leading_empty_nan(const sp_row *row, sp_answer *answer) {
  if (row->i < 4 && row->has_sink && sp_row_empty(row)) fill(answer, (double)NAN);
}
static const sp_hooks b7_hooks = {.answer = leading_empty_nan};
SP_EXHIBIT(b7, 'B', "B7-leading-empty-rows-nan", .clause = "AT-9",
           .summary = "empty rows with a sink logit are 0, but NaN in the first block of rows",
           .cite = "ikawrakow/ik_llama.cpp#2344", .reveals = "the first rows masked, a sink logit",
           .ops = SP_IN_ROWS, .needs = SP_OPT_SINK_LOGIT | SP_OPT_MASK);

static double start_at_65504(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  return fmax(sp_base_pivot(row, m, lo, hi), -65504);
}
static const sp_hooks b8_hooks = {.pivot = start_at_65504};
SP_EXHIBIT(b8, 'B', "B8-max-starts-at-lowest-half", .clause = "SM-2",
           .summary = "the maximum starts at -65504, which real logits can undercut",
           .cite = "NVIDIA/TensorRT-LLM#7114", .reveals = "all logits below -65700",
           .ops = SP_IN_ALL, .min_n = 1,
           .dtypes = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_BF16));

static void plus_inf_nan(const sp_row *row, sp_answer *answer) {
  double keys = answer->lse_keys;
  if (row->sink_logit != INFINITY || sp_row_empty(row)) return;
  fill(answer, (double)NAN);
  answer->lse_keys = keys;
}
static const sp_hooks b9_hooks = {.answer = plus_inf_nan};
SP_EXHIBIT(b9, 'B', "B9-infinite-sink-nan", .clause = "AL-4",
           .summary = "a sink logit of +inf gives inf - inf = NaN instead of weights of 0",
           .cite = "", .reveals = "sink_logit = +inf", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_NONFINITE, .min_n = 1);

static void minus_inf_nan(const sp_row *row, sp_answer *answer) {
  bool none = row->has_sink && row->sink_logit == -INFINITY;
  if (none && sp_row_empty(row)) fill(answer, (double)NAN);
}
static const sp_hooks b10_hooks = {.answer = minus_inf_nan};
SP_EXHIBIT(b10, 'B', "B10-absent-sink-nan-on-empty-row", .clause = "AL-4",
           .summary = "a sink logit of -inf on an empty row gives -inf - -inf = NaN", .cite = "",
           .reveals = "sink_logit = -inf and an empty row", .ops = SP_IN_ROWS,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_MASK);

static void nan_is_none(sp_row *row) {
  if (isnan(row->sink_logit)) row->sink_logit = -INFINITY;
}
static const sp_hooks b11_hooks = {.prepare = nan_is_none};
SP_EXHIBIT(b11, 'B', "B11-nan-sink-swallowed", .clause = "AL-4",
           .summary = "a NaN sink logit loses every comparison and is ignored", .cite = "",
           .reveals = "sink_logit = NaN", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_NONFINITE);

const sp_exhibit *const sp_exhibits_b[] = {&b1, &b2, &b3,  &b4,  &b6, &b7,
                                           &b8, &b9, &b10, &b11, NULL};
