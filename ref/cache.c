/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of ref/evict.h with its memory, and what it can take back.
 * spec: EV-4, EV-5, EV-6, EV-15 */
#include "ref/ref.h"

#include <stdlib.h>

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

uint64_t sp_ref_cache_n_visible(const sp_ref_cache *cache) {
  return cache->n_retained - cache->n_hidden;
}

uint64_t sp_ref_cache_held(const sp_ref_cache *cache, uint64_t i) {
  return i < sp_ref_n_pinned(cache) ? i : i + cache->n_hidden;
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
  const uint64_t capacity = cache->n_sink_tokens + sp_ref_most_other(cache);
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
    sp_ref_make_room(cache);
    sp_ref_put(cache);
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
  if (n_tokens >= sp_ref_n_other(cache)) return SP_LOST;
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
