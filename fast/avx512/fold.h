/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of dot products whose keys were shuffled inside quarters: sums of the four quarters of
 * four registers, in one register that has them in the order of the keys. */
#ifndef SINKPROOF_FAST_AVX512_FOLD_H
#define SINKPROOF_FAST_AVX512_FOLD_H

#include <immintrin.h>

/* Sums of the halves of a, and of b: halves [a b]. */
static inline __m512 fold_halves(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_mask_blend_ps(0xff00, a, b), _mm512_shuffle_f32x4(a, b, 0x4e));
}

/* The quarters of each half: quarters [a0 a1 b0 b1]. */
static inline __m512 fold_quarters(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

#endif
