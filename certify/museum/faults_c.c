/* SPDX-License-Identifier: Apache-2.0 */
/* Class C: the sink logit is read with the wrong type, index or scale. tests: AL-2 AL-3 AT-2 AT-6
 */
#include "certify/museum/exhibit.h"

static const sp_in *sink_of(const sp_row *row) {
  return row->softmax ? &row->softmax->sink_logit : &row->attention->sink_logit;
}

static void through_bf16(sp_row *row) {
  const uint64_t of_row[4] = {row->i, 0, 0, 0}, of_head[4] = {0, 0, row->h, 0};
  sp_in narrow = *sink_of(row);
  narrow.dtype = SP_BF16;
  if (row->has_sink) row->sink_logit = sp_base_load(row, &narrow, row->softmax ? of_row : of_head);
}
static const sp_hooks c1_hooks = {.prepare = through_bf16};
SP_EXHIBIT(c1, 'C', "C1-f32-sink-read-as-bf16", .clause = "AL-2",
           .summary = "f32 sink logits are read through a bf16 pointer: even heads get half of a "
                      "mantissa",
           .cite = "Avarok-Cybersecurity/atlas#341",
           .reveals = "f32 sink logits with full mantissas", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT);

static void times_scale(sp_row *row) {
  row->sink_logit *= row->scale;
}
static const sp_hooks c2a_hooks = {.prepare = times_scale};
SP_EXHIBIT(c2a, 'C', "C2-sink-scaled", .clause = "AT-2",
           .summary = "the sink logit is multiplied by the softmax scale",
           .cite = "ROCm/rocm-libraries#12227", .reveals = "scale other than 1", .ops = SP_IN_HEADS,
           .needs = SP_OPT_SINK_LOGIT);

static void base_2(sp_row *row) {
  row->sink_logit *= 0x1.62e42fefa39efp-1;
} /* ln 2 */
static const sp_hooks c2b_hooks = {.prepare = base_2};
SP_EXHIBIT(c2b, 'C', "C2-sink-in-base-2", .clause = "AL-2",
           .summary = "logits are kept in base 2 and the sink logit is not converted: 2^sink",
           .cite = "ROCm/rocm-libraries#12227", .reveals = "any sink logit other than 0",
           .ops = SP_IN_ALL, .needs = SP_OPT_SINK_LOGIT);

static void twice_log2e(sp_row *row) {
  row->sink_logit *= 0x1.71547652b82fep+0;
} /* 1 / ln 2 */
static const sp_hooks c2c_hooks = {.prepare = twice_log2e};
SP_EXHIBIT(c2c, 'C', "C2-sink-converted-twice", .clause = "AL-2",
           .summary = "the sink logit is multiplied by log2(e) once too often",
           .cite = "ROCm/rocm-libraries#12227", .reveals = "any sink logit other than 0",
           .ops = SP_IN_ALL, .needs = SP_OPT_SINK_LOGIT);

static void capped(sp_row *row) {
  if (isfinite(row->sink_logit)) row->sink_logit = sp_base_cap(row, row->sink_logit);
}
static const sp_hooks c3_hooks = {.prepare = capped};
SP_EXHIBIT(c3, 'C', "C3-sink-softcapped", .clause = "AT-2",
           .summary = "the softcap is applied to the sink logit",
           .cite = "ROCm/rocm-libraries#12229", .reveals = "a sink logit above the softcap",
           .ops = SP_IN_HEADS, .needs = SP_OPT_SINK_LOGIT | SP_OPT_SOFTCAP);

static void row_mod_heads(sp_row *row) {
  sp_row_set_sink(row, (row->h * row->attention->n_q + row->i) % row->attention->n_heads);
}
static const sp_hooks c4_hooks = {.prepare = row_mod_heads};
SP_EXHIBIT(c4, 'C', "C4-sink-index-row-mod-heads", .clause = "AL-2",
           .summary = "the sink logit of row mod n_heads is used, right only for one query",
           .cite = "modular/modular#6591", .reveals = "several queries and heads, distinct sinks",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_SINK_LOGIT | SP_OPT_PREFILL);

static void rank_local(sp_row *row) {
  sp_row_set_sink(row, row->h % ((row->attention->n_heads + 1) / 2));
}
static const sp_hooks c7_hooks = {.prepare = rank_local};
SP_EXHIBIT(c7, 'C', "C7-sink-of-first-rank", .clause = "AL-2",
           .summary = "the second half of the heads reads the sink logits from the beginning",
           .cite = "sgl-project/sglang#35092", .reveals = "two or more heads with distinct sinks",
           .ops = SP_IN_HEADS, .needs = SP_OPT_SINK_LOGIT);

