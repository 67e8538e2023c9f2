/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of 8, 4, 2 or 1 query rows with the sixteen keys of a group, both in bf16.
 *
 * A pair of neighbouring elements is one number of 32 bits, and these are shuffled as
 * fast/avx512/dot.h shuffles binary32: a register holds four pairs of each of four keys, a pair in
 * each quarter; the query rows are spread to match; what is left at the end is to add four quarters,
 * which also puts the keys in order. Keys are half as long as in binary32, so shuffling them costs
 * half as much, and what is shuffled is used at once: no copy.
 *
 * For each key, in each quarter z: a chain over the pairs 16 c + 4 z + e, c and e ascending, from 0;
 * then quarters 0 and 2, 1 and 3, and those two. It is the same for every row. spec: NU-12
 *
 * Roofline, 8 rows and d = 64: 256 dot products, one a cycle. Beside them, on the other pipes of
 * vectors, which start one operation a cycle: 64 shuffles inside quarters and 72 operations to add
 * quarters; and 32 loads of keys and 128 of queries. Eight keys go at a time, so that 16 sums, their
 * shuffled elements and the next ones fit the registers. The compiler is told to leave the order of
 * instructions as it is written here (-fno-schedule-insns2). */
#ifndef SINKPROOF_FAST_AVX512BF16_DOT_H
#define SINKPROOF_FAST_AVX512BF16_DOT_H

#include "fast/avx512/fold.h"
#include "fast/avx512/group.h"
#include "fast/avx512bf16/pairs.h"
#include "fast/impl.h"

/* Pairs of 32 elements of a spread strip of rows. */
#define SPREAD (4 * SP_FAST_STRIP * LANES)

/* Sixteen keys, `step` bytes apart, each a multiple of 32 elements long. */
typedef struct key_group {
  const char *first;
  int64_t step;
} key_group;

/* Step i of eight, for four keys, from `first` on; after the last one, quarter z of k[e] has pair
 * 4z + e of each of them. A later key comes nearer for each that is read. */
SPECIALISED void quarter_step(uint32_t i, const char *first, int64_t step, __m512i k[4]) {
  const __m512i k0 = k[0], k1 = k[1], k2 = k[2];
  if (i < 4) {
    fetch_later(first + i * step, step, 0, 64);
    k[i] = _mm512_loadu_si512(first + i * step);
  }
  if (i == 4) {
    k[0] = _mm512_unpacklo_epi32(k0, k1);
    k[1] = _mm512_unpackhi_epi32(k0, k1);
  }
  if (i == 5) {
    k[2] = _mm512_unpacklo_epi32(k2, k[3]);
    k[3] = _mm512_unpackhi_epi32(k2, k[3]);
  }
  if (i == 6) {
    k[0] = _mm512_unpacklo_epi64(k0, k2);
    k[2] = _mm512_unpackhi_epi64(k0, k2);
  }
  if (i == 7) {
    k[1] = k2;
    k[2] = _mm512_unpacklo_epi64(k1, k[3]);
    k[3] = _mm512_unpackhi_epi64(k1, k[3]);
  }
}

/* Step i of sixteen, for eight keys. */
SPECIALISED void eight_step(uint32_t i, const char *first, int64_t step, __m512i k[2][4]) {
  quarter_step(i % 8, first + i / 8 * 4 * step, step, k[i / 8]);
}

SPECIALISED void quarter_eight(const char *first, int64_t step, __m512i k[2][4]) {
#pragma GCC unroll 16
  for (uint32_t i = 0; i < 16; i++) eight_step(i, first, step, k);
}

