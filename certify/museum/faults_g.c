/* SPDX-License-Identifier: Apache-2.0 */
/* Class G: eviction, rings, blocks. tests: EV-1 EV-2 EV-4 EV-5 EV-6 EV-7 EV-8 KC-5
 *
 * Two of the catalogue's class G are no kernels. ml-explore/mlx-lm#1914: a claim that was withdrawn;
 * spare slots are not observable (EV-4). NVIDIA/TensorRT-LLM#6379: a feature that newer code broke,
 * whose tests were waived and which was then refused; no cause is public, and refusing is declining
 * (KC-2).
 */
#include "certify/museum/exhibit.h"

/* S + W without overflow. */
static uint64_t capacity_of(const sp_cache *cache) {
  uint64_t sum = cache->n_sink_tokens + cache->window;
  return sum < cache->window ? UINT64_MAX : sum;
}

static uint64_t n_evicted(const sp_cache *cache) {
  uint64_t room = capacity_of(cache);
  return cache->n_seen > room ? cache->n_seen - room : 0;
}

static void pin_one_more(sp_cache *cache) {
  if (cache->window == 1) return;
  cache->n_sink_tokens++;
  cache->window--;
}
static const sp_hooks g3_hooks = {.opened = pin_one_more};
SP_EXHIBIT(g3, 'G', "G3-keep-one-more-evict-one-further", .clause = "EV-1",
           .summary = "the first evicted index is off by one: S + 1 tokens are pinned, W - 1 kept",
           .cite = "SciSharp/LLamaSharp#714", .reveals = "a stream longer than S + W",
           .ops = SP_IN_CACHE, .min_n = 2);

/* Every token after the first eviction evicts two. */
static bool evicts_twice(const sp_cache *cache, uint64_t token) {
  uint64_t oldest = cache->n_sink_tokens + 2 * n_evicted(cache);
  if (oldest >= cache->n_seen) oldest = cache->n_seen - 1;
  return token < cache->n_sink_tokens || token >= oldest;
}
static const sp_hooks g4_hooks = {.retained = evicts_twice};
SP_EXHIBIT(g4, 'G', "G4-length-not-updated", .clause = "EV-7",
           .summary = "the logical length does not shrink with an eviction, so each further token "
                      "evicts again",
           .cite = "ikawrakow/ik_llama.cpp#2459",
           .reveals = "several tokens after the first eviction", .ops = SP_IN_CACHE, .min_n = 2);

static bool suffix_only(const sp_row *row, uint64_t j) {
  bool wrapped = n_evicted(row->cache) > 0;
  if (wrapped && (uint64_t)sp_row_pos(row, j) < row->n_sink_tokens) return false;
  return sp_base_visible(row, j);
}
static const sp_hooks g8_hooks = {.visible = suffix_only};
SP_EXHIBIT(g8, 'G', "G8-kept-keys-are-a-suffix", .clause = "EV-4",
           .summary = "the mask assumes that the kept keys are a contiguous suffix, and loses the "
                      "pinned ones",
           .cite = "rajveer43/VeloxQuant-MLX#370", .reveals = "pinned tokens and a long stream",
           .ops = SP_IN_CACHE, .needs = SP_OPT_SINK_TOKENS, .min_n = 3);

static uint64_t offset_is_length(const sp_cache *cache, uint64_t token) {
  uint64_t room = capacity_of(cache);
  return sp_base_slot(cache, token < room ? token : room);
}
static const sp_hooks g8b_hooks = {.slot = offset_is_length};
SP_EXHIBIT(g8b, 'G', "G8-offset-is-rows-kept", .clause = "EV-2",
           .summary =
               "the number of rows kept is used as the next position, which stands still once "
               "the cache is full",
           .cite = "rajveer43/VeloxQuant-MLX#392", .reveals = "two evictions", .ops = SP_IN_CACHE,
           .min_n = 4);

static bool below_write_index(const sp_cache *cache, uint64_t token) {
  return n_evicted(cache) == 0 ||
         sp_base_slot(cache, token) <= sp_base_slot(cache, cache->n_seen - 1);
}
static const sp_hooks g10_hooks = {.retained = below_write_index};
SP_EXHIBIT(g10, 'G', "G10-ring-sliced-by-length", .clause = "EV-2",
           .summary = "after a wrap only the slots below the write index are read",
           .cite = "Blaizzy/mlx-vlm#1715", .reveals = "a stream that wraps the ring",
           .ops = SP_IN_CACHE, .min_n = 3);

