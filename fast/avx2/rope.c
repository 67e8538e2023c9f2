/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation, four pairs at a time in binary64; fast/scalar/rope.c is the same, operation by
 * operation. What these instructions lack, products and conversions of 64 bits, is put together
 * from 32-bit ones, exactly. spec: EV-11 */
#include "fast/rope.h"

#include <immintrin.h>
#include <math.h>

#include "fast/avx2/variant.h"
#include "fast/tensor.h"

#define PAIRS 4u

static inline __m256i low_halves(__m256i x) {
  return _mm256_and_si256(x, _mm256_set1_epi64x(0xffffffff));
}

/* The upper halves of the products of 64-bit numbers, from four products of their halves. */
static inline __m256i high_products(__m256i a, __m256i b) {
  __m256i a_high = _mm256_srli_epi64(a, 32);
  __m256i b_high = _mm256_srli_epi64(b, 32);
  __m256i low = _mm256_mul_epu32(a, b);
  __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(a_high, b), _mm256_srli_epi64(low, 32));
  __m256i other = _mm256_add_epi64(_mm256_mul_epu32(a, b_high), low_halves(cross));
  __m256i high = _mm256_mul_epu32(a_high, b_high);
  high = _mm256_add_epi64(high, _mm256_srli_epi64(cross, 32));
  return _mm256_add_epi64(high, _mm256_srli_epi64(other, 32));
}

static inline __m256i low_products(__m256i a, __m256i b) {
  __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(a, 32), b),
                                   _mm256_mul_epu32(a, _mm256_srli_epi64(b, 32)));
  return _mm256_add_epi64(_mm256_mul_epu32(a, b), _mm256_slli_epi64(cross, 32));
}

/* Signed numbers: upper half 2^32 and lower half are exact in binary64, their sum is rounded once. */
static inline __m256d to_double(__m256i x) {
  const __m256i odd = _mm256_setr_epi32(1, 3, 5, 7, 1, 3, 5, 7);
  __m128i upper = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(x, odd));
  __m256d high = _mm256_mul_pd(_mm256_cvtepi32_pd(upper), _mm256_set1_pd(0x1p32));
  __m256i bits = _mm256_or_si256(low_halves(x), _mm256_castpd_si256(_mm256_set1_pd(0x1p52)));
  __m256d low = _mm256_sub_pd(_mm256_castsi256_pd(bits), _mm256_set1_pd(0x1p52));
  return _mm256_add_pd(high, low);
}

static inline __m256d series(__m256d z, const double *coefficient, int n) {
  __m256d p = _mm256_set1_pd(coefficient[0]);
  for (int i = 1; i < n; i++) p = _mm256_fmadd_pd(p, z, _mm256_set1_pd(coefficient[i]));
  return p;
}

static inline __m256d sine_near_zero(__m256d x, __m256d z) {
  static const double coefficient[7] = {SP_FAST_ROPE_S15, SP_FAST_ROPE_S13, SP_FAST_ROPE_S11,
                                        SP_FAST_ROPE_S9,  SP_FAST_ROPE_S7,  SP_FAST_ROPE_S5,
                                        SP_FAST_ROPE_S3};
  return _mm256_fmadd_pd(series(z, coefficient, 7), _mm256_mul_pd(x, z), x);
}

static inline __m256d cosine_near_zero(__m256d z) {
  static const double coefficient[9] = {SP_FAST_ROPE_C16, SP_FAST_ROPE_C14, SP_FAST_ROPE_C12,
                                        SP_FAST_ROPE_C10, SP_FAST_ROPE_C8,  SP_FAST_ROPE_C6,
                                        SP_FAST_ROPE_C4,  SP_FAST_ROPE_C2,  1.0};
  return series(z, coefficient, 9);
}

/* x with its sign turned where bit 1 of `quarter` is set. */
static inline __m256d signed_by(__m256d x, __m256i quarter) {
  __m256i sign = _mm256_slli_epi64(_mm256_srli_epi64(quarter, 1), 63);
  return _mm256_castsi256_pd(_mm256_xor_si256(_mm256_castpd_si256(x), sign));
}

