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

/* S + W, or UINT64_MAX where that would wrap: such a cache is never full. */
static inline uint64_t sp_fast_ring_capacity(const sp_fast_ring *ring) {
  uint64_t room = UINT64_MAX - ring->n_sink_tokens;
  return ring->window < room ? ring->n_sink_tokens + ring->window : UINT64_MAX;
}

/* Slots in use once n_seen tokens have come: always the first so many. */
static inline uint64_t sp_fast_ring_used(const sp_fast_ring *ring, uint64_t n_seen) {
  uint64_t capacity = sp_fast_ring_capacity(ring);
  return n_seen < capacity ? n_seen : capacity;
}

static inline uint64_t sp_fast_ring_slot(const sp_fast_ring *ring, uint64_t token) {
  if (token < ring->n_sink_tokens) return token;
  return ring->n_sink_tokens + (token - ring->n_sink_tokens) % ring->window;
}

/* The oldest token of the ring: tokens from here to the newest are the recent ones. */
static inline uint64_t sp_fast_ring_oldest(const sp_fast_ring *ring) {
  if (ring->n_seen <= ring->n_sink_tokens) return ring->n_seen; /* the ring is empty */
  uint64_t recent = ring->n_seen - ring->n_sink_tokens;
  return recent > ring->window ? ring->n_seen - ring->window : ring->n_sink_tokens;
}

#endif
