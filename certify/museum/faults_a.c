/* SPDX-License-Identifier: Apache-2.0 */
/* Class A: the sink logit is counted no time or twice, or only on some rows. tests: AL-2 AL-5 AL-6
 * AL-7 SM-7 AT-8 */
#include "certify/museum/exhibit.h"

static void no_sink(sp_row *row) {
  row->sink_logit = -INFINITY;
}

static bool split_is_empty(const sp_row *row, uint64_t split) {
  uint64_t lo = 0, hi = 0;
  return sp_base_range(row, split, &lo, &hi) && sp_row_none_in(row, lo, hi);
}

static bool all_empty_before(const sp_row *row, uint64_t split) {
  for (uint64_t s = 0; s < split; s++)
    if (!split_is_empty(row, s)) return false;
  return true;
}

/* The first split with work looks one split back, sees "empty" and seeds again. */
static void seed_again(const sp_row *row, uint64_t split, sp_state *part) {
  bool first_with_work = !split_is_empty(row, split) && all_empty_before(row, split);
  if (split == 0 || first_with_work) sp_base_fold(row, part);
}
static const sp_hooks a1_hooks = {
    .tile = 4, .split = 8, .split_done = seed_again, .fold = sp_hook_no_fold};
SP_EXHIBIT(a1, 'A', "A1-sink-twice-after-empty-split", .clause = "AL-6",
           .summary = "an empty first split publishes the sink logit and the first split with work "
                      "seeds it again",
           .cite = "ROCm/rocm-libraries#12227",
           .reveals = "a mask over the whole first split, sink logit near the lse",
           .ops = SP_IN_ROWS, .needs = SP_OPT_SINK_LOGIT | SP_OPT_MASK, .min_n = 9);

static void fold_if_any(const sp_row *row, sp_state *state) {
  if (!sp_row_empty(row)) sp_base_fold(row, state);
}
static const sp_hooks a2_hooks = {.fold = fold_if_any};
SP_EXHIBIT(a2, 'A', "A2-sink-lost-on-empty-row", .clause = "AT-9",
           .summary = "the sink logit is folded only when a key was admitted, so lse_total of an "
                      "empty row is -inf",
           .cite = "ROCm/rocm-libraries#12229", .reveals = "an empty row with a sink logit",
           .ops = SP_IN_ROWS, .needs = SP_OPT_SINK_LOGIT | SP_OPT_MASK | SP_OPT_LSE_TOTAL);

static void publish_if_empty(const sp_row *row, uint64_t split, sp_state *part) {
  if (split == 0 || split_is_empty(row, split)) sp_base_fold(row, part);
}
static const sp_hooks a3_hooks = {
    .tile = 4, .split = 8, .split_done = publish_if_empty, .fold = sp_hook_no_fold};
SP_EXHIBIT(a3, 'A', "A3-sink-in-every-empty-split", .clause = "AL-6",
           .summary = "every empty split publishes the sink logit, not only the first",
           .cite = "ROCm/composable_kernel#3490", .reveals = "a mask over a whole later split",
           .ops = SP_IN_ROWS, .needs = SP_OPT_SINK_LOGIT | SP_OPT_MASK, .min_n = 9);

static void first_query_only(sp_row *row) {
  if (row->i > 0) no_sink(row);
}
static const sp_hooks a4_hooks = {.prepare = first_query_only};
SP_EXHIBIT(a4, 'A', "A4-sink-first-query-only", .clause = "AL-2",
           .summary = "rows are flattened as (query, head) and only the first head group gets the "
                      "sink logit",
           .cite = "NVIDIA/TensorRT-LLM#15739", .reveals = "two or more queries",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_SINK_LOGIT | SP_OPT_PREFILL);

static void first_batch_only(sp_row *row) {
  if (row->b > 0) no_sink(row);
}
static const sp_hooks a5_hooks = {.prepare = first_batch_only};
SP_EXHIBIT(
    a5, 'A', "A5-sink-first-beam-only", .clause = "AL-2",
    .summary =
        "only the rows of the first batch entry (beam) get the sink logit (a review's remark)",
    .cite = "NVIDIA/TensorRT-LLM#19220", .reveals = "two or more batch entries",
    .ops = SP_IN_ATTENTION, .needs = SP_OPT_SINK_LOGIT | SP_OPT_BATCH);

