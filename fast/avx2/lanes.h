/* SPDX-License-Identifier: Apache-2.0 */
/* Eight elements between memory and a register of binary32 lanes, for each element type. The last
 * elements of a row go through a small buffer, because this instruction set has no masks for all
 * types: what lies behind them may be an unmapped page. spec: KC-4, KC-5, NU-1, NU-2
 *
 * The type is a constant where these are inlined, so that a loop holds one case of the switch. */
#ifndef SINKPROOF_FAST_AVX2_LANES_H
#define SINKPROOF_FAST_AVX2_LANES_H

#include <immintrin.h>

#include "fast/tensor.h"

#define LANES 8u

/* Inlined even where the compiler would rather not, so that `dtype` becomes a constant. */
#define SPECIALISED static inline __attribute__((always_inline))

SPECIALISED __m256 whole8(sp_dtype dtype, const void *data) {
  if (dtype == SP_F32) return _mm256_loadu_ps(data);
  __m128i bits = _mm_loadu_si128(data);
  if (dtype == SP_F16) return _mm256_cvtph_ps(bits);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

static inline __m256 part8(sp_dtype dtype, const void *data, uint64_t n, float otherwise) {
  float x[LANES];
  for (uint64_t l = 0; l < LANES; l++) x[l] = l < n ? sp_fast_load(dtype, data, l) : otherwise;
  return _mm256_loadu_ps(x);
}

/* Elements j to j + 7. */
SPECIALISED __m256 read8(sp_dtype dtype, const void *data, uint64_t j) {
  return whole8(dtype, sp_fast_step(data, dtype, (int64_t)j));
}

/* … of n, and `otherwise` past the end. */
SPECIALISED __m256 load8(sp_dtype dtype, const void *data, uint64_t j, uint64_t n,
                         float otherwise) {
  const void *from = sp_fast_step(data, dtype, (int64_t)j);
  return n - j >= LANES ? whole8(dtype, from) : part8(dtype, from, n - j, otherwise);
}

/* To nearest even, as an addition of half a unit less or more to the bits; a NaN stays one. */
static inline __m128i narrow_bf16(__m256 x) {
  __m256i bits = _mm256_castps_si256(x);
  __m256i high = _mm256_srli_epi32(bits, 16);
  __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x0040));
  __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  __m256i narrow = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), quiet, nan);
  return _mm_packus_epi32(_mm256_castsi256_si128(narrow), _mm256_extracti128_si256(narrow, 1));
}

SPECIALISED void store8(sp_dtype dtype, void *data, uint64_t j, uint64_t n, __m256 x) {
  char *to = (char *)data + j * sp_fast_bytes(dtype);
  if (n - j < LANES) {
    float part[LANES];
    _mm256_storeu_ps(part, x);
    for (uint64_t l = 0; l < n - j; l++) sp_fast_store(dtype, to, l, part[l]);
  } else if (dtype == SP_F32) {
    _mm256_storeu_ps((float *)(void *)to, x);
  } else if (dtype == SP_F16) {
    _mm_storeu_si128((__m128i_u *)(void *)to, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  } else {
    _mm_storeu_si128((__m128i_u *)(void *)to, narrow_bf16(x));
  }
}

/* The sum of 8 lanes, in one order. */
static inline float sum_of_lanes(__m256 x) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float max_of_lanes(__m256 x) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif
