/* SPDX-License-Identifier: Apache-2.0 */
/* A cache without a ring: the retained tokens lie in order, and an eviction moves the later ones
 * down by one place. Attention is the three-pass kernel over the list. tests: EV-1 EV-2 EV-5 EV-6
 * EV-8 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/honest/honest.h"

struct sp_cache {
  sp_cache_config config;
  uint64_t n_seen;
  size_t n, room; /* tokens in the list, and places */
  uint64_t *token;
  unsigned char *k, *v; /* [room][n_kv_heads][d] */
};

static size_t width(const sp_cache *cache, uint64_t d) {
  return (size_t)(cache->config.n_kv_heads * d) * (cache->config.dtype_kv == SP_F32 ? 4 : 2);
}

static sp_status open_list(sp_cache **cache, const sp_cache_config *config) {
  if (config->window == 0 || config->n_kv_heads == 0 || config->n_heads % config->n_kv_heads != 0)
    return SP_INVALID;
  if (config->dtype_kv == SP_F64) return SP_UNSUPPORTED;
  *cache = calloc(1, sizeof **cache);
  if (!*cache) return SP_NOMEM;
  (*cache)->config = *config;
  return SP_OK;
}

static void close_list(sp_cache *cache) {
  free(cache->token);
  free(cache->k);
  free(cache->v);
  free(cache);
}

static bool more_room(sp_cache *cache) {
  size_t room = 2 * cache->room + 8;
  uint64_t *token = realloc(cache->token, room * sizeof *token);
  if (token) cache->token = token;
  unsigned char *k = realloc(cache->k, room * width(cache, cache->config.d_head) + 1);
  if (k) cache->k = k;
  unsigned char *v = realloc(cache->v, room * width(cache, cache->config.d_value) + 1);
  if (v) cache->v = v;
  if (token && k && v) cache->room = room;
  return token && k && v;
}

static void take_out(sp_cache *cache, size_t place) {
  size_t after = cache->n - place - 1;
  size_t wk = width(cache, cache->config.d_head), wv = width(cache, cache->config.d_value);
  memmove(cache->token + place, cache->token + place + 1, after * sizeof *cache->token);
  memmove(cache->k + place * wk, cache->k + (place + 1) * wk, after * wk);
  memmove(cache->v + place * wv, cache->v + (place + 1) * wv, after * wv);
  cache->n--;
}

static void copy_heads(const sp_cache *cache, unsigned char *into, const sp_in *from, size_t t,
                       uint64_t d) {
  size_t bytes = width(cache, d) / (size_t)cache->config.n_kv_heads;
  size_t element = cache->config.dtype_kv == SP_F32 ? 4 : 2;
  for (size_t h = 0; bytes > 0 && h < cache->config.n_kv_heads; h++) {
    int64_t index = (int64_t)t * from->stride[1] + (int64_t)h * from->stride[2];
    memcpy(into + h * bytes, (const unsigned char *)from->data + index * (int64_t)element, bytes);
  }
}

/* First the newest in, then the oldest out that is not pinned. */
static bool add_token(sp_cache *cache, const sp_cache_call *call, size_t t) {
  if (cache->n == cache->room && !more_room(cache)) return false;
  size_t wk = width(cache, cache->config.d_head), wv = width(cache, cache->config.d_value);
  copy_heads(cache, cache->k + cache->n * wk, &call->k, t, cache->config.d_head);
  copy_heads(cache, cache->v + cache->n * wv, &call->v, t, cache->config.d_value);
  cache->token[cache->n++] = cache->n_seen++;
  uint64_t pinned = cache->config.n_sink_tokens;
  if (cache->n > pinned && cache->n - pinned > cache->config.window)
    take_out(cache, (size_t)pinned);
  return true;
}

static sp_in list_of(const sp_cache *cache, const void *data, uint64_t d) {
  return (sp_in){.data = data,
                 .stride = {0, (int64_t)(cache->config.n_kv_heads * d), (int64_t)d},
                 .dtype = cache->config.dtype_kv};
}

static void *moved(const void *data, int64_t index, sp_dtype dtype) {
  uintptr_t address = (uintptr_t)data;
  if (data) address += (uintptr_t)(index * (dtype == SP_F32 ? 4 : 2));
  return (void *)address;
}

/* Everything in the list is visible: no mask, no position. */
static sp_status attend_one(sp_cache *cache, const sp_cache_call *call, size_t t) {
  int64_t at = (int64_t)t;
  sp_attention_call one = {.size = sizeof one,
                           .n_threads = 1,
                           .n_batch = 1,
                           .n_q = 1,
                           .n_kv = cache->n,
                           .n_heads = cache->config.n_heads,
                           .n_kv_heads = cache->config.n_kv_heads,
                           .d_head = cache->config.d_head,
                           .d_value = cache->config.d_value,
                           .window = SP_WINDOW_ALL,
                           .q = call->q,
                           .k = list_of(cache, cache->k, cache->config.d_head),
                           .v = list_of(cache, cache->v, cache->config.d_value),
                           .sink_logit = call->sink_logit,
                           .out = call->out,
                           .lse_keys = call->lse_keys,
                           .lse_total = call->lse_total,
                           .scale = call->scale,
                           .softcap = call->softcap};
  one.q.data = moved(call->q.data, at * call->q.stride[1], call->q.dtype);
  one.out.data = moved(call->out.data, at * call->out.stride[1], call->out.dtype);
  one.lse_keys.data = moved(call->lse_keys.data, at * call->lse_keys.stride[1], SP_F32);
  one.lse_total.data = moved(call->lse_total.data, at * call->lse_total.stride[1], SP_F32);
  return sp_honest_attention(sp_honest_three_pass, &one);
}

static bool asks_for_nothing(const sp_cache_call *call) {
  return !call->out.data && !call->lse_keys.data && !call->lse_total.data;
}

static sp_status append(sp_cache *cache, const sp_cache_call *call) {
  if (call->n_tokens == 0 || (call->q.data && asks_for_nothing(call))) return SP_INVALID;
  if (!isfinite(call->scale) || !(call->softcap >= 0)) return SP_INVALID;
  sp_status status = SP_OK;
  for (size_t t = 0; t < call->n_tokens && status == SP_OK; t++) {
    if (!add_token(cache, call, t)) return SP_NOMEM;
    if (call->q.data) status = attend_one(cache, call, t);
  }
  return status;
}

static sp_status attend(sp_cache *cache, const sp_cache_call *call) {
  if (cache->n_seen == 0 || !call->q.data || asks_for_nothing(call)) return SP_INVALID;
  return attend_one(cache, call, 0);
}

static sp_status list(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                      uint64_t *n) {
  if (sequence != 0) return SP_INVALID;
  for (size_t i = 0; i < cache->n && i < capacity; i++)
    token[i] = cache->token[i] + cache->config.first_token;
  *n = cache->n;
  return SP_OK;
}

const sp_cache_ops sp_honest_list_cache = {.size = sizeof(sp_cache_ops),
                                           .open = open_list,
                                           .append = append,
                                           .attend = attend,
                                           .visible = list,
                                           .close = close_list};
