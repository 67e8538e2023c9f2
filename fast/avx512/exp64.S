/* SPDX-License-Identifier: Apache-2.0 */
/* The step of a loop that exponentiates: 64 logits become exponentials, and their sums join 16
 * running ones. In each of the 16 lanes, in binary32, every operation rounded once:
 *
 *     zmm0..zmm3  x0..x3    ->  e_i = e^(x_i - max)
 *     zmm4        max       ->  max
 *     zmm5        sum       ->  sum + ((e0 + e1) + (e2 + e3))
 *
 * zmm6 to zmm15 are scratch; everything else, memory included, is left alone. The constants
 * stand behind the code in the same section, so that the distance to them, and with it every byte,
 * is the same under every assembler and linker: one byte string, which proofs/obj/StepCode.v decodes and proves, `make proofs-bytes` compares with
 * what was assembled, and certify with what is loaded. fast/avx512/exp.h calls it.
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#include "fast/avx512/leaf.h"

#define MAX    %zmm4
#define FLOOR  %zmm13 /* until its register is wanted by the last one's third stage */
#define MAGICS .Lmagic(%rip)
#define TABLE  .Ltable(%rip)
#include "fast/avx512/stages.h"

    .macro turn n
    .irp i, 0, 1, 2, 3
    stage %(\n - \i), \i, %(6 + \i), %(10 + \i), 14, 15
    .endr
    .endm

    LEAF(sp_exp64)
    vmovups       .Lfloor(%rip), FLOOR
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
    turn \n
    .endr

    vaddps        %zmm1, %zmm0, %zmm6
    vaddps        %zmm3, %zmm2, %zmm7
    vaddps        %zmm7, %zmm6, %zmm6
    vaddps        %zmm6, %zmm5, %zmm5
    ret
    LEAF_CONSTANTS(sp_exp64)
