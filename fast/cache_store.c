/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of a stream: memory that grows by doubling up to the capacity of the ring and then never
 * again, and rows that are written once. See cache.h. */
#include <stdlib.h>
#include <string.h>

#include "fast/cache.h"
#include "fast/slots.h"
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

bool sp_fast_cache_reserve(const sp_cache *cache, sp_fast_stream *stream, uint64_t n_tokens) {
  const sp_cache_config *config = &cache->config;
  uint64_t needed = sp_fast_ring_used(&stream->ring, stream->ring.n_seen + n_tokens);
  if (needed <= stream->n_slots) return true;
  uint64_t capacity = sp_fast_ring_capacity(&stream->ring);
  uint64_t n_slots = sp_fast_slots_next(capacity, stream->n_slots, needed);
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

/* spec: EV-13 turned here and nowhere else */
static void store_key(sp_cache *cache, const sp_fast_stream *stream, uint64_t row,
                      const void *from) {
  uint64_t d = cache->config.d_head, bytes = d * sp_fast_bytes(cache->dtype_k);
  uint64_t n_rows = cache->config.n_kv_heads * stream->n_slots;
  if (cache->rope.n_pairs == 0) {
    sp_fast_row_store(stream->k, n_rows, bytes, row, from);
    return;
  }
  const sp_fast_angles *angles = sp_fast_place_at(cache, &cache->by_number, stream->ring.n_seen);
  void *to = stream->k + sp_fast_row_at(n_rows, bytes, row);
  cache->impl->rotate(&cache->rope, angles, cache->config.dtype_kv, from, d, to);
}

void sp_fast_cache_store(sp_cache *cache, sp_fast_stream *stream, const sp_cache_call *call,
                         uint64_t t) {
  const sp_cache_config *config = &cache->config;
  uint64_t slot = sp_fast_ring_slot(&stream->ring, stream->ring.n_seen);
  uint64_t bytes = config->d_value * sp_fast_bytes(config->dtype_kv);
  for (uint64_t h = 0; h < config->n_kv_heads; h++) {
    uint64_t row = sp_fast_slot_row(config->n_kv_heads, stream->n_slots, h, slot);
    store_key(cache, stream, row, sp_fast_in(&call->k, 0, t, h));
    sp_fast_row_store(stream->v, config->n_kv_heads * stream->n_slots, bytes, row,
                      sp_fast_in(&call->v, 0, t, h));
  }
  sp_fast_ring_append(&stream->ring);
}
