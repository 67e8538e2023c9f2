/* SPDX-License-Identifier: Apache-2.0 */
/* From dot products to weights where these are to be bf16: as strip.h, but that the usual case finds
 * its dot products scaled already, and that weights are stored once, in pairs. A store takes the
 * place of a dot product, and so does a test of a number's class. */
#ifndef SINKPROOF_FAST_AVX512BF16_WEIGHTS_H
#define SINKPROOF_FAST_AVX512BF16_WEIGHTS_H

#include "fast/avx512/strip.h"
#include "fast/avx512bf16/pairs.h"

/* The weights of row r's keys from group g on, an even one: where the logits of g / 2 were. */
static inline uint32_t *weights_at(strip *s, uint32_t r, uint32_t g) {
  return (uint32_t *)(void *)s->x[r] + g * LANES / 2;
}

/* The largest and the least of some logits, in each lane; one that is not a number changes neither. */
typedef struct extremes {
  __m512 max, min;
} extremes;

static inline void meet(extremes *e, __mmask16 lanes, __m512 x) {
  e->max = _mm512_mask_max_ps(e->max, lanes, x, e->max);
  e->min = _mm512_mask_min_ps(e->min, lanes, x, e->min);
}

/* Lanes past the last key hold -inf from now on, and groups are made up to a multiple of 4. */
static inline void end_logits(strip *s, uint32_t r, __mmask16 of_last) {
  const __m512 none = _mm512_set1_ps(-INFINITY);
  float *last = s->x[r][s->n_groups - 1];
  _mm512_store_ps(last, _mm512_mask_mov_ps(none, of_last, _mm512_load_ps(last)));
  for (uint32_t g = s->n_groups; g % 4 != 0; g++) _mm512_store_ps(s->x[r][g], none);
}

/* The largest logit of a row that sees every key of the tile. A logit of -inf is one whose q or k is
 * not finite, and so is one that is not a number, which shows here when all are, and otherwise in the
 * sum of the weights. spec: SM-5 */
static inline float largest_scaled(strip *s, uint32_t r) {
  extremes even = {_mm512_set1_ps(-INFINITY), _mm512_set1_ps(INFINITY)}, odd = even;
  const __mmask16 of_last = group_lanes(s->keys, s->n_groups - 1);
  uint32_t g = 0;
  for (; g + 2 < s->n_groups; g += 2) {
    meet(&even, 0xffff, _mm512_load_ps(s->x[r][g]));
    meet(&odd, 0xffff, _mm512_load_ps(s->x[r][g + 1]));
  }
  if (g + 1 < s->n_groups) meet(&odd, 0xffff, _mm512_load_ps(s->x[r][g]));
  meet(&even, of_last, _mm512_load_ps(s->x[r][s->n_groups - 1]));
  end_logits(s, r, of_last);
  float max = _mm512_reduce_max_ps(_mm512_max_ps(even.max, odd.max));
  __m512 min = _mm512_min_ps(even.min, odd.min);
  __mmask16 low = _mm512_cmp_ps_mask(min, _mm512_set1_ps(-INFINITY), _CMP_EQ_OQ);
  if (low != 0 || max == -INFINITY) s->rows[r].sum.invalid = true;
  return max;
}

static inline float largest_logit(strip *s, uint32_t r) {
  return s->alike ? largest_scaled(s, r) : find_logits(s, r);
}

/* Logits become exponentials, whose sum is taken, and then bf16, as NU-6 calls it: p=bf16. */
static inline float sum_and_round(strip *s, uint32_t r, float max) {
  __m512 sum = _mm512_setzero_ps();
  uint32_t g = 0;
  for (; g + 8 <= s->n_groups; g += 8) {
    __m512 x[8];
#pragma GCC unroll 8
    for (uint32_t i = 0; i < 8; i++) x[i] = _mm512_load_ps(s->x[r][g + i]);
    sum = exp128_sum(x, _mm512_set1_ps(max), sum);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 8; i += 2)
      _mm512_store_si512(weights_at(s, r, g + i), round_pairs(x[i], x[i + 1]));
  }
  for (; g < s->n_groups; g += 4) {
    __m512 x[4];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) x[i] = _mm512_load_ps(s->x[r][g + i]);
    sum = exp64_sum(x, _mm512_set1_ps(max), sum);
#pragma GCC unroll 2
    for (uint32_t i = 0; i < 4; i += 2)
      _mm512_store_si512(weights_at(s, r, g + i), round_pairs(x[i], x[i + 1]));
  }
  float all = _mm512_reduce_add_ps(sum);
  if (isnan(all)) s->rows[r].sum.invalid = true;
  return all;
}

#endif
