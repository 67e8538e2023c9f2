/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of the cache: S pinned slots, then a ring of W + n_undo. Token t, counted from the
 * first one appended, lives in slot t for ever if t < S, else in slot S + (t - S) mod size until
 * `size` tokens later. What a token sees is a closed form of its number, so eviction, by one or by
 * many, moves no memory and keeps no list; and truncation is a smaller count, legal as long as the
 * ring still holds what the new newest token sees. Indices only, no memory and no floating point,
 * so that it can be proved apart.
 * spec: EV-1, EV-2, EV-7, EV-8 every counter is 64 bits and no sum here can wrap */
#ifndef SINKPROOF_FAST_RING_H
#define SINKPROOF_FAST_RING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sp_fast_ring {
  uint64_t n_sink_tokens;
  uint64_t window;  /* >= 1 */
  uint64_t n_evict; /* 1 … window */
  uint64_t size;    /* window + n_undo, or UINT64_MAX: >= window */
  uint64_t n_seen;  /* the length: tokens appended and not taken back */
  uint64_t floor;   /* unpinned tokens below this may have been overwritten */
} sp_fast_ring;

/* A ring of window + n_undo, or of UINT64_MAX where that would wrap: no token ever comes round. */
static inline sp_fast_ring sp_fast_ring_new(uint64_t n_sink_tokens, uint64_t window,
                                            uint64_t n_evict, uint64_t n_undo) {
  uint64_t size = n_undo < UINT64_MAX - window ? window + n_undo : UINT64_MAX;
  return (sp_fast_ring){
      .n_sink_tokens = n_sink_tokens, .window = window, .n_evict = n_evict, .size = size};
}

/* The contracts (ACSL) below are discharged by `make proofs-wp`, absence of wrap-around included. */
/*@ logic integer ring_slot(integer S, integer R, integer t) = t < S ? t : S + (t - S) % R;
    logic integer ring_capacity(integer S, integer R) =
      S + R <= 0xffffffffffffffff ? S + R : 0xffffffffffffffff;
    logic integer ring_recent(integer W, integer k, integer r) =
      r <= W ? r : W - k + 1 + (r - W - 1) % k;
    logic integer ring_unpinned(integer S, integer n) = n <= S ? 0 : n - S;
    logic integer ring_seen(integer S, integer W, integer k, integer n) =
      ring_recent(W, k, ring_unpinned(S, n));
    predicate ring_legal(sp_fast_ring *ring) =
      1 <= ring->n_evict <= ring->window <= ring->size; */

/* S + size, or UINT64_MAX where that would wrap: such a cache is never full. */
/*@ requires \valid_read(ring);
    assigns \nothing;
    ensures capacity: \result == ring_capacity(ring->n_sink_tokens, ring->size); */
static inline uint64_t sp_fast_ring_capacity(const sp_fast_ring *ring) {
  uint64_t room = UINT64_MAX - ring->n_sink_tokens;
  return ring->size < room ? ring->n_sink_tokens + ring->size : UINT64_MAX;
}

/* Slots that n_seen tokens have gone into: always the first so many. */
/*@ requires \valid_read(ring);
    assigns \nothing;
    ensures within: \result <= ring_capacity(ring->n_sink_tokens, ring->size);
    ensures all: n_seen <= ring->n_sink_tokens + ring->size ==> \result == n_seen;
    ensures full: n_seen > ring->n_sink_tokens + ring->size ==>
      \result == ring->n_sink_tokens + ring->size; */
static inline uint64_t sp_fast_ring_used(const sp_fast_ring *ring, uint64_t n_seen) {
  uint64_t capacity = sp_fast_ring_capacity(ring);
  return n_seen < capacity ? n_seen : capacity;
}

/*@ requires \valid_read(ring) && ring->size >= 1;
    assigns \nothing;
    ensures slot: \result == ring_slot(ring->n_sink_tokens, ring->size, token);
    ensures in_bounds: \result < ring->n_sink_tokens + ring->size;
    ensures used: \result <= token;
    ensures pinned_once: \result < ring->n_sink_tokens ==> \result == token;
    ensures ring_only: token >= ring->n_sink_tokens ==> \result >= ring->n_sink_tokens; */
static inline uint64_t sp_fast_ring_slot(const sp_fast_ring *ring, uint64_t token) {
  if (token < ring->n_sink_tokens) return token;
  return ring->n_sink_tokens + (token - ring->n_sink_tokens) % ring->size;
}

/* How many tokens the newest of n_seen sees besides the pinned ones. spec: EV-9 the window fills up
 * and then loses n_evict tokens at once; with n_evict = 1 that is never more than one to make room. */
