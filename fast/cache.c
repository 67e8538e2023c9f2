/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming cache: pinned slots and a ring (ring.h), K and V as they came, per kv head.
 *
 * What a token sees is exactly what the cache holds once that token is in it, and a softmax does
 * not care in which order its keys lie. So a query is attention over the used slots, all of them
 * visible, and eviction is one slot overwritten. A block goes in token by token; that makes it
 * equal to one-by-one by construction, whatever its length. spec: EV-2, EV-4, EV-5
 * A dedicated sink token is a token like any other here. spec: AL-9
 *
 * Memory grows by doubling up to S + W slots and then never again; a query allocates nothing. */
#include <stdlib.h>
#include <string.h>

#include "fast/check.h"
#include "fast/impl.h"
#include "fast/ring.h"
#include "fast/tensor.h"

struct sp_cache {
  const sp_fast_impl *impl;
  sp_cache_config config;
  sp_fast_ring ring;
  uint64_t n_slots; /* allocated, of each kv head */
  char *k;          /* k[n_kv_heads][n_slots][d_head] */
  char *v;          /* v[n_kv_heads][n_slots][d_value] */
  void *scratch;
};

/* The call that a query of this cache is, but for what the caller brings. spec: EV-2 */
static sp_attention_call base_call(const sp_cache *cache) {
  const sp_cache_config *config = &cache->config;
  int64_t n_slots = (int64_t)cache->n_slots;
  int64_t d_head = (int64_t)config->d_head;
  int64_t d_value = (int64_t)config->d_value;
  return (sp_attention_call){
      .size = sizeof(sp_attention_call),
      .n_threads = 1,
      .n_batch = 1,
      .n_q = 1,
      .n_kv = sp_fast_ring_used(&cache->ring, cache->ring.n_seen),
      .n_heads = config->n_heads,
      .n_kv_heads = config->n_kv_heads,
      .d_head = config->d_head,
      .d_value = config->d_value,
      .window = SP_WINDOW_ALL,
      .k = {.data = cache->k, .stride = {0, d_head, n_slots * d_head}, .dtype = config->dtype_kv},
      .v = {.data = cache->v, .stride = {0, d_value, n_slots * d_value}, .dtype = config->dtype_kv},
  };
}

sp_status sp_fast_cache_open(const sp_fast_impl *impl, sp_cache **out,
                             const sp_cache_config *from) {
  sp_cache_config config;
  if (out == NULL) return SP_INVALID;
  sp_status status = sp_fast_check_cache_config(&config, from);
  if (status != SP_OK) return status;
  sp_cache *cache = calloc(1, sizeof *cache);
  if (cache == NULL) return SP_NOMEM;
  cache->impl = impl;
  cache->config = config;
  cache->ring = (sp_fast_ring){config.n_sink_tokens, config.window, 0};
  size_t bytes =
      sp_fast_scratch_bytes(config.n_heads / config.n_kv_heads, config.d_head, config.d_value);
  cache->scratch = bytes > 0 ? aligned_alloc(64, bytes) : NULL;
  if (cache->scratch == NULL) {
    sp_fast_cache_close(cache);
    return SP_NOMEM;
  }
  *out = cache;
  return SP_OK;
}

void sp_fast_cache_close(sp_cache *cache) {
  if (cache == NULL) return;
  free(cache->k);
  free(cache->v);
  free(cache->scratch);
  free(cache);
}

/* A larger [n_kv_heads][n_slots][d] with the rows of the old one; NULL when memory runs out. */
static char *resized(const sp_cache *cache, const char *old, uint64_t n_slots, uint64_t d) {
  size_t row = 0;
  size_t head = 0;
  size_t all = 0;
  if (__builtin_mul_overflow(d, sp_fast_bytes(cache->config.dtype_kv), &row)) return NULL;
  if (__builtin_mul_overflow(row, n_slots, &head) || head > INT64_MAX) return NULL;
  if (__builtin_mul_overflow(head, cache->config.n_kv_heads, &all)) return NULL;
  char *rows = malloc(all > 0 ? all : 1);
  if (rows == NULL || old == NULL) return rows;
  for (uint64_t h = 0; h < cache->config.n_kv_heads; h++)
    memcpy(rows + h * head, old + h * row * cache->n_slots, row * cache->n_slots);
  return rows;
}

/* Slots to allocate for `needed`: twice as many as there are, but never more than can be used. */
static uint64_t next_size(const sp_cache *cache, uint64_t needed) {
  uint64_t capacity = sp_fast_ring_capacity(&cache->ring);
  if (cache->n_slots > capacity / 2) return capacity;
  return needed > cache->n_slots * 2 ? needed : cache->n_slots * 2;
}

