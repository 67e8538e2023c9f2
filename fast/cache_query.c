/* SPDX-License-Identifier: Apache-2.0 */
/* A query of the cache is attention over at most three runs of slots: the pinned ones, and the part
 * of the ring that the newest token sees, in one piece or two. A softmax does not care in which
 * order its keys lie, so neither does this. spec: EV-2, EV-4, EV-9
 *
 * Nothing is allocated, and the work is that of the keys that are seen; with threads, each takes kv
 * heads. */
#include <stdlib.h>
#include <string.h>

#include "fast/cache.h"
#include "fast/segment.h"
#include "fast/tensor.h"

/* Slots [begin, end), and by which of the two angles their query is turned. */
typedef struct run {
  uint64_t begin, end;
  uint32_t q_set;
} run;

static uint64_t n_rows(const sp_cache *cache) {
  return cache->config.n_heads / cache->config.n_kv_heads;
}

/* What a thread needs, `n` times; false, and nothing has changed, when memory runs out. */
static bool make_room(sp_cache *cache, uint32_t n) {
  size_t q_bytes = 0;
  size_t scratch_bytes = 0;
  if (__builtin_mul_overflow(cache->q_bytes, n, &q_bytes) ||
      __builtin_mul_overflow(cache->scratch_bytes, n, &scratch_bytes))
    return false;
  char *q = aligned_alloc(64, q_bytes);
  char *scratch = aligned_alloc(64, scratch_bytes);
  if (q == NULL || scratch == NULL) {
    free(q);
    free(scratch);
    return false;
  }
  memset(q, 0, q_bytes); /* the padding stays zero */
  free(cache->q);
  free(cache->scratch);
  cache->q = q;
  cache->scratch = scratch;
  cache->n_workers = n;
  return true;
}

bool sp_fast_cache_query_init(sp_cache *cache) {
  const sp_cache_config *config = &cache->config;
  cache->scratch_bytes = sp_fast_scratch_bytes(n_rows(cache), config->d_head, config->d_value);
  if (cache->scratch_bytes == 0) return false; /* absurd sizes; the product below fits otherwise */
  cache->q_bytes = 2 * n_rows(cache) * sp_fast_padded(config->d_head) * sizeof(float);
  cache->q_bytes = (cache->q_bytes + 64) / 64 * 64;
  return make_room(cache, 1);
}

/* Logits of a query that take longer than handing its heads to threads that sleep. */
#define THREAD_LOGITS (UINT64_C(1) << 14)

static bool is_long(const sp_cache *cache, const sp_fast_stream *stream, uint64_t n_more) {
  uint64_t keys = sp_fast_ring_used(&stream->ring, stream->ring.n_seen + n_more);
  return keys > 0 && cache->config.n_heads >= THREAD_LOGITS / keys;
}

void sp_fast_cache_equip(sp_cache *cache, const sp_fast_stream *stream, const sp_cache_call *call) {
  uint64_t most = cache->config.n_kv_heads;
  uint32_t threads = call->n_threads < most ? call->n_threads : (uint32_t)most;
  if (threads < 2 || threads <= cache->n_asked || !is_long(cache, stream, call->n_tokens)) return;
  cache->n_asked = threads;
  sp_fast_pool *pool = sp_fast_pool_new(threads);
  if (pool == NULL || !make_room(cache, sp_fast_pool_threads(pool))) {
    sp_fast_pool_free(pool);
    return;
  }
  sp_fast_pool_free(cache->pool);
  cache->pool = pool;
}

const sp_fast_angles *sp_fast_place_at(const sp_cache *cache, sp_fast_place *place,
                                       uint64_t position) {
  if (cache->rope.n_pairs > 0 && (!place->known || place->position != position)) {
    cache->impl->turn(&cache->rope, position, &place->angles);
    place->position = position;
    place->known = true;
  }
  return &place->angles;
}

/* The pinned tokens need a query of their own: ranks, and a rank that is not the number. */
static bool ranks_differ(const sp_cache *cache, const sp_fast_ring *ring, uint64_t n_recent) {
  return cache->config.position == SP_POSITION_CACHE && ring->n_sink_tokens > 0 &&
         ring->n_sink_tokens + n_recent < ring->n_seen;
}

/* A run that begins where the last one ends, with the same query, continues it. */
static uint32_t add_run(run *runs, uint32_t n, uint64_t begin, uint64_t length, uint32_t q_set) {
  if (length == 0) return n;
  if (n > 0 && runs[n - 1].end == begin && runs[n - 1].q_set == q_set) {
    runs[n - 1].end += length;
    return n;
  }
  runs[n] = (run){begin, begin + length, q_set};
  return n + 1;
}

/* In ascending order of slots; returns how many. */
static uint32_t visible_runs(const sp_fast_ring *ring, uint32_t q_set_of_pinned, run runs[3]) {
  uint64_t n_pinned = ring->n_seen < ring->n_sink_tokens ? ring->n_seen : ring->n_sink_tokens;
  uint64_t n_recent = sp_fast_ring_recent(ring, ring->n_seen);
  uint32_t n = add_run(runs, 0, 0, n_pinned, q_set_of_pinned);
  if (n_recent == 0) return n;
  uint64_t oldest = ring->n_seen - n_recent;
  uint64_t to_end = sp_fast_ring_run(ring, oldest);
  uint64_t wrapped = n_recent > to_end ? n_recent - to_end : 0;
  n = add_run(runs, n, ring->n_sink_tokens, wrapped, 0);
  return add_run(runs, n, sp_fast_ring_slot(ring, oldest), n_recent - wrapped, 0);
}

