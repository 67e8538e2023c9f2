/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen elements between memory and a register of binary32 lanes, for each element type. Only
 * lanes of the mask are touched in memory: a masked-off element may lie on an unmapped page. spec:
 * KC-4, KC-5, NU-1, NU-2
 *
 * The type is a constant where these are inlined, so that a loop holds one case of the switch. */
#ifndef SINKPROOF_FAST_AVX512_LANES_H
#define SINKPROOF_FAST_AVX512_LANES_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

#define LANES 16u

/* Inlined even where the compiler would rather not, so that `dtype` becomes a constant. */
#define SPECIALISED static inline __attribute__((always_inline))

/* The first n lanes, n counted from 0 and 16 or more meaning all. */
static inline __mmask16 first_lanes(uint64_t n) {
  if (n >= LANES) return (__mmask16)0xffff;
  return (__mmask16)((1u << n) - 1u);
}

/* Element `index` and the 15 after it; 0 in lanes that are masked off. */
SPECIALISED __m512 load16(sp_dtype dtype, const void *data, uint64_t index, __mmask16 lanes) {
  if (dtype == SP_F32) return _mm512_maskz_loadu_ps(lanes, (const float *)data + index);
  __m256i bits = _mm256_maskz_loadu_epi16(lanes, (const uint16_t *)data + index);
  if (dtype == SP_F16) return _mm512_cvtph_ps(bits);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

/* All sixteen elements, and what stands for those past an end. */
SPECIALISED __m512 read16(sp_dtype dtype, const void *data, uint64_t index) {
  if (dtype == SP_F32) return _mm512_loadu_ps((const float *)data + index);
  __m256i bits = _mm256_loadu_si256((const __m256i_u *)((const uint16_t *)data + index));
  if (dtype == SP_F16) return _mm512_cvtph_ps(bits);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

SPECIALISED __m512 read16_or(sp_dtype dtype, const void *data, uint64_t index, __mmask16 lanes,
                             float otherwise) {
  return _mm512_mask_mov_ps(_mm512_set1_ps(otherwise), lanes, load16(dtype, data, index, lanes));
}

/* To nearest even, as an addition of half a unit less or more to the bits; a NaN stays one. */
static inline __m256i narrow_bf16(__m512 x) {
  __m512i bits = _mm512_castps_si512(x);
  __m512i high = _mm512_srli_epi32(bits, 16);
  __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x0040));
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(_mm512_srli_epi32(rounded, 16), nan, quiet));
}

SPECIALISED void store16(sp_dtype dtype, void *data, uint64_t index, __mmask16 lanes, __m512 x) {
  if (dtype == SP_F32) {
    _mm512_mask_storeu_ps((float *)data + index, lanes, x);
    return;
  }
  __m256i bits = dtype == SP_F16 ? _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
                                 : narrow_bf16(x);
  _mm256_mask_storeu_epi16((uint16_t *)data + index, lanes, bits);
}

/* Thirty-two elements as two times sixteen lanes. */
SPECIALISED void read32(sp_dtype dtype, const void *data, uint64_t index, __m512 x[2]) {
  if (dtype != SP_BF16) {
    x[0] = read16(dtype, data, index);
    x[1] = read16(dtype, data, index + 16);
    return;
  }
  /* Each element to the upper half of its lane, 0 below: one shuffle. */
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i low = _mm512_slli_epi32(lane, 16);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(16 << 16));
  __m512i bits = _mm512_loadu_si512((const uint16_t *)data + index);
  x[0] = _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, low, bits));
  x[1] = _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, high, bits));
}

/* To nearest even, as an addition of half a unit less or more to the bits of numbers that are not
 * NaN; the upper halves are the result. */
static inline __m512i rounded_bf16(__m512 x) {
  __m512i bits = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  return _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
}

/* Sixteen bits of each of 32 numbers that are not NaN. */
SPECIALISED __m512i narrow32(sp_dtype dtype, const __m512 x[2]) {
  if (dtype == SP_F16) {
    __m256i low = _mm512_cvtps_ph(x[0], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256i high = _mm512_cvtps_ph(x[1], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  const __m512i upper = _mm512_set_epi32(/* words 1, 3, … of the first, then of the second */
                                         63 << 16 | 61, 59 << 16 | 57, 55 << 16 | 53, 51 << 16 | 49,
                                         47 << 16 | 45, 43 << 16 | 41, 39 << 16 | 37, 35 << 16 | 33,
                                         31 << 16 | 29, 27 << 16 | 25, 23 << 16 | 21, 19 << 16 | 17,
                                         15 << 16 | 13, 11 << 16 | 9, 7 << 16 | 5, 3 << 16 | 1);
  return _mm512_permutex2var_epi16(rounded_bf16(x[0]), upper, rounded_bf16(x[1]));
}

/* All thirty-two, none of them NaN. */
SPECIALISED void write32(sp_dtype dtype, void *data, uint64_t index, const __m512 x[2]) {
  if (dtype == SP_F32) {
    _mm512_storeu_ps((float *)data + index, x[0]);
    _mm512_storeu_ps((float *)data + index + 16, x[1]);
  } else {
    _mm512_storeu_si512((uint16_t *)data + index, narrow32(dtype, x));
  }
}

/* … past the caches; data + index lies at a multiple of 64 bytes. */
SPECIALISED void stream32(sp_dtype dtype, void *data, uint64_t index, const __m512 x[2]) {
  if (dtype == SP_F32) {
    _mm512_stream_ps((float *)data + index, x[0]);
    _mm512_stream_ps((float *)data + index + 16, x[1]);
  } else {
    _mm512_stream_si512((void *)((uint16_t *)data + index), narrow32(dtype, x));
  }
}

/* The classes of vfpclassps that are not numbers: quiet and signalling NaN, +inf, -inf. */
#define NOT_FINITE (0x01 | 0x80 | 0x08 | 0x10)

/* The sum of 16 lanes as 8 of binary64. */
static inline __m512d widen_sum(__m512 x) {
  __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
  __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
  return _mm512_add_pd(low, high);
}

#endif
