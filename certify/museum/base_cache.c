/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of the museum's kernel: S pinned slots, then a ring of W. Token t goes to slot t while
 * t < S + W and later replaces the token W before it. To attend, the slots are handed to the
 * attention operation with the token of each as its position: storage order is not observable.
 * With n_undo the ring is that much longer. tests: EV-1 EV-2 EV-4 EV-5 EV-6 EV-7 EV-8 EV-9 EV-15 */
#include <stdlib.h>
#include <string.h>

#include "certify/museum/base.h"

uint64_t sp_base_slot(const sp_cache *cache, uint64_t token) {
  if (token < cache->n_sink_tokens) return token;
  uint64_t ring = cache->window + cache->config.n_undo;
  return cache->n_sink_tokens + (token - cache->n_sink_tokens) % ring;
}

bool sp_base_retained(const sp_cache *cache, uint64_t token) {
  (void)cache, (void)token;
  return true;
}

uint64_t sp_base_ahead(const sp_cache *cache, uint64_t i) {
  (void)cache;
  return i + 1;
}

uint64_t sp_base_window_at(const sp_cache *cache, uint64_t t) {
  uint64_t s = cache->n_sink_tokens, w = cache->window, k = cache->config.n_evict;
  if (k < 2 || t < s || t - s < w) return w;
  return w - k + 1 + (t - s - w) % k;
}

uint64_t sp_cache_oldest(const sp_cache *cache, uint64_t t) {
  uint64_t s = cache->n_sink_tokens, w = SP_HOOK(cache, window_at)(cache, t);
  return t >= s && t - s >= w ? t + 1 - w : s;
}

static size_t row_bytes(const sp_cache *cache, uint64_t width) {
  return (size_t)(cache->config.n_kv_heads * width) * sp_element_bytes(cache->config.dtype_kv);
}

static bool grow(unsigned char **data, uint64_t n_slots, size_t bytes) {
  unsigned char *larger = realloc(*data, (size_t)n_slots * bytes + 1);
  if (larger) *data = larger;
  return larger != NULL;
}

/* Slots are used in ascending order the first time, so storage grows with the stream and a window
 * of 2^60 costs nothing. */
static bool reserve(sp_cache *cache, uint64_t n_slots) {
  if (n_slots <= cache->capacity) return true;
  uint64_t capacity = n_slots + n_slots / 2 + 16;
  int64_t *token = realloc(cache->token, (size_t)capacity * sizeof *token);
  if (!token) return false;
  cache->token = token;
  if (!grow(&cache->k, capacity, row_bytes(cache, cache->config.d_head)) ||
      !grow(&cache->v, capacity, row_bytes(cache, cache->config.d_value)))
    return false;
  cache->capacity = capacity;
  return true;
}

static void store_heads(const sp_cache *cache, unsigned char *into, const sp_in *from, uint64_t t,
                        uint64_t width) {
  size_t bytes = (size_t)width * sp_element_bytes(from->dtype);
  const unsigned char *data = from->data;
  for (uint64_t h = 0; h < cache->config.n_kv_heads; h++) {
    int64_t index = (int64_t)t * from->stride[1] + (int64_t)h * from->stride[2];
    if (bytes)
      memcpy(into + h * bytes, data + index * (int64_t)sp_element_bytes(from->dtype), bytes);
  }
}

/* Token t of the block becomes the newest of the stream. */
static bool store_token(sp_cache *cache, const sp_cache_call *call, uint64_t t) {
  cache->block_i = t;
  uint64_t slot = SP_HOOK(cache, slot)(cache, cache->n_seen);
  cache->n_seen++;
  if (slot == UINT64_MAX) return true;
  if (!reserve(cache, slot + 1)) return false;
  for (; cache->n_slots <= slot; cache->n_slots++) {
    cache->token[cache->n_slots] = -1;
    memset(cache->k + cache->n_slots * row_bytes(cache, cache->config.d_head), 0,
           row_bytes(cache, cache->config.d_head));
    memset(cache->v + cache->n_slots * row_bytes(cache, cache->config.d_value), 0,
           row_bytes(cache, cache->config.d_value));
  }
  store_heads(cache, cache->k + slot * row_bytes(cache, cache->config.d_head), &call->k, t,
              cache->config.d_head);
  store_heads(cache, cache->v + slot * row_bytes(cache, cache->config.d_value), &call->v, t,
              cache->config.d_value);
  cache->token[slot] = (int64_t)cache->n_seen - 1;
  return true;
}