/* Row r of a strip, rounded; nothing past d is read, and what stands for it is 0. */
static inline void spread_row(const float *q, uint64_t d, uint32_t r, uint32_t *spread) {
  for (uint64_t c = 0; c < d; c += WORDS, spread += SPREAD) {
    __m512 low = _mm512_maskz_loadu_ps(first_lanes(d - c), q + c);
    __mmask16 lanes = d - c > LANES ? first_lanes(d - c - LANES) : 0;
    __m512 high = _mm512_maskz_loadu_ps(lanes, q + c + LANES);
    __m512i pairs = round_pairs(low, high);
    uint32_t *to = spread + r * LANES;
    _mm512_store_si512(to + 0 * SP_FAST_STRIP * LANES, _mm512_shuffle_epi32(pairs, 0x00));
    _mm512_store_si512(to + 1 * SP_FAST_STRIP * LANES, _mm512_shuffle_epi32(pairs, 0x55));
    _mm512_store_si512(to + 2 * SP_FAST_STRIP * LANES, _mm512_shuffle_epi32(pairs, 0xaa));
    _mm512_store_si512(to + 3 * SP_FAST_STRIP * LANES, _mm512_shuffle_epi32(pairs, 0xff));
  }
}

/* 32 elements of eight keys meet n_rows rows; and meanwhile eight more keys, or more of the same, are
 * shuffled, a step at a time between the dot products, since no processor looks far enough ahead to
 * mix them by itself. */
SPECIALISED void dot_eight(uint32_t n_rows, const uint32_t *spread, const char *next, int64_t step,
                           __m512i k[2][4], __m512 sum[2 * SP_FAST_STRIP]) {
  const uint32_t slots = 4 * n_rows;
  __m512i then[2][4];
#pragma GCC unroll 4
  for (uint32_t e = 0; e < 4; e++)
#pragma GCC unroll 8
    for (uint32_t r = 0; r < n_rows; r++) {
      const uint32_t slot = e * n_rows + r;
      const __m512i q = _mm512_load_si512(spread + (e * SP_FAST_STRIP + r) * LANES);
      sum[2 * r] = add_pairs(sum[2 * r], q, k[0][e]);
      sum[2 * r + 1] = add_pairs(sum[2 * r + 1], q, k[1][e]);
      const uint32_t begin = 16 * slot / slots, end = 16 * (slot + 1) / slots;
#pragma GCC unroll 4
      for (uint32_t i = 0; i < 4; i++)
        if (begin + i < end) eight_step(begin + i, next, step, then);
    }
#pragma GCC unroll 4
  for (uint32_t e = 0; e < 4; e++) {
    k[0][e] = then[0][e];
    k[1][e] = then[1][e];
  }
}

/* Eight keys from `key` on: halves[r] is what fold_halves gives of their two quads. */
SPECIALISED void dot_half(uint32_t n_rows, uint64_t d, const uint32_t *spread, const char *key,
                          int64_t step, key_group next, __m512i k[2][4],
                          __m512 halves[SP_FAST_STRIP]) {
  __m512 sum[2 * SP_FAST_STRIP];
#pragma GCC unroll 16
  for (uint32_t i = 0; i < 2 * n_rows; i++) sum[i] = _mm512_setzero_ps();
#pragma GCC unroll 1
  for (uint64_t c = WORDS; c < d; c += WORDS, spread += SPREAD) {
    key += 2 * WORDS;
    dot_eight(n_rows, spread, key, step, k, sum);
  }
  if (d > 0) dot_eight(n_rows, spread, next.first, next.step, k, sum);
#pragma GCC unroll 8
  for (uint32_t r = 0; r < n_rows; r++) halves[r] = fold_halves(sum[2 * r], sum[2 * r + 1]);
}

/* Lane l of dots[r] is q[r] · key l, for n_rows rows of a strip from `spread` on. k has the first 32
 * elements of the first eight keys, and then those of the group that is next. */
SPECIALISED void dot_rows(uint32_t n_rows, uint64_t d, const uint32_t *spread, key_group keys,
                          key_group next, __m512i k[2][4], __m512 dots[SP_FAST_STRIP]) {
  const key_group second = {keys.first + 8 * keys.step, keys.step};
  __m512 halves[2][SP_FAST_STRIP];
  dot_half(n_rows, d, spread, keys.first, keys.step, second, k, halves[0]);
  dot_half(n_rows, d, spread, second.first, keys.step, next, k, halves[1]);
#pragma GCC unroll 8
  for (uint32_t r = 0; r < n_rows; r++) dots[r] = fold_quarters(halves[0][r], halves[1][r]);
}

#endif