static const sp_hooks a7_hooks = {.prepare = no_sink};
SP_EXHIBIT(a7, 'A', "A7-sink-omitted", .clause = "AL-2",
           .summary = "the kernel takes the sink logit and never uses it",
           .cite = "ikawrakow/ik_llama.cpp#2087", .reveals = "any sink logit near the lse",
           .ops = SP_IN_ALL, .needs = SP_OPT_SINK_LOGIT);

static void not_in_prefill(sp_row *row) {
  if (row->attention->n_q > 1) no_sink(row);
}
static const sp_hooks a8_hooks = {.prepare = not_in_prefill};
SP_EXHIBIT(a8, 'A', "A8-sink-omitted-in-prefill", .clause = "AL-2",
           .summary = "prefill ignores the sink logit, decode applies it",
           .cite = "vllm-project/vllm#52148", .reveals = "two or more queries",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_SINK_LOGIT | SP_OPT_PREFILL);

static void not_in_block(sp_row *row) {
  if (row->cache->block_n > 0) no_sink(row);
}
static const sp_hooks a8b_hooks = {.prepare = not_in_block};
SP_EXHIBIT(a8b, 'A', "A8-sink-omitted-in-append", .clause = "AL-2",
           .summary = "a cache ignores the sink logit for the queries of a block and applies it in "
                      "attend",
           .cite = "vllm-project/vllm#52148", .reveals = "a block with queries", .ops = SP_IN_CACHE,
           .needs = SP_OPT_SINK_LOGIT);

static void not_in_generic(sp_row *row) {
  if (row->n_keys % 16 != 0) no_sink(row);
}
static const sp_hooks a9_hooks = {.prepare = not_in_generic};
SP_EXHIBIT(a9, 'A', "A9-sink-omitted-in-generic-path", .clause = "AL-2",
           .summary = "the path for rows that are no multiple of 16 keys drops the sink logit",
           .cite = "modular/modular#6591", .reveals = "n not a multiple of 16", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT, .min_n = 1);

static void not_when_split(sp_row *row) {
  if (row->n_keys > 8) no_sink(row);
}
static const sp_hooks a10_hooks = {.tile = 4, .split = 8, .prepare = not_when_split};
SP_EXHIBIT(
    a10, 'A', "A10-sink-omitted-when-split", .clause = "AL-6",
    .summary = "the path for more than one split never ran the code that adds the sink logit",
    .cite = "vllm-project/vllm-metal#550", .reveals = "rows longer than one split",
    .ops = SP_IN_ALL, .needs = SP_OPT_SINK_LOGIT, .min_n = 9);

static void not_for_16_bit(sp_row *row) {
  if (sp_element_bytes(row->attention->k.dtype) == 2) no_sink(row);
}
static const sp_hooks a11_hooks = {.prepare = not_for_16_bit};
SP_EXHIBIT(a11, 'A', "A11-sink-omitted-for-16-bit-kv", .clause = "AL-2",
           .summary = "the kernels for narrow k and v were never given the sink logit",
           .cite = "kekzl/imp#1303", .reveals = "k and v in f16 or bf16", .ops = SP_IN_HEADS,
           .needs = SP_OPT_SINK_LOGIT, .dtypes = SP_DTYPES_16);

static void not_with_window(sp_row *row) {
  if (row->window != SP_WINDOW_ALL) no_sink(row);
}
static const sp_hooks a12_hooks = {.prepare = not_with_window};
SP_EXHIBIT(a12, 'A', "A12-sink-omitted-with-window", .clause = "AL-2",
           .summary = "the sink logit is dropped when a window is given",
           .cite = "sgl-project/sglang#11634", .reveals = "window and sink logit together",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_SINK_LOGIT | SP_OPT_WINDOW);

static double sink_on_key_0(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  return j == 0 && row->has_sink ? sp_fl(row, x + row->sink_logit) : x;
}
static const sp_hooks a13_hooks = {.logit = sink_on_key_0, .fold = sp_hook_no_fold};
SP_EXHIBIT(a13, 'A', "A13-sink-is-bias-of-key-0", .clause = "AL-1",
           .summary = "the sink logit is added to the logit of key 0 and not to the denominator",
           .cite = "vllm-project/vllm#49815", .reveals = "any sink logit", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT, .min_n = 1);

