/* SPDX-License-Identifier: Apache-2.0 */
/* vdpbf16ps, on which this variant stands: in each lane of binary32, for a pair of bf16 numbers,
 *
 *     sum = fma(a1, b1, sum);  sum = fma(a0, b0, sum)
 *
 * each rounded once to nearest; subnormal inputs count as 0 and a subnormal result becomes 0,
 * whatever MXCSR says. So a pair is two links of a chain of multiply-adds, the second number
 * first, and a chain that flushes. tests/test_fast_bf16.c checks this of the processor, bit by bit.
 * spec: NU-6, NU-10 */
#ifndef SINKPROOF_FAST_AVX512BF16_PAIRS_H
#define SINKPROOF_FAST_AVX512BF16_PAIRS_H

#include <stdbool.h>

#include "fast/avx512/lanes.h"

/* Elements of 16 bits in a register. */
#define WORDS (2 * LANES)

static inline __m512 add_pairs(__m512 sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

/* 32 numbers, the first 16 in the lower half; to nearest even, subnormals to 0. */
static inline __m512i round_pairs(__m512 low, __m512 high) {
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

static inline __mmask32 first_words(uint64_t n) {
  if (n >= WORDS) return (__mmask32)0xffffffff;
  return (__mmask32)((1u << n) - 1u);
}

/* Elements c to c + 31 of a row; where not all of them are there, 0 for the others. spec: KC-4 */
SPECIALISED __m512i read_words(bool whole, const char *row, uint64_t c, __mmask32 words) {
  const uint16_t *from = (const uint16_t *)(const void *)row + c;
  return whole ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi16(words, from);
}

#endif
