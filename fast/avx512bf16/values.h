/* SPDX-License-Identifier: Apache-2.0 */
/* Weights times values: what a group of 16 keys adds to the outputs of up to 4 rows, two keys at a
 * time. An output element is one chain over the group's keys, from zero, and the chain joins what
 * the groups before it gave. Only present keys are touched, and all of them, also where the weight
 * is 0; an absent key of a pair counts as zeros. spec: SM-4, SM-6, AT-3
 *
 * 32 elements of two keys become pairs by two unpacks, which leave the columns 8z to 8z + 3 in
 * quarter z of the one register and the next four in the other: columns are put in order where the
 * outputs leave the tile (ordered_columns). Up to 16 elements at the end of a row are interleaved in
 * order instead.
 *
 * Roofline, 4 rows and 32 elements: for two keys 8 dot products, one a cycle, in 8 chains; beside
 * them 2 loads, 2 unpacks and 4 broadcasts of pairs of weights; for each group 8 additions beside 64
 * dot products. */
#ifndef SINKPROOF_FAST_AVX512BF16_VALUES_H
#define SINKPROOF_FAST_AVX512BF16_VALUES_H

#include "fast/avx512/group.h"
#include "fast/avx512bf16/pairs.h"
#include "fast/impl.h"

/* Pairs of weights between one row and the next; floats between vectors of outputs. */
#define P_STEP   SP_FAST_TILE
#define OUT_STEP (SP_FAST_STRIP * LANES)

/* One group of some rows, or several in which every key is present. */
typedef struct weighing {
  const char *first; /* where all keys are present, their rows of v lie from here on, */
  int64_t step;      /* so many bytes apart; otherwise NULL, and each lies where `row` says */
  const char *row[LANES];
  const uint32_t *p; /* the first row's weights, in pairs */
  float *out;        /* its first 16 outputs so far */
  uint32_t n_groups; /* 1 where `row` says */
  uint32_t present;  /* the keys that are, for all these rows */
  bool fresh;        /* there are no outputs so far */
} weighing;

/* How the columns of a row are read: whole registers, the rest of one that has more than half of its
 * elements, or half a register. */
typedef enum columns { WHOLE, PART, HALF } columns;

/* 16 elements of two keys as pairs. */
static inline __m512i interleave(const char *even, const char *odd, uint64_t c, __mmask16 of_even,
                                 __mmask16 of_odd) {
  __m256i low = _mm256_maskz_loadu_epi16(of_even, (const uint16_t *)(const void *)even + c);
  __m256i high = _mm256_maskz_loadu_epi16(of_odd, (const uint16_t *)(const void *)odd + c);
  return _mm512_or_si512(_mm512_cvtepu16_epi32(low),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
}

/* Columns from c on of the keys of a pair: all of those that there are, where all = true; or of the
 * keys that `present` has, bit 0 the even one. */
SPECIALISED void pair_values(columns how, bool all, uint32_t present, const char *even,
                             const char *odd, uint64_t c, uint64_t end, __m512i v[2]) {
  const __mmask32 words = how == WHOLE ? (__mmask32)0xffffffff : first_words(end - c);
  const __mmask32 of_even = all || (present & 1) != 0 ? words : 0;
  const __mmask32 of_odd = all || (present & 2) != 0 ? words : 0;
  if (how == HALF) {
    v[0] = interleave(even, odd, c, (__mmask16)of_even, (__mmask16)of_odd);
    return;
  }
  __m512i a = read_words(how == WHOLE && all, even, c, of_even);
  __m512i b = read_words(how == WHOLE && all, odd, c, of_odd);
  v[0] = _mm512_unpacklo_epi16(a, b);
  v[1] = _mm512_unpackhi_epi16(a, b);
}

/* Chains of a step: n vectors of outputs of each of n_rows rows. */
#define CHAINS 8u

/* What two keys add to n vectors of columns. */
SPECIALISED void weigh_pair(uint32_t n_rows, uint32_t n, columns how, bool all, uint32_t present,
                            const uint32_t *weight, const char *even, const char *odd, uint64_t c,
                            uint64_t end, __m512 sum[CHAINS]) {
  __m512i v[4];
#pragma GCC unroll 2
  for (uint32_t i = 0; i < n; i += 2)
    pair_values(how, all, present, even, odd, c + LANES * i, end, v + i);
#pragma GCC unroll 4
  for (uint32_t r = 0; r < n_rows; r++) {
    const __m512i p = _mm512_set1_epi32((int)weight[r * P_STEP]);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < n; i++) sum[r * n + i] = add_pairs(sum[r * n + i], p, v[i]);
  }
}

