/* SPDX-License-Identifier: Apache-2.0 */
/* What the ring's contracts (fast/ring.h) give to a cache that stores by them: one token per slot,
 * pinned slots written once, every live token in its slot for as long as it is live. The slots hold
 * token numbers here; what else a cache keeps in a slot goes where its number goes. */
#include "fast/ring.h"

/*@ lemma same_slot_far_apart: \forall integer a, b, W;
      W >= 1 && 0 <= a < b && a % W == b % W ==> b - a >= W; */

/*@ predicate live(integer S, integer W, integer n, integer t) =
      0 <= t < n && (t < S || n - t <= W);
    predicate holds(uint64_t *slots, integer S, integer W, integer n) =
      \forall integer t; live(S, W, n, t) ==> slots[ring_slot(S, W, t)] == t; */

/*@ requires \valid(ring) && ring->window >= 1 && ring->n_seen < 0xffffffffffffffff;
    requires ring->n_sink_tokens + ring->window <= 0x7fffffff;
    requires \valid(slots + (0 .. ring->n_sink_tokens + ring->window - 1));
    requires \separated(ring, slots + (0 .. ring->n_sink_tokens + ring->window - 1));
    requires kept: holds(slots, ring->n_sink_tokens, ring->window, ring->n_seen);
    assigns ring->n_seen, slots[0 .. ring->n_sink_tokens + ring->window - 1];
    ensures counted: ring->n_seen == \old(ring->n_seen) + 1;
    ensures frame: \forall integer i; 0 <= i < ring->n_sink_tokens + ring->window &&
      i != ring_slot(ring->n_sink_tokens, ring->window, \old(ring->n_seen)) ==>
      slots[i] == \old(slots[i]);
    ensures pinned_never_rewritten: \old(ring->n_seen) >= ring->n_sink_tokens ==>
      \forall integer i; 0 <= i < ring->n_sink_tokens ==> slots[i] == \old(slots[i]);
    ensures still_kept: holds(slots, ring->n_sink_tokens, ring->window, ring->n_seen); */
void sp_ring_store(sp_fast_ring *ring, uint64_t *slots);

void sp_ring_store(sp_fast_ring *ring, uint64_t *slots) {
  slots[sp_fast_ring_slot(ring, ring->n_seen)] = ring->n_seen;
  ring->n_seen++;
}
