/* SPDX-License-Identifier: Apache-2.0 */
/* The eviction policy as a machine: it only ever appends one token and, when full, drops the oldest
 * one that is not pinned. It never consults the definition of visibility, so that proving the two
 * equal in a test says something. spec: EV-1, EV-4, EV-5, EV-6, EV-7, EV-8 */
#include "ref/ref.h"

#include <stdlib.h>
#include <string.h>

#include "ref/check.h"

bool sp_ref_cache_init(sp_ref_cache *cache, uint64_t n_sink_tokens, uint64_t window,
                       uint64_t first_token) {
  SP_CHECK(window >= 1);
  *cache =
      (sp_ref_cache){.n_sink_tokens = n_sink_tokens, .window = window, .first_token = first_token};
  return true;
}

void sp_ref_cache_clear(sp_ref_cache *cache) {
  free(cache->token);
  *cache = (sp_ref_cache){0};
}

/* n_retained == n_sink_tokens + window, said without a sum that may exceed 64 bits. */
static bool full(const sp_ref_cache *cache) {
  return cache->n_retained >= cache->n_sink_tokens &&
         cache->n_retained - cache->n_sink_tokens >= cache->window;
}

static void append_one(sp_ref_cache *cache) {
  if (full(cache)) {
    uint64_t *oldest_recent = cache->token + cache->n_sink_tokens;
    cache->n_retained--;
    memmove(oldest_recent, oldest_recent + 1,
            (cache->n_retained - cache->n_sink_tokens) * sizeof *oldest_recent);
  }
  cache->token[cache->n_retained++] = cache->first_token + cache->n_seen;
  cache->n_seen++;
}

/* Memory follows the stream, not the capacity: a window may be far wider than any stream. */
bool sp_ref_cache_reserve(sp_ref_cache *cache, uint64_t n_tokens) {
  const uint64_t room = cache->n_allocated - cache->n_retained;
  if (full(cache) || n_tokens <= room) return true;
  if (n_tokens > SIZE_MAX / sizeof *cache->token - cache->n_retained) return false;
  uint64_t wanted = cache->n_retained + n_tokens;
  const uint64_t capacity = cache->n_sink_tokens + cache->window;
  const bool capacity_fits = capacity >= cache->window;
  if (capacity_fits && wanted > capacity) wanted = capacity;
  uint64_t *token = realloc(cache->token, wanted * sizeof *token);
  if (token == NULL) return false;
  cache->token = token;
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
