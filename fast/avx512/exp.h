/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in 16 lanes of binary32: one clamp, Cody-Waite reduction, a polynomial of degree 6, one
 * scaling. fast/scalar/exp.h is the same function, operation by operation.
 *
 * domain: x <= 88, -inf, or NaN    accuracy: log-error below 2^-23, largest seen 1.27 * 2^-24
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN
 *
 * Nothing here depends on the rounding mode except through the rounding of each operation, and no
 * operation can trap or overflow in the domain. */
#ifndef SINKPROOF_FAST_AVX512_EXP_H
#define SINKPROOF_FAST_AVX512_EXP_H

#include <immintrin.h>

#include "fast/exp_constants.h"

static inline __m512 exp16(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0F);
  /* The second operand is returned when either is NaN, so a NaN passes the clamp. */
  x = _mm512_max_ps(_mm512_set1_ps(SP_FAST_EXP_FLOOR), x);
  __m512 k = _mm512_mul_ps(x, _mm512_set1_ps(SP_FAST_EXP_LOG2E));
  k = _mm512_roundscale_ps(k, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(k, _mm512_set1_ps(SP_FAST_EXP_LN2_HI), x);
  r = _mm512_fnmadd_ps(k, _mm512_set1_ps(SP_FAST_EXP_LN2_LO), r);
  __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(SP_FAST_EXP_C6), r, _mm512_set1_ps(SP_FAST_EXP_C5));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SP_FAST_EXP_C4));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SP_FAST_EXP_C3));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SP_FAST_EXP_C2));
  p = _mm512_fmadd_ps(p, r, one);
  p = _mm512_fmadd_ps(p, r, one);
  return _mm512_scalef_ps(p, k); /* p * 2^k, rounded once, also into the subnormals */
}

#endif
