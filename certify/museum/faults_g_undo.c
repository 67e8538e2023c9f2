/* SPDX-License-Identifier: Apache-2.0 */
/* Class G, going back: batches of evictions, tokens taken back, several sequences.
 * tests: EV-9 EV-15 EV-16 */
#include "certify/museum/exhibit.h"

static bool asks_nobody(const sp_cache *cache, uint64_t n_seen) {
  (void)cache, (void)n_seen;
  return false;
}
static const sp_hooks g18_hooks = {.lost = asks_nobody};
SP_EXHIBIT(g18, 'G', "G18-rewound-ring", .clause = "EV-15",
           .summary = "the ring is rewound over slots that were overwritten meanwhile",
           .cite = "openvinotoolkit/openvino#37620",
           .reveals = "more tokens taken back than n_undo, after an eviction", .ops = SP_IN_CACHE,
           .needs = SP_OPT_UNDO, .min_n = 6);

static bool only_the_newest(const sp_cache *cache, uint64_t n_seen) {
  if (n_seen <= cache->n_sink_tokens) return false;
  return cache->token[SP_HOOK(cache, slot)(cache, n_seen - 1)] != (int64_t)n_seen - 1;
}
static const sp_hooks g47_hooks = {.lost = only_the_newest};
SP_EXHIBIT(g47, 'G', "G47-only-the-newest-must-be-there", .clause = "EV-15",
           .summary = "going back asks for the new newest token, not for all that it sees",
           .cite = "", .reveals = "a few tokens more taken back than n_undo", .ops = SP_IN_CACHE,
           .needs = SP_OPT_UNDO, .min_n = 6);

static bool full_means_lost(const sp_cache *cache, uint64_t n_seen) {
  uint64_t room = cache->n_sink_tokens + cache->window;
  return n_seen > 0 && cache->n_seen > room;
}
static const sp_hooks g48_hooks = {.lost = full_means_lost};
SP_EXHIBIT(g48, 'G', "G48-nothing-comes-back-once-full", .clause = "EV-15",
           .summary = "after the first eviction every truncation is refused", .cite = "",
           .reveals = "n_undo > 0 and a token taken back after an eviction", .ops = SP_IN_CACHE,
           .needs = SP_OPT_UNDO, .min_n = 6);

static uint64_t one_less(const sp_cache *cache, uint64_t n) {
  (void)cache;
  return n - 1;
}
static const sp_hooks g49_hooks = {.taken = one_less};
SP_EXHIBIT(g49, 'G', "G49-takes-back-one-less", .clause = "EV-15",
           .summary = "one token less is taken back than was asked for", .cite = "",
           .reveals = "a list after a truncation", .ops = SP_IN_CACHE, .needs = SP_OPT_UNDO,
           .min_n = 3);

/* Positions go on counting from where the stream was. */
static double counts_on(const sp_row *row) {
  return sp_base_query_position(row) + (double)row->cache->n_taken;
}
static const sp_hooks g21_hooks = {.query_position = counts_on};
SP_EXHIBIT(g21, 'G', "G21-position-after-truncation", .clause = "EV-15",
           .summary = "positions are not taken back with the tokens",
           .cite = "mybigday/llama.rn#396", .reveals = "a query after a truncation",
           .ops = SP_IN_CACHE, .needs = SP_OPT_UNDO | SP_OPT_POSITION_ABS | SP_OPT_ROPE_HALF,
           .min_n = 4);

static uint64_t one_at_a_time(const sp_cache *cache, uint64_t t) {
  (void)t;
  return cache->window;
}
static const sp_hooks g50_hooks = {.window_at = one_at_a_time};
SP_EXHIBIT(g50, 'G', "G50-evicts-one-always", .clause = "EV-9",
           .summary = "tokens leave one at a time where batches are meant", .cite = "",
           .reveals = "n_evict > 1 and an eviction", .ops = SP_IN_CACHE,
           .needs = SP_OPT_EVICT_BLOCK, .min_n = 4);

static uint64_t leaves_at_capacity(const sp_cache *cache, uint64_t t) {
  if (cache->config.n_evict < 2) return cache->window;
  uint64_t next = sp_base_window_at(cache, t + 1);
  return next < cache->window ? next : sp_base_window_at(cache, t);
}
static const sp_hooks g51_hooks = {.window_at = leaves_at_capacity};
SP_EXHIBIT(g51, 'G', "G51-batch-leaves-one-early", .clause = "EV-9",
           .summary = "a batch leaves when the cache is full, before the next token comes",
           .cite = "", .reveals = "n_evict > 1 and a full cache", .ops = SP_IN_CACHE,
           .needs = SP_OPT_EVICT_BLOCK, .min_n = 4);

static uint64_t all_in_one(const sp_cache *cache, uint64_t sequence) {
  (void)cache, (void)sequence;
  return 0;
}
static const sp_hooks g52_hooks = {.route = all_in_one};
SP_EXHIBIT(g52, 'G', "G52-sequences-share-a-ring", .clause = "EV-16",
           .summary = "all sequences are appended to one ring", .cite = "",
           .reveals = "a second sequence", .ops = SP_IN_CACHE, .needs = SP_OPT_SEQUENCES,
           .min_n = 2);

const sp_exhibit *const sp_exhibits_g_undo[] = {&g18, &g47, &g48, &g49, &g21,
                                                &g50, &g51, &g52, NULL};