static sp_fast_segment segment_of(const sp_cache *cache, const sp_fast_stream *stream, uint64_t h,
                                  const run *r) {
  const sp_cache_config *config = &cache->config;
  uint64_t row = h * stream->n_slots + r->begin;
  return (sp_fast_segment){
      .k = stream->k + row * config->d_head * sp_fast_bytes(cache->dtype_k),
      .v = stream->v + row * config->d_value * sp_fast_bytes(config->dtype_kv),
      .k_stride = (int64_t)config->d_head,
      .v_stride = (int64_t)config->d_value,
      .k_dtype = cache->dtype_k,
      .v_dtype = config->dtype_kv,
      .first = r->begin,
      .n = r->end - r->begin,
      .q_set = r->q_set,
  };
}

static sp_out out_at(const sp_out *from, uint64_t t) {
  sp_out at = *from;
  if (at.data != NULL) at.data = sp_fast_out(from, 0, t, 0);
  return at;
}

/* What the query has of an attention call. */
static sp_attention_call attention_of(const sp_cache *cache, const sp_cache_call *call,
                                      uint64_t t) {
  const sp_cache_config *config = &cache->config;
  return (sp_attention_call){
      .size = sizeof(sp_attention_call),
      .n_threads = 1,
      .n_batch = 1,
      .n_q = 1,
      .n_heads = config->n_heads,
      .n_kv_heads = config->n_kv_heads,
      .d_head = config->d_head,
      .d_value = config->d_value,
      .window = SP_WINDOW_ALL,
      .sink_logit = call->sink_logit,
      .out = out_at(&call->out, t),
      .lse_keys = out_at(&call->lse_keys, t),
      .lse_total = out_at(&call->lse_total, t),
      .scale = call->scale,
      .softcap = call->softcap,
  };
}

/* A query on its way through the heads. */
typedef struct job {
  const sp_cache *cache;
  const sp_fast_stream *stream;
  const sp_cache_call *call;
  uint64_t t;
  sp_attention_call attention;
  const sp_fast_angles *by_number, *by_rank; /* by_rank: NULL where it is the same */
  run runs[3];
  uint32_t n_runs;
} job;

/* The queries of one group of heads, turned by the angles of a place, into set `set` of q. */
static void load_queries(const job *j, uint64_t h_kv, const sp_fast_angles *angles, uint64_t set,
                         float *q) {
  const sp_cache *cache = j->cache;
  uint64_t q_len = sp_fast_padded(cache->config.d_head);
  for (uint64_t r = 0; r < n_rows(cache); r++)
    cache->impl->rotate(&cache->rope, angles, j->call->q.dtype,
                        sp_fast_in(&j->call->q, 0, j->t, h_kv * n_rows(cache) + r),
                        cache->config.d_head, q + (set * n_rows(cache) + r) * q_len);
}

/* One kv head: what belongs to no other, so that threads give the bits of one. spec: NU-12 */
static void run_head(void *of, uint64_t h, uint32_t worker) {
  const job *j = of;
  const sp_cache *cache = j->cache;
  float *q = (float *)(void *)(cache->q + worker * cache->q_bytes);
  const sp_fast_query query = {.call = &j->attention, .h_kv = h, .q = q};
  sp_fast_segment segment[3];
  load_queries(j, h, j->by_number, 0, q);
  if (j->by_rank != NULL) load_queries(j, h, j->by_rank, 1, q);
  for (uint32_t s = 0; s < j->n_runs; s++)
    segment[s] = segment_of(cache, j->stream, h, &j->runs[s]);
  sp_fast_attend_segments(cache->impl, &query, segment, j->n_runs,
                          cache->scratch + worker * cache->scratch_bytes);
}

void sp_fast_cache_query(sp_cache *cache, const sp_fast_stream *stream, const sp_cache_call *call,
                         uint64_t t) {
  const sp_fast_ring *ring = &stream->ring;
  uint64_t n_recent = sp_fast_ring_recent(ring, ring->n_seen);
  bool two_queries = ranks_differ(cache, ring, n_recent);
  job j = {.cache = cache, .stream = stream, .call = call, .t = t};
  j.attention = attention_of(cache, call, t);
  j.n_runs = visible_runs(ring, two_queries ? 1 : 0, j.runs);
  j.by_number = sp_fast_place_at(cache, &cache->by_number, ring->n_seen - 1);
  if (two_queries)
    j.by_rank = sp_fast_place_at(cache, &cache->by_rank, ring->n_sink_tokens + n_recent - 1);
  bool alone = call->n_threads < cache->n_workers || !is_long(cache, stream, 0);
  sp_fast_pool_run(alone ? NULL : cache->pool, cache->config.n_kv_heads, run_head, &j);
  sp_fast_set_path(cache->impl);
}
