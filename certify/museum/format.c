/* SPDX-License-Identifier: Apache-2.0 */
/* Element types of the museum's kernel, decoded and encoded by arithmetic. It shares no table with
 * the oracle: a wrong conversion here shows as a wrong kernel there. tests: NU-1, NU-2 */
#include <string.h>

#include "certify/museum/base.h"

size_t sp_element_bytes(sp_dtype dtype) {
  switch (dtype) {
  case SP_F64:
    return 8;
  case SP_F32:
    return 4;
  case SP_F16:
  case SP_BF16:
    return 2;
  default:
    return 0;
  }
}

static double from_bf16(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float x;
  memcpy(&x, &wide, sizeof x);
  return (double)x;
}

/* Sign, 5 bits of exponent with bias 15, 10 bits of fraction. */
static double from_f16(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  double fraction = bits & 1023;
  double x;
  if (exponent == 31)
    x = fraction > 0 ? (double)NAN : (double)INFINITY;
  else if (exponent == 0)
    x = fraction * 0x1p-24;
  else
    x = ldexp(fraction + 1024, exponent - 25);
  return bits >> 15 ? -x : x;
}

double sp_element(sp_dtype dtype, const void *data, int64_t index) {
  const unsigned char *at = (const unsigned char *)data + index * (int64_t)sp_element_bytes(dtype);
  double wide;
  float x;
  uint16_t half;
  switch (dtype) {
  case SP_F64:
    memcpy(&wide, at, sizeof wide);
    return wide;
  case SP_F32:
    memcpy(&x, at, sizeof x);
    return (double)x;
  case SP_F16:
    memcpy(&half, at, sizeof half);
    return from_f16(half);
  default:
    memcpy(&half, at, sizeof half);
    return from_bf16(half);
  }
}

/* To `digits` binary digits with least exponent `emin`: scale so that the last place is 1. */
static double round_digits(double x, int digits, int emin, double largest) {
  if (!isfinite(x) || x == 0) return x;
  int exponent = ilogb(x);
  if (exponent < emin) exponent = emin;
  int place = exponent - digits + 1;
  double y = ldexp(rint(ldexp(x, -place)), place);
  return fabs(y) > largest ? copysign((double)INFINITY, x) : y;
}

double sp_round_to(sp_dtype dtype, double x) {
  switch (dtype) {
  case SP_F64:
    return x;
  case SP_F32:
    return (double)(float)x;
  case SP_F16:
    return round_digits(x, 11, -14, 65504); /* (2 - 2^-10) 2^15 */
  default:
    return round_digits(x, 8, -126, 0x1.fep127);
  }
}

/* x is a binary16 value. */
static uint16_t to_f16(double x) {
  uint16_t sign = signbit(x) ? 0x8000 : 0;
  if (isnan(x)) return 0x7e00;
  if (isinf(x)) return (uint16_t)(sign | 0x7c00);
  double size = fabs(x);
  if (size < 0x1p-14) return (uint16_t)(sign | (uint16_t)(size * 0x1p24));
  int exponent = ilogb(size);
  unsigned fraction = (unsigned)(ldexp(size, 10 - exponent) - 1024);
  return (uint16_t)(sign | (unsigned)(exponent + 15) << 10 | fraction);
}

/* x is a bfloat16 value. */
static uint16_t to_bf16(double x) {
  float narrow = (float)x;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof bits);
  return isnan(x) ? 0x7fc0 : (uint16_t)(bits >> 16);
}

void sp_put_element(sp_dtype dtype, void *data, int64_t index, double value) {
  unsigned char *at = (unsigned char *)data + index * (int64_t)sp_element_bytes(dtype);
  double rounded = sp_round_to(dtype, value);
  float x = (float)rounded;
  uint16_t half;
  switch (dtype) {
  case SP_F64:
    memcpy(at, &value, sizeof value);
    return;
  case SP_F32:
    memcpy(at, &x, sizeof x);
    return;
  default:
    half = dtype == SP_F16 ? to_f16(rounded) : to_bf16(rounded);
    memcpy(at, &half, sizeof half);
  }
}
