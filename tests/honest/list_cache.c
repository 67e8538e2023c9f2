/* SPDX-License-Identifier: Apache-2.0 */
/* Caches without a ring: every token stays in a list, with the oldest recent one that it saw, and
 * attention is the three-pass kernel over the whole list with a window and pinned keys. They differ
 * in how they rotate. tests: EV-1 EV-2 EV-5 EV-6 EV-8 EV-9 EV-10 EV-13 EV-15 EV-16 NU-7 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/honest/honest.h"

typedef enum turning {
  ROTATE_BOTH,  /* q and k by their positions at this query */
  QUERY_TWICE,  /* k by its number in the stream, q once for the pinned and once for the others */
  STORED_BF16,  /* k by its number, stored in bf16; moved to its rank and rounded again */
  ROTATE_QUERY, /* q by the difference to each key, k not at all */
} turning;

typedef struct stream {
  size_t n, room;
  uint64_t lost;   /* recent tokens below this may not be used again */
  uint64_t *first; /* first[t]: the oldest recent token that t saw */
  float *k, *v;    /* [room][n_kv_heads][d] */
} stream;

struct sp_cache {
  sp_cache_config config;
  turning how;
  uint64_t n_sequences;
  stream *sequence;
};

static bool legal(const sp_cache_config *c) {
  if (c->window == 0 || c->n_evict > c->window) return false;
  if (c->n_kv_heads == 0 || c->n_heads % c->n_kv_heads != 0) return false;
  if ((c->rope_dims > 0) != (c->position != SP_POSITION_NONE)) return false;
  if (c->position > SP_POSITION_CACHE || c->rope_pairing > SP_ROPE_INTERLEAVED) return false;
  if (c->rope_dims % 2 != 0 || c->rope_dims > c->d_head) return false;
  return c->rope_dims == 0 || (isfinite(c->rope_base) && c->rope_base >= 1);
}

static sp_status open_list(sp_cache **cache, const sp_cache_config *config, turning how) {
  if (!legal(config)) return SP_INVALID;
  if (config->dtype_kv == SP_F64) return SP_UNSUPPORTED;
  sp_cache *c = calloc(1, sizeof *c);
  if (!c) return SP_NOMEM;
  c->config = *config;
  c->how = how;
  c->n_sequences = config->n_sequences > 0 ? config->n_sequences : 1;
  c->sequence = calloc((size_t)c->n_sequences, sizeof *c->sequence);
  if (c->sequence) {
    *cache = c;
    return SP_OK;
  }
  free(c);
  return SP_NOMEM;
}

static void close_list(sp_cache *cache) {
  for (uint64_t s = 0; s < cache->n_sequences; s++) {
    free(cache->sequence[s].first);
    free(cache->sequence[s].k);
    free(cache->sequence[s].v);
  }
  free(cache->sequence);
  free(cache);
}

static size_t width(const sp_cache *cache, uint64_t d) {
  return (size_t)(cache->config.n_kv_heads * d);
}

static bool more_room(const sp_cache *cache, stream *s) {
  size_t room = 2 * s->room + 8;
  uint64_t *first = realloc(s->first, room * sizeof *first);
  if (first) s->first = first;
  float *k = realloc(s->k, (room * width(cache, cache->config.d_head) + 1) * sizeof *k);
  if (k) s->k = k;
  float *v = realloc(s->v, (room * width(cache, cache->config.d_value) + 1) * sizeof *v);
  if (v) s->v = v;
  if (first && k && v) s->room = room;
  return first && k && v;
}

static void load_heads(const sp_cache *cache, float *into, const sp_in *from, size_t t,
                       uint64_t d) {
  for (uint64_t h = 0; h < cache->config.n_kv_heads; h++)
    for (uint64_t c = 0; c < d; c++)
      into[h * d + c] =
          sp_honest_load(from->dtype, from->data,
                         (int64_t)t * from->stride[1] + (int64_t)h * from->stride[2] + (int64_t)c);
}

/* Note what the new token sees, and what going back could from now on not reach. */
static bool add_token(const sp_cache *cache, stream *s, const sp_cache_call *call, size_t t) {
  const sp_cache_config *c = &cache->config;
  if (s->n == s->room && !more_room(cache, s)) return false;
  load_heads(cache, s->k + s->n * width(cache, c->d_head), &call->k, t, c->d_head);
  load_heads(cache, s->v + s->n * width(cache, c->d_value), &call->v, t, c->d_value);
  uint64_t first = s->n > c->n_sink_tokens ? s->first[s->n - 1] : c->n_sink_tokens;
  if (s->n >= first && s->n - first == c->window) first += c->n_evict > 0 ? c->n_evict : 1;
  s->first[s->n++] = first;
  uint64_t most = c->window + c->n_undo;
  if (s->n > most && s->n - most > s->lost) s->lost = s->n - most;
  return true;
}

