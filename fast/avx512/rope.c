/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation, eight pairs at a time in binary64; fast/scalar/rope.c is the same, operation by
 * operation. spec: EV-11 */
#include "fast/rope.h"

#include "fast/avx512/lanes.h"
#include "fast/avx512/variant.h"

#define PAIRS 8u

static inline __mmask8 first_pairs(uint64_t n) {
  if (n >= PAIRS) return (__mmask8)0xff;
  return (__mmask8)((1u << n) - 1u);
}

/* The upper halves of the products of 64-bit numbers, from four products of their halves. */
static inline __m512i high_products(__m512i a, __m512i b) {
  const __m512i low_half = _mm512_set1_epi64(0xffffffff);
  __m512i a_high = _mm512_srli_epi64(a, 32);
  __m512i b_high = _mm512_srli_epi64(b, 32);
  __m512i low = _mm512_mul_epu32(a, b);
  __m512i cross = _mm512_add_epi64(_mm512_mul_epu32(a_high, b), _mm512_srli_epi64(low, 32));
  __m512i other = _mm512_add_epi64(_mm512_mul_epu32(a, b_high), _mm512_and_si512(cross, low_half));
  __m512i high = _mm512_mul_epu32(a_high, b_high);
  high = _mm512_add_epi64(high, _mm512_srli_epi64(cross, 32));
  return _mm512_add_epi64(high, _mm512_srli_epi64(other, 32));
}

static inline __m512d series(__m512d z, const double *coefficient, int n) {
  __m512d p = _mm512_set1_pd(coefficient[0]);
  for (int i = 1; i < n; i++) p = _mm512_fmadd_pd(p, z, _mm512_set1_pd(coefficient[i]));
  return p;
}

static inline __m512d sine_near_zero(__m512d x, __m512d z) {
  static const double coefficient[7] = {SP_FAST_ROPE_S15, SP_FAST_ROPE_S13, SP_FAST_ROPE_S11,
                                        SP_FAST_ROPE_S9,  SP_FAST_ROPE_S7,  SP_FAST_ROPE_S5,
                                        SP_FAST_ROPE_S3};
  return _mm512_fmadd_pd(series(z, coefficient, 7), _mm512_mul_pd(x, z), x);
}

static inline __m512d cosine_near_zero(__m512d z) {
  static const double coefficient[9] = {SP_FAST_ROPE_C16, SP_FAST_ROPE_C14, SP_FAST_ROPE_C12,
                                        SP_FAST_ROPE_C10, SP_FAST_ROPE_C8,  SP_FAST_ROPE_C6,
                                        SP_FAST_ROPE_C4,  SP_FAST_ROPE_C2,  1.0};
  return series(z, coefficient, 9);
}

/* x with its sign turned where bit 1 of `quarter` is set. */
static inline __m512d signed_by(__m512d x, __m512i quarter) {
  __m512i sign = _mm512_slli_epi64(_mm512_srli_epi64(quarter, 1), 63);
  return _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(x), sign));
}

void sp_fast_turn_avx512(const sp_fast_rope *rope, uint64_t position, sp_fast_angles *angles) {
  const __m512i t = _mm512_set1_epi64((long long)position);
  for (uint64_t i = 0; i < rope->n_pairs; i += PAIRS) {
    __m512i turn = _mm512_mullo_epi64(t, _mm512_loadu_si512(rope->high + i));
    turn = _mm512_add_epi64(turn, high_products(t, _mm512_loadu_si512(rope->low + i)));
    __m512i quarter = _mm512_srli_epi64(_mm512_add_epi64(turn, _mm512_set1_epi64(1LL << 61)), 62);
    __m512i rest = _mm512_sub_epi64(turn, _mm512_slli_epi64(quarter, 62));
    __m512d x = _mm512_mul_pd(_mm512_cvtepi64_pd(rest), _mm512_set1_pd(SP_FAST_ROPE_UNIT));
    __m512d z = _mm512_mul_pd(x, x);
    __m512d s = sine_near_zero(x, z);
    __m512d c = cosine_near_zero(z);
    __mmask8 odd = _mm512_test_epi64_mask(quarter, _mm512_set1_epi64(1));
    __m512d cosine = _mm512_mask_mov_pd(c, odd, s);
    __m512d sine = _mm512_mask_mov_pd(s, odd, c);
    __m512i next = _mm512_add_epi64(quarter, _mm512_set1_epi64(1));
    _mm512_storeu_pd(angles->cosine + i, signed_by(cosine, next));
    _mm512_storeu_pd(angles->sine + i, signed_by(sine, quarter));
  }
}

