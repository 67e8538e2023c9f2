/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in binary32, in portable C: the operations of fast/avx512/exp.h one by one, so that both give
 * the same bits for every argument. fmaf is one rounding by definition, whatever the processor.
 *
 * domain: x <= 88, -inf, or NaN    accuracy: log-error below 2^-23, largest seen 1.80 * 2^-24
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#ifndef SINKPROOF_FAST_SCALAR_EXP_H
#define SINKPROOF_FAST_SCALAR_EXP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "fast/exp_constants.h"

/* How many sixteenths t is above the magic number: the distance of their bits, since near it the
 * last bit is worth 1/16. */
static inline int32_t scalar_sixteenths(float t) {
  int32_t bits;
  memcpy(&bits, &t, sizeof bits);
  return bits - SP_FAST_EXP_MAGIC_BITS;
}

/* p * 2^n for -1023 < n < 1024, rounded once: the product is exact in binary64. */
static inline float scalar_scale(float p, int32_t n) {
  uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof power);
  return (float)((double)p * power);
}

static inline float scalar_exp(float x) {
  static const float table[16] = {SP_FAST_EXP_TABLE};
  if (isnan(x)) return x;
  if (x < SP_FAST_EXP_FLOOR) x = SP_FAST_EXP_FLOOR;
  float t = fmaf(x, SP_FAST_EXP_LOG2E, SP_FAST_EXP_MAGIC);
  float k = t - SP_FAST_EXP_MAGIC;
  float r = fmaf(-k, SP_FAST_EXP_LN2_HI, x);
  r = fmaf(-k, SP_FAST_EXP_LN2_LO, r);
  float q = fmaf(r * r, fmaf(r, SP_FAST_EXP_C3, SP_FAST_EXP_C2), r);
  int32_t sixteenths = scalar_sixteenths(t);
  int32_t j = sixteenths & 15;
  float e = table[j];
  return scalar_scale(fmaf(q, e, e), (sixteenths - j) / 16);
}

#endif
