/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of query rows with the keys of a tile, eight or sixteen keys at a time.
 *
 * The keys are shuffled so that a register holds four elements of each of four keys, one element in
 * each quarter: shuffles inside quarters do it. A query row is shuffled to match, where it is used: a
 * register of four elements, each in a whole quarter. Then multiply-adds run over registers alone, and
 * what is left at the end is to add four quarters, which also puts the keys in order. Nothing that was
 * shuffled is stored.
 *
 * An element's place in the sums is the same for every row, so a row's logits do not depend on the
 * rows that it goes with. For each key, in each quarter z: a chain of multiply-adds over the elements
 * 16 c + 4 z + e, c and e ascending, from 0; then quarters 0 and 2, 1 and 3, and those two. spec: NU-12
 *
 * Eight rows and four rows are the business of dot.S, unless a head is ragged; others that of C.
 *
 * Roofline, 8 rows, 16 keys and d = 64: 512 multiply-adds. Beside them 64 loads of keys and 256 of
 * queries, 128 shuffles of keys and 192 of queries, 72 shuffles, blends and additions to add quarters,
 * 16 stores of half a register. Zen 4 starts two vector operations in a cycle, at most one of them a
 * multiply-add, and one load: 512 cycles, of which 120 slots stay free. Widening keys of 16 bits takes
 * them all. It is this tight: a store or a broadcast takes the turn of a multiply-add, so nothing is
 * stored that could be shuffled again; and queries that are spread once and for all are four times as
 * long, so that keys evict them from the first-level cache: a quarter of them is. Where two multiply-
 * adds start in a cycle, and two loads, the loads are 160 cycles of 256; where shuffles share a port with
 * multiply-adds (Intel), they bound: 392 cycles. */
#ifndef SINKPROOF_FAST_AVX512_DOT_H
#define SINKPROOF_FAST_AVX512_DOT_H

#include <string.h>

#include "fast/avx512/fold.h"
#include "fast/avx512/lanes.h"
#include "fast/impl.h"

/* Floats of 16 elements of a strip: those of each row, then the first of each of their quarters, spread
 * over the quarter. */
#define SPREAD (2 * SP_FAST_STRIP * LANES)

/* 8 n keys, whose rows lie where key[8 n] says, of `bytes` bytes each, a multiple of 16 elements; the
 * eight or four rows of a strip from `spread` on; row r's dot products to dots[r * SP_FAST_TILE].
 * Meanwhile what lies `ahead` bytes further than the keys is fetched. */
typedef void dot_leaf(const char *const *key, uint64_t n, const float *spread, uint64_t bytes,
                      float *dots, int64_t ahead);
dot_leaf sp_dot8_f32, sp_dot8_f16, sp_dot8_bf16, sp_dot4_f32, sp_dot4_f16, sp_dot4_bf16;

/* MemorySanitizer does not see what assembly writes: for it, something is written before. */
#ifdef __clang__
#if __has_feature(memory_sanitizer)
#define UNSEEN(x) memset(x, 0, sizeof x)
#endif
#endif
#ifndef UNSEEN
#define UNSEEN(x) ((void)0)
#endif

static inline dot_leaf *leaf_of(uint32_t n_rows, sp_dtype dtype) {
  if (dtype == SP_F16) return n_rows == 8 ? sp_dot8_f16 : sp_dot4_f16;
  if (dtype == SP_BF16) return n_rows == 8 ? sp_dot8_bf16 : sp_dot4_bf16;
  return n_rows == 8 ? sp_dot8_f32 : sp_dot4_f32;
}

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

/* Row r of a strip; q is padded with zeros. */
static inline void spread_row(const float *q, uint64_t d, uint32_t r, float *spread) {
  for (uint64_t c = 0; c < d; c += LANES, spread += SPREAD) {
    const __m512 x = _mm512_loadu_ps(q + c);
    _mm512_store_ps(spread + r * LANES, x);
    _mm512_store_ps(spread + (SP_FAST_STRIP + r) * LANES, _mm512_permute_ps(x, 0x00));
  }
}

/* Element e of each quarter, all over that quarter. */
SPECIALISED __m512 spread_quarters(__m512 q, uint32_t e) {
  return e == 0   ? _mm512_permute_ps(q, 0x00)
         : e == 1 ? _mm512_permute_ps(q, 0x55)
         : e == 2 ? _mm512_permute_ps(q, 0xaa)
                  : _mm512_permute_ps(q, 0xff);
}

/* dots[r]: n_rows rows of a strip from `spread` on, at most 4, and sixteen keys. */
SPECIALISED void dot_rows(uint32_t n_rows, sp_dtype dtype, bool ragged, uint64_t d,
                          const float *spread, const char *const key[LANES], __m512 dots[4]) {
  __m512 sum[LANES];
#pragma GCC unroll 16
  for (uint32_t i = 0; i < LANES; i++) sum[i] = _mm512_setzero_ps();
#pragma GCC unroll 1
  for (uint64_t c = 0; c < d; c += LANES, spread += SPREAD) {
#pragma GCC unroll 4
    for (uint32_t a = 0; a < 4; a++) {
      __m512 k[4];
      quarter_keys(dtype, ragged, key + 4 * a, d, c, k);
#pragma GCC unroll 4
      for (uint32_t r = 0; r < n_rows; r++)
#pragma GCC unroll 4
        for (uint32_t e = 0; e < 4; e++) {
          const __m512 q = spread_quarters(_mm512_load_ps(spread + r * LANES), e);
          sum[4 * r + a] = _mm512_fmadd_ps(q, k[e], sum[4 * r + a]);
        }
    }
  }
#pragma GCC unroll 4
  for (uint32_t r = 0; r < n_rows; r++)
    dots[r] = fold_quarters(fold_halves(sum[4 * r], sum[4 * r + 1]),
                            fold_halves(sum[4 * r + 2], sum[4 * r + 3]));
}

#endif