/* Eight elements, widened exactly. Only those of the mask are touched. spec: KC-4 */
SPECIALISED __m512d load8(sp_dtype dtype, const void *from, uint64_t index, __mmask8 lanes) {
  if (dtype == SP_F32)
    return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(lanes, (const float *)from + index));
  __m128i bits = _mm_maskz_loadu_epi16(lanes, (const uint16_t *)from + index);
  if (dtype == SP_F16) return _mm512_cvtps_pd(_mm256_cvtph_ps(bits));
  __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16);
  return _mm512_cvtps_pd(_mm256_castsi256_ps(wide));
}

static inline __m256 turned_a(__m512d a, __m512d b, __m512d c, __m512d s) {
  return _mm512_cvtpd_ps(_mm512_fmsub_pd(a, c, _mm512_mul_pd(b, s)));
}

static inline __m256 turned_b(__m512d a, __m512d b, __m512d c, __m512d s) {
  return _mm512_cvtpd_ps(_mm512_fmadd_pd(a, s, _mm512_mul_pd(b, c)));
}

SPECIALISED void rotate_halves(sp_dtype dtype, const sp_fast_rope *rope,
                               const sp_fast_angles *angles, const void *from, float *to) {
  for (uint64_t i = 0; i < rope->n_pairs; i += PAIRS) {
    __mmask8 pairs = first_pairs(rope->n_pairs - i);
    __m512d a = load8(dtype, from, i, pairs);
    __m512d b = load8(dtype, from, i + rope->n_pairs, pairs);
    __m512d c = _mm512_loadu_pd(angles->cosine + i);
    __m512d s = _mm512_loadu_pd(angles->sine + i);
    _mm256_mask_storeu_ps(to + i, pairs, turned_a(a, b, c, s));
    _mm256_mask_storeu_ps(to + i + rope->n_pairs, pairs, turned_b(a, b, c, s));
  }
}

/* Sixteen neighbours are split into eight a and eight b, and put back. */
SPECIALISED void rotate_neighbours(sp_dtype dtype, const sp_fast_rope *rope,
                                   const sp_fast_angles *angles, const void *from, float *to) {
  const __m512i split = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  const __m512i join = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  for (uint64_t i = 0; i < rope->n_pairs; i += PAIRS) {
    __mmask16 lanes = first_lanes(2 * (rope->n_pairs - i));
    __m512 ab = _mm512_permutexvar_ps(split, load16(dtype, from, 2 * i, lanes));
    __m512d a = _mm512_cvtps_pd(_mm512_castps512_ps256(ab));
    __m512d b = _mm512_cvtps_pd(_mm512_extractf32x8_ps(ab, 1));
    __m512d c = _mm512_loadu_pd(angles->cosine + i);
    __m512d s = _mm512_loadu_pd(angles->sine + i);
    ab = _mm512_castps256_ps512(turned_a(a, b, c, s));
    ab = _mm512_insertf32x8(ab, turned_b(a, b, c, s), 1);
    _mm512_mask_storeu_ps(to + 2 * i, lanes, _mm512_permutexvar_ps(join, ab));
  }
}

SPECIALISED void rotate(sp_dtype dtype, const sp_fast_rope *rope, const sp_fast_angles *angles,
                        const void *from, uint64_t d, float *to) {
  if (rope->pairing == SP_ROPE_HALF)
    rotate_halves(dtype, rope, angles, from, to);
  else
    rotate_neighbours(dtype, rope, angles, from, to);
  for (uint64_t c = 2 * rope->n_pairs; c < d; c += LANES) {
    __mmask16 lanes = first_lanes(d - c);
    _mm512_mask_storeu_ps(to + c, lanes, load16(dtype, from, c, lanes));
  }
}

void sp_fast_rotate_avx512(const sp_fast_rope *rope, const sp_fast_angles *angles, sp_dtype dtype,
                           const void *from, uint64_t d, float *to) {
  switch (dtype) {
  case SP_F16:
    rotate(SP_F16, rope, angles, from, d, to);
    return;
  case SP_BF16:
    rotate(SP_BF16, rope, angles, from, d, to);
    return;
  default:
    rotate(SP_F32, rope, angles, from, d, to);
    return;
  }
}