static void in_slot_order(const sp_cache *cache, uint64_t *token, uint64_t *n) {
  for (uint64_t i = 1; i < *n; i++)
    for (uint64_t k = i; k > 0; k--) {
      uint64_t a = token[k - 1], b = token[k];
      if (sp_base_slot(cache, a) <= sp_base_slot(cache, b)) break;
      token[k - 1] = b;
      token[k] = a;
    }
}
static const sp_hooks g10b_hooks = {.listed = in_slot_order};
SP_EXHIBIT(g10b, 'G', "G10-listed-in-slot-order", .clause = "EV-6",
           .summary = "visible tokens are listed in the order of the ring's slots",
           .cite = "Blaizzy/mlx-vlm#1748", .reveals = "a list after the ring wrapped",
           .ops = SP_IN_CACHE, .min_n = 3);

static bool too_early(const sp_cache *cache, uint64_t token) {
  return cache->n_seen != capacity_of(cache) || token != cache->n_sink_tokens;
}
static const sp_hooks g14_hooks = {.retained = too_early};
SP_EXHIBIT(g14, 'G', "G14-wrong-at-exactly-full", .clause = "EV-7",
           .summary = "a token is evicted when the cache is exactly full",
           .cite = "huggingface/transformers#37574", .reveals = "a stream of exactly S + W tokens",
           .ops = SP_IN_CACHE);

static uint64_t cut_block(const sp_cache *cache, uint64_t token) {
  bool cut = cache->block_n > cache->window && cache->block_i < cache->block_n - cache->window;
  return cut ? UINT64_MAX : sp_base_slot(cache, token);
}
static const sp_hooks g15_hooks = {.slot = cut_block};
SP_EXHIBIT(g15, 'G', "G15-block-cut-to-window", .clause = "EV-5",
           .summary =
               "a block longer than the window is cut to its last W tokens before attention, "
               "so early queries see nothing",
           .cite = "lablup/mlxcel#405", .reveals = "a block longer than W, with queries",
           .ops = SP_IN_CACHE, .min_n = 2);

static uint64_t whole_block(const sp_cache *cache, uint64_t i) {
  (void)i;
  return cache->block_n;
}
static const sp_hooks g17_hooks = {.ahead = whole_block};
SP_EXHIBIT(g17, 'G', "G17-reuse-by-latest-query", .clause = "EV-5",
           .summary =
               "a whole block is stored before its queries run, over keys that the earliest of "
               "them still needs",
           .cite = "ggml-org/llama.cpp#18727",
           .reveals = "a block that wraps the ring, with queries", .ops = SP_IN_CACHE, .min_n = 2);

static uint64_t over_everything(const sp_cache *cache, uint64_t token) {
  uint64_t room = capacity_of(cache);
  return cache->block_n > room ? cache->block_i % room : sp_base_slot(cache, token);
}
static const sp_hooks g7_hooks = {.slot = over_everything};
SP_EXHIBIT(
    g7, 'G', "G7-long-block-evicts-pinned", .clause = "EV-1",
    .summary = "a block longer than the cache is written round all slots, the pinned ones too",
    .cite = "huggingface/transformers#33692", .reveals = "a block longer than S + W",
    .ops = SP_IN_CACHE, .needs = SP_OPT_SINK_TOKENS, .min_n = 3);

/* Slots behind the trimmed cache are met too, and hold zeros. */
static void fold_zeros(const sp_row *row, sp_state *state) {
  uint64_t room = capacity_of(row->cache), n = (uint64_t)row->pos_q + 1;
  if (n > room && !sp_row_empty(row))
    state->l = sp_fl(row, state->l + (double)(n - room) * sp_exp_gap(row, 0, state->m));
  sp_base_fold(row, state);
}
static const sp_hooks g19_hooks = {.fold = fold_zeros};
SP_EXHIBIT(g19, 'G', "G19-mask-longer-than-cache", .clause = "EV-4",
           .summary = "the mask is as long as the stream, so that slots behind the trimmed cache "
                      "are met",
           .cite = "tomaarsen/attention_sinks#22", .reveals = "a stream longer than S + W",
           .ops = SP_IN_CACHE, .min_n = 2);

const sp_exhibit *const sp_exhibits_g[] = {&g3,   &g4,  &g7,  &g8,  &g8b, &g10,
                                           &g10b, &g14, &g15, &g17, &g19, NULL};
