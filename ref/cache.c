/* SPDX-License-Identifier: Apache-2.0 */
/* The eviction policy as a machine: it appends one token at a time, hides the n_evict oldest that
 * are not pinned when there is no room, forgets what truncate can no longer need, and notes with
 * each token what it saw. It never consults the definition of visibility, so that proving the two
 * equal in a test says something. spec: EV-1, EV-4, EV-5, EV-6, EV-7, EV-8, EV-9, EV-15 */
#include "ref/ref.h"

#include <stdlib.h>
#include <string.h>

#include "ref/check.h"

bool sp_ref_cache_init(sp_ref_cache *cache, uint64_t n_sink_tokens, uint64_t window,
                       uint64_t first_token) {
  SP_CHECK(window >= 1);
  *cache = (sp_ref_cache){
      .n_sink_tokens = n_sink_tokens, .window = window, .first_token = first_token, .n_evict = 1};
  return true;
}

void sp_ref_cache_clear(sp_ref_cache *cache) {
  free(cache->token);
  free(cache->oldest);
  *cache = (sp_ref_cache){0};
}

static uint64_t n_pinned(const sp_ref_cache *cache) {
  return cache->n_seen < cache->n_sink_tokens ? cache->n_seen : cache->n_sink_tokens;
}

/* Held beside the pinned ones. */
static uint64_t n_other(const sp_ref_cache *cache) {
  return cache->n_retained - n_pinned(cache);
}

/* window + n_undo, as far as 64 bits go. */
static uint64_t most_other(const sp_ref_cache *cache) {
  const uint64_t sum = cache->window + cache->n_undo;
  return sum < cache->window ? UINT64_MAX : sum;
}

uint64_t sp_ref_cache_n_visible(const sp_ref_cache *cache) {
  return cache->n_retained - cache->n_hidden;
}

uint64_t sp_ref_cache_held(const sp_ref_cache *cache, uint64_t i) {
  return i < n_pinned(cache) ? i : i + cache->n_hidden;
}

static void forget_oldest(sp_ref_cache *cache) {
  const uint64_t first = cache->n_sink_tokens;
  const size_t n_bytes = (size_t)(--cache->n_retained - first) * sizeof *cache->token;
  memmove(cache->token + first, cache->token + first + 1, n_bytes);
  memmove(cache->oldest + first, cache->oldest + first + 1, n_bytes);
  cache->n_hidden--;
}

static void append_one(sp_ref_cache *cache) {
  const uint64_t token = cache->first_token + cache->n_seen;
  if (n_other(cache) - cache->n_hidden == cache->window) cache->n_hidden += cache->n_evict;
  if (n_other(cache) == most_other(cache)) forget_oldest(cache);
  const uint64_t oldest_held = cache->n_sink_tokens + cache->n_hidden;
  cache->token[cache->n_retained] = token;
  cache->oldest[cache->n_retained] =
      oldest_held < cache->n_retained ? cache->token[oldest_held] : token;
  cache->n_retained++;
  cache->n_seen++;
}

static bool grow(uint64_t **list, uint64_t n) {
  uint64_t *grown = realloc(*list, n * sizeof *grown);
  if (grown != NULL) *list = grown;
  return grown != NULL;
}

/* Memory follows the stream, not the capacity: a window may be far wider than any stream. */
bool sp_ref_cache_reserve(sp_ref_cache *cache, uint64_t n_tokens) {
  const uint64_t room = cache->n_allocated - cache->n_retained;
  if (n_tokens <= room) return true;
  if (n_tokens > SIZE_MAX / sizeof *cache->token - cache->n_retained) return false;
  uint64_t wanted = cache->n_retained + n_tokens;
  const uint64_t capacity = cache->n_sink_tokens + most_other(cache);
  const bool capacity_fits = capacity >= cache->n_sink_tokens;
  if (capacity_fits && wanted > capacity) wanted = capacity;
  if (wanted <= cache->n_allocated) return true;
  if (!grow(&cache->token, wanted) || !grow(&cache->oldest, wanted)) return false;
  cache->n_allocated = wanted;
  return true;
}

bool sp_ref_cache_append(sp_ref_cache *cache, uint64_t n_tokens) {
  if (!sp_ref_cache_reserve(cache, n_tokens)) return false;
  for (uint64_t i = 0; i < n_tokens; i++) {
    append_one(cache);
    SP_CHECK(sp_ref_cache_holds(cache));
  }
  return true;
}

/* Back to a stream of pinned tokens only, of which none is ever lost. */
static void truncate_to_pinned(sp_ref_cache *cache, uint64_t n_seen) {
  cache->n_seen = cache->n_retained = n_seen;
  cache->n_hidden = 0;
}

sp_status sp_ref_cache_truncate(sp_ref_cache *cache, uint64_t n_tokens) {
  if (n_tokens == 0 || n_tokens > cache->n_seen) return SP_INVALID;
  const uint64_t n_seen = cache->n_seen - n_tokens;
  if (n_seen <= cache->n_sink_tokens) {
    truncate_to_pinned(cache, n_seen);
    return SP_OK;
  }
  if (n_tokens >= n_other(cache)) return SP_LOST;
  const uint64_t n_retained = cache->n_retained - n_tokens;
  const uint64_t oldest_held = cache->token[cache->n_sink_tokens];
  const uint64_t oldest_seen = cache->oldest[n_retained - 1];
  if (oldest_seen - cache->first_token < oldest_held - cache->first_token) return SP_LOST;
  cache->n_seen = n_seen;
  cache->n_retained = n_retained;
  cache->n_hidden = oldest_seen - oldest_held;
  SP_CHECK(sp_ref_cache_holds(cache));
  return SP_OK;
}