static void by_batch(sp_row *row) {
  if (row->b > 0) sp_row_set_sink(row, row->attention->n_heads - 1);
}
static const sp_hooks c8_hooks = {.prepare = by_batch};
SP_EXHIBIT(c8, 'C', "C8-sink-indexed-by-batch", .clause = "AL-2",
           .summary = "the [head] array is indexed as [batch][head] and clamped to its end, the "
                      "forward image of a gradient bug",
           .cite = "ROCm/rocm-libraries#10519", .reveals = "batch and heads of two or more",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_SINK_LOGIT | SP_OPT_BATCH);

static void of_kv_head(sp_row *row) {
  sp_row_set_sink(row, row->kv_head);
}
static const sp_hooks c9_hooks = {.prepare = of_kv_head};
SP_EXHIBIT(c9, 'C', "C9-sink-per-kv-head", .clause = "AL-2",
           .summary = "the sink logit of the kv head is used for all query heads of its group",
           .cite = "", .reveals = "grouped heads with distinct sinks", .ops = SP_IN_HEADS,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_GQA);

static void one_after_max(const sp_row *row, sp_state *state) {
  if (row->sink_logit != -INFINITY)
    state->l = sp_fl(row, state->l + sp_fl(row, exp(row->sink_logit)));
}
static const sp_hooks c10_hooks = {.fold = one_after_max};
SP_EXHIBIT(c10, 'C', "C10-sink-added-after-max", .clause = "AL-3",
           .summary = "e^sink is added to a sum that already had the maximum subtracted (the usual "
                      "softmax-off-by-one mistake)",
           .cite = "", .reveals = "a maximum other than 0", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT);

static void logit_as_weight(const sp_row *row, sp_state *state) {
  if (row->sink_logit != -INFINITY && state->m != -INFINITY)
    state->l = sp_fl(row, state->l + row->sink_logit * exp(-state->m));
}
static const sp_hooks c11_hooks = {.fold = logit_as_weight};
SP_EXHIBIT(c11, 'C', "C11-sink-logit-as-weight", .clause = "AL-2",
           .summary = "the denominator gets the sink logit itself instead of its exponential",
           .cite = "", .reveals = "a sink logit of 0 or below", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT);

static void biased(sp_row *row) {
  if (row->n_kv > 0 && isfinite(row->sink_logit) && isfinite(sp_row_bias(row, 0)))
    row->sink_logit = sp_fl(row, row->sink_logit + sp_row_bias(row, 0));
}
static const sp_hooks c12_hooks = {.prepare = biased};
SP_EXHIBIT(c12, 'C', "C12-sink-biased", .clause = "AT-2",
           .summary = "the sink logit stands in column 0 and takes the key bias of that column",
           .cite = "", .reveals = "key bias and sink logit together", .ops = SP_IN_ROWS,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_KEY_BIAS, .min_n = 1);

static double absolute_alibi(const sp_row *row, uint64_t j) {
  sp_row plain = *row;
  plain.slope = 0;
  double x = sp_base_logit(&plain, j);
  if (sp_row_is_pair(row, j)) return x;
  return sp_fl(row, x + sp_fl(row, row->slope * sp_fl(row, (double)sp_row_pos(row, j))));
}
static const sp_hooks c13_hooks = {.logit = absolute_alibi};
SP_EXHIBIT(c13, 'C', "C13-alibi-offset-with-sink", .clause = "AT-6",
           .summary =
               "ALiBi is slope * pos_k, right up to a constant per row, which the sink logit "
               "does not share",
           .cite = "", .reveals = "ALiBi and sink logit together", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_ALIBI, .min_n = 2);

static void zero_for_f16(sp_row *row) {
  if (row->has_sink && sp_row_dtype(row) == SP_F16) row->sink_logit = 0;
}
static const sp_hooks c14_hooks = {.prepare = zero_for_f16};
SP_EXHIBIT(c14, 'C', "C14-f16-path-ignores-sink-value", .clause = "AL-2",
           .summary = "the f16 path reads that there is a sink logit but not which: it acts as 0",
           .cite = "", .reveals = "f16 logits or q, a sink logit other than 0", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT, .dtypes = SP_DTYPE_BIT(SP_F16));

static void to_bf16(sp_row *row) {
  row->sink_logit = sp_round_to(SP_BF16, row->sink_logit);
}
static const sp_hooks c15_hooks = {.prepare = to_bf16};
SP_EXHIBIT(c15, 'C', "C15-f32-sink-rounded-to-bf16", .clause = "AL-2",
           .summary = "f32 sink logits are rounded to bf16 on the way in", .cite = "",
           .reveals = "f32 sink logits with full mantissas", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT, .precision = true);

const sp_exhibit *const sp_exhibits_c[] = {&c1, &c2a, &c2b, &c2c, &c3,  &c4,  &c7,  &c8,
                                           &c9, &c10, &c11, &c12, &c13, &c14, &c15, NULL};