/* A group whose keys lie apart, or are not all present. */
SPECIALISED void weigh_some(uint32_t n_rows, uint32_t n, columns how, const weighing *w, uint64_t c,
                            uint64_t end, __m512 sum[CHAINS]) {
  for (uint32_t pair = 0; pair < LANES / 2; pair++) {
    uint32_t present = w->present >> 2 * pair & 3;
    if (present == 0) continue;
    weigh_pair(n_rows, n, how, false, present, w->p + pair, w->row[2 * pair], w->row[2 * pair + 1],
               c, end, sum);
  }
}

/* Groups one after another: the outputs so far stay in registers, since a store takes the place of a
 * dot product. */
SPECIALISED void weigh_columns(uint32_t n_rows, uint32_t n, columns how, const weighing *w,
                               uint64_t c, uint64_t end) {
  __m512 total[CHAINS], sum[CHAINS];
  float *out = w->out + c / LANES * OUT_STEP;
  const char *key = w->first;
  const uint32_t *weight = w->p;
#pragma GCC unroll 8
  for (uint32_t j = 0; j < n_rows * n; j++)
    total[j] =
        w->fresh ? _mm512_setzero_ps() : _mm512_load_ps(out + j % n * OUT_STEP + j / n * LANES);
  for (uint32_t g = 0; g < w->n_groups; g++) {
#pragma GCC unroll 8
    for (uint32_t j = 0; j < n_rows * n; j++) sum[j] = _mm512_setzero_ps();
    if (key == NULL)
      weigh_some(n_rows, n, how, w, c, end, sum);
    else
#pragma GCC unroll 2
      for (uint32_t pair = 0; pair < LANES / 2; pair++, key += 2 * w->step) {
        fetch_later(key, w->step, 2 * c, 2 * n * LANES);
        fetch_later(key + w->step, w->step, 2 * c, 2 * n * LANES);
        weigh_pair(n_rows, n, how, true, 3, weight++, key, key + w->step, c, end, sum);
      }
#pragma GCC unroll 8
    for (uint32_t j = 0; j < n_rows * n; j++) total[j] = _mm512_add_ps(total[j], sum[j]);
  }
#pragma GCC unroll 8
  for (uint32_t j = 0; j < n_rows * n; j++)
    _mm512_store_ps(out + j % n * OUT_STEP + j / n * LANES, total[j]);
}

/* All outputs of 4, 2 or 1 rows, n vectors at a time. */
SPECIALISED void weigh_rows(uint32_t n_rows, uint32_t n, const weighing *w, uint64_t d_value) {
  uint64_t c = 0;
  for (; c + n * LANES <= d_value; c += n * LANES) weigh_columns(n_rows, n, WHOLE, w, c, d_value);
  for (; c + WORDS <= d_value; c += WORDS) weigh_columns(n_rows, 2, WHOLE, w, c, d_value);
  if (d_value - c > LANES)
    weigh_columns(n_rows, 2, PART, w, c, d_value);
  else if (d_value > c)
    weigh_columns(n_rows, 1, HALF, w, c, d_value);
}

/* A row's two vectors of outputs from `partial` on, with their 32 columns in order. */
static inline void ordered_columns(const float *partial, __m512 out[2]) {
  const __m512i first = _mm512_set_epi32(23, 22, 21, 20, 7, 6, 5, 4, 19, 18, 17, 16, 3, 2, 1, 0);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  __m512 low = _mm512_load_ps(partial), high = _mm512_load_ps(partial + OUT_STEP);
  out[0] = _mm512_permutex2var_ps(low, first, high);
  out[1] = _mm512_permutex2var_ps(low, second, high);
}

#endif
