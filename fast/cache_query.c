/* SPDX-License-Identifier: Apache-2.0 */
/* A query of the cache is attention over at most three runs of slots: the pinned ones, and the part
 * of the ring that the newest token sees, in one piece or two. A softmax does not care in which
 * order its keys lie, so neither does this. spec: EV-2, EV-4, EV-9
 *
 * Nothing is allocated, and the work is that of the keys that are seen. */
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

bool sp_fast_cache_query_init(sp_cache *cache) {
  const sp_cache_config *config = &cache->config;
  size_t bytes = sp_fast_scratch_bytes(n_rows(cache), config->d_head, config->d_value);
  size_t q_bytes = 0;
  if (bytes == 0) return false; /* absurd sizes; the product below fits when they are not */
  q_bytes = 2 * n_rows(cache) * sp_fast_padded(config->d_head) * sizeof(float);
  q_bytes = (q_bytes + 64) / 64 * 64;
  cache->scratch = aligned_alloc(64, bytes);
  cache->q = aligned_alloc(64, q_bytes);
  if (cache->scratch == NULL || cache->q == NULL) return false;
  memset(cache->q, 0, q_bytes); /* the padding stays zero */
  return true;
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

/* The queries of one group of heads, turned by the angles of a place, into set `set`. */
static void load_queries(const sp_cache *cache, const sp_cache_call *call, uint64_t t,
                         uint64_t h_kv, const sp_fast_angles *angles, uint64_t set) {
  uint64_t q_len = sp_fast_padded(cache->config.d_head);
  for (uint64_t r = 0; r < n_rows(cache); r++)
    cache->impl->rotate(&cache->rope, angles, call->q.dtype,
                        sp_fast_in(&call->q, 0, t, h_kv * n_rows(cache) + r), cache->config.d_head,
                        cache->q + (set * n_rows(cache) + r) * q_len);
}

void sp_fast_cache_query(sp_cache *cache, const sp_fast_stream *stream, const sp_cache_call *call,
                         uint64_t t) {
  const sp_fast_ring *ring = &stream->ring;
  uint64_t n_recent = sp_fast_ring_recent(ring, ring->n_seen);
  bool two_queries = ranks_differ(cache, ring, n_recent);
  run runs[3];
  uint32_t n_runs = visible_runs(ring, two_queries ? 1 : 0, runs);
  const sp_fast_angles *by_number = sp_fast_place_at(cache, &cache->by_number, ring->n_seen - 1);
  const sp_fast_angles *by_rank = NULL;
  if (two_queries)
    by_rank = sp_fast_place_at(cache, &cache->by_rank, ring->n_sink_tokens + n_recent - 1);
  const sp_attention_call attention = attention_of(cache, call, t);
  for (uint64_t h = 0; h < cache->config.n_kv_heads; h++) {
    const sp_fast_query query = {.call = &attention, .h_kv = h, .q = cache->q};
    sp_fast_segment segment[3];
    load_queries(cache, call, t, h, by_number, 0);
    if (by_rank != NULL) load_queries(cache, call, t, h, by_rank, 1);
    for (uint32_t s = 0; s < n_runs; s++) segment[s] = segment_of(cache, stream, h, &runs[s]);
    sp_fast_attend_segments(cache->impl, &query, segment, n_runs, cache->scratch);
  }
}
