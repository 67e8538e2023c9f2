/* SPDX-License-Identifier: Apache-2.0 */
/* Class K, more of it: inputs, weights and outputs rounded too early or in the wrong direction.
 * tests: NU-1 NU-2 NU-7 AL-2 */
#include "certify/museum/exhibit.h"

/* The sink logit is folded by rescaling with the log-sum-exp, and that was rounded to bf16. */
static void fold_by_bf16_lse(const sp_row *row, sp_state *state) {
  double lse = sp_round_to(SP_BF16, sp_base_lse(row, state));
  double gap = row->sink_logit - lse;
  if (!isfinite(gap) || gap > 80)
    sp_base_fold(row, state);
  else
    state->l = sp_fl(row, state->l * (1 + exp(gap)));
}
static const sp_hooks k12_hooks = {.fold = fold_by_bf16_lse};
SP_EXHIBIT(
    k12, 'K', "K12-lse-in-bf16-before-sink", .clause = "AL-2",
    .summary = "the log-sum-exp is rounded to bf16 before the sink logit is compared with it",
    .cite = "", .reveals = "a sink logit near an lse of 8 or more", .ops = SP_IN_ALL,
    .needs = SP_OPT_SINK_LOGIT, .min_n = 1, .precision = true);

static void fold_by_path(const sp_row *row, sp_state *state) {
  if (row->attention->n_q == 1)
    fold_by_bf16_lse(row, state);
  else
    sp_base_fold(row, state);
}
static const sp_hooks k11_hooks = {.fold = fold_by_path};
SP_EXHIBIT(
    k11, 'K', "K11-single-query-path-differs", .clause = "AT-8",
    .summary = "with a sink logit, a row computed alone differs from the same row in a batch",
    .cite = "ml-explore/mlx#3452", .reveals = "one query and a sink logit", .ops = SP_IN_HEADS,
    .needs = SP_OPT_SINK_LOGIT, .min_n = 1, .precision = true);

static double p_bf16(const sp_row *row, double acc, double p, double v) {
  return sp_base_accumulate(row, acc, sp_round_to(SP_BF16, p), v);
}
static const sp_hooks k13_hooks = {.accumulate = p_bf16};
SP_EXHIBIT(k13, 'K', "K13-weights-in-bf16", .clause = "NU-7",
           .summary = "weights are rounded to bf16 before they multiply values, unlike their sum",
           .cite = "", .reveals = "any two different logits", .ops = SP_IN_HEADS, .min_n = 2,
           .precision = true);

static double value_bf16(const sp_row *row, uint64_t j, uint64_t c) {
  return sp_round_to(SP_BF16, sp_base_value(row, j, c));
}
static const sp_hooks k14_hooks = {.value = value_bf16};
SP_EXHIBIT(k14, 'K', "K14-values-in-bf16", .clause = "NU-1",
           .summary = "values are rounded to bf16 on the way in", .cite = "",
           .reveals = "values with full mantissas", .ops = SP_IN_HEADS, .min_n = 1,
           .precision = true,
           .dtypes_kv = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16));

static double query_bf16(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  double x = sp_base_load(row, in, at);
  return in == &row->attention->q ? sp_round_to(SP_BF16, x) : x;
}
static const sp_hooks k15_hooks = {.load = query_bf16};
SP_EXHIBIT(k15, 'K', "K15-query-in-bf16", .clause = "NU-1",
           .summary = "q is rounded to bf16 before the product", .cite = "",
           .reveals = "q with full mantissas", .ops = SP_IN_HEADS, .min_n = 2, .precision = true,
           .dtypes = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16));

/* The next number of a 16-bit type toward 0 where rounding went away from it: subtracting between
 * half and a whole last place and rounding again takes exactly one step. */
static double chop(sp_dtype dtype, double x) {
  double y = sp_round_to(dtype, x);
  double step = dtype == SP_BF16 ? 0x1p-8 : 0x1p-11;
  return fabs(y) > fabs(x) ? sp_round_to(dtype, y * (1 - step)) : y;
}
static void truncate_16(const sp_row *row, sp_answer *answer) {
  sp_dtype dtype = sp_row_dtype(row);
  if (sp_element_bytes(dtype) != 2) return;
  for (uint64_t c = 0; c < answer->n_value; c++) answer->value[c] = chop(dtype, answer->value[c]);
}
static const sp_hooks k16_hooks = {.answer = truncate_16};
SP_EXHIBIT(k16, 'K', "K16-output-truncated", .clause = "NU-2",
           .summary = "16-bit outputs are truncated instead of rounded", .cite = "",
           .reveals = "16-bit output", .ops = SP_IN_ALL, .min_n = 2, .precision = true,
           .dtypes = SP_DTYPES_16);

/* Products and their sum in f16. */
static double dot_f16(const sp_row *row, uint64_t j) {
  sp_row rounded = *row;
  double sum = 0;
  for (uint64_t c = 0; c < row->d_head && !sp_row_is_pair(row, j); c++)
    sum = sp_round_to(
        SP_F16, sum + row->q[c] * sp_row_load(row, &row->attention->k, row->b, j, row->kv_head, c));
  if (sp_row_is_pair(row, j) || !isfinite(sp_row_dot(row, j))) return sp_base_logit(row, j);
  rounded.scale = 0;
  return sp_fl(row, sp_base_cap(row, row->scale * sum) + sp_base_logit(&rounded, j));
}
static const sp_hooks k18_hooks = {.logit = dot_f16};
SP_EXHIBIT(k18, 'K', "K18-product-accumulated-in-f16", .clause = "NU-7",
           .summary = "q . k is accumulated in f16: 11 digits, infinite past 65504",
           .cite = "ggml-org/llama.cpp#15274", .reveals = "q and k with full mantissas",
           .ops = SP_IN_HEADS, .min_n = 2, .precision = true);

const sp_exhibit *const sp_exhibits_k_store[] = {&k11, &k12, &k13, &k14, &k15, &k16, &k18, NULL};