/*@ requires \valid_read(ring) && ring_legal(ring);
    assigns \nothing;
    ensures closed_form: \result ==
      ring_seen(ring->n_sink_tokens, ring->window, ring->n_evict, n_seen);
    ensures window: \result <= ring->window;
    ensures unpinned: \result <= ring_unpinned(ring->n_sink_tokens, n_seen);
    ensures self: n_seen > ring->n_sink_tokens ==> \result >= 1; */
static inline uint64_t sp_fast_ring_recent(const sp_fast_ring *ring, uint64_t n_seen) {
  if (n_seen <= ring->n_sink_tokens) return 0;
  uint64_t unpinned = n_seen - ring->n_sink_tokens;
  if (unpinned <= ring->window) return unpinned;
  return ring->window - ring->n_evict + (unpinned - ring->window - 1) % ring->n_evict + 1;
}

/* The oldest of the recent tokens: from here to the newest they are seen. */
/*@ requires \valid_read(ring) && ring_legal(ring);
    assigns \nothing;
    ensures oldest: \result == ring->n_seen -
      ring_seen(ring->n_sink_tokens, ring->window, ring->n_evict, ring->n_seen);
    ensures empty: ring->n_seen <= ring->n_sink_tokens ==> \result == ring->n_seen;
    ensures unpinned: ring->n_seen > ring->n_sink_tokens ==>
      ring->n_sink_tokens <= \result < ring->n_seen;
    ensures recent: ring->n_seen - \result <= ring->window; */
static inline uint64_t sp_fast_ring_oldest(const sp_fast_ring *ring) {
  return ring->n_seen - sp_fast_ring_recent(ring, ring->n_seen);
}

/* Slots of the ring from that of `token` to the end: a run of tokens longer than this wraps. */
/*@ requires \valid_read(ring) && ring->size >= 1 && token >= ring->n_sink_tokens;
    assigns \nothing;
    ensures run: 1 <= \result <= ring->size;
    ensures end: ring_slot(ring->n_sink_tokens, ring->size, token) + \result ==
      ring->n_sink_tokens + ring->size; */
static inline uint64_t sp_fast_ring_run(const sp_fast_ring *ring, uint64_t token) {
  return ring->size - (token - ring->n_sink_tokens) % ring->size;
}

/* One token more; the slot is written first. */
/*@ requires \valid(ring) && ring_legal(ring) && ring->n_seen < 0xffffffffffffffff;
    assigns ring->n_seen, ring->floor;
    ensures counted: ring->n_seen == \old(ring->n_seen) + 1;
    ensures rises: ring->floor >= \old(ring->floor);
    ensures floor: ring->floor == \max(\old(ring->floor), ring->n_seen - ring->size); */
static inline void sp_fast_ring_append(sp_fast_ring *ring) {
  ring->n_seen++;
  if (ring->n_seen > ring->size && ring->n_seen - ring->size > ring->floor)
    ring->floor = ring->n_seen - ring->size;
}

/* The newest n_tokens leave; false, and nothing has changed, where a token that the new newest one
 * sees may have been overwritten. The floor stays, but for a truncation into the pinned tokens:
 * what comes after it is new. spec: EV-15 */
/*@ requires \valid(ring) && ring_legal(ring) && n_tokens <= ring->n_seen;
    assigns ring->n_seen, ring->floor;
    ensures refused: !\result ==>
      ring->n_seen == \old(ring->n_seen) && ring->floor == \old(ring->floor);
    behavior lost:
      assumes seen: ring->n_seen - n_tokens > ring->n_sink_tokens;
      assumes below: ring->n_seen - n_tokens - ring_seen(ring->n_sink_tokens, ring->window,
        ring->n_evict, ring->n_seen - n_tokens) < ring->floor;
      assigns \nothing;
      ensures \result == \false;
    behavior kept:
      assumes held: ring->n_seen - n_tokens <= ring->n_sink_tokens ||
        ring->n_seen - n_tokens - ring_seen(ring->n_sink_tokens, ring->window, ring->n_evict,
          ring->n_seen - n_tokens) >= ring->floor;
      assigns ring->n_seen, ring->floor;
      ensures \result == \true;
      ensures ring->n_seen == \old(ring->n_seen) - n_tokens;
      ensures ring->floor == \min(\old(ring->floor), ring->n_seen);
      ensures ring->n_seen > ring->n_sink_tokens ==> ring->floor == \old(ring->floor);
    complete behaviors;
    disjoint behaviors; */
static inline bool sp_fast_ring_truncate(sp_fast_ring *ring, uint64_t n_tokens) {
  uint64_t n_seen = ring->n_seen - n_tokens;
  uint64_t recent = sp_fast_ring_recent(ring, n_seen);
  if (recent > 0 && n_seen - recent < ring->floor) return false;
  ring->n_seen = n_seen;
  if (n_seen < ring->floor) ring->floor = n_seen;
  return true;
}

#endif
