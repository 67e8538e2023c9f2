/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of 4, 2 or 1 query rows with the sixteen keys of a group.
 *
 * The keys are first shuffled so that a register holds four elements of each of four keys, one element
 * in each quarter: shuffles inside quarters do it. The query rows are spread to match: a register has
 * four elements, each in a whole quarter. Then multiply-adds run over registers alone, and what is
 * left at the end is to add four quarters, which also puts the sixteen keys in order. Five rows or
 * more share a packed copy of the shuffled keys: while one group's products are summed the next one is
 * packed, a few instructions at a time between the multiply-adds, since no processor looks far enough
 * ahead to mix them by itself. Fewer rows use the shuffled keys at once.
 *
 * An element's place in the sums is the same for every row, so a row's logits do not depend on the
 * rows that it goes with. For each key, in each quarter z: a chain of multiply-adds over the elements
 * 16 c + 4 z + e, c and e ascending, from 0; then quarters 0 and 2, 1 and 3, and those two. spec: NU-12
 *
 * Roofline, 8 rows and d = 64: 512 multiply-adds over two pipes are 256 cycles. Beside them 256 loads
 * of packed keys and spread queries (two a cycle: 128), and to pack 64 loads, 128 shuffles inside
 * quarters and 64 stores: 1024 instructions in all, four a cycle. Shuffles inside quarters have pipes
 * of their own, so what competes with the multiply-adds is 32 shuffles across quarters and, where a
 * processor sends stores through the same pipes, the stores. With 4 rows and no copy: 256
 * multiply-adds, 192 loads, 128 shuffles. `make bench ONLY='decode-*'` shows what is reached. */
#ifndef SINKPROOF_FAST_AVX512_DOT_H
#define SINKPROOF_FAST_AVX512_DOT_H

#include "fast/avx512/lanes.h"
#include "fast/impl.h"

/* Floats of 16 elements of a packed group, and of a spread strip of rows. */
#define PACKED (4 * 4 * LANES)
#define SPREAD (4 * SP_FAST_STRIP * LANES)

/* A group on its way into packed form. */
typedef struct packing {
  const char *row[LANES]; /* of k; any that may be read for an absent key */
  float *to;
} packing;

/* 16 elements from c on of four keys: in quarter z of k[e], element 4z + e of each. A head that does
 * not end at a multiple of 16 is ragged. spec: KC-4 */
SPECIALISED void quarter_keys(sp_dtype dtype, bool ragged, const char *const row[4], uint64_t d,
                              uint64_t c, __m512 k[4]) {
  __mmask16 lanes = ragged ? first_lanes(d - c) : (__mmask16)0xffff;
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    k[i] = ragged ? load16(dtype, row[i], c, lanes) : read16(dtype, row[i], c);
  __m512 low01 = _mm512_unpacklo_ps(k[0], k[1]), high01 = _mm512_unpackhi_ps(k[0], k[1]);
  __m512 low23 = _mm512_unpacklo_ps(k[2], k[3]), high23 = _mm512_unpackhi_ps(k[2], k[3]);
  k[0] = _mm512_shuffle_ps(low01, low23, 0x44);
  k[1] = _mm512_shuffle_ps(low01, low23, 0xee);
  k[2] = _mm512_shuffle_ps(high01, high23, 0x44);
  k[3] = _mm512_shuffle_ps(high01, high23, 0xee);
}

SPECIALISED void pack_unit(sp_dtype dtype, bool ragged, const char *const row[4], uint64_t d,
                           uint64_t c, float *to) {
  __m512 k[4];
  quarter_keys(dtype, ragged, row, d, c, k);
#pragma GCC unroll 4
  for (int e = 0; e < 4; e++) _mm512_store_ps(to + e * 4 * (int)LANES, k[e]);
}

/* A whole group at once. */
SPECIALISED void pack_group(sp_dtype dtype, bool ragged, uint64_t d, const packing *p) {
  for (uint64_t c = 0; c < d; c += LANES)
    for (uint32_t a = 0; a < 4; a++)
      pack_unit(dtype, ragged, p->row + 4 * a, d, c, p->to + c * (PACKED / LANES) + a * LANES);
}

/* Row r of a strip; q is padded with zeros. */
static inline void spread_row(const float *q, uint64_t d, uint32_t r, float *spread) {
  for (uint64_t c = 0; c < d; c += LANES, spread += SPREAD) {
    __m512 x = _mm512_loadu_ps(q + c);
    float *to = spread + r * LANES;
    _mm512_store_ps(to + 0 * SP_FAST_STRIP * LANES, _mm512_permute_ps(x, 0x00));
    _mm512_store_ps(to + 1 * SP_FAST_STRIP * LANES, _mm512_permute_ps(x, 0x55));
    _mm512_store_ps(to + 2 * SP_FAST_STRIP * LANES, _mm512_permute_ps(x, 0xaa));
    _mm512_store_ps(to + 3 * SP_FAST_STRIP * LANES, _mm512_permute_ps(x, 0xff));
  }
}

