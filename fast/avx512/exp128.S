/* SPDX-License-Identifier: Apache-2.0 */
/* The step of a loop that exponentiates, twice as wide as that of exp64.S: 128 logits become
 * exponentials, and their sums join 16 running ones. In each of the 16 lanes, in binary32, every
 * operation rounded once:
 *
 *     zmm0..zmm7  x0..x7    ->  e_i = e^(x_i - max)
 *     zmm30       max       ->  max
 *     zmm31       sum       ->  sum + (((e0 + e1) + (e2 + e3)) + ((e4 + e5) + (e6 + e7)))
 *
 * zmm8 to zmm25 are scratch; everything else, memory included, is left alone. Eight chains side by
 * side cover the latency of a multiplication on two pipes, which four do not: that is what the
 * width is for. The bytes are proved like those of exp64.S (proofs/obj/WideCode.v).
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#include "fast/avx512/leaf.h"

    LEAF(sp_exp128)
    vsubps        %zmm30, %zmm0, %zmm0
    vsubps        %zmm30, %zmm1, %zmm1
    vsubps        %zmm30, %zmm2, %zmm2
    vsubps        %zmm30, %zmm3, %zmm3
    vsubps        %zmm30, %zmm4, %zmm4
    vsubps        %zmm30, %zmm5, %zmm5
    vsubps        %zmm30, %zmm6, %zmm6
    vsubps        %zmm30, %zmm7, %zmm7

    vbroadcastss  .Lfloor(%rip), %zmm24      /* the second source passes a NaN */
    vmaxps        %zmm0, %zmm24, %zmm0
    vmaxps        %zmm1, %zmm24, %zmm1
    vmaxps        %zmm2, %zmm24, %zmm2
    vmaxps        %zmm3, %zmm24, %zmm3
    vmaxps        %zmm4, %zmm24, %zmm4
    vmaxps        %zmm5, %zmm24, %zmm5
    vmaxps        %zmm6, %zmm24, %zmm6
    vmaxps        %zmm7, %zmm24, %zmm7

    vbroadcastss  .Llog2e(%rip), %zmm25      /* k in zmm8..zmm15 */
    vmulps        %zmm25, %zmm0, %zmm8
    vmulps        %zmm25, %zmm1, %zmm9
    vmulps        %zmm25, %zmm2, %zmm10
    vmulps        %zmm25, %zmm3, %zmm11
    vmulps        %zmm25, %zmm4, %zmm12
    vmulps        %zmm25, %zmm5, %zmm13
    vmulps        %zmm25, %zmm6, %zmm14
    vmulps        %zmm25, %zmm7, %zmm15

    vrndscaleps   $8, %zmm8, %zmm8
    vrndscaleps   $8, %zmm9, %zmm9
    vrndscaleps   $8, %zmm10, %zmm10
    vrndscaleps   $8, %zmm11, %zmm11
    vrndscaleps   $8, %zmm12, %zmm12
    vrndscaleps   $8, %zmm13, %zmm13
    vrndscaleps   $8, %zmm14, %zmm14
    vrndscaleps   $8, %zmm15, %zmm15

    vbroadcastss  .Lln2_hi(%rip), %zmm24     /* r in zmm0..zmm7 */
    vfnmadd231ps  %zmm24, %zmm8, %zmm0
    vfnmadd231ps  %zmm24, %zmm9, %zmm1
    vfnmadd231ps  %zmm24, %zmm10, %zmm2
    vfnmadd231ps  %zmm24, %zmm11, %zmm3
    vfnmadd231ps  %zmm24, %zmm12, %zmm4
    vfnmadd231ps  %zmm24, %zmm13, %zmm5
    vfnmadd231ps  %zmm24, %zmm14, %zmm6
    vfnmadd231ps  %zmm24, %zmm15, %zmm7

    vbroadcastss  .Lln2_lo(%rip), %zmm25
    vfnmadd231ps  %zmm25, %zmm8, %zmm0
    vfnmadd231ps  %zmm25, %zmm9, %zmm1
    vfnmadd231ps  %zmm25, %zmm10, %zmm2
    vfnmadd231ps  %zmm25, %zmm11, %zmm3
    vfnmadd231ps  %zmm25, %zmm12, %zmm4
    vfnmadd231ps  %zmm25, %zmm13, %zmm5
    vfnmadd231ps  %zmm25, %zmm14, %zmm6
    vfnmadd231ps  %zmm25, %zmm15, %zmm7

    vbroadcastss  .Lc6(%rip), %zmm16         /* p in zmm16..zmm23 */
    vbroadcastss  .Lc6(%rip), %zmm17
    vbroadcastss  .Lc6(%rip), %zmm18
    vbroadcastss  .Lc6(%rip), %zmm19
    vbroadcastss  .Lc6(%rip), %zmm20
    vbroadcastss  .Lc6(%rip), %zmm21
    vbroadcastss  .Lc6(%rip), %zmm22
    vbroadcastss  .Lc6(%rip), %zmm23

    vbroadcastss  .Lc5(%rip), %zmm24
    vfmadd213ps   %zmm24, %zmm0, %zmm16
    vfmadd213ps   %zmm24, %zmm1, %zmm17
    vfmadd213ps   %zmm24, %zmm2, %zmm18
    vfmadd213ps   %zmm24, %zmm3, %zmm19
    vfmadd213ps   %zmm24, %zmm4, %zmm20
    vfmadd213ps   %zmm24, %zmm5, %zmm21
    vfmadd213ps   %zmm24, %zmm6, %zmm22
    vfmadd213ps   %zmm24, %zmm7, %zmm23
    vbroadcastss  .Lc4(%rip), %zmm25
    vfmadd213ps   %zmm25, %zmm0, %zmm16
    vfmadd213ps   %zmm25, %zmm1, %zmm17
    vfmadd213ps   %zmm25, %zmm2, %zmm18
    vfmadd213ps   %zmm25, %zmm3, %zmm19
    vfmadd213ps   %zmm25, %zmm4, %zmm20
    vfmadd213ps   %zmm25, %zmm5, %zmm21
    vfmadd213ps   %zmm25, %zmm6, %zmm22
    vfmadd213ps   %zmm25, %zmm7, %zmm23
    vbroadcastss  .Lc3(%rip), %zmm24
    vfmadd213ps   %zmm24, %zmm0, %zmm16
    vfmadd213ps   %zmm24, %zmm1, %zmm17
    vfmadd213ps   %zmm24, %zmm2, %zmm18
    vfmadd213ps   %zmm24, %zmm3, %zmm19
    vfmadd213ps   %zmm24, %zmm4, %zmm20
    vfmadd213ps   %zmm24, %zmm5, %zmm21
    vfmadd213ps   %zmm24, %zmm6, %zmm22
    vfmadd213ps   %zmm24, %zmm7, %zmm23
    vbroadcastss  .Lc2(%rip), %zmm25
    vfmadd213ps   %zmm25, %zmm0, %zmm16
    vfmadd213ps   %zmm25, %zmm1, %zmm17
    vfmadd213ps   %zmm25, %zmm2, %zmm18
    vfmadd213ps   %zmm25, %zmm3, %zmm19
    vfmadd213ps   %zmm25, %zmm4, %zmm20
    vfmadd213ps   %zmm25, %zmm5, %zmm21
    vfmadd213ps   %zmm25, %zmm6, %zmm22
    vfmadd213ps   %zmm25, %zmm7, %zmm23
    vbroadcastss  .Lone(%rip), %zmm24
    vfmadd213ps   %zmm24, %zmm0, %zmm16
    vfmadd213ps   %zmm24, %zmm1, %zmm17
    vfmadd213ps   %zmm24, %zmm2, %zmm18
    vfmadd213ps   %zmm24, %zmm3, %zmm19
    vfmadd213ps   %zmm24, %zmm4, %zmm20
    vfmadd213ps   %zmm24, %zmm5, %zmm21
    vfmadd213ps   %zmm24, %zmm6, %zmm22
    vfmadd213ps   %zmm24, %zmm7, %zmm23
    vbroadcastss  .Lone(%rip), %zmm25
    vfmadd213ps   %zmm25, %zmm0, %zmm16
    vfmadd213ps   %zmm25, %zmm1, %zmm17
    vfmadd213ps   %zmm25, %zmm2, %zmm18
    vfmadd213ps   %zmm25, %zmm3, %zmm19
    vfmadd213ps   %zmm25, %zmm4, %zmm20
    vfmadd213ps   %zmm25, %zmm5, %zmm21
    vfmadd213ps   %zmm25, %zmm6, %zmm22
    vfmadd213ps   %zmm25, %zmm7, %zmm23

    vscalefps     %zmm8, %zmm16, %zmm0
    vscalefps     %zmm9, %zmm17, %zmm1
    vscalefps     %zmm10, %zmm18, %zmm2
    vscalefps     %zmm11, %zmm19, %zmm3
    vscalefps     %zmm12, %zmm20, %zmm4
    vscalefps     %zmm13, %zmm21, %zmm5
    vscalefps     %zmm14, %zmm22, %zmm6
    vscalefps     %zmm15, %zmm23, %zmm7

    vaddps        %zmm1, %zmm0, %zmm8
    vaddps        %zmm3, %zmm2, %zmm9
    vaddps        %zmm5, %zmm4, %zmm10
    vaddps        %zmm7, %zmm6, %zmm11
    vaddps        %zmm9, %zmm8, %zmm8
    vaddps        %zmm11, %zmm10, %zmm10
    vaddps        %zmm10, %zmm8, %zmm8
    vaddps        %zmm8, %zmm31, %zmm31

    ret
    LEAF_CONSTANTS(sp_exp128)
