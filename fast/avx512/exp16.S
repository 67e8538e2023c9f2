/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in 16 lanes of binary32: zmm0 -> zmm0, with zmm1 to zmm4 as scratch; everything else, memory
 * included, is left alone. For what fast/avx512/exp64.S is too wide for; the same operations in the
 * same order, and what is said there of the bytes holds here (proofs/obj/ExpCode.v).
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN */
#include "fast/avx512/leaf.h"

#define FLOOR  %zmm1
#define MAGICS .Lmagic(%rip)
#define TABLE  .Ltable(%rip)
#include "fast/avx512/stages.h"

    LEAF(sp_exp16)
    vmovups       .Lfloor(%rip), FLOOR
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9
    stage \n, 0, 1, 2, 3, 4
    .endr
    ret
    LEAF_CONSTANTS(sp_exp16)
