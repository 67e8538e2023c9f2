/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX2 variant: 8 binary32 lanes, fused multiply-adds, conversions of binary16. For processors
 * without AVX-512, and the example of how a variant is added: one folder, one line in dispatch.c,
 * one line of flags. Its needs are the flags that the Makefile compiles this folder with.
 *
 * accuracy: w-deep. The roundings on the longest path from an exponential to a result, in units of
 * u = 2^-24, against what NU-6 and NU-7 allow:
 *
 *   argument x - max        1, relative to D                                       c_D = 1
 *   exponential             log-error below 2u (measured 1.80)                     eps_exp = 2u
 *   sum of a softmax row    2 in a tree, 16 in a lane, 9 where a row ends, then binary64
 *   sum of a tile           17 in a lane, 3 across lanes, then binary64
 *   output, in a tile       16 fused multiply-adds over a group of keys, 16 additions of groups,
 *                           then binary64; below h(N) = 24 + ceil(log2(N + 1)) for every N
 *   normalisation           1 / Z in binary64; weights: its rounding and a product, 2 of c_n = 3
 *
 * A dot product of d elements has chains of ceil(d / 16) + 1 fused multiply-adds and 4 additions. */
#include "fast/avx2/variant.h"

#include "fast/cpu.h"

#define SELF      sp_fast_avx2
#define SELF_NAME "avx2"
#include "fast/entry.h"

const sp_fast_impl sp_fast_avx2 = {
    .name = SELF_NAME,
    .needs = SP_FAST_CPU_AVX2 | SP_FAST_CPU_FMA | SP_FAST_CPU_F16C,
    .exp = sp_fast_exp_avx2,
    .softmax = sp_fast_softmax_avx2,
    .tile = sp_fast_tile_avx2,
    .store = sp_fast_store_row,
    .kernel = &kernel,
    .turn = sp_fast_turn_avx2,
    .rotate = sp_fast_rotate_avx2,
};
