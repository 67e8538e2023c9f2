/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between f32 and the 16-bit types by integer arithmetic on the bits. tests: NU-1 NU-2
 */
#include <math.h>
#include <string.h>

#include "tests/honest/honest.h"

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Shift the fields into place and let a product with 2^112 correct the bias of the exponent. */
static float from_f16(uint16_t half) {
  uint32_t size = (uint32_t)(half & 0x7fff) << 13, sign = (uint32_t)(half & 0x8000) << 16;
  if (size >= 0x0f800000) return float_of(sign | (size + 0x70000000)); /* inf, NaN */
  return float_of(sign | bits_of(float_of(size) * 0x1p112F));
}

/* Adding 2^(e - 14 + ...) makes the hardware round at the last place of the f16 number. */
static uint16_t to_f16(float x) {
  uint16_t sign = (uint16_t)(bits_of(x) >> 16 & 0x8000);
  float size = fabsf(x);
  if (isnan(x)) return 0x7e00;
  if (size >= 65520.0F) return sign | 0x7c00;
  int exponent = size < 0x1p-14F ? -14 : ilogbf(size);
  float place = ldexpf(1, exponent - 10);
  float count = rintf(size / place); /* in units of the last place: exact, then nearest even */
  return (uint16_t)(sign + (unsigned)((exponent + 14) * 1024) + (unsigned)count);
}

static uint16_t to_bf16(float x) {
  uint32_t bits = bits_of(x);
  if (isnan(x)) return 0x7fc0;
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float sp_honest_to_bf16(float x) {
  return float_of((uint32_t)to_bf16(x) << 16);
}

float sp_honest_load(sp_dtype dtype, const void *data, int64_t index) {
  float x;
  uint16_t half;
  if (dtype == SP_F32) {
    memcpy(&x, (const unsigned char *)data + index * 4, sizeof x);
    return x;
  }
  memcpy(&half, (const unsigned char *)data + index * 2, sizeof half);
  return dtype == SP_F16 ? from_f16(half) : float_of((uint32_t)half << 16);
}

void sp_honest_store(sp_dtype dtype, void *data, int64_t index, float x) {
  uint16_t half = dtype == SP_F16 ? to_f16(x) : to_bf16(x);
  if (dtype == SP_F32)
    memcpy((unsigned char *)data + index * 4, &x, sizeof x);
  else
    memcpy((unsigned char *)data + index * 2, &half, sizeof half);
}
