/* SPDX-License-Identifier: Apache-2.0 */
/* The contracts of fast/slots.h, as they stand there, and what they give with those of fast/ring.h: a
 * token that is not pinned is stored behind the rows of all pinned slots of its head. */
#include "fast/ring.h"
#include "fast/slots.h"

/*@ requires \valid_read(ring) && ring->size >= 1;
    requires inside: head < n_heads && n_heads * n_slots <= 0x7fffffffffffffff;
    requires stored: ring_slot(ring->n_sink_tokens, ring->size, token) < n_slots;
    assigns \nothing;
    ensures inside: \result < n_heads * n_slots;
    ensures pinned: token < ring->n_sink_tokens ==> \result == head * n_slots + token;
    ensures behind: token >= ring->n_sink_tokens ==>
      \result >= head * n_slots + ring->n_sink_tokens; */
uint64_t sp_row_of_token(const sp_fast_ring *ring, uint64_t n_heads, uint64_t n_slots,
                         uint64_t head, uint64_t token);

uint64_t sp_row_of_token(const sp_fast_ring *ring, uint64_t n_heads, uint64_t n_slots,
                         uint64_t head, uint64_t token) {
  return sp_fast_slot_row(n_heads, n_slots, head, sp_fast_ring_slot(ring, token));
}