/* y := R(position) x, rounded to f32 at every step; the angle is a double. */
static void rotate(const sp_cache_config *c, const float *x, double position, float *y) {
  size_t r = (size_t)c->rope_dims;
  for (size_t e = r; e < c->d_head; e++) y[e] = x[e];
  for (size_t i = 0; i < r / 2; i++) {
    size_t a = c->rope_pairing == SP_ROPE_HALF ? i : 2 * i;
    size_t b = c->rope_pairing == SP_ROPE_HALF ? i + r / 2 : 2 * i + 1;
    double angle = position * pow(c->rope_base, -2 * (double)i / (double)r);
    float cosine = (float)cos(angle), sine = (float)sin(angle), p = x[a], q = x[b];
    y[a] = p * cosine - q * sine;
    y[b] = p * sine + q * cosine;
  }
}

static double position_of(const sp_cache *cache, const stream *s, size_t j) {
  uint64_t pinned = cache->config.n_sink_tokens, first = s->first[s->n - 1];
  if (cache->config.position == SP_POSITION_ABS || j < pinned) return (double)j;
  return (double)(pinned + j - first);
}

static void rounded(const sp_cache_config *c, float *x) {
  for (size_t e = 0; e < c->rope_dims; e++) x[e] = sp_honest_to_bf16(x[e]);
}

/* Key j of a kv head as it meets a query. Two copies of the elements: the second is for the query
 * that is meant for pinned tokens, or for a query of its own. */
static void place_key(const sp_cache *cache, const stream *s, size_t j, const float *k, float *to) {
  const sp_cache_config *c = &cache->config;
  size_t d = (size_t)c->d_head;
  double p = position_of(cache, s, j);
  memset(to, 0, 2 * d * sizeof *to);
  if (cache->how == ROTATE_BOTH) rotate(c, k, p, to);
  if (cache->how == QUERY_TWICE) rotate(c, k, (double)j, j < c->n_sink_tokens ? to + d : to);
  if (cache->how == ROTATE_QUERY) rotate(c, k, p - position_of(cache, s, s->n - 1), to);
  if (cache->how != STORED_BF16) return;
  float stored[64] = {0};
  rotate(c, k, (double)j, stored);
  rounded(c, stored);
  memcpy(to, stored, d * sizeof *to);
  if (p >= (double)j && p <= (double)j) return;
  rotate(c, stored, p - (double)j, to);
  rounded(c, to);
}

static void place_query(const sp_cache *cache, const stream *s, const float *q, float *to) {
  const sp_cache_config *c = &cache->config;
  size_t d = (size_t)c->d_head;
  double rank = position_of(cache, s, s->n - 1);
  memset(to, 0, 2 * d * sizeof *to);
  if (cache->how == ROTATE_QUERY) memcpy(to, q, d * sizeof *to);
  if (cache->how == ROTATE_BOTH || cache->how == STORED_BF16) rotate(c, q, rank, to);
  if (cache->how != QUERY_TWICE) return;
  rotate(c, q, (double)(s->n - 1), to);
  rotate(c, q, rank, to + d);
}

static void *moved(const sp_out *out, size_t t) {
  uintptr_t address = (uintptr_t)out->data;
  int64_t index = (int64_t)t * out->stride[1];
  if (out->data) address += (uintptr_t)(index * (out->dtype == SP_F32 ? 4 : 2));
  return (void *)address;
}

