/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in 8 lanes of binary32: the operations of fast/scalar/exp.h one by one, so that both give the
 * same bits for every argument.
 *
 * domain: x <= 88, -inf, or NaN    accuracy: log-error below 2^-23, largest seen 1.27 * 2^-24
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN
 *
 * Roofline, per 8 lanes on a core with two multiply-add pipes: 9 multiplications for the reduction
 * and the polynomial and 2 for the scaling are 5.5 cycles; the 10 additions, roundings and integer
 * operations fit beside them. */
#ifndef SINKPROOF_FAST_AVX2_EXP_H
#define SINKPROOF_FAST_AVX2_EXP_H

#include <immintrin.h>

#include "fast/exp_constants.h"

/* 2^k for -127 < k < 128. */
static inline __m256 power_of_2(__m256i k) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(k, _mm256_set1_epi32(127)), 23));
}

/* p * 2^k in two products: the first, with half of k, is exact, the second is rounded once, also
 * into the subnormals. */
static inline __m256 scale8(__m256 p, __m256 k) {
  __m256i whole = _mm256_cvtps_epi32(k);
  __m256i half = _mm256_srai_epi32(whole, 1);
  p = _mm256_mul_ps(p, power_of_2(half));
  return _mm256_mul_ps(p, power_of_2(_mm256_sub_epi32(whole, half)));
}

static inline __m256 exp8(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0F);
  /* The second operand is returned when either is NaN, so a NaN passes the clamp. */
  x = _mm256_max_ps(_mm256_set1_ps(SP_FAST_EXP_FLOOR), x);
  __m256 k = _mm256_mul_ps(x, _mm256_set1_ps(SP_FAST_EXP_LOG2E));
  k = _mm256_round_ps(k, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(SP_FAST_EXP_LN2_HI), x);
  r = _mm256_fnmadd_ps(k, _mm256_set1_ps(SP_FAST_EXP_LN2_LO), r);
  __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(SP_FAST_EXP_C6), r, _mm256_set1_ps(SP_FAST_EXP_C5));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SP_FAST_EXP_C4));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SP_FAST_EXP_C3));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SP_FAST_EXP_C2));
  p = _mm256_fmadd_ps(p, r, one);
  p = _mm256_fmadd_ps(p, r, one);
  return scale8(p, k);
}

#endif