void sp_fast_turn_avx2(const sp_fast_rope *rope, uint64_t position, sp_fast_angles *angles) {
  const __m256i t = _mm256_set1_epi64x((long long)position);
  for (uint64_t i = 0; i < rope->n_pairs; i += PAIRS) {
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(rope->high + i));
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)(rope->low + i));
    __m256i turn = _mm256_add_epi64(low_products(t, high), high_products(t, low));
    __m256i quarter = _mm256_srli_epi64(_mm256_add_epi64(turn, _mm256_set1_epi64x(1LL << 61)), 62);
    __m256i rest = _mm256_sub_epi64(turn, _mm256_slli_epi64(quarter, 62));
    __m256d x = _mm256_mul_pd(to_double(rest), _mm256_set1_pd(SP_FAST_ROPE_UNIT));
    __m256d z = _mm256_mul_pd(x, x);
    __m256d s = sine_near_zero(x, z);
    __m256d c = cosine_near_zero(z);
    __m256d odd = _mm256_castsi256_pd(_mm256_slli_epi64(quarter, 63));
    __m256i next = _mm256_add_epi64(quarter, _mm256_set1_epi64x(1));
    _mm256_storeu_pd(angles->cosine + i, signed_by(_mm256_blendv_pd(c, s, odd), next));
    _mm256_storeu_pd(angles->sine + i, signed_by(_mm256_blendv_pd(s, c, odd), quarter));
  }
}

/* Four elements, exactly. spec: KC-4 no more are read */
static inline __m128 load4(sp_dtype dtype, const void *from, uint64_t index) {
  if (dtype == SP_F32) return _mm_loadu_ps((const float *)from + index);
  __m128i bits = _mm_loadl_epi64((const __m128i *)(const void *)((const uint16_t *)from + index));
  if (dtype == SP_F16) return _mm_cvtph_ps(bits);
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(bits), 16));
}

/* Pairs i … i + 3: a and b become the turned ones. */
static inline void turn_pairs(const sp_fast_angles *angles, uint64_t i, __m128 *a, __m128 *b) {
  __m256d x = _mm256_cvtps_pd(*a);
  __m256d y = _mm256_cvtps_pd(*b);
  __m256d c = _mm256_loadu_pd(angles->cosine + i);
  __m256d s = _mm256_loadu_pd(angles->sine + i);
  *a = _mm256_cvtpd_ps(_mm256_fmsub_pd(x, c, _mm256_mul_pd(y, s)));
  *b = _mm256_cvtpd_ps(_mm256_fmadd_pd(x, s, _mm256_mul_pd(y, c)));
}

static inline void rotate_halves(sp_dtype dtype, const sp_fast_angles *angles, const void *from,
                                 uint64_t i, uint64_t n_pairs, float *to) {
  __m128 a = load4(dtype, from, i);
  __m128 b = load4(dtype, from, i + n_pairs);
  turn_pairs(angles, i, &a, &b);
  _mm_storeu_ps(to + i, a);
  _mm_storeu_ps(to + i + n_pairs, b);
}

static inline void rotate_neighbours(sp_dtype dtype, const sp_fast_angles *angles, const void *from,
                                     uint64_t i, float *to) {
  __m128 first = load4(dtype, from, 2 * i);
  __m128 second = load4(dtype, from, 2 * i + 4);
  __m128 a = _mm_shuffle_ps(first, second, 0x88);
  __m128 b = _mm_shuffle_ps(first, second, 0xdd);
  turn_pairs(angles, i, &a, &b);
  _mm_storeu_ps(to + 2 * i, _mm_unpacklo_ps(a, b));
  _mm_storeu_ps(to + 2 * i + 4, _mm_unpackhi_ps(a, b));
}

/* The pairs that are left over, and what lies behind all pairs. */
static void rotate_rest(const sp_fast_rope *rope, const sp_fast_angles *angles, sp_dtype dtype,
                        const void *from, uint64_t first, uint64_t d, float *to) {
  bool half = rope->pairing == SP_ROPE_HALF;
  for (uint64_t i = first; i < rope->n_pairs; i++) {
    uint64_t at_a = half ? i : 2 * i;
    uint64_t at_b = half ? i + rope->n_pairs : 2 * i + 1;
    double a = (double)sp_fast_load(dtype, from, at_a);
    double b = (double)sp_fast_load(dtype, from, at_b);
    to[at_a] = (float)fma(a, angles->cosine[i], -(b * angles->sine[i]));
    to[at_b] = (float)fma(a, angles->sine[i], b * angles->cosine[i]);
  }
  for (uint64_t c = 2 * rope->n_pairs; c < d; c++) to[c] = sp_fast_load(dtype, from, c);
}

void sp_fast_rotate_avx2(const sp_fast_rope *rope, const sp_fast_angles *angles, sp_dtype dtype,
                         const void *from, uint64_t d, float *to) {
  uint64_t whole = rope->n_pairs - rope->n_pairs % PAIRS;
  for (uint64_t i = 0; i < whole; i += PAIRS) {
    if (rope->pairing == SP_ROPE_HALF)
      rotate_halves(dtype, angles, from, i, rope->n_pairs, to);
    else
      rotate_neighbours(dtype, angles, from, i, to);
  }
  rotate_rest(rope, angles, dtype, from, whole, d, to);
}
