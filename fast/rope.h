/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions. Pair i of a row is turned by position * base^(-2i/r), which is kept as a
 * fraction of a whole turn in 128-bit fixed point: multiplied by a 64-bit position and cut to its
 * fractional part it is the angle, and no reduction modulo 2 pi is ever made. spec: EV-11
 *
 * accuracy: an angle is off by less than 2^-50 + position * 2^-106 radians, cosine and sine by less
 * than 2^-49 in all up to position 2^53: nothing that binary32 would notice. Rows are turned in
 * binary64 and rounded once to binary32. Every variant gives the same bits.
 *
 * A logit depends on the difference of the positions of query and key only, so a cache may count
 * from wherever it likes. spec: EV-12 */
#ifndef SINKPROOF_FAST_ROPE_H
#define SINKPROOF_FAST_ROPE_H

#include <stdbool.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

/* Tables of pairs are padded to this many. */
#define SP_FAST_ROPE_PAD 8u

typedef struct sp_fast_rope {
  uint64_t n_pairs; /* rope_dims / 2 */
  uint32_t pairing; /* SP_ROPE_… */
  uint64_t *high;   /* turns of pair i per position: high[i] 2^-64 + low[i] 2^-128 */
  uint64_t *low;
} sp_fast_rope;

/* Cosine and sine of every pair at one position; [n_pairs], padded. */
typedef struct sp_fast_angles {
  double *cosine, *sine;
} sp_fast_angles;

/* rope_dims even; without any, nothing is allocated. False when memory runs out. */
bool sp_fast_rope_init(sp_fast_rope *rope, uint32_t pairing, uint64_t rope_dims, double rope_base);
void sp_fast_rope_clear(sp_fast_rope *rope);

/* Room for the angles of one position; false when memory runs out. */
bool sp_fast_angles_init(sp_fast_angles *angles, const sp_fast_rope *rope);
void sp_fast_angles_clear(sp_fast_angles *angles);

/* The portable form of what a variant does (scalar/rope.c). `turn` fills the angles of a position;
 * `rotate` turns a row of d elements, widened exactly, and copies what lies behind the pairs. */
void sp_fast_turn_scalar(const sp_fast_rope *rope, uint64_t position, sp_fast_angles *angles);
void sp_fast_rotate_scalar(const sp_fast_rope *rope, const sp_fast_angles *angles, sp_dtype dtype,
                           const void *from, uint64_t d, float *to);

/* 2 pi / 2^64, the angle of the last bit of a fraction. */
#define SP_FAST_ROPE_UNIT 0x1.921fb54442d18p-62

/* Taylor's series on |x| <= pi/4, where what is left out is below 2^-54:
 * sin x = x + x^3 (S3 + x^2 (S5 + …)), cos x = 1 + x^2 (C2 + x^2 (C4 + …)). */
#define SP_FAST_ROPE_S3  -0x1.5555555555555p-3
#define SP_FAST_ROPE_S5  0x1.1111111111111p-7
#define SP_FAST_ROPE_S7  -0x1.a01a01a01a01ap-13
#define SP_FAST_ROPE_S9  0x1.71de3a556c734p-19
#define SP_FAST_ROPE_S11 -0x1.ae64567f544e4p-26
#define SP_FAST_ROPE_S13 0x1.6124613a86d09p-33
#define SP_FAST_ROPE_S15 -0x1.ae7f3e733b81fp-41
#define SP_FAST_ROPE_C2  -0x1p-1
#define SP_FAST_ROPE_C4  0x1.5555555555555p-5
#define SP_FAST_ROPE_C6  -0x1.6c16c16c16c17p-10
#define SP_FAST_ROPE_C8  0x1.a01a01a01a01ap-16
#define SP_FAST_ROPE_C10 -0x1.27e4fb7789f5cp-22
#define SP_FAST_ROPE_C12 0x1.1eed8eff8d898p-29
#define SP_FAST_ROPE_C14 -0x1.93974a8c07c9dp-37
#define SP_FAST_ROPE_C16 0x1.ae7f3e733b81fp-45

#endif
