/* SPDX-License-Identifier: Apache-2.0 */
/* The step of a loop that exponentiates, twice as wide as that of exp64.S: 128 logits become
 * exponentials, and their sums join 16 running ones. In each of the 16 lanes, in binary32, every
 * operation rounded once:
 *
 *     zmm0..zmm7  x0..x7    ->  e_i = e^(x_i - max)
 *     zmm30       max       ->  max
 *     zmm31       sum       ->  sum + (((e0 + e1) + (e2 + e3)) + ((e4 + e5) + (e6 + e7)))
 *
 * zmm8 to zmm27 are scratch; everything else, memory included, is left alone. The bytes are proved
 * like those of exp64.S (proofs/obj/WideCode.v).
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#include "fast/avx512/leaf.h"

#define MAX    %zmm30
#define FLOOR  %zmm23 /* until its register is wanted by the last one's third stage */
#define MAGICS %zmm27
#define TABLE  %zmm26
#include "fast/avx512/stages.h"

    .macro turn n
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    stage %(\n - \i), \i, %(8 + \i), %(16 + \i), 24, 25
    .endr
    .endm

    LEAF(sp_exp128)
    vmovups       .Lfloor(%rip), FLOOR
    vmovups       .Lmagic(%rip), MAGICS
    vmovups       .Ltable(%rip), TABLE
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    turn \n
    .endr

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
