/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in 16 lanes of binary32: zmm0 -> zmm0, with zmm1 to zmm3 as scratch; everything else, memory
 * included, is left alone. For what fast/avx512/exp64.S is too wide for; the same operations in the
 * same order, and what is said there of the bytes holds here (proofs/obj/ExpCode.v).
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#include "fast/avx512/leaf.h"

    LEAF(sp_exp16)
    vbroadcastss  .Lfloor(%rip), %zmm1       /* the second source passes a NaN */
    vmaxps        %zmm0, %zmm1, %zmm0
    vmulps        .Llog2e(%rip){1to16}, %zmm0, %zmm2
    vrndscaleps   $8, %zmm2, %zmm2
    vfnmadd231ps  .Lln2_hi(%rip){1to16}, %zmm2, %zmm0
    vfnmadd231ps  .Lln2_lo(%rip){1to16}, %zmm2, %zmm0
    vbroadcastss  .Lc6(%rip), %zmm1
    vfmadd213ps   .Lc5(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lc4(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lc3(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lc2(%rip){1to16}, %zmm0, %zmm1
    vbroadcastss  .Lone(%rip), %zmm3
    vfmadd213ps   %zmm3, %zmm0, %zmm1
    vfmadd213ps   %zmm3, %zmm0, %zmm1
    vscalefps     %zmm2, %zmm1, %zmm0        /* p * 2^k, rounded once, also into the subnormals */
    ret
    LEAF_CONSTANTS(sp_exp16)
