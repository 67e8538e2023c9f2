/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of 4, 2 or 1 query rows with the sixteen keys of a group. The sixteen accumulators
 * of a step are rows x keys: 4 x 4, 2 x 8 or 1 x 16. Each runs along d, 16 elements at a time; then
 * all sixteen are summed across their lanes by four steps that also transpose, so that they end in
 * one register. The tree over the lanes is the same for every accumulator, so a row's logits do not
 * depend on how many rows it goes with. spec: NU-12
 *
 * Roofline, 4 x 4 and d = 64: 64 multiply-adds over two pipes are 32 cycles. Beside them 32 loads
 * (two a cycle: 16), and for the sums 15 additions, 12 blends and 18 shuffles, which share one pipe
 * with the multiply-adds: (64 + 9) / 2 = 37 cycles, 87 % of the peak; for d = 128 it is 94 %. With
 * one row there are as many loads as multiply-adds, and the keys come once from wherever they are. */
#ifndef SINKPROOF_FAST_AVX512_DOT_H
#define SINKPROOF_FAST_AVX512_DOT_H

#include "fast/avx512/lanes.h"

/* Sums of the halves of a, and of b: 256-bit halves [a b]. One shuffle, one blend. */
static inline __m512 fold_halves(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_mask_blend_ps(0xff00, a, b), _mm512_shuffle_f32x4(a, b, 0x4e));
}

/* In each quarter, the pairs of a, and of b: elements [a a b b]. */
static inline __m512 fold_pairs(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_mask_blend_ps(0xcccc, a, b), _mm512_shuffle_ps(a, b, 0x4e));
}

/* The quarters of each half: quarters [a0 a1 b0 b1]. */
static inline __m512 fold_quarters(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

/* The elements of each pair. */
static inline __m512 fold_elements(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

/* Lane l of the result is the sum of the lanes of a[l]. */
SPECIALISED __m512 transposed_sums(const __m512 a[LANES]) {
  __m512 pair0 = fold_pairs(fold_halves(a[0], a[4]), fold_halves(a[1], a[5]));
  __m512 pair1 = fold_pairs(fold_halves(a[2], a[6]), fold_halves(a[3], a[7]));
  __m512 pair2 = fold_pairs(fold_halves(a[8], a[12]), fold_halves(a[9], a[13]));
  __m512 pair3 = fold_pairs(fold_halves(a[10], a[14]), fold_halves(a[11], a[15]));
  return fold_elements(fold_quarters(pair0, pair2), fold_quarters(pair1, pair3));
}

/* 16 elements from c on for every accumulator; those before `end`, where it is not 0. The loops have
 * constant lengths, so that every compiler unrolls them. */
SPECIALISED void dot_step(uint32_t n_rows, sp_dtype dtype, const float *const *q,
                          const void *const *key, uint64_t c, uint64_t end, __m512 sum[LANES]) {
  const uint32_t n_keys = LANES / n_rows;
  __m512 k[LANES];
  __m512 q16[4];
#pragma GCC unroll 16
  for (uint32_t i = 0; i < LANES; i++)
    if (i < n_keys)
      k[i] = end == 0 ? read16(dtype, key[i], c) : load16(dtype, key[i], c, first_lanes(end - c));
#pragma GCC unroll 4
  for (uint32_t r = 0; r < 4; r++)
    if (r < n_rows) q16[r] = _mm512_loadu_ps(q[r] + c);
#pragma GCC unroll 16
  for (uint32_t l = 0; l < LANES; l++)
    sum[l] = _mm512_fmadd_ps(q16[l / n_keys], k[l % n_keys], sum[l]);
}

/* Rows x keys in one register: lane n_keys * r + i is q[r] · key[i]. q is padded with zeros. */
SPECIALISED __m512 dot_tile(uint32_t n_rows, sp_dtype dtype, const float *const *q,
                            const void *const *key, uint64_t d) {
  __m512 sum[LANES];
  uint64_t c = 0;
#pragma GCC unroll 16
  for (uint32_t i = 0; i < LANES; i++) sum[i] = _mm512_setzero_ps();
  if (d == 64 || d == 128) {
#pragma GCC unroll 8
    for (; c < d; c += LANES) dot_step(n_rows, dtype, q, key, c, 0, sum);
    return transposed_sums(sum);
  }
  for (; c + LANES <= d; c += LANES) dot_step(n_rows, dtype, q, key, c, 0, sum);
  if (c < d) dot_step(n_rows, dtype, q, key, c, d, sum);
  return transposed_sums(sum);
}

/* Lane l of dots[r] is q[r] · key[l]. */
SPECIALISED void dot4(sp_dtype dtype, const float *const *q, const void *const *key, uint64_t d,
                      __m512 dots[4]) {
  __m512 t[4];
#pragma GCC unroll 1
  for (int i = 0; i < 4; i++) t[i] = dot_tile(4, dtype, q, key + 4 * i, d);
  __m512 low01 = _mm512_shuffle_f32x4(t[0], t[1], 0x44);
  __m512 low23 = _mm512_shuffle_f32x4(t[2], t[3], 0x44);
  __m512 high01 = _mm512_shuffle_f32x4(t[0], t[1], 0xee);
  __m512 high23 = _mm512_shuffle_f32x4(t[2], t[3], 0xee);
  dots[0] = _mm512_shuffle_f32x4(low01, low23, 0x88);
  dots[1] = _mm512_shuffle_f32x4(low01, low23, 0xdd);
  dots[2] = _mm512_shuffle_f32x4(high01, high23, 0x88);
  dots[3] = _mm512_shuffle_f32x4(high01, high23, 0xdd);
}

SPECIALISED void dot2(sp_dtype dtype, const float *const *q, const void *const *key, uint64_t d,
                      __m512 dots[2]) {
  __m512 near = dot_tile(2, dtype, q, key, d);
  __m512 far = dot_tile(2, dtype, q, key + 8, d);
  dots[0] = _mm512_shuffle_f32x4(near, far, 0x44);
  dots[1] = _mm512_shuffle_f32x4(near, far, 0xee);
}

SPECIALISED void dot1(sp_dtype dtype, const float *const *q, const void *const *key, uint64_t d,
                      __m512 dots[1]) {
  dots[0] = dot_tile(1, dtype, q, key, d);
}

#endif
