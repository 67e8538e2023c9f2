/* SPDX-License-Identifier: Apache-2.0 */
/* Exact binary32 to binary16. */
#include "adapters/onnxruntime/half.h"

#include <math.h>
#include <string.h>

bool sp_ort_half(float x, uint16_t *half) {
  uint32_t bits = 0;
  memcpy(&bits, &x, sizeof bits);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (isnan(x)) return false;
  if (isinf(x)) {
    *half = sign | 0x7c00;
    return true;
  }
  if (fabsf(x) < 0x1p-14F) { /* subnormals and zero: multiples of 2^-24 */
    float steps = fabsf(x) * 0x1p24F;
    *half = (uint16_t)(sign | (uint16_t)steps);
    return truncf(steps) >= steps;
  }
  /* The exponent bias goes from 127 to 15, the fraction from 23 bits to 10. */
  *half = (uint16_t)(sign | (magnitude - (112U << 23)) >> 13);
  return fabsf(x) <= 65504.0F && (magnitude & 0x1fff) == 0;
}
