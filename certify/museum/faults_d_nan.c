/* SPDX-License-Identifier: Apache-2.0 */
/* Class D, second half: -inf - -inf, NaN that appears, NaN that disappears. tests: AT-3 AT-8 AT-9
 * KC-5 SM-5 */
#include "certify/museum/exhibit.h"

static void all_nan(sp_answer *answer) {
  for (uint64_t c = 0; c < answer->n_value; c++) answer->value[c] = (double)NAN;
  answer->lse_keys = answer->lse_total = (double)NAN;
}

static bool empty_without_sink(const sp_row *row) {
  return row->sink_logit == -INFINITY && sp_row_empty(row);
}

static void unguarded(const sp_row *row, sp_answer *answer) {
  if (empty_without_sink(row)) all_nan(answer);
}
static const sp_hooks d4a_hooks = {.answer = unguarded};
SP_EXHIBIT(d4a, 'D', "D4-empty-row-nan", .clause = "AT-9", .summary = "an empty row is 0 / 0",
           .cite = "tracel-ai/burn#4694", .reveals = "an empty row", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK);

static void spoil(const sp_row *row, sp_state *state) {
  state->l = (double)NAN;
  for (uint64_t c = 0; state->acc && c < row->n_value; c++) state->acc[c] = (double)NAN;
}
static void first_tile_nan(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi) {
  if (lo == 0 && hi < row->n_keys && sp_row_none_in(row, lo, hi)) spoil(row, state);
}
static const sp_hooks d5_hooks = {.tile = 4, .split = 8, .tile_done = first_tile_nan};
SP_EXHIBIT(d5, 'D', "D5-masked-first-block-nan", .clause = "AT-3",
           .summary = "e^(-inf - -inf) in a masked first block makes a valid row NaN",
           .cite = "pytorch/pytorch#127055", .reveals = "a masked first tile", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK, .min_n = 5);

static void unwritten(const sp_row *row, sp_answer *answer) {
  if (!empty_without_sink(row)) return;
  answer->n_store = 0;
  answer->store_lse = false;
}
static const sp_hooks d6_hooks = {.answer = unwritten};
SP_EXHIBIT(d6, 'D', "D6-empty-row-unwritten", .clause = "KC-5",
           .summary = "an empty row is skipped and keeps what was in memory",
           .cite = "ml-explore/mlx#2395", .reveals = "an empty row", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK);

static void vector_path_nan(const sp_row *row, sp_answer *answer) {
  if (row->n_keys % 4 == 0 && empty_without_sink(row)) all_nan(answer);
}
static const sp_hooks d11_hooks = {.answer = vector_path_nan};
SP_EXHIBIT(d11, 'D', "D11-empty-row-nan-in-one-path", .clause = "AT-9",
           .summary = "the branch for rows of -inf is missing in the variant for whole vectors",
           .cite = "uxlfoundation/oneDNN#4890", .reveals = "an empty row of 4 m keys",
           .ops = SP_IN_SOFTMAX, .needs = SP_OPT_MASK, .min_n = 4);

static bool logit_is_inf(const sp_row *row, uint64_t j) {
  return sp_row_load(row, &row->softmax->logits, row->i, 0, 0, j) == INFINITY;
}
static void only_inf_nan(const sp_row *row, sp_answer *answer) {
  bool any = false;
  for (uint64_t j = 0; j < row->n_keys; j++) any = any || logit_is_inf(row, j);
  for (uint64_t j = 0; any && j < row->n_keys; j++)
    answer->value[j] = logit_is_inf(row, j) ? (double)NAN : 0;
}
static const sp_hooks d12_hooks = {.answer = only_inf_nan};
SP_EXHIBIT(d12, 'D', "D12-infinite-logit-keeps-zeros", .clause = "SM-5",
           .summary = "a logit of +inf makes its own weight NaN and leaves the others at 0",
           .cite = "openvinotoolkit/openvino#33456",
           .reveals = "a logit of +inf beside finite ones", .ops = SP_IN_SOFTMAX,
           .needs = SP_OPT_NONFINITE, .min_n = 2);

static double rescale_unguarded(const sp_row *row, double m_old, double m_new) {
  bool both = m_old == -INFINITY && m_new == -INFINITY;
  return both ? (double)NAN : sp_base_rescale(row, m_old, m_new);
}
static const sp_hooks d15_hooks = {.tile = 4, .split = 8, .rescale = rescale_unguarded};
SP_EXHIBIT(d15, 'D', "D15-rescale-unguarded", .clause = "SM-1",
           .summary = "the running sum is rescaled by e^(-inf - -inf) while no key has come yet",
           .cite = "Dao-AILab/flash-attention#1930", .reveals = "one finite logit in a late tile",
           .ops = SP_IN_ROWS, .needs = SP_OPT_MASK, .min_n = 5);

static void zero_times_value(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi) {
  for (uint64_t j = lo; j < hi; j++)
    for (uint64_t c = 0; row->logit[j] == -INFINITY && c < row->n_value; c++)
      state->acc[c] = sp_base_accumulate(row, state->acc[c], 0, sp_base_value(row, j, c));
}
static const sp_hooks d17_hooks = {.tile_done = zero_times_value};
SP_EXHIBIT(d17, 'D', "D17-masked-value-multiplied", .clause = "AT-3",
           .summary = "a masked key has weight 0 but its value is still multiplied: 0 * NaN",
           .cite = "vllm-project/vllm#30887", .reveals = "NaN or inf in the v of a masked key",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_MASK, .min_n = 1);

static double nan_plus_mask(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  return isnan(x) ? x : -INFINITY;
}
static const sp_hooks d17b_hooks = {.masked = nan_plus_mask};
SP_EXHIBIT(d17b, 'D', "D17-mask-added-to-nan", .clause = "AT-3",
           .summary = "the mask is added to the logit, and NaN + -inf is NaN",
           .cite = "pytorch/pytorch#101967",
           .reveals = "NaN in the k, or the logit, of a masked key", .ops = SP_IN_ROWS,
           .needs = SP_OPT_MASK, .min_n = 1);

static double nan_is_absent(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  return isnan(x) ? -INFINITY : x;
}
static const sp_hooks d19_hooks = {.logit = nan_is_absent};
SP_EXHIBIT(d19, 'D', "D19-nan-logit-swallowed", .clause = "SM-5",
           .summary = "a NaN logit loses every comparison and is treated as masked", .cite = "",
           .reveals = "NaN among the visible logits", .ops = SP_IN_ALL, .needs = SP_OPT_NONFINITE,
           .min_n = 1);

static void unwritten_without_keys(const sp_row *row, sp_answer *answer) {
  if (row->n_keys > 0) return;
  answer->n_store = 0;
  answer->store_lse = false;
}
static const sp_hooks d21_hooks = {.answer = unwritten_without_keys};
SP_EXHIBIT(d21, 'D', "D21-no-keys-early-return", .clause = "KC-5",
           .summary = "a call without keys returns before it writes anything", .cite = "",
           .reveals = "n = 0 or n_kv = 0", .ops = SP_IN_ATTENTION, .needs = SP_OPT_EMPTY);

const sp_exhibit *const sp_exhibits_d_nan[] = {&d4a, &d5,   &d6,  &d11, &d12, &d15,
                                               &d17, &d17b, &d19, &d21, NULL};
