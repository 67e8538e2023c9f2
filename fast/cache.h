/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the cache show each other: storage (cache_store.c), queries (cache_query.c), the
 * ABI's entry points (cache.c).
 *
 * Positions. A key is stored turned once and for all, by its place in the stream, and never again:
 * among recent tokens, and in ABS mode to the pinned ones too, only differences of places count,
 * and those are the differences of positions. In CACHE mode a pinned token's rank is its place, but
 * the query's rank, as the pinned tokens see it, stops growing with the stream: so the query is
 * turned twice, by its place for the recent keys and by its rank for the pinned ones. Nothing is
 * ever turned again after an eviction, so nothing drifts. spec: EV-10, EV-12, EV-13, EV-14
 *
 * accuracy: turned keys are binary32 numbers whatever type they came in, rounded once: that is the
 * rounding of their last addition, which class w-deep counts. Stored as 16 bits they would need a
 * class of their own (`rk`), and 2^13 times its error. Keys that are not turned, and values, keep
 * their type and their bits. */
#ifndef SINKPROOF_FAST_CACHE_H
#define SINKPROOF_FAST_CACHE_H

#include "fast/impl.h"
#include "fast/pool.h"
#include "fast/ring.h"
#include "fast/rope.h"

/* One sequence. spec: EV-16 */
typedef struct sp_fast_stream {
  sp_fast_ring ring;
  uint64_t n_slots; /* allocated, of each kv head */
  char *k;          /* k[n_kv_heads][n_slots][d_head] */
  char *v;          /* v[n_kv_heads][n_slots][d_value] */
} sp_fast_stream;

/* The angles of one position, kept until another is asked for. */
typedef struct sp_fast_place {
  sp_fast_angles angles;
  uint64_t position;
  bool known;
} sp_fast_place;

struct sp_cache {
  const sp_fast_impl *impl;
  sp_cache_config config;
  sp_fast_rope rope;
  sp_dtype dtype_k;        /* of what is stored */
  sp_fast_stream *stream;  /* stream[n_sequences] */
  sp_fast_place by_number; /* of a token's place in its stream */
  sp_fast_place by_rank;   /* of the newest token's place in the cache */
  /* For each thread that a call was allowed, the caller's first: what a kv head needs. */
  sp_fast_pool *pool;            /* NULL: there is the caller's thread only */
  uint32_t n_workers, n_asked;   /* threads there are, and were asked for */
  size_t q_bytes, scratch_bytes; /* of one */
  char *q;       /* float q[n_workers][2][heads of a group][padded d_head], by number and by rank */
  char *scratch; /* [n_workers][scratch_bytes] */
};

/* The angles at a position. */
const sp_fast_angles *sp_fast_place_at(const sp_cache *cache, sp_fast_place *place,
                                       uint64_t position);

/* Slots for n_tokens more; the stream is as it was when that fails. */
bool sp_fast_cache_reserve(const sp_cache *cache, sp_fast_stream *stream, uint64_t n_tokens);

/* Token t of the call becomes the newest. Its slot is there. */
void sp_fast_cache_store(sp_cache *cache, sp_fast_stream *stream, const sp_cache_call *call,
                         uint64_t t);

/* Room for the queries of one thread; false when memory runs out. */
bool sp_fast_cache_query_init(sp_cache *cache);

/* … of as many threads as a call allows, where its queries are worth it: they are started at the
 * first such call and kept. What cannot be had is done without. spec: KC-8 */
void sp_fast_cache_equip(sp_cache *cache, const sp_fast_stream *stream, const sp_cache_call *call);

/* The outputs of query t of the call, at the newest token. */
void sp_fast_cache_query(sp_cache *cache, const sp_fast_stream *stream, const sp_cache_call *call,
                         uint64_t t);

#endif
