/* SPDX-License-Identifier: Apache-2.0 */
/* Class F: the window, the causal bound and how queries and keys are aligned. tests: AT-4 AT-5 EV-1
 * EV-2 */
#include "certify/museum/exhibit.h"

static bool windowed(const sp_row *row) {
  return row->window != SP_WINDOW_ALL;
}

static void one_wider(sp_row *row) {
  if (windowed(row)) row->window++;
}
static const sp_hooks f1_hooks = {.prepare = one_wider};
SP_EXHIBIT(f1, 'F', "F1-window-includes-distance-w", .clause = "EV-2",
           .summary = "a key is visible if i - j <= W: the window holds W + 1 keys",
           .cite = "huggingface/transformers#39408", .reveals = "a dominant key at distance W",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_WINDOW, .min_n = 2);

static void ring_one_wider(sp_cache *cache) {
  if (cache->window < UINT64_MAX) cache->window++;
}
static const sp_hooks f1b_hooks = {.opened = ring_one_wider};
SP_EXHIBIT(f1b, 'F', "F1-cache-keeps-one-more", .clause = "EV-2",
           .summary = "the cache keeps W + 1 recent tokens", .cite = "vllm-project/vllm#3385",
           .reveals = "a dominant key at distance W", .ops = SP_IN_CACHE, .min_n = 2);

static void by_phase(sp_row *row) {
  if (windowed(row)) row->window += row->attention->n_q > 1 ? UINT64_MAX : 1;
}
static const sp_hooks f2_hooks = {.prepare = by_phase};
SP_EXHIBIT(f2, 'F', "F2-window-differs-by-phase", .clause = "EV-2",
           .summary = "generation sees one key more than the window, the prompt one less",
           .cite = "microsoft/onnxruntime#25927",
           .reveals = "dominant keys at distance W - 1 and W", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW, .min_n = 2);

static bool one_future_key(const sp_row *row, uint64_t j) {
  sp_row later = *row;
  if (sp_base_visible(row, j) || sp_row_is_pair(row, j)) return true;
  later.pos_q++;
  return row->attention->n_q > 1 && sp_row_pos(row, j) == later.pos_q && sp_base_visible(&later, j);
}
static const sp_hooks f3_hooks = {.visible = one_future_key};
SP_EXHIBIT(f3, 'F', "F3-extend-sees-one-more", .clause = "AT-4",
           .summary = "when several queries extend a prefix, each sees the key after its own",
           .cite = "sgl-project/sglang#34273", .reveals = "several causal queries",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_PREFILL, .min_n = 2);

static void clamp_offset(sp_row *row) {
  if (row->attention->n_q > row->attention->n_kv && !row->attention->pos_q)
    row->pos_q = (int64_t)row->i;
}
static const sp_hooks f5_hooks = {.prepare = clamp_offset};
SP_EXHIBIT(f5, 'F', "F5-alignment-clamped", .clause = "AT-4",
           .summary = "with more queries than keys the bottom-right offset is clamped to 0",
           .cite = "Dao-AILab/flash-attention#895", .reveals = "n_q > n_kv, causal",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_MORE_Q_THAN_KV | SP_OPT_PREFILL, .min_n = 1);

static void all_if_not_causal(sp_row *row) {
  if (!row->causal) row->window = SP_WINDOW_ALL;
}
static const sp_hooks f6a_hooks = {.prepare = all_if_not_causal};
SP_EXHIBIT(f6a, 'F', "F6-window-needs-causal", .clause = "AT-5",
           .summary = "the window is ignored when no causal mask is asked for",
           .cite = "jax-ml/jax#32300", .reveals = "window without causal", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW | SP_OPT_NONCAUSAL | SP_OPT_PREFILL, .min_n = 3);

