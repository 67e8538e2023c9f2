/* SPDX-License-Identifier: Apache-2.0 */
/* The three passes of a softmax over a row, in steps of 64 elements, alone and side by side.
 *
 * Roofline, on a core with two multiply-add pipes, two addition pipes, two 64-byte loads and one
 * 64-byte store per cycle (Zen 5), for 16 elements of binary32:
 *
 *     pass             multiply pipes   addition pipes         loads   stores
 *     maximum                               1                    1
 *     exponential, sum       9              1 + 4 + 1            1        1
 *     scaling                1                                   1        1
 *     together              10 = 5 cycles   7 = 3.5 cycles       1.5      2 cycles
 *
 * (rndscale is one addition slot and scalef two.) One after another the passes take 0.5 + 4.5 + 1
 * cycles at best, and each is held up by something else: loads, multiplications, stores. Side by
 * side on three different rows they need the 5 cycles of the multiplications. spec: SM-2
 *
 * Sums: lane by lane over 64 elements in a tree of two levels, over up to 16 such steps in a chain,
 * in binary32; then in binary64, 16 lanes to 8, and blocks of 1024 in a balanced tree. */
#ifndef SINKPROOF_FAST_AVX512_PASSES_H
#define SINKPROOF_FAST_AVX512_PASSES_H

#include <stdbool.h>

#include "fast/avx512/exp.h"
#include "fast/avx512/lanes.h"

#define STEP  64u
#define BLOCK 1024u

/* Where the block that begins with element j ends in a row of n; j when the row ends before. */
static inline uint64_t part_of_block(uint64_t n, uint64_t j) {
  if (n <= j) return j;
  return n - j < BLOCK ? n : j + BLOCK;
}

/* Three rows, each in its own pass, and how far they are. */
typedef struct passes {
  const void *next; /* logits whose maximum is looked for */
  __m512 max;       /* so far, lane by lane */
  const void *now;  /* logits whose exponentials are taken */
  float *e;         /* where those go: e^(x - shift) */
  __m512 shift;
  __m512 sum;        /* of the block at hand */
  const float *done; /* exponentials whose weights are written */
  void *weights;     /* at a multiple of 64 bytes when streamed */
  __m512 factor;     /* not NaN */
} passes;

/* ---- the maximum ---- */

/* A NaN may hide a logit but never becomes the maximum; the sum will show it. */
SPECIALISED void max32(sp_dtype dtype, passes *p, uint64_t j) {
  __m512 x = _mm512_max_ps(read16(dtype, p->next, j), read16(dtype, p->next, j + 16));
  p->max = _mm512_max_ps(x, p->max);
}

SPECIALISED void max_rest(sp_dtype dtype, passes *p, uint64_t j, uint64_t end) {
  for (; end - j >= 32; j += 32) max32(dtype, p, j);
  for (; j < end; j += LANES)
    p->max = _mm512_max_ps(read16_or(dtype, p->next, j, first_lanes(end - j), -INFINITY), p->max);
}

/* ---- exponentials and their sum ---- */

SPECIALISED void exp64(sp_dtype dtype, passes *p, uint64_t j) {
  __m512 x[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) x[i] = read16(dtype, p->now, j + 16 * i);
  p->sum = exp64_sum(x, p->shift, p->sum);
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) _mm512_storeu_ps(p->e + j + 16 * i, x[i]);
}

/* Past the end there are absent keys: -inf, which adds 0 to the sum. */
SPECIALISED void exp_end(sp_dtype dtype, passes *p, uint64_t j, uint64_t end) {
  __m512 x[4];
  __mmask16 lanes[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) {
    lanes[i] = j + 16 * i < end ? first_lanes(end - j - 16 * i) : (__mmask16)0;
    x[i] = read16_or(dtype, p->now, j + 16 * i, lanes[i], -INFINITY);
  }
  p->sum = exp64_sum(x, p->shift, p->sum);
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) _mm512_mask_storeu_ps(p->e + j + 16 * i, lanes[i], x[i]);
}

SPECIALISED void exp_rest(sp_dtype dtype, passes *p, uint64_t j, uint64_t end) {
  for (; end - j >= STEP; j += STEP) exp64(dtype, p, j);
  if (j < end) exp_end(dtype, p, j, end);
}

/* ---- weights ---- */

SPECIALISED void scale32(sp_dtype dtype, bool stream, const passes *p, uint64_t j) {
  __m512 a = _mm512_mul_ps(_mm512_loadu_ps(p->done + j), p->factor);
  __m512 b = _mm512_mul_ps(_mm512_loadu_ps(p->done + j + 16), p->factor);
  if (stream) {
    stream16(dtype, p->weights, j, a);
    stream16(dtype, p->weights, j + 16, b);
  } else {
    write16(dtype, p->weights, j, a);
    write16(dtype, p->weights, j + 16, b);
  }
}

SPECIALISED void scale_end(sp_dtype dtype, const passes *p, uint64_t j, uint64_t end) {
  for (; j < end; j += LANES) {
    __mmask16 lanes = first_lanes(end - j);
    __m512 e = _mm512_maskz_loadu_ps(lanes, p->done + j);
    store16(dtype, p->weights, j, lanes, _mm512_mul_ps(e, p->factor));
  }
}

SPECIALISED void scale_rest(sp_dtype dtype, bool stream, const passes *p, uint64_t j,
                            uint64_t end) {
  for (; end - j >= 32; j += 32) scale32(dtype, stream, p, j);
  scale_end(dtype, p, j, end);
}

/* ---- side by side ---- */

/* Elements from j on of all three rows, as long as there are 64; returns where they end. The loads
 * and stores of two passes stand on both sides of the arithmetic of the third, which they would hold
 * up in one heap. */
SPECIALISED uint64_t three_passes(sp_dtype from, sp_dtype to, bool stream, passes *p, uint64_t j,
                                  uint64_t end) {
  for (; end - j >= STEP; j += STEP) {
    max32(from, p, j);
    scale32(to, stream, p, j);
    exp64(from, p, j);
    max32(from, p, j + 32);
    scale32(to, stream, p, j + 32);
  }
  return j;
}

#endif
