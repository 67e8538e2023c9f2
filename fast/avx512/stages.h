/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential as ten stages that a register of 16 logits goes through, for the assembler. Each
 * stage waits for the one before; a leaf lets its registers enter one by one, so that at every
 * moment there are multiplications for one pair of pipes and additions for the other. On Zen 4
 * that is what counts: two operations of 512 bits start per cycle, one of each kind, scalef takes
 * two places among the additions, a store needs a port that a multiply-add with three registers
 * uses too, and a broadcast from memory into a register takes half a place, but none as an operand.
 *
 * A leaf defines the registers or constants MAX, FLOOR, MAGICS and TABLE, and names the numbers of
 * four registers besides that of x: k, e (the entry of the table, then the result before its last
 * rounding), p and s, which live from stage 6 to stage 7 only. */
/* clang-format off */
    .altmacro
    .macro stage n, x, k, e, p, s
    .if \n == 0
    vsubps        MAX, %zmm\x, %zmm\x
    .elseif \n == 1
    vmaxps        %zmm\x, FLOOR, %zmm\x                    /* the second source passes a NaN */
    .elseif \n == 2
    vmovups       MAGICS, %zmm\k
    vfmadd231ps   .Llog2e(%rip){1to16}, %zmm\x, %zmm\k
    .elseif \n == 3
    vpermps       TABLE, %zmm\k, %zmm\e
    vsubps        .Lmagic(%rip){1to16}, %zmm\k, %zmm\k
    .elseif \n == 4
    vfnmadd231ps  .Lln2_hi(%rip){1to16}, %zmm\k, %zmm\x
    .elseif \n == 5
    vfnmadd231ps  .Lln2_lo(%rip){1to16}, %zmm\k, %zmm\x
    .elseif \n == 6
    vmovups       .Lc2(%rip), %zmm\p
    vmulps        %zmm\x, %zmm\x, %zmm\s
    vfmadd231ps   .Lc3(%rip){1to16}, %zmm\x, %zmm\p
    .elseif \n == 7
    vfmadd231ps   %zmm\p, %zmm\s, %zmm\x
    .elseif \n == 8
    vfmadd213ps   %zmm\e, %zmm\x, %zmm\e
    .elseif \n == 9
    vscalefps     %zmm\k, %zmm\e, %zmm\x                   /* rounded once, also into the subnormals */
    .endif
    .endm
                /* clang-format on */
