/* SPDX-License-Identifier: Apache-2.0 */
/* Where the row of a slot lies in the memory of a stream, rows[n_heads][n_slots][bytes], how a row
 * gets there, and how that memory grows: what is stored in a slot touches the bytes of that slot and
 * no others. The contracts (ACSL) are discharged by `make proofs-wp`; that no two slots share a byte
 * is EV1_slots_apart in proofs/cache/Ring.v. spec: EV-1, EV-4 */
#ifndef SINKPROOF_FAST_SLOTS_H
#define SINKPROOF_FAST_SLOTS_H

#include <stdint.h>

/*@ lemma row_inside: \forall integer H, n, h, slot;
      0 <= h < H && 0 <= slot < n ==> h * n + slot + 1 <= H * n;
    lemma bytes_apart: \forall integer b, x, y; b >= 0 && x + 1 <= y ==> x * b + b <= y * b;
    lemma bytes_positive: \forall integer b, x; b >= 0 && x >= 0 ==> 0 <= x * b; */

/* A row among the rows of all heads. */
/*@ requires inside: head < n_heads && slot < n_slots;
    requires fits: n_heads * n_slots <= 0x7fffffffffffffff;
    assigns \nothing;
    ensures row: \result == head * n_slots + slot;
    ensures inside: \result < n_heads * n_slots; */
static inline uint64_t sp_fast_slot_row(uint64_t n_heads, uint64_t n_slots, uint64_t head,
                                        uint64_t slot) {
  /*@ assert inside: head * n_slots + slot + 1 <= n_heads * n_slots; */
  (void)n_heads;
  return head * n_slots + slot;
}

/* … and where its bytes are. */
/*@ requires inside: row < n_rows;
    requires fits: n_rows * bytes <= 0x7fffffffffffffff;
    assigns \nothing;
    ensures place: \result == row * bytes;
    ensures in_bounds: \result + bytes <= n_rows * bytes; */
static inline uint64_t sp_fast_row_at(uint64_t n_rows, uint64_t bytes, uint64_t row) {
  /*@ assert end: row * bytes + bytes <= n_rows * bytes; */
  /*@ assert start: 0 <= row * bytes; */
  (void)n_rows;
  return row * bytes;
}

/* One row is written; no byte of another is touched. (A compiler knows the loop for memcpy.) */
/*@ requires inside: row < n_rows;
    requires fits: n_rows * bytes <= 0x7fffffffffffffff;
    requires memory: \valid(rows + (0 .. n_rows * bytes - 1));
    requires read: \valid_read(from + (0 .. bytes - 1));
    requires apart: \separated(rows + (0 .. n_rows * bytes - 1), from + (0 .. bytes - 1));
    assigns rows[row * bytes .. row * bytes + bytes - 1];
    ensures written: \forall integer i; 0 <= i < bytes ==> rows[row * bytes + i] == from[i];
    ensures others: \forall integer i;
      0 <= i < row * bytes || row * bytes + bytes <= i < n_rows * bytes ==>
        rows[i] == \old(rows[i]); */
static inline void sp_fast_row_store(char *restrict rows, uint64_t n_rows, uint64_t bytes,
                                     uint64_t row, const char *restrict from) {
  const uint64_t at = sp_fast_row_at(n_rows, bytes, row);
  /*@ loop invariant 0 <= i <= bytes;
      loop invariant \forall integer j; 0 <= j < i ==> rows[at + j] == from[j];
      loop assigns i, rows[at .. at + bytes - 1];
      loop variant bytes - i; */
  for (uint64_t i = 0; i < bytes; i++) rows[at + i] = from[i];
}

/* Slots to allocate for `needed`: twice as many as there are, but never more than can be used. */
/*@ requires more: n_slots < needed <= capacity;
    assigns \nothing;
    ensures enough: needed <= \result;
    ensures most: \result <= capacity; */
static inline uint64_t sp_fast_slots_next(uint64_t capacity, uint64_t n_slots, uint64_t needed) {
  if (n_slots > capacity / 2) return capacity;
  return needed > n_slots * 2 ? needed : n_slots * 2;
}

#endif