/* Everything as one attention over twice the elements, half of which are 0. */
static sp_status attend_one(const sp_cache *cache, const stream *s, const sp_cache_call *call,
                            size_t t) {
  const sp_cache_config *c = &cache->config;
  size_t d = (size_t)c->d_head, heads = (size_t)c->n_heads, kv = (size_t)c->n_kv_heads;
  float *q = calloc(heads * 2 * d + 1, sizeof *q), *k = calloc(s->n * kv * 2 * d + 1, sizeof *k);
  float raw[64];
  for (size_t h = 0; q && k && h < heads; h++) {
    for (size_t e = 0; e < d; e++)
      raw[e] = sp_honest_load(call->q.dtype, call->q.data,
                              (int64_t)t * call->q.stride[1] + (int64_t)h * call->q.stride[2] +
                                  (int64_t)e);
    place_query(cache, s, raw, q + h * 2 * d);
  }
  for (size_t j = 0; q && k && j < s->n * kv; j++)
    place_key(cache, s, j / kv, s->k + j * d, k + j * 2 * d);
  int64_t row = (int64_t)(2 * d);
  sp_attention_call one = {
      .size = sizeof one,
      .n_threads = 1,
      .n_batch = 1,
      .n_q = 1,
      .n_kv = s->n,
      .n_heads = heads,
      .n_kv_heads = kv,
      .d_head = 2 * d,
      .d_value = c->d_value,
      .window = s->n > s->first[s->n - 1] ? s->n - s->first[s->n - 1] : 1,
      .n_sink_tokens = c->n_sink_tokens,
      .q = {q, {0, 0, row}, SP_F32, 0},
      .k = {k, {0, row * (int64_t)kv, row}, SP_F32, 0},
      .v = {s->v, {0, (int64_t)(kv * c->d_value), (int64_t)c->d_value}, SP_F32, 0},
      .sink_logit = call->sink_logit,
      .out = call->out,
      .lse_keys = call->lse_keys,
      .lse_total = call->lse_total,
      .scale = call->scale,
      .softcap = call->softcap,
      .causal = 1};
  one.out.data = moved(&call->out, t);
  one.lse_keys.data = moved(&call->lse_keys, t);
  one.lse_total.data = moved(&call->lse_total, t);
  sp_status status = q && k ? sp_honest_attention(sp_honest_three_pass, &one) : SP_NOMEM;
  free(q);
  free(k);
  return status;
}

static bool asks_for_nothing(const sp_cache_call *call) {
  return !call->out.data && !call->lse_keys.data && !call->lse_total.data;
}

static sp_status append(sp_cache *cache, const sp_cache_call *call) {
  if (call->sequence >= cache->n_sequences) return SP_INVALID;
  if (call->n_tokens == 0 || (call->q.data && asks_for_nothing(call))) return SP_INVALID;
  if (!isfinite(call->scale) || !(call->softcap >= 0)) return SP_INVALID;
  if (cache->config.d_head > 64) return SP_UNSUPPORTED;
  stream *s = &cache->sequence[call->sequence];
  sp_status status = SP_OK;
  for (size_t t = 0; t < call->n_tokens && status == SP_OK; t++) {
    if (!add_token(cache, s, call, t)) return SP_NOMEM;
    if (call->q.data) status = attend_one(cache, s, call, t);
  }
  return status;
}

static sp_status attend(sp_cache *cache, const sp_cache_call *call) {
  if (call->sequence >= cache->n_sequences) return SP_INVALID;
  const stream *s = &cache->sequence[call->sequence];
  if (s->n == 0 || !call->q.data || asks_for_nothing(call)) return SP_INVALID;
  return attend_one(cache, s, call, 0);
}

static sp_status list(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                      uint64_t *n) {
  if (sequence >= cache->n_sequences) return SP_INVALID;
  const stream *s = &cache->sequence[sequence];
  uint64_t found = 0;
  for (size_t j = 0; j < s->n; j++) {
    if (j >= cache->config.n_sink_tokens && j < s->first[s->n - 1]) continue;
    if (found < capacity) token[found] = j + cache->config.first_token;
    found++;
  }
  *n = found;
  return SP_OK;
}

static sp_status truncate_list(sp_cache *cache, uint64_t sequence, uint64_t n_tokens) {
  if (sequence >= cache->n_sequences) return SP_INVALID;
  stream *s = &cache->sequence[sequence];
  if (n_tokens == 0 || n_tokens > s->n) return SP_INVALID;
  size_t n = s->n - (size_t)n_tokens;
  if (n > cache->config.n_sink_tokens && s->first[n - 1] < s->lost) return SP_LOST;
  s->n = n;
  if (s->lost > n) s->lost = n;
  return SP_OK;
}

#define CACHE(name, how)                                                                           \
  static sp_status open_##name(sp_cache **cache, const sp_cache_config *config) {                  \
    return open_list(cache, config, how);                                                          \
  }                                                                                                \
  const sp_cache_ops sp_honest_##name = {.size = sizeof(sp_cache_ops),                             \
                                         .open = open_##name,                                      \
                                         .append = append,                                         \
                                         .attend = attend,                                         \
                                         .visible = list,                                          \
                                         .close = close_list,                                      \
                                         .truncate = truncate_list};

CACHE(list_cache, ROTATE_BOTH)
CACHE(query_twice_cache, QUERY_TWICE)
CACHE(stored_bf16_cache, STORED_BF16)
CACHE(rotate_query_cache, ROTATE_QUERY)
