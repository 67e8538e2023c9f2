/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of a stream: memory that grows by doubling up to the capacity of the ring and then never
 * again, and rows that are written once. See cache.h. */
#include <stdlib.h>
#include <string.h>

#include "fast/cache.h"
#include "fast/tensor.h"

/* A larger [n_kv_heads][n_slots][d] with the rows of the old one; NULL when memory runs out. */
static char *resized(const sp_cache *cache, const sp_fast_stream *stream, const char *old,
                     uint64_t n_slots, uint64_t d, sp_dtype dtype) {
  size_t row = 0;
  size_t head = 0;
  size_t all = 0;
  if (__builtin_mul_overflow(d, sp_fast_bytes(dtype), &row)) return NULL;
  if (__builtin_mul_overflow(row, n_slots, &head) || head > INT64_MAX) return NULL;
  if (__builtin_mul_overflow(head, cache->config.n_kv_heads, &all)) return NULL;
  char *rows = malloc(all > 0 ? all : 1);
  if (rows == NULL || old == NULL) return rows;
  for (uint64_t h = 0; h < cache->config.n_kv_heads; h++)
    memcpy(rows + h * head, old + h * row * stream->n_slots, row * stream->n_slots);
  return rows;
}

/* Slots to allocate for `needed`: twice as many as there are, but never more than can be used. */
static uint64_t next_size(const sp_fast_stream *stream, uint64_t needed) {
  uint64_t capacity = sp_fast_ring_capacity(&stream->ring);
  if (stream->n_slots > capacity / 2) return capacity;
  return needed > stream->n_slots * 2 ? needed : stream->n_slots * 2;
}

bool sp_fast_cache_reserve(const sp_cache *cache, sp_fast_stream *stream, uint64_t n_tokens) {
  const sp_cache_config *config = &cache->config;
  uint64_t needed = sp_fast_ring_used(&stream->ring, stream->ring.n_seen + n_tokens);
  if (needed <= stream->n_slots) return true;
  uint64_t n_slots = next_size(stream, needed);
  char *k = resized(cache, stream, stream->k, n_slots, config->d_head, cache->dtype_k);
  char *v = resized(cache, stream, stream->v, n_slots, config->d_value, config->dtype_kv);
  if (k == NULL || v == NULL) {
    free(k);
    free(v);
    return false;
  }
  free(stream->k);
  free(stream->v);
  stream->k = k;
  stream->v = v;
  stream->n_slots = n_slots;
  return true;
}

static void *row_of(const sp_fast_stream *stream, char *rows, uint64_t h, uint64_t slot, uint64_t d,
                    sp_dtype dtype) {
  return rows + (h * stream->n_slots + slot) * d * sp_fast_bytes(dtype);
}

/* spec: EV-13 turned here and nowhere else */
static void store_key(sp_cache *cache, const sp_fast_stream *stream, uint64_t h, uint64_t slot,
                      const void *from) {
  uint64_t d = cache->config.d_head;
  void *row = row_of(stream, stream->k, h, slot, d, cache->dtype_k);
  if (cache->rope.n_pairs == 0) {
    memcpy(row, from, d * sp_fast_bytes(cache->dtype_k));
    return;
  }
  const sp_fast_angles *angles = sp_fast_place_at(cache, &cache->by_number, stream->ring.n_seen);
  cache->impl->rotate(&cache->rope, angles, cache->config.dtype_kv, from, d, row);
}

void sp_fast_cache_store(sp_cache *cache, sp_fast_stream *stream, const sp_cache_call *call,
                         uint64_t t) {
  const sp_cache_config *config = &cache->config;
  uint64_t slot = sp_fast_ring_slot(&stream->ring, stream->ring.n_seen);
  for (uint64_t h = 0; h < config->n_kv_heads; h++) {
    store_key(cache, stream, h, slot, sp_fast_in(&call->k, 0, t, h));
    memcpy(row_of(stream, stream->v, h, slot, config->d_value, config->dtype_kv),
           sp_fast_in(&call->v, 0, t, h), config->d_value * sp_fast_bytes(config->dtype_kv));
  }
  sp_fast_ring_append(&stream->ring);
}
