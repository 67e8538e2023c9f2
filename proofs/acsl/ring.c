/* SPDX-License-Identifier: Apache-2.0 */
/* What the ring's contracts (fast/ring.h) give to a cache that stores by them: one token per slot,
 * pinned slots written once, and in its slot every token that is seen or is not below the floor,
 * through appends, evictions of any size and truncations. The slots hold token numbers here; what
 * else a cache keeps in a slot goes where its number goes. */
#include "fast/ring.h"

/*@ lemma same_slot_far_apart: \forall integer a, b, R;
      R >= 1 && 0 <= a < b && a % R == b % R ==> b - a >= R;
    lemma product_monotone: \forall integer k, x, y; k >= 1 && x <= y ==> k * x <= k * y;
    lemma divided: \forall integer a, k;
      k >= 1 && a >= 0 ==> k * (a / k) <= a < k * (a / k) + k;
    lemma quotient_of_parts: \forall integer k, x, y, a;
      k >= 1 && k * x <= a < k * x + k && k * y <= a + 1 < k * y + k ==> x <= y;
    lemma next_quotient: \forall integer a, b, k;
      k >= 1 && a >= 0 && b == a + 1 ==> a / k <= b / k;
    lemma next_multiple: \forall integer a, b, k;
      k >= 1 && a >= 0 && b == a + 1 ==> k * (a / k) <= k * (b / k);
    lemma remainder: \forall integer a, k; k >= 1 && a >= 0 ==> a % k == a - k * (a / k);
    lemma next_remainder: \forall integer a, b, k;
      k >= 1 && a >= 0 && b == a + 1 ==> b % k <= a % k + 1;
    lemma sees_one_more_at_most: \forall integer S, W, k, n;
      1 <= k <= W && S >= 0 && n >= 0 ==>
      ring_seen(S, W, k, n + 1) <= ring_seen(S, W, k, n) + 1; */

/*@ predicate kept(integer S, integer R, integer n, integer seen, integer floor, integer t) =
      0 <= t < n && (t < S || t >= n - seen || t >= floor);
    predicate holds(uint64_t *slots, integer S, integer R, integer n, integer seen, integer floor) =
      \forall integer t; kept(S, R, n, seen, floor, t) ==> slots[ring_slot(S, R, t)] == t;
    predicate ring_holds(sp_fast_ring *ring, uint64_t *slots) =
      holds(slots, ring->n_sink_tokens, ring->size, ring->n_seen,
            ring_seen(ring->n_sink_tokens, ring->window, ring->n_evict, ring->n_seen), ring->floor);
    predicate ring_memory(sp_fast_ring *ring, uint64_t *slots) =
      \valid(ring) && ring_legal(ring) && ring->n_sink_tokens + ring->size <= 0x7fffffff &&
      \valid(slots + (0 .. ring->n_sink_tokens + ring->size - 1)) &&
      \separated(ring, slots + (0 .. ring->n_sink_tokens + ring->size - 1)); */

/*@ requires ring_memory(ring, slots) && ring->n_seen < 0xffffffffffffffff;
    requires before: ring_holds(ring, slots);
    assigns ring->n_seen, ring->floor, slots[0 .. ring->n_sink_tokens + ring->size - 1];
    ensures counted: ring->n_seen == \old(ring->n_seen) + 1;
    ensures frame: \forall integer i; 0 <= i < ring->n_sink_tokens + ring->size &&
      i != ring_slot(ring->n_sink_tokens, ring->size, \old(ring->n_seen)) ==>
      slots[i] == \old(slots[i]);
    ensures pinned_never_rewritten: \old(ring->n_seen) >= ring->n_sink_tokens ==>
      \forall integer i; 0 <= i < ring->n_sink_tokens ==> slots[i] == \old(slots[i]);
    ensures after: ring_holds(ring, slots); */
void sp_ring_store(sp_fast_ring *ring, uint64_t *slots);

void sp_ring_store(sp_fast_ring *ring, uint64_t *slots) {
  slots[sp_fast_ring_slot(ring, ring->n_seen)] = ring->n_seen;
  sp_fast_ring_append(ring);
}

/*@ requires ring_memory(ring, slots) && n_tokens <= ring->n_seen;
    requires before: ring_holds(ring, slots);
    assigns ring->n_seen, ring->floor;
    ensures after: ring_holds(ring, slots); */
void sp_ring_take_back(sp_fast_ring *ring, uint64_t *slots, uint64_t n_tokens);

void sp_ring_take_back(sp_fast_ring *ring, uint64_t *slots, uint64_t n_tokens) {
  bool kept = sp_fast_ring_truncate(ring, n_tokens);
  /*@ assert unchanged: !kept ==> ring->n_seen == \at(ring->n_seen, Pre) &&
        ring->floor == \at(ring->floor, Pre); */
  /*@ assert seen_are_held: kept && ring->n_seen > ring->n_sink_tokens ==>
        ring->n_seen - ring_seen(ring->n_sink_tokens, ring->window, ring->n_evict, ring->n_seen) >=
        \at(ring->floor, Pre) && ring->floor == \at(ring->floor, Pre); */
  /*@ assert pinned: kept && ring->n_seen <= ring->n_sink_tokens ==>
        \forall integer t; 0 <= t < ring->n_seen ==> t < ring->n_sink_tokens; */
  /*@ assert before_lost: !kept ==> ring_holds(ring, slots); */
  /*@ assert before_kept: kept ==> \forall integer t; 0 <= t < ring->n_seen &&
        (t < ring->n_sink_tokens || t >= \at(ring->floor, Pre)) ==>
        slots[ring_slot(ring->n_sink_tokens, ring->size, t)] == t; */
}
