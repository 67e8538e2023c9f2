/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in 8 lanes of binary32: the operations of fast/scalar/exp.h one by one, so that both give the
 * same bits for every argument.
 *
 * domain: x <= 88, -inf, or NaN    accuracy: log-error below 2^-23, largest seen 1.80 * 2^-24
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN
 *
 * Roofline, per 8 lanes on a core with two multiply-add pipes: 7 multiplications for the reduction,
 * the polynomial and the table, and 2 for the scaling, are 4.5 cycles; the 13 additions, shuffles
 * and integer operations fit beside them. */
#ifndef SINKPROOF_FAST_AVX2_EXP_H
#define SINKPROOF_FAST_AVX2_EXP_H

#include <immintrin.h>

#include "fast/exp_constants.h"

/* 2^k for -127 < k < 128. */
static inline __m256 power_of_2(__m256i k) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(k, _mm256_set1_epi32(127)), 23));
}

/* p * 2^n in two products: the first, with half of n, is exact, the second is rounded once, also
 * into the subnormals. */
static inline __m256 scale8(__m256 p, __m256i n) {
  __m256i half = _mm256_srai_epi32(n, 1);
  p = _mm256_mul_ps(p, power_of_2(half));
  return _mm256_mul_ps(p, power_of_2(_mm256_sub_epi32(n, half)));
}

/* The entry of the table that the last four bits name: of each half of it the one that the last
 * three name, then the fourth decides. */
static inline __m256 entry8(__m256i index) {
  static const float table[16] = {SP_FAST_EXP_TABLE};
  __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
  __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

static inline __m256 exp8(__m256 x) {
  const __m256 magic = _mm256_set1_ps(SP_FAST_EXP_MAGIC);
  /* The second operand is returned when either is NaN, so a NaN passes the clamp. */
  x = _mm256_max_ps(_mm256_set1_ps(SP_FAST_EXP_FLOOR), x);
  __m256 t = _mm256_fmadd_ps(x, _mm256_set1_ps(SP_FAST_EXP_LOG2E), magic);
  __m256 k = _mm256_sub_ps(t, magic);
  __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(SP_FAST_EXP_LN2_HI), x);
  r = _mm256_fnmadd_ps(k, _mm256_set1_ps(SP_FAST_EXP_LN2_LO), r);
  __m256 p = _mm256_fmadd_ps(r, _mm256_set1_ps(SP_FAST_EXP_C3), _mm256_set1_ps(SP_FAST_EXP_C2));
  __m256 q = _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r);
  /* Near the magic number the last bit is worth 1/16. */
  __m256i sixteenths = _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_castps_si256(magic));
  __m256 e = entry8(sixteenths);
  return scale8(_mm256_fmadd_ps(q, e, e), _mm256_srai_epi32(sixteenths, 4));
}

#endif