/* Slots for n_tokens more; the cache is as it was when that fails. */
static bool reserve(sp_cache *cache, uint64_t n_tokens) {
  uint64_t needed = sp_fast_ring_used(&cache->ring, cache->ring.n_seen + n_tokens);
  if (needed <= cache->n_slots) return true;
  uint64_t n_slots = next_size(cache, needed);
  char *k = resized(cache, cache->k, n_slots, cache->config.d_head);
  char *v = resized(cache, cache->v, n_slots, cache->config.d_value);
  if (k == NULL || v == NULL) {
    free(k);
    free(v);
    return false;
  }
  free(cache->k);
  free(cache->v);
  cache->k = k;
  cache->v = v;
  cache->n_slots = n_slots;
  return true;
}

static void store_rows(const sp_cache *cache, char *rows, const sp_in *from, uint64_t t,
                       uint64_t d) {
  uint64_t slot = sp_fast_ring_slot(&cache->ring, cache->ring.n_seen);
  size_t row = d * sp_fast_bytes(cache->config.dtype_kv);
  for (uint64_t h = 0; h < cache->config.n_kv_heads; h++)
    memcpy(rows + (h * cache->n_slots + slot) * row, sp_fast_in(from, 0, t, h), row);
}

static sp_out out_at(const sp_out *from, uint64_t t) {
  sp_out at = *from;
  if (at.data != NULL) at.data = sp_fast_out(from, 0, t, 0);
  return at;
}

/* The outputs of query t of the call, over all that the cache holds. */
static void attend(const sp_cache *cache, const sp_cache_call *call, uint64_t t) {
  sp_attention_call query = base_call(cache);
  query.q = call->q;
  query.q.data = sp_fast_in(&call->q, 0, t, 0);
  query.sink_logit = call->sink_logit;
  query.out = out_at(&call->out, t);
  query.lse_keys = out_at(&call->lse_keys, t);
  query.lse_total = out_at(&call->lse_total, t);
  query.scale = call->scale;
  query.softcap = call->softcap;
  sp_fast_attend(cache->impl, &query, cache->scratch);
}

/* The count of tokens, or the number of the last one, would not fit into 64 bits. spec: EV-8 */
static bool out_of_numbers(const sp_cache *cache, uint64_t n_tokens) {
  uint64_t n_seen = 0;
  uint64_t last = 0;
  return __builtin_add_overflow(cache->ring.n_seen, n_tokens, &n_seen) ||
         __builtin_add_overflow(cache->config.first_token, n_seen - 1, &last);
}

sp_status sp_fast_cache_append(sp_cache *cache, const sp_cache_call *from) {
  sp_cache_call call;
  if (cache == NULL) return SP_INVALID;
  sp_status status = sp_fast_check_append(&call, from, &cache->config);
  if (status != SP_OK) return status;
  if (out_of_numbers(cache, call.n_tokens)) return SP_INVALID;
  if (!reserve(cache, call.n_tokens)) return SP_NOMEM;
  for (uint64_t t = 0; t < call.n_tokens; t++) {
    store_rows(cache, cache->k, &call.k, t, cache->config.d_head);
    store_rows(cache, cache->v, &call.v, t, cache->config.d_value);
    cache->ring.n_seen++;
    if (call.q.data != NULL) attend(cache, &call, t);
  }
  return SP_OK;
}

sp_status sp_fast_cache_attend(sp_cache *cache, const sp_cache_call *from) {
  sp_cache_call call;
  if (cache == NULL) return SP_INVALID;
  sp_status status = sp_fast_check_attend(&call, from);
  if (status != SP_OK) return status;
  if (cache->ring.n_seen == 0) return SP_INVALID; /* spec: KC-7 */
  attend(cache, &call, 0);
  return SP_OK;
}

/* spec: EV-6 */
sp_status sp_fast_cache_visible(sp_cache *cache, uint64_t sequence, uint64_t *token,
                                uint64_t capacity, uint64_t *n) {
  if (cache == NULL || sequence != 0 || n == NULL || (token == NULL && capacity > 0))
    return SP_INVALID;
  const sp_fast_ring *ring = &cache->ring;
  uint64_t n_visible = sp_fast_ring_used(ring, ring->n_seen);
  uint64_t n_pinned = ring->n_seen < ring->n_sink_tokens ? ring->n_seen : ring->n_sink_tokens;
  uint64_t oldest = sp_fast_ring_oldest(ring);
  for (uint64_t i = 0; i < n_visible && i < capacity; i++)
    token[i] = cache->config.first_token + (i < n_pinned ? i : oldest + (i - n_pinned));
  *n = n_visible;
  return SP_OK;
}
