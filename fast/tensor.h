/* SPDX-License-Identifier: Apache-2.0 */
/* Where the elements of the ABI's tensors are, and what their bits mean, in portable C. The vector
 * variants widen and narrow whole registers themselves; this is for single numbers. spec: NU-1,
 * NU-2
 */
#ifndef SINKPROOF_FAST_TENSOR_H
#define SINKPROOF_FAST_TENSOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sinkproof/kernel.h"

static inline size_t sp_fast_bytes(sp_dtype dtype) {
  return dtype == SP_F32 ? 4 : 2;
}

/* Element numbers are computed modulo 2^64: a stride may be negative or, for one row, anything. */
static inline int64_t sp_fast_offset(const int64_t stride[3], uint64_t a, uint64_t b, uint64_t c) {
  return (int64_t)(a * (uint64_t)stride[0] + b * (uint64_t)stride[1] + c * (uint64_t)stride[2]);
}

static inline const void *sp_fast_step(const void *data, sp_dtype dtype, int64_t elements) {
  return (const char *)data + elements * (int64_t)sp_fast_bytes(dtype);
}

static inline const void *sp_fast_in(const sp_in *t, uint64_t a, uint64_t b, uint64_t c) {
  return sp_fast_step(t->data, t->dtype, sp_fast_offset(t->stride, a, b, c));
}

static inline void *sp_fast_out(const sp_out *t, uint64_t a, uint64_t b, uint64_t c) {
  return (char *)t->data + sp_fast_offset(t->stride, a, b, c) * (int64_t)sp_fast_bytes(t->dtype);
}

static inline float sp_fast_from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline uint32_t sp_fast_to_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float sp_fast_from_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
  uint32_t magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u)
    return sp_fast_from_bits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude >= 0x0400u) return sp_fast_from_bits(sign | ((magnitude + (112u << 10)) << 13));
  float x = (float)magnitude * 0x1p-24f; /* subnormal: exact */
  return sign != 0 ? -x : x;
}

static inline uint16_t sp_fast_to_f16(float x) {
  uint32_t bits = sp_fast_to_bits(x);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;
  if (magnitude >= 0x47800000u) return sign | 0x7c00u; /* 2^16 and above, infinity */
  if (magnitude < 0x38800000u) {
    /* Below the least normal. Adding 0.5, whose last bit is worth 2^-24, rounds to nearest even. */
    float rounded = sp_fast_from_bits(magnitude) + 0.5F;
    return (uint16_t)(sign | (sp_fast_to_bits(rounded) - 0x3f000000u));
  }
  uint32_t even = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return (uint16_t)(sign | ((even >> 13) - (112u << 10)));
}

static inline float sp_fast_from_bf16(uint16_t bits) {
  return sp_fast_from_bits((uint32_t)bits << 16);
}

static inline uint16_t sp_fast_to_bf16(float x) {
  uint32_t bits = sp_fast_to_bits(x);
  if (isnan(x)) return (uint16_t)(bits >> 16 | 0x0040u); /* quiet, and not rounded to infinity */
  return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline float sp_fast_load(sp_dtype dtype, const void *data, uint64_t index) {
  if (dtype == SP_F32) return ((const float *)data)[index];
  uint16_t bits = ((const uint16_t *)data)[index];
  return dtype == SP_F16 ? sp_fast_from_f16(bits) : sp_fast_from_bf16(bits);
}

static inline void sp_fast_store(sp_dtype dtype, void *data, uint64_t index, float x) {
  if (dtype == SP_F32) {
    ((float *)data)[index] = x;
    return;
  }
  ((uint16_t *)data)[index] = dtype == SP_F16 ? sp_fast_to_f16(x) : sp_fast_to_bf16(x);
}

/* One number of an output that may be absent. */
static inline void sp_fast_put(const sp_out *t, uint64_t a, uint64_t b, uint64_t c, float x) {
  if (t->data != NULL) sp_fast_store(t->dtype, sp_fast_out(t, a, b, c), 0, x);
}

/* spec: AL-2 an absent sink logit is -inf. AL-3: nothing else stands for "absent", least of all 0.
 */
static inline float sp_fast_sink_logit(const sp_in *t, uint64_t a, uint64_t c) {
  return t->data == NULL ? -INFINITY : sp_fast_load(t->dtype, sp_fast_in(t, a, 0, c), 0);
}

#endif
