/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of the cache: S pinned slots, then a ring of W. Token t, counted from the first
 * one appended, lives in slot t for ever if t < S, else in slot S + (t - S) mod W until W tokens
 * later. Indices only, no memory and no floating point, so that it can be proved apart.
 * spec: EV-1, EV-2, EV-7, EV-8 every counter is 64 bits and no sum here can wrap */
#ifndef SINKPROOF_FAST_RING_H
#define SINKPROOF_FAST_RING_H

#include <stdint.h>

typedef struct sp_fast_ring {
  uint64_t n_sink_tokens;
  uint64_t window; /* >= 1 */
  uint64_t n_seen; /* tokens appended so far */
} sp_fast_ring;

/* The contracts (ACSL) below are discharged by `make proofs-wp`, absence of wrap-around included. */
/*@ logic integer ring_slot(integer S, integer W, integer t) = t < S ? t : S + (t - S) % W;
    logic integer ring_capacity(integer S, integer W) =
      S + W <= 0xffffffffffffffff ? S + W : 0xffffffffffffffff; */

/* S + W, or UINT64_MAX where that would wrap: such a cache is never full. */
/*@ requires \valid_read(ring);
    assigns \nothing;
    ensures capacity: \result == ring_capacity(ring->n_sink_tokens, ring->window); */
static inline uint64_t sp_fast_ring_capacity(const sp_fast_ring *ring) {
  uint64_t room = UINT64_MAX - ring->n_sink_tokens;
  return ring->window < room ? ring->n_sink_tokens + ring->window : UINT64_MAX;
}

/* Slots in use once n_seen tokens have come: always the first so many. */
/*@ requires \valid_read(ring);
    assigns \nothing;
    ensures within: \result <= ring_capacity(ring->n_sink_tokens, ring->window);
    ensures all: n_seen <= ring->n_sink_tokens + ring->window ==> \result == n_seen;
    ensures full: n_seen > ring->n_sink_tokens + ring->window ==>
      \result == ring->n_sink_tokens + ring->window; */
static inline uint64_t sp_fast_ring_used(const sp_fast_ring *ring, uint64_t n_seen) {
  uint64_t capacity = sp_fast_ring_capacity(ring);
  return n_seen < capacity ? n_seen : capacity;
}

/*@ requires \valid_read(ring) && ring->window >= 1;
    assigns \nothing;
    ensures slot: \result == ring_slot(ring->n_sink_tokens, ring->window, token);
    ensures in_bounds: \result < ring->n_sink_tokens + ring->window;
    ensures used: \result <= token;
    ensures pinned_once: \result < ring->n_sink_tokens ==> \result == token;
    ensures ring_only: token >= ring->n_sink_tokens ==> \result >= ring->n_sink_tokens; */
static inline uint64_t sp_fast_ring_slot(const sp_fast_ring *ring, uint64_t token) {
  if (token < ring->n_sink_tokens) return token;
  return ring->n_sink_tokens + (token - ring->n_sink_tokens) % ring->window;
}

/* The oldest token of the ring: tokens from here to the newest are the recent ones. */
/*@ requires \valid_read(ring) && ring->window >= 1;
    assigns \nothing;
    ensures empty: ring->n_seen <= ring->n_sink_tokens ==> \result == ring->n_seen;
    ensures recent: ring->n_seen > ring->n_sink_tokens ==>
      \result == \max(ring->n_sink_tokens, ring->n_seen - ring->window); */
static inline uint64_t sp_fast_ring_oldest(const sp_fast_ring *ring) {
  if (ring->n_seen <= ring->n_sink_tokens) return ring->n_seen; /* the ring is empty */
  uint64_t recent = ring->n_seen - ring->n_sink_tokens;
  return recent > ring->window ? ring->n_seen - ring->window : ring->n_sink_tokens;
}

#endif
