/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in binary32, in portable C: the operations of fast/avx512/exp.h one by one, so that both give
 * the same bits for every argument. fmaf is one rounding by definition, whatever the processor.
 *
 * domain: x <= 88, -inf, or NaN    accuracy: log-error below 2^-23, largest seen 1.27 * 2^-24
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#ifndef SINKPROOF_FAST_SCALAR_EXP_H
#define SINKPROOF_FAST_SCALAR_EXP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "fast/exp_constants.h"

/* Nearest integer, ties to even, for |x| < 2^22: there the last bit of x + 1.5 * 2^23 is worth 1.
 */
static inline float scalar_round(float x) {
  const float shift = 0x1.8p+23F;
  return (x + shift) - shift;
}

/* p * 2^k for -1023 < k < 1024, rounded once: the product is exact in binary64. */
static inline float scalar_scale(float p, float k) {
  uint64_t bits = (uint64_t)((int64_t)k + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof power);
  return (float)((double)p * power);
}

static inline float scalar_exp(float x) {
  if (isnan(x)) return x;
  if (x < SP_FAST_EXP_FLOOR) x = SP_FAST_EXP_FLOOR;
  float k = scalar_round(x * SP_FAST_EXP_LOG2E);
  float r = fmaf(-k, SP_FAST_EXP_LN2_HI, x);
  r = fmaf(-k, SP_FAST_EXP_LN2_LO, r);
  float p = fmaf(SP_FAST_EXP_C6, r, SP_FAST_EXP_C5);
  p = fmaf(p, r, SP_FAST_EXP_C4);
  p = fmaf(p, r, SP_FAST_EXP_C3);
  p = fmaf(p, r, SP_FAST_EXP_C2);
  p = fmaf(p, r, 1.0F);
  p = fmaf(p, r, 1.0F);
  return scalar_scale(p, k);
}

#endif
