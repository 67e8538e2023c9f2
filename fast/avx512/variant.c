/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 variant: 16 binary32 lanes. Its needs are the flags that the Makefile compiles this
 * folder with, so that the compiler may use any of them anywhere in it.
 *
 * accuracy: w-deep. The roundings on the longest path from an exponential to a result, in units of
 * u = 2^-24, against what NU-6 and NU-7 allow:
 *
 *   argument x - max                  1, relative to D                           c_D = 1
 *   exponential                       log-error below 2u (measured 1.80)         eps_exp = 2u
 *   sum of a softmax row of N         3 additions in a tree over 128 keys and 8 in a lane, or 2 over
 *                                     64 where the row ends: at most 12, then binary64
 *   sum of an attention tile          3 additions in a tree over 128 keys or 2 over 64, at most 2
 *                                     in a lane, 4 across lanes, then binary64
 *   output, in a tile                 16 fused multiply-adds over a group of keys, 16 additions of
 *                                     groups (the first to zero, exact), then binary64:
 *                                     at most min(N, 16) + 16 - 1 <= 31 in a tile, where
 *                                     h(N) = 24 + ceil(log2(N + 1)) is 32 from N = 128 on and the
 *                                     chain, in up to three runs, is at most 26 before
 *   binary64 from tile to tile        2^-53 each: below one u up to 2^29 tiles
 *   normalisation                     1 / Z in binary64; weights: its rounding and a product,
 *                                     2 of c_n = 3; outputs: 1
 *
 * There is no rescale in binary32, so no tile is declared. A dot product of d elements has chains
 * of 4 ceil(d / 16) fused multiply-adds, of which those with the padding's zeros are exact, and 2
 * additions; scale, cap and biases are in binary64 with one rounding, or are one product. */
#include "fast/avx512/variant.h"

#include "fast/cpu.h"

#define SELF      sp_fast_avx512
#define SELF_NAME "avx512"
#include "fast/entry.h"

const sp_fast_impl sp_fast_avx512 = {
    .name = SELF_NAME,
    .needs = SP_FAST_CPU_AVX2 | SP_FAST_CPU_FMA | SP_FAST_CPU_F16C | SP_FAST_CPU_AVX512F |
             SP_FAST_CPU_AVX512BW | SP_FAST_CPU_AVX512DQ | SP_FAST_CPU_AVX512VL,
    .exp = sp_fast_exp_avx512,
    .softmax = sp_fast_softmax_avx512,
    .split = &sp_fast_split_avx512,
    .spread = sp_fast_spread_avx512,
    .tile = sp_fast_tile_avx512,
    .store = sp_fast_store_avx512,
    .kernel = &kernel,
    .turn = sp_fast_turn_avx512,
    .rotate = sp_fast_rotate_avx512,
};
