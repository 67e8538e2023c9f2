/* SPDX-License-Identifier: Apache-2.0 */
/* From one number per lane and row to one number per row, for many rows at once: steps that halve
 * the lanes of two registers and join them, so that row l ends in lane l. Sixteen rows cost 15
 * operations and 30 shuffles instead of 64 and 64, and their latencies overlap. The tree is the same
 * for every row. */
#ifndef SINKPROOF_FAST_AVX512_REDUCE_H
#define SINKPROOF_FAST_AVX512_REDUCE_H

#include <immintrin.h>

/* Maxima of the halves of a and of b: 256-bit halves [a b]; then of quarters: [a b c d]. */
static inline __m512 max_of_halves(__m512 a, __m512 b) {
  return _mm512_max_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}

static inline __m512 max_of_quarters(__m512 ab, __m512 cd) {
  return _mm512_max_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
}

/* Inside each quarter: the maxima of the four elements of a, b, c, d. */
static inline __m512 max_of_elements(__m512 a, __m512 b, __m512 c, __m512 d) {
  __m512 ab = _mm512_max_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  __m512 cd = _mm512_max_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  return _mm512_max_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
}

/* Lane l is the maximum of the lanes of a[l]. */
static inline __m512 transposed_maxima(const __m512 a[16]) {
  __m512 f[4];
#pragma GCC unroll 4
  for (int l = 0; l < 4; l++) /* quarters: rows l, l + 4, l + 8, l + 12 */
    f[l] = max_of_quarters(max_of_halves(a[l], a[l + 4]), max_of_halves(a[l + 8], a[l + 12]));
  return max_of_elements(f[0], f[1], f[2], f[3]);
}

/* Sums of neighbours of a and of b, in each quarter [a b]; then of the quarters of two such. */
static inline __m512d sum_of_pairs(__m512d a, __m512d b) {
  return _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
}

static inline __m512d sum_of_quarters(__m512d ab, __m512d cd) {
  return _mm512_add_pd(_mm512_shuffle_f64x2(ab, cd, 0x88), _mm512_shuffle_f64x2(ab, cd, 0xdd));
}

/* Lane l is the sum of the lanes of a[l]. */
static inline __m512d transposed_sums_of_8(const __m512d a[8]) {
  __m512d low = sum_of_quarters(sum_of_pairs(a[0], a[1]), sum_of_pairs(a[2], a[3]));
  __m512d high = sum_of_quarters(sum_of_pairs(a[4], a[5]), sum_of_pairs(a[6], a[7]));
  return sum_of_quarters(low, high);
}

#endif
