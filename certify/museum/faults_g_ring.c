/* SPDX-License-Identifier: Apache-2.0 */
/* Class G, more of it: mistakes of caches for which no public thread stands in the catalogue.
 * tests: EV-1 EV-2 EV-5 EV-6 EV-7 EV-8 AT-4 */
#include "certify/museum/exhibit.h"

static uint64_t capacity_of(const sp_cache *cache) {
  uint64_t sum = cache->n_sink_tokens + cache->window;
  return sum < cache->window ? UINT64_MAX : sum;
}

static uint64_t n_evicted(const sp_cache *cache) {
  uint64_t room = capacity_of(cache);
  return cache->n_seen > room ? cache->n_seen - room : 0;
}

static void pin_one_less(sp_cache *cache) {
  if (cache->n_sink_tokens > 0) cache->n_sink_tokens--;
}
static const sp_hooks g16_hooks = {.opened = pin_one_less};
SP_EXHIBIT(g16, 'G', "G16-one-token-too-few-pinned", .clause = "EV-1",
           .summary = "the last pinned token is evicted with the others", .cite = "",
           .reveals = "a stream longer than S + W", .ops = SP_IN_CACHE, .needs = SP_OPT_SINK_TOKENS,
           .min_n = 3);

static void attend_counts(sp_cache *cache) {
  cache->n_seen++;
}
static const sp_hooks g22_hooks = {.attended = attend_counts};
SP_EXHIBIT(g22, 'G', "G22-attend-counts-as-token", .clause = "EV-4",
           .summary = "attend advances the token count", .cite = "",
           .reveals = "attend, then anything else", .ops = SP_IN_CACHE, .min_n = 1);

static void slice_from_minus_0(sp_cache *cache) {
  if (cache->window == 1) cache->window = UINT64_MAX / 2;
}
static const sp_hooks g24_hooks = {.opened = slice_from_minus_0};
SP_EXHIBIT(
    g24, 'G', "G24-slice-from-minus-zero", .clause = "EV-2",
    .summary = "the last W - 1 old keys are kept by slicing from -(W - 1), and -0 is the start",
    .cite = "", .reveals = "window 1", .ops = SP_IN_CACHE, .min_n = 2);

static void pinned_inside_window(sp_cache *cache) {
  uint64_t s = cache->n_sink_tokens;
  cache->window = cache->window > s ? cache->window - s : 1;
}
static const sp_hooks g26_hooks = {.opened = pinned_inside_window};
SP_EXHIBIT(g26, 'G', "G26-window-counts-pinned", .clause = "EV-1",
           .summary = "the pinned tokens are counted inside the window", .cite = "",
           .reveals = "a stream longer than W", .ops = SP_IN_CACHE, .needs = SP_OPT_SINK_TOKENS,
           .min_n = 3);

static void pinned_by_number(sp_cache *cache) {
  uint64_t s = cache->n_sink_tokens, first = cache->config.first_token;
  cache->n_sink_tokens = s > first ? s - first : 0;
}
static const sp_hooks g27_hooks = {.opened = pinned_by_number};
SP_EXHIBIT(g27, 'G', "G27-pinned-by-absolute-number", .clause = "EV-8",
           .summary = "a token is pinned if its number is below S, wherever counting started",
           .cite = "", .reveals = "first_token > 0 and a long stream", .ops = SP_IN_CACHE,
           .needs = SP_OPT_SINK_TOKENS | SP_OPT_FIRST_TOKEN, .min_n = 3);

static void recent_only(const sp_cache *cache, uint64_t *token, uint64_t *n) {
  uint64_t kept = 0;
  for (uint64_t i = 0; i < *n; i++)
    if (token[i] >= cache->n_sink_tokens || n_evicted(cache) == 0) token[kept++] = token[i];
  *n = kept;
}
static const sp_hooks g28_hooks = {.listed = recent_only};
SP_EXHIBIT(g28, 'G', "G28-list-forgets-pinned", .clause = "EV-6",
           .summary = "after an eviction only the recent tokens are listed", .cite = "",
           .reveals = "a list after an eviction", .ops = SP_IN_CACHE, .needs = SP_OPT_SINK_TOKENS,
           .min_n = 3);

static uint64_t ring_of_all(const sp_cache *cache, uint64_t token) {
  return token % capacity_of(cache);
}
static const sp_hooks g29_hooks = {.slot = ring_of_all};
SP_EXHIBIT(g29, 'G', "G29-ring-over-all-slots", .clause = "EV-1",
           .summary = "the ring wraps over the pinned slots", .cite = "",
           .reveals = "a stream longer than S + W", .ops = SP_IN_CACHE, .needs = SP_OPT_SINK_TOKENS,
           .min_n = 3);

static bool evicts_half(const sp_cache *cache, uint64_t token) {
  uint64_t step = cache->window / 2 > 0 ? cache->window / 2 : 1;
  uint64_t gone = (n_evicted(cache) + step - 1) / step * step;
  return token < cache->n_sink_tokens || token >= cache->n_sink_tokens + gone;
}
static const sp_hooks g30_hooks = {.retained = evicts_half};
SP_EXHIBIT(g30, 'G', "G30-evicts-half-at-once", .clause = "EV-7",
           .summary = "a full cache drops half of its recent tokens at once", .cite = "",
           .reveals = "a stream just longer than S + W, W >= 4", .ops = SP_IN_CACHE, .min_n = 5);

static bool evicts_before(const sp_cache *cache, uint64_t token) {
  uint64_t oldest = cache->n_sink_tokens + n_evicted(cache) + (n_evicted(cache) > 0 ? 1 : 0);
  return token < cache->n_sink_tokens || token >= oldest || token + 1 == cache->n_seen;
}
static const sp_hooks g31_hooks = {.retained = evicts_before};
SP_EXHIBIT(g31, 'G', "G31-makes-room-for-one-more", .clause = "EV-2",
           .summary = "room is made before the append and once more after it: W - 1 tokens stay",
           .cite = "", .reveals = "a stream longer than S + W, W >= 2", .ops = SP_IN_CACHE,
           .min_n = 3);

static void from_zero(const sp_cache *cache, uint64_t *token, uint64_t *n) {
  for (uint64_t i = 0; i < *n; i++) token[i] -= cache->config.first_token;
}
static const sp_hooks g32_hooks = {.listed = from_zero};
SP_EXHIBIT(g32, 'G', "G32-list-counts-from-zero", .clause = "EV-8",
           .summary = "tokens are listed without first_token", .cite = "",
           .reveals = "a list with first_token > 0", .ops = SP_IN_CACHE,
           .needs = SP_OPT_FIRST_TOKEN, .min_n = 1);

static uint64_t whole_block(const sp_cache *cache, uint64_t i) {
  (void)i;
  return cache->block_n;
}
static void newest_is_query(sp_row *row) {
  if (row->cache->block_n > 0) row->pos_q = (int64_t)row->cache->n_seen - 1;
}
static const sp_hooks g34_hooks = {.ahead = whole_block, .prepare = newest_is_query};
SP_EXHIBIT(g34, 'G', "G34-block-sees-its-future", .clause = "AT-4",
           .summary = "every query of a block is placed at the newest token", .cite = "",
           .reveals = "a block of two or more with queries", .ops = SP_IN_CACHE, .min_n = 2);

const sp_exhibit *const sp_exhibits_g_ring[] = {&g16, &g22, &g24, &g26, &g27, &g28,
                                                &g29, &g30, &g31, &g32, &g34, NULL};
