/* SPDX-License-Identifier: Apache-2.0 */
/* The step of a loop that exponentiates: 64 logits become exponentials, and their sums join 16
 * running ones. In each of the 16 lanes, in binary32, every operation rounded once:
 *
 *     zmm0..zmm3  x0..x3    ->  e_i = e^(x_i - max)
 *     zmm4        max       ->  max
 *     zmm5        sum       ->  sum + ((e0 + e1) + (e2 + e3))
 *
 * zmm6 to zmm15 are scratch; everything else, memory included, is left alone. A constant is
 * broadcast once for four registers. The constants stand behind the code in the same section, so
 * that the distance to them, and with it every byte, is the same under every assembler and linker:
 * one byte string, which proofs/obj/StepCode.v decodes and proves, `make proofs-bytes` compares with
 * what was assembled, and certify with what is loaded. fast/avx512/exp.h calls it.
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#include "fast/avx512/leaf.h"

    LEAF(sp_exp64)
    vsubps        %zmm4, %zmm0, %zmm0
    vsubps        %zmm4, %zmm1, %zmm1
    vsubps        %zmm4, %zmm2, %zmm2
    vsubps        %zmm4, %zmm3, %zmm3

    vbroadcastss  .Lfloor(%rip), %zmm14      /* the second source passes a NaN */
    vmaxps        %zmm0, %zmm14, %zmm0
    vmaxps        %zmm1, %zmm14, %zmm1
    vmaxps        %zmm2, %zmm14, %zmm2
    vmaxps        %zmm3, %zmm14, %zmm3

    vbroadcastss  .Llog2e(%rip), %zmm15      /* k in zmm6..zmm9 */
    vmulps        %zmm15, %zmm0, %zmm6
    vmulps        %zmm15, %zmm1, %zmm7
    vmulps        %zmm15, %zmm2, %zmm8
    vmulps        %zmm15, %zmm3, %zmm9
    vrndscaleps   $8, %zmm6, %zmm6
    vrndscaleps   $8, %zmm7, %zmm7
    vrndscaleps   $8, %zmm8, %zmm8
    vrndscaleps   $8, %zmm9, %zmm9

    vbroadcastss  .Lln2_hi(%rip), %zmm14     /* r in zmm0..zmm3 */
    vfnmadd231ps  %zmm14, %zmm6, %zmm0
    vfnmadd231ps  %zmm14, %zmm7, %zmm1
    vfnmadd231ps  %zmm14, %zmm8, %zmm2
    vfnmadd231ps  %zmm14, %zmm9, %zmm3
    vbroadcastss  .Lln2_lo(%rip), %zmm15
    vfnmadd231ps  %zmm15, %zmm6, %zmm0
    vfnmadd231ps  %zmm15, %zmm7, %zmm1
    vfnmadd231ps  %zmm15, %zmm8, %zmm2
    vfnmadd231ps  %zmm15, %zmm9, %zmm3

    vbroadcastss  .Lc6(%rip), %zmm10         /* p in zmm10..zmm13 */
    vbroadcastss  .Lc6(%rip), %zmm11
    vbroadcastss  .Lc6(%rip), %zmm12
    vbroadcastss  .Lc6(%rip), %zmm13
    .irp constant, .Lc5, .Lc4, .Lc3, .Lc2, .Lone, .Lone
    vbroadcastss  \constant(%rip), %zmm14
    vfmadd213ps   %zmm14, %zmm0, %zmm10
    vfmadd213ps   %zmm14, %zmm1, %zmm11
    vfmadd213ps   %zmm14, %zmm2, %zmm12
    vfmadd213ps   %zmm14, %zmm3, %zmm13
    .endr

    vscalefps     %zmm6, %zmm10, %zmm0       /* p * 2^k, rounded once, also into the subnormals */
    vscalefps     %zmm7, %zmm11, %zmm1
    vscalefps     %zmm8, %zmm12, %zmm2
    vscalefps     %zmm9, %zmm13, %zmm3

    vaddps        %zmm1, %zmm0, %zmm6
    vaddps        %zmm3, %zmm2, %zmm7
    vaddps        %zmm7, %zmm6, %zmm6
    vaddps        %zmm6, %zmm5, %zmm5
    ret
    LEAF_CONSTANTS(sp_exp64)
