/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of a format, and the three transcendental functions that generators need to place a sink
 * logit. MPFR rounds them correctly, so they cannot differ between machines as libm's do.
 * spec: CT-4, NU-1 */
#include "certify/gen/tools.h"

#include <math.h>
#include <mpfr.h>

static int precision_of(sp_dtype dtype) {
  switch (dtype) {
  case SP_F32:
    return 24;
  case SP_F16:
    return 11;
  case SP_BF16:
    return 8;
  default:
    return 53;
  }
}

static double largest(sp_dtype dtype) {
  switch (dtype) {
  case SP_F32:
    return 0x1.fffffep+127;
  case SP_F16:
    return 0x1.ffcp+15;
  case SP_BF16:
    return 0x1.fep+127;
  default:
    return 0x1.fffffffffffffp+1023;
  }
}

double sp_gen_nearest(sp_dtype dtype, double x) {
  if (dtype == SP_F64 || !isfinite(x)) return x;
  int least_exponent = dtype == SP_F16 ? -14 : -126;
  int exponent = 0;
  (void)frexp(x, &exponent);
  exponent -= 1; /* 2^exponent <= |x| */
  if (exponent < least_exponent) exponent = least_exponent;
  int ulp = exponent - precision_of(dtype) + 1;
  double rounded = ldexp(nearbyint(ldexp(x, -ulp)), ulp);
  if (fabs(rounded) > largest(dtype)) return copysign(largest(dtype), x);
  return rounded;
}

void sp_gen_set(sp_array *array, size_t index, double x) {
  sp_ref_store(array->dtype, array->bits, index, sp_gen_nearest(array->dtype, x));
}

double sp_gen_get(const sp_array *array, size_t index) {
  return sp_ref_load(array->dtype, array->bits, index);
}

void sp_gen_fill(sp_array *array, double x) {
  for (size_t i = 0; i < array->count; i++) sp_gen_set(array, i, x);
}

void sp_gen_bells(sp_gen *g, sp_array *array, double amplitude) {
  for (size_t i = 0; i < array->count; i++) sp_gen_set(array, i, amplitude * sp_rng_bell(&g->rng));
}

static double apply(int (*function)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t), double x) {
  mpfr_t y;
  mpfr_init2(y, 53);
  mpfr_set_d(y, x, MPFR_RNDN);
  function(y, y, MPFR_RNDN);
  double result = mpfr_get_d(y, MPFR_RNDN);
  mpfr_clear(y);
  return result;
}

double sp_gen_exp(double x) {
  return apply(mpfr_exp, x);
}

double sp_gen_log(double x) {
  return apply(mpfr_log, x);
}

double sp_gen_tanh(double x) {
  return apply(mpfr_tanh, x);
}