static const sp_in *bias_of(const sp_row *row) {
  return row->softmax ? &row->softmax->key_bias : &row->attention->key_bias;
}
static double no_bias_on_key_0(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  return in == bias_of(row) && at[3] == 0 ? 0 : sp_base_load(row, in, at);
}
static void bias_0_is_sink(sp_row *row) {
  const uint64_t of_row[4] = {row->i, 0, 0, 0}, of_head[4] = {row->b, row->i, row->h, 0};
  if (row->has_sink || !bias_of(row)->data || row->n_kv == 0) return;
  row->sink_logit = sp_base_load(row, bias_of(row), row->softmax ? of_row : of_head);
}
static const sp_hooks a13b_hooks = {.prepare = bias_0_is_sink, .load = no_bias_on_key_0};
SP_EXHIBIT(a13b, 'A', "A13-bias-of-key-0-is-sink", .clause = "AL-1",
           .summary = "the bias of key 0 is moved to the denominator as if it were a sink logit",
           .cite = "vllm-project/vllm#49815", .reveals = "a key bias that is not 0 on key 0",
           .ops = SP_IN_ROWS, .needs = SP_OPT_KEY_BIAS, .min_n = 1);

/* Every split adds the sink logit to its own partial sum. */
static void seed_always(const sp_row *row, uint64_t split, sp_state *part) {
  (void)split;
  sp_base_fold(row, part);
}
static const sp_hooks a14_hooks = {
    .tile = 4, .split = 8, .split_done = seed_always, .fold = sp_hook_no_fold};
SP_EXHIBIT(a14, 'A', "A14-sink-in-every-split", .clause = "AL-6",
           .summary = "each split adds the sink logit to its partial sum", .cite = "",
           .reveals = "rows longer than one split", .ops = SP_IN_ALL, .needs = SP_OPT_SINK_LOGIT,
           .min_n = 9);

static void fold_with_value(const sp_row *row, sp_state *state) {
  sp_base_fold(row, state);
  double p = sp_exp_gap(row, row->sink_logit, state->m);
  for (uint64_t c = 0; row->has_sink && row->n_kv > 0 && c < row->n_value; c++)
    state->acc[c] = sp_base_accumulate(row, state->acc[c], p, sp_base_value(row, 0, c));
}
static const sp_hooks a15_hooks = {.fold = fold_with_value};
SP_EXHIBIT(a15, 'A', "A15-sink-has-a-value", .clause = "AL-2",
           .summary = "the sink logit also adds its weight times the first value to the output, as "
                      "a review once asked for",
           .cite = "sgl-project/sgl-kernel-npu#216", .reveals = "any sink logit near the lse",
           .ops = SP_IN_HEADS, .needs = SP_OPT_SINK_LOGIT, .min_n = 1);

static void total_is_keys(const sp_row *row, sp_answer *answer) {
  (void)row;
  answer->lse_total = answer->lse_keys;
}
static const sp_hooks a16_hooks = {.answer = total_is_keys};
SP_EXHIBIT(a16, 'A', "A16-lse-total-without-sink", .clause = "AL-5",
           .summary = "lse_total leaves the sink logit out",
           .cite = "bo-ke/llm-internal-medicine#28",
           .reveals = "any sink logit, lse_total compared", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_LSE_TOTAL);

static void keys_is_total(const sp_row *row, sp_answer *answer) {
  (void)row;
  answer->lse_keys = answer->lse_total;
}
static const sp_hooks a16b_hooks = {.answer = keys_is_total};
SP_EXHIBIT(a16b, 'A', "A16-lse-keys-with-sink", .clause = "AL-5",
           .summary = "lse_keys contains the sink logit", .cite = "",
           .reveals = "any sink logit, lse_keys compared", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT | SP_OPT_LSE_KEYS);

const sp_exhibit *const sp_exhibits_a[] = {&a1,  &a2,  &a3,  &a4,   &a5,  &a7,  &a8,
                                           &a8b, &a9,  &a10, &a11,  &a12, &a13, &a13b,
                                           &a14, &a15, &a16, &a16b, NULL};