static void all_in_decode(sp_row *row) {
  if (windowed(row) && row->attention->n_q == 1) row->window = SP_WINDOW_ALL;
}
static const sp_hooks f6b_hooks = {.prepare = all_in_decode};
SP_EXHIBIT(f6b, 'F', "F6-window-ignored-in-decode", .clause = "AT-5",
           .summary = "the window is not handed to the decode kernel",
           .cite = "flashinfer-ai/flashinfer#4893", .reveals = "one query, more than W keys",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_WINDOW, .min_n = 2);

static void all_in_prefill(sp_row *row) {
  if (row->attention->n_q > 1) row->window = SP_WINDOW_ALL;
}
static const sp_hooks f6c_hooks = {.prepare = all_in_prefill};
SP_EXHIBIT(f6c, 'F', "F6-window-ignored-in-prefill", .clause = "AT-5",
           .summary = "the window is ignored by the backend that prefill uses",
           .cite = "vllm-project/vllm#23969", .reveals = "several queries, more than W keys",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_WINDOW | SP_OPT_PREFILL, .min_n = 2);

static void one_is_none(sp_row *row) {
  if (windowed(row) && row->window == 1) row->window = SP_WINDOW_ALL;
}
static const sp_hooks f7_hooks = {.prepare = one_is_none};
SP_EXHIBIT(f7, 'F', "F7-window-left-zero-is-all", .clause = "AT-5",
           .summary = "window_left = W - 1 <= 0 is taken for no window at all",
           .cite = "proger/hippogriff#7", .reveals = "window 1", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW, .min_n = 2);

static void top_left(sp_row *row) {
  if (!row->attention->pos_q) row->pos_q = (int64_t)row->i;
}
static const sp_hooks f8_hooks = {.prepare = top_left};
SP_EXHIBIT(f8, 'F', "F8-causal-top-left", .clause = "AT-4",
           .summary = "the causal mask is aligned to the first key: j <= i",
           .cite = "microsoft/onnxruntime#29020", .reveals = "n_q < n_kv, causal",
           .ops = SP_IN_ATTENTION, .min_n = 2);

static void from_key_length(sp_row *row) {
  if (!row->attention->pos_q) row->pos_q = (int64_t)(row->n_kv + row->i);
}
static const sp_hooks f9_hooks = {.prepare = from_key_length};
SP_EXHIBIT(f9, 'F', "F9-query-start-is-key-length", .clause = "AT-4",
           .summary = "the first query is placed after all keys",
           .cite = "NVIDIA/TensorRT-LLM#10102", .reveals = "several causal queries",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_PREFILL, .min_n = 2);

static bool whole_tile(const sp_row *row, uint64_t j) {
  if (sp_base_visible(row, j)) return true;
  uint64_t last = j | 3;
  return windowed(row) && j < row->n_kv && last < row->n_kv && sp_row_bias(row, j) != -INFINITY &&
         sp_base_visible(row, last);
}
static const sp_hooks f10_hooks = {.visible = whole_tile};
SP_EXHIBIT(f10, 'F', "F10-window-in-whole-tiles", .clause = "AT-5",
           .summary = "the window's lower end is rounded down to a tile of 4 keys", .cite = "",
           .reveals = "a dominant key just outside the window", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW, .min_n = 4);

static bool from_first_query(const sp_row *row, uint64_t j) {
  bool before = row->attention->n_q > 1 && row->attention->n_q < row->n_kv &&
                j < row->n_kv - row->attention->n_q;
  return !before && sp_base_visible(row, j);
}
static const sp_hooks f11_hooks = {.visible = from_first_query};
SP_EXHIBIT(
    f11, 'F', "F11-keys-start-at-query-offset", .clause = "AT-4",
    .summary = "the key loop starts at the offset of the first query and skips the cached keys",
    .cite = "openai/gpt-oss#196", .reveals = "several queries after a cached prefix",
    .ops = SP_IN_ATTENTION, .needs = SP_OPT_PREFILL, .min_n = 3);