/* Sums of the halves of a, and of b: halves [a b]. */
static inline __m512 fold_halves(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_mask_blend_ps(0xff00, a, b), _mm512_shuffle_f32x4(a, b, 0x4e));
}

/* The quarters of each half: quarters [a0 a1 b0 b1]. */
static inline __m512 fold_quarters(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

/* The quarters of every sum; see above. */
SPECIALISED void fold_sums(uint32_t n_rows, const __m512 sum[LANES], __m512 dots[4]) {
#pragma GCC unroll 4
  for (uint32_t r = 0; r < 4; r++)
    if (r < n_rows)
      dots[r] = fold_quarters(fold_halves(sum[4 * r], sum[4 * r + 1]),
                              fold_halves(sum[4 * r + 2], sum[4 * r + 3]));
}

/* Four elements of sixteen keys. */
SPECIALISED void dot_step(uint32_t n_rows, const float *spread, const float *packed,
                          __m512 sum[LANES]) {
  __m512 k[4];
#pragma GCC unroll 4
  for (uint32_t a = 0; a < 4; a++) k[a] = _mm512_load_ps(packed + a * LANES);
#pragma GCC unroll 4
  for (uint32_t r = 0; r < 4; r++) {
    if (r >= n_rows) continue;
    const __m512 q = _mm512_load_ps(spread + r * LANES);
#pragma GCC unroll 4
    for (uint32_t a = 0; a < 4; a++) sum[4 * r + a] = _mm512_fmadd_ps(q, k[a], sum[4 * r + a]);
  }
}

/* Lane l of dots[r] is q[r] · key l, for n_rows rows of a strip from `spread` on; meanwhile units
 * [unit, unit + n_units) of another group are packed, 0, 2 or 4 of them. */
SPECIALISED void dot_rows(uint32_t n_rows, sp_dtype dtype, bool ragged, uint64_t d,
                          const float *spread, const float *packed, const packing *next,
                          uint32_t unit, uint32_t n_units, __m512 dots[4]) {
  __m512 sum[LANES];
  float *to = next->to + unit * LANES;
#pragma GCC unroll 16
  for (uint32_t i = 0; i < LANES; i++) sum[i] = _mm512_setzero_ps();
#pragma GCC unroll 1
  for (uint64_t c = 0; c < d; c += LANES) {
#pragma GCC unroll 4
    for (uint32_t e = 0; e < 4; e++) {
      const uint32_t u = e * n_units / 4;
      dot_step(n_rows, spread + e * SP_FAST_STRIP * LANES, packed + e * 4 * LANES, sum);
      if (n_units == 4 || (n_units == 2 && e % 2 == 1))
        pack_unit(dtype, ragged, next->row + 4 * (unit + u), d, c, to + u * LANES);
    }
    spread += SPREAD;
    packed += PACKED;
    to += PACKED;
  }
  fold_sums(n_rows, sum, dots);
}

/* The same, packing nothing: what is shuffled is used at once, for n_rows rows of a strip. */
SPECIALISED void dot_rows_direct(uint32_t n_rows, sp_dtype dtype, bool ragged, uint64_t d,
                                 const float *spread, const packing *keys, __m512 dots[4]) {
  __m512 sum[LANES];
#pragma GCC unroll 16
  for (uint32_t i = 0; i < LANES; i++) sum[i] = _mm512_setzero_ps();
#pragma GCC unroll 1
  for (uint64_t c = 0; c < d; c += LANES, spread += SPREAD) {
#pragma GCC unroll 2
    for (uint32_t a = 0; a < 4; a += 2) {
      __m512 k[2][4];
      quarter_keys(dtype, ragged, keys->row + 4 * a, d, c, k[0]);
      quarter_keys(dtype, ragged, keys->row + 4 * a + 4, d, c, k[1]);
#pragma GCC unroll 4
      for (uint32_t e = 0; e < 4; e++)
#pragma GCC unroll 4
        for (uint32_t r = 0; r < 4; r++) {
          if (r >= n_rows) continue;
          const __m512 q = _mm512_load_ps(spread + (e * SP_FAST_STRIP + r) * LANES);
          sum[4 * r + a] = _mm512_fmadd_ps(q, k[0][e], sum[4 * r + a]);
          sum[4 * r + a + 1] = _mm512_fmadd_ps(q, k[1][e], sum[4 * r + a + 1]);
        }
    }
  }
  fold_sums(n_rows, sum, dots);
}

#endif