static sp_in slots(const sp_cache *cache, const void *data, uint64_t width) {
  return (sp_in){.data = data,
                 .stride = {0, (int64_t)(cache->config.n_kv_heads * width), (int64_t)width},
                 .dtype = cache->config.dtype_kv};
}

/* The view of query t of the call alone. Its type is always valid. */
static sp_out out_at(const sp_out *out, uint64_t t) {
  sp_out one = *out;
  if (one.data)
    one.data = (unsigned char *)one.data +
               (int64_t)t * one.stride[1] * (int64_t)sp_element_bytes(one.dtype);
  return one;
}

static sp_attention_call attention_at(const sp_cache *cache, const sp_cache_call *call, uint64_t t,
                                      const int64_t *newest) {
  const sp_cache_config *config = &cache->config;
  sp_in q = call->q;
  if (q.data)
    q.data = (const unsigned char *)q.data +
             (int64_t)t * q.stride[1] * (int64_t)sp_element_bytes(q.dtype);
  return (sp_attention_call){.size = sizeof(sp_attention_call),
                             .n_threads = call->n_threads,
                             .n_batch = 1,
                             .n_q = 1,
                             .n_kv = cache->n_slots,
                             .n_heads = config->n_heads,
                             .n_kv_heads = config->n_kv_heads,
                             .d_head = config->d_head,
                             .d_value = config->d_value,
                             .window = SP_HOOK(cache, window_at)(cache, (uint64_t)*newest),
                             .n_sink_tokens = cache->n_sink_tokens,
                             .q = q,
                             .k = slots(cache, cache->k, config->d_head),
                             .v = slots(cache, cache->v, config->d_value),
                             .sink_logit = call->sink_logit,
                             .pos_q = newest,
                             .pos_k = cache->token,
                             .out = out_at(&call->out, t),
                             .lse_keys = out_at(&call->lse_keys, t),
                             .lse_total = out_at(&call->lse_total, t),
                             .scale = call->scale,
                             .softcap = call->softcap,
                             .causal = 1};
}

static sp_status attend_at(sp_cache *cache, const sp_cache_call *call, uint64_t t, uint64_t token) {
  const int64_t newest = (int64_t)token;
  sp_attention_call attention = attention_at(cache, call, t, &newest);
  return sp_base_attention_of(cache->hooks, &attention, cache);
}

/* What would be refused at the first query is refused before anything changes. (KC-3) */
static sp_status check_queries(const sp_cache_call *call) {
  if (!isfinite(call->scale) || !(call->softcap >= 0)) return SP_INVALID;
  if (!call->out.data && !call->lse_keys.data && !call->lse_total.data) return SP_INVALID;
  bool known = sp_element_bytes(call->q.dtype) && sp_base_sink_known(&call->sink_logit) &&
               (!call->out.data || call->out.dtype == call->q.dtype);
  return known ? SP_OK : SP_UNSUPPORTED;
}

sp_status sp_base_append(sp_cache *first_cache, const sp_cache_call *call) {
  if (call->size < sizeof *call) return SP_UNSUPPORTED;
  sp_cache *cache = sp_cache_of(first_cache, call->sequence);
  if (!cache) return SP_INVALID;
  if (call->n_tokens == 0) return SP_INVALID;
  if (call->k.dtype != cache->config.dtype_kv || call->v.dtype != cache->config.dtype_kv)
    return SP_UNSUPPORTED;
  sp_status status = call->q.data ? check_queries(call) : SP_OK;
  if (status != SP_OK) return status;
  uint64_t first = cache->n_seen, stored = 0;
  cache->block_n = call->n_tokens;
  for (uint64_t t = 0; t < call->n_tokens && status == SP_OK; t++) {
    uint64_t ahead = SP_HOOK(cache, ahead)(cache, t);
    for (; stored < ahead && status == SP_OK; stored++)
      if (!store_token(cache, call, stored)) status = SP_NOMEM;
    if (status == SP_OK && call->q.data) status = attend_at(cache, call, t, first + t);
  }
  cache->block_n = cache->block_i = 0;
  return status;
}

sp_status sp_base_attend(sp_cache *first_cache, const sp_cache_call *call) {
  if (call->size < sizeof *call) return SP_UNSUPPORTED;
  sp_cache *cache = sp_cache_of(first_cache, call->sequence);
  if (!cache) return SP_INVALID;
  if (cache->n_seen == 0 || call->n_tokens != 1 || !call->q.data) return SP_INVALID;
  sp_status status = check_queries(call);
  if (status == SP_OK) status = attend_at(cache, call, 0, cache->n_seen - 1);
  if (status == SP_OK && cache->hooks->attended) cache->hooks->attended(cache);
  return status;
}