static bool pinned_at_once(const sp_row *row, uint64_t j) {
  if (sp_base_visible(row, j) || sp_row_is_pair(row, j)) return true;
  return (uint64_t)sp_row_pos(row, j) < row->n_sink_tokens && sp_row_bias(row, j) != -INFINITY;
}
static const sp_hooks f12_hooks = {.visible = pinned_at_once};
SP_EXHIBIT(f12, 'F', "F12-pinned-without-causal", .clause = "AT-5",
           .summary =
               "pinned tokens are admitted without the causal bound, so the first queries see "
               "their own future",
           .cite = "gittensor-ai-lab/sparkinfer#605",
           .reveals = "prefill, queries below n_sink_tokens", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW | SP_OPT_SINK_TOKENS | SP_OPT_PREFILL, .min_n = 2);

static void window_is_budget(sp_row *row) {
  if (windowed(row)) row->window += row->n_sink_tokens;
}
static const sp_hooks f13_hooks = {.prepare = window_is_budget};
SP_EXHIBIT(f13, 'F', "F13-budget-is-window", .clause = "EV-1",
           .summary = "the total budget S + W is used as the window",
           .cite = "hao-ai-lab/FastVideo#1677", .reveals = "more than S + W keys",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_WINDOW | SP_OPT_SINK_TOKENS, .min_n = 3);

static void not_pinned(sp_row *row) {
  if (windowed(row)) row->n_sink_tokens = 0;
}
static const sp_hooks f14_hooks = {.prepare = not_pinned};
SP_EXHIBIT(f14, 'F', "F14-pinned-tokens-ignored", .clause = "AT-5",
           .summary = "n_sink_tokens is taken and not used", .cite = "",
           .reveals = "more than S + W keys", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW | SP_OPT_SINK_TOKENS, .min_n = 2);

static void one_more_pinned(sp_row *row) {
  if (windowed(row) && row->n_sink_tokens > 0) row->n_sink_tokens++;
}
static const sp_hooks f16_hooks = {.prepare = one_more_pinned};
SP_EXHIBIT(f16, 'F', "F16-one-token-too-many-pinned", .clause = "EV-1",
           .summary = "a key is pinned if its position is <= n_sink_tokens", .cite = "",
           .reveals = "a dominant key at position n_sink_tokens", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW | SP_OPT_SINK_TOKENS, .min_n = 3);

static bool by_index(const sp_row *row, uint64_t j) {
  sp_attention_call call = *row->attention;
  sp_row indexed = *row;
  call.pos_k = NULL;
  indexed.attention = &call;
  indexed.pos_q = (int64_t)call.n_kv - (int64_t)call.n_q + (int64_t)row->i;
  return sp_base_visible(&indexed, j);
}
static const sp_hooks f17_hooks = {.visible = by_index};
SP_EXHIBIT(f17, 'F', "F17-positions-ignored", .clause = "AT-4",
           .summary = "masks are computed from indices although positions are given", .cite = "",
           .reveals = "positions that are not 0, 1, 2, …", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_POSITIONS, .min_n = 2);

static void always_causal(sp_row *row) {
  row->causal = true;
}
static const sp_hooks f18_hooks = {.prepare = always_causal};
SP_EXHIBIT(f18, 'F', "F18-always-causal", .clause = "AT-4", .summary = "causal = 0 is ignored",
           .cite = "", .reveals = "several queries, not causal", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_NONCAUSAL | SP_OPT_PREFILL, .min_n = 2);

static void window_for_causal(sp_row *row) {
  if (windowed(row)) row->causal = false;
}
static const sp_hooks f19_hooks = {.prepare = window_for_causal};
SP_EXHIBIT(f19, 'F', "F19-window-replaces-causal", .clause = "AT-5",
           .summary = "with a window the causal bound is dropped", .cite = "",
           .reveals = "several causal queries and a window", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_WINDOW | SP_OPT_PREFILL, .min_n = 2);

const sp_exhibit *const sp_exhibits_f[] = {&f1,  &f1b, &f2,  &f3,  &f5,  &f6a, &f6b,
                                           &f6c, &f7,  &f8,  &f9,  &f10, &f11, &f12,
                                           &f13, &f14, &f16, &f17, &f18, &f19, NULL};
