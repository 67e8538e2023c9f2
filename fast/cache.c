/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming cache: for each sequence pinned slots and a ring (ring.h). A block goes in token by
 * token; that makes it equal to one-by-one by construction, whatever its length. spec: EV-4, EV-5
 * A dedicated sink token is a token like any other here. spec: AL-9 */
#include "fast/cache.h"

#include <stdlib.h>

#include "fast/check.h"

/* All the parts of a cache; false when memory runs out. */
static bool allocate(sp_cache *cache) {
  const sp_cache_config *config = &cache->config;
  cache->stream = calloc(config->n_sequences, sizeof *cache->stream);
  if (cache->stream == NULL) return false;
  for (uint64_t i = 0; i < config->n_sequences; i++)
    cache->stream[i].ring =
        sp_fast_ring_new(config->n_sink_tokens, config->window, config->n_evict, config->n_undo);
  return sp_fast_rope_init(&cache->rope, config->rope_pairing, config->rope_dims,
                           config->rope_base) &&
         sp_fast_angles_init(&cache->by_number.angles, &cache->rope) &&
         sp_fast_angles_init(&cache->by_rank.angles, &cache->rope) &&
         sp_fast_cache_query_init(cache);
}

sp_status sp_fast_cache_open(const sp_fast_impl *impl, sp_cache **out,
                             const sp_cache_config *from) {
  sp_cache_config config;
  if (out == NULL) return SP_INVALID;
  sp_status status = sp_fast_check_cache_config(&config, from, impl->kernel);
  if (status != SP_OK) return status;
  sp_cache *cache = calloc(1, sizeof *cache);
  if (cache == NULL) return SP_NOMEM;
  cache->impl = impl;
  cache->config = config;
  cache->dtype_k = config.rope_dims > 0 ? SP_F32 : config.dtype_kv;
  if (!allocate(cache)) {
    sp_fast_cache_close(cache);
    return SP_NOMEM;
  }
  *out = cache;
  return SP_OK;
}

void sp_fast_cache_close(sp_cache *cache) {
  if (cache == NULL) return;
  for (uint64_t i = 0; cache->stream != NULL && i < cache->config.n_sequences; i++) {
    free(cache->stream[i].k);
    free(cache->stream[i].v);
  }
  sp_fast_rope_clear(&cache->rope);
  sp_fast_angles_clear(&cache->by_number.angles);
  sp_fast_angles_clear(&cache->by_rank.angles);
  sp_fast_pool_free(cache->pool);
  free(cache->stream);
  free(cache->q);
  free(cache->scratch);
  free(cache);
}

/* The count of tokens, or the number of the last one, would not fit into 64 bits. spec: EV-8 */
static bool out_of_numbers(const sp_cache *cache, const sp_fast_stream *stream, uint64_t n_tokens) {
  uint64_t n_seen = 0;
  uint64_t last = 0;
  return __builtin_add_overflow(stream->ring.n_seen, n_tokens, &n_seen) ||
         __builtin_add_overflow(cache->config.first_token, n_seen - 1, &last);
}

sp_status sp_fast_cache_append(sp_cache *cache, const sp_cache_call *from) {
  sp_cache_call call;
  if (cache == NULL) return SP_INVALID;
  sp_status status = sp_fast_check_append(&call, from, &cache->config, cache->impl->kernel);
  if (status != SP_OK) return status;
  sp_fast_stream *stream = &cache->stream[call.sequence];
  if (out_of_numbers(cache, stream, call.n_tokens)) return SP_INVALID;
  if (!sp_fast_cache_reserve(cache, stream, call.n_tokens)) return SP_NOMEM;
  if (call.q.data != NULL) sp_fast_cache_equip(cache, stream, &call);
  for (uint64_t t = 0; t < call.n_tokens; t++) {
    sp_fast_cache_store(cache, stream, &call, t);
    if (call.q.data != NULL) sp_fast_cache_query(cache, stream, &call, t);
  }
  return SP_OK;
}

sp_status sp_fast_cache_attend(sp_cache *cache, const sp_cache_call *from) {
  sp_cache_call call;
  if (cache == NULL) return SP_INVALID;
  sp_status status = sp_fast_check_attend(&call, from, &cache->config, cache->impl->kernel);
  if (status != SP_OK) return status;
  const sp_fast_stream *stream = &cache->stream[call.sequence];
  if (stream->ring.n_seen == 0) return SP_INVALID; /* spec: KC-7 */
  sp_fast_cache_equip(cache, stream, &call);
  sp_fast_cache_query(cache, stream, &call, 0);
  return SP_OK;
}

/* spec: EV-6 */
sp_status sp_fast_cache_visible(sp_cache *cache, uint64_t sequence, uint64_t *token,
                                uint64_t capacity, uint64_t *n) {
  if (cache == NULL || sequence >= cache->config.n_sequences || n == NULL ||
      (token == NULL && capacity > 0))
    return SP_INVALID;
  const sp_fast_ring *ring = &cache->stream[sequence].ring;
  uint64_t n_pinned = ring->n_seen < ring->n_sink_tokens ? ring->n_seen : ring->n_sink_tokens;
  uint64_t oldest = sp_fast_ring_oldest(ring);
  uint64_t n_visible = n_pinned + (ring->n_seen - oldest);
  for (uint64_t i = 0; i < n_visible && i < capacity; i++)
    token[i] = cache->config.first_token + (i < n_pinned ? i : oldest + (i - n_pinned));
  *n = n_visible;
  return SP_OK;
}

/* spec: EV-15, KC-7 */
sp_status sp_fast_cache_truncate(sp_cache *cache, uint64_t sequence, uint64_t n_tokens) {
  if (cache == NULL || sequence >= cache->config.n_sequences) return SP_INVALID;
  sp_fast_ring *ring = &cache->stream[sequence].ring;
  if (n_tokens == 0 || n_tokens > ring->n_seen) return SP_INVALID;
  return sp_fast_ring_truncate(ring, n_tokens) ? SP_OK : SP_LOST;
}
