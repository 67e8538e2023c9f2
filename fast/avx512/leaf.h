/* SPDX-License-Identifier: Apache-2.0 */
/* What the leaves of the exponential have in common, for the assembler: a section of their own, the
 * constants behind the code, and a note, mapped with the library, that says where the leaf lies, so
 * that the bytes in a running process can be compared with those of the theorem.
 *
 * The note: owner "sinkproof", type 1; the distance from there to the leaf, its number of bytes, its
 * name and the name of the code path that it is part of, 16 bytes each. */
#ifndef SINKPROOF_FAST_AVX512_LEAF_H
#define SINKPROOF_FAST_AVX512_LEAF_H

#include "fast/exp_constants.h"

/* clang-format off */
#define LEAF(name)                          \
    .section .text.name, "ax", @progbits;   \
    .globl name;                            \
    .hidden name;                           \
    .type name, @function;                  \
    .p2align 6;                             \
    .cfi_startproc;                         \
name:

#define LEAF_CONSTANTS(name)                \
    .cfi_endproc;                           \
    .p2align 6, 0;                          \
.Ltable:  .long SP_FAST_EXP_TABLE_BITS;     \
.Lfloor:  .fill 16, 4, SP_FAST_EXP_FLOOR_BITS; \
.Lmagic:  .fill 16, 4, SP_FAST_EXP_MAGIC_BITS; \
.Lc2:     .fill 16, 4, SP_FAST_EXP_C2_BITS; \
.Llog2e:  .long SP_FAST_EXP_LOG2E_BITS;     \
.Lln2_hi: .long SP_FAST_EXP_LN2_HI_BITS;    \
.Lln2_lo: .long SP_FAST_EXP_LN2_LO_BITS;    \
.Lc3:     .long SP_FAST_EXP_C3_BITS;        \
    .size name, . - name;                   \
.Lend:                                      \
    .section .note.sinkproof, "a", @note;   \
    .p2align 2;                             \
    .long 10, 40, 1;                        \
    .asciz "sinkproof";                     \
    .p2align 2;                             \
.Lwhere:                                    \
    .long name - .Lwhere, .Lend - name;     \
.Lname:                                     \
    .asciz #name;                           \
    .zero 16 - (. - .Lname);                \
    .asciz "avx512";                        \
    .zero 9;                                \
    .section .note.GNU-stack, "", @progbits
/* clang-format on */

#endif
