/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen dot products at once: q with sixteen keys. One accumulator per key runs along d, 16
 * elements at a time; then all sixteen are summed across their lanes by four steps that also
 * transpose, so that dot product l ends in lane l. The tree is the same for every key.
 *
 * Registers: 16 accumulators, q, and the key at hand. Per 16 elements of d: 16 fused multiply-adds
 * and 16 loads; the 15 additions and 30 shuffles of the transposition are paid once. */
#ifndef SINKPROOF_FAST_AVX512_DOT_H
#define SINKPROOF_FAST_AVX512_DOT_H

#include "fast/avx512/lanes.h"

/* Sums of the halves of a and of b: 256-bit halves [a b]. */
static inline __m512 fold_halves(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}

/* … of the quarters of those: 128-bit quarters [a0 b0 a1 b1] from [a0 a1] and [b0 b1]. */
static inline __m512 fold_quarters(__m512 a, __m512 b) {
  __m512 even = _mm512_shuffle_f32x4(a, b, 0x88);
  __m512 odd = _mm512_shuffle_f32x4(a, b, 0xdd);
  return _mm512_add_ps(even, odd);
}

/* Inside each quarter: the sums of the four elements of a, b, c, d. */
static inline __m512 fold_elements(__m512 a, __m512 b, __m512 c, __m512 d) {
  __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  __m512 low = _mm512_shuffle_ps(ab, cd, 0x44);
  __m512 high = _mm512_shuffle_ps(ab, cd, 0xee);
  return _mm512_add_ps(low, high);
}

/* Lane l is the sum of the lanes of a[l]. */
static inline __m512 transposed_sums(const __m512 a[16]) {
  __m512 f[4];
  for (int l = 0; l < 4; l++) {
    __m512 near = fold_halves(a[l], a[l + 8]);
    __m512 far = fold_halves(a[l + 4], a[l + 12]);
    f[l] = fold_quarters(near, far); /* quarters: keys l, l + 8, l + 4, l + 12 */
  }
  __m512 sums = fold_elements(f[0], f[1], f[2], f[3]);
  return _mm512_shuffle_f32x4(sums, sums, 0xd8); /* quarters 0, 2, 1, 3 */
}

/* Lane l is q[d] · row[l][d]. q is padded with zeros to whole registers. */
SPECIALISED __m512 dot16(sp_dtype dtype, const float *q, const void *const row[16], uint64_t d) {
  __m512 sum[16];
#pragma GCC unroll 16
  for (int l = 0; l < 16; l++) sum[l] = _mm512_setzero_ps();
  for (uint64_t c = 0; c < d; c += LANES) {
    __m512 q16 = _mm512_loadu_ps(q + c);
    __mmask16 lanes = first_lanes(d - c);
#pragma GCC unroll 16
    for (int l = 0; l < 16; l++)
      sum[l] = _mm512_fmadd_ps(q16, load16(dtype, row[l], c, lanes), sum[l]);
  }
  return transposed_sums(sum);
}

#endif
