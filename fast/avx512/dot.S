/* SPDX-License-Identifier: Apache-2.0 */
/* The dot products of dot.h for 8 or 4 rows, where a head is a multiple of 16 elements.
 *
 *     void sp_dotN_TYPE(const char *const *key, uint64_t n, const float *spread, uint64_t bytes,
 *                       float *dots, int64_t ahead)
 *
 * takes 8 n keys, eight at a time, of `bytes` bytes each; what lies `ahead` bytes further is fetched
 * into the second-level cache. In assembly because of the order: adding
 * the quarters of eight keys (36 instructions that wait for each other) goes between the first
 * multiply-adds of the next eight, row by row, as soon as a row's sums are wanted again; a processor
 * does not look so far ahead, and a compiler that is asked for it runs out of registers.
 *
 * zmm0-15 sums, two of each row; zmm16-23 shuffled keys, four of each four keys; zmm24 a query's
 * elements; zmm25-31 on the way. */
#include "fast/tile_constants.h"

/* clang-format off */
/* Bytes from the dot products of one row to those of the next: 4 * SP_FAST_TILE, which is unsigned, and
 * not every assembler reads a suffix. */
#define STEP 1024
#if STEP != 4 * SP_FAST_TILE
#error "STEP does not follow the tile"
#endif

.macro load_f32 row, to
    vmovups (\row, %r15), %zmm\to
.endm

.macro load_f16 row, to
    vcvtph2ps (\row, %r15), %zmm\to
.endm

.macro load_bf16 row, to
    vpmovzxwd (\row, %r15), %zmm\to
    vpslld $16, %zmm\to, %zmm\to
.endm

/* Sixteen elements of four keys; see quarter_keys. */
.macro QUARTER type, row0, row1, row2, row3, k0, k1, k2, k3
    load_\type \row0, 25
    load_\type \row1, 26
    load_\type \row2, 27
    load_\type \row3, 28
    vunpcklps %zmm26, %zmm25, %zmm29
    vunpckhps %zmm26, %zmm25, %zmm30
    vunpcklps %zmm28, %zmm27, %zmm31
    vunpckhps %zmm28, %zmm27, %zmm25
    vshufps $0x44, %zmm31, %zmm29, %zmm\k0
    vshufps $0xee, %zmm31, %zmm29, %zmm\k1
    vshufps $0x44, %zmm25, %zmm30, %zmm\k2
    vshufps $0xee, %zmm25, %zmm30, %zmm\k3
.endm

.macro FETCH row
    prefetcht1 (\row, %rcx)
.endm

.macro KEYS type
    QUARTER \type, %rax, %rbx, %r9, %r10, 16, 17, 18, 19
    QUARTER \type, %r11, %r12, %r13, %r14, 20, 21, 22, 23
.endm

/* Elements e of row r; elements 0 are spread already. */
.macro ROW r, e, s0, s1, k0, k1
  .if \e == 0
    vmovaps 64 * (8 + \r)(%rdx), %zmm24
  .else
    vpermilps $(0x55 * \e), 64 * \r(%rdx), %zmm24
  .endif
    vfmadd231ps %zmm\k0, %zmm24, %zmm\s0
    vfmadd231ps %zmm\k1, %zmm24, %zmm\s1
.endm

.macro ELEMENT rows, e, k0, k1, fetch0, fetch1
    ROW 0, \e, 0, 1, \k0, \k1
    FETCH \fetch0
    ROW 1, \e, 2, 3, \k0, \k1
    ROW 2, \e, 4, 5, \k0, \k1
    FETCH \fetch1
    ROW 3, \e, 6, 7, \k0, \k1
  .if \rows == 8
    ROW 4, \e, 8, 9, \k0, \k1
    ROW 5, \e, 10, 11, \k0, \k1
    ROW 6, \e, 12, 13, \k0, \k1
    ROW 7, \e, 14, 15, \k0, \k1
  .endif
.endm

/* The sums of row r and of the next one become dot products; see fold_halves, fold_quarters. */
.macro FOLD r, s0, s1, s2, s3
    vshuff32x4 $0x4e, %zmm\s1, %zmm\s0, %zmm25
    vshuff32x4 $0x4e, %zmm\s3, %zmm\s2, %zmm26
    vmovaps %zmm\s1, %zmm\s0{%k1}
    vmovaps %zmm\s3, %zmm\s2{%k1}
    vaddps %zmm25, %zmm\s0, %zmm25
    vaddps %zmm26, %zmm\s2, %zmm26
    vshuff32x4 $0x88, %zmm26, %zmm25, %zmm27
    vshuff32x4 $0xdd, %zmm26, %zmm25, %zmm28
    vaddps %zmm28, %zmm27, %zmm27
    vmovaps %ymm27, STEP * \r(%r8)
    vextractf32x8 $1, %zmm27, STEP * (\r + 1)(%r8)
.endm

/* … and then those of other keys, from 0. */
.macro START r, s0, s1, s2, s3
    FOLD \r, \s0, \s1, \s2, \s3
    vxorps %xmm\s0, %xmm\s0, %xmm\s0
    vxorps %xmm\s1, %xmm\s1, %xmm\s1
    vxorps %xmm\s2, %xmm\s2, %xmm\s2
    vxorps %xmm\s3, %xmm\s3, %xmm\s3
    ROW \r, 0, \s0, \s1, 16, 20
    ROW (\r + 1), 0, \s2, \s3, 16, 20
.endm

.macro REST rows
    ELEMENT \rows, 1, 17, 21, %r9, %r10
    ELEMENT \rows, 2, 18, 22, %r11, %r12
    ELEMENT \rows, 3, 19, 23, %r13, %r14
.endm

/* The sums before the first keys are 0, and go where those of the first keys will be. */
.macro DOT rows, type, element_bytes
    .text
    .globl sp_dot\rows\()_\type
    .hidden sp_dot\rows\()_\type
    .type sp_dot\rows\()_\type, @function
    .p2align 6
sp_dot\rows\()_\type:
    .cfi_startproc
  .irp saved, %rbx, %rbp, %r12, %r13, %r14, %r15
    push \saved
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \saved, 0
  .endr
    push %rcx
    .cfi_adjust_cfa_offset 8
    push %r9
    .cfi_adjust_cfa_offset 8
    mov $0xff00, %eax
    kmovw %eax, %k1
  .irp s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vxorps %xmm\s, %xmm\s, %xmm\s
  .endr
    xor %ebp, %ebp
1:
    mov 0(%rdi), %rax
    mov 8(%rdi), %rbx
    mov 16(%rdi), %r9
    mov 24(%rdi), %r10
    mov 32(%rdi), %r11
    mov 40(%rdi), %r12
    mov 48(%rdi), %r13
    mov 56(%rdi), %r14
    add $64, %rdi
    push %rdx
    .cfi_adjust_cfa_offset 8
    xor %r15d, %r15d
    mov 8(%rsp), %rcx
    KEYS \type
    FETCH %rax
    FETCH %rbx
    START 0, 0, 1, 2, 3
    START 2, 4, 5, 6, 7
  .if \rows == 8
    START 4, 8, 9, 10, 11
    START 6, 12, 13, 14, 15
  .endif
    add %rbp, %r8
    mov $32, %ebp
    REST \rows
    jmp 3f
    .p2align 6
2:
    KEYS \type
    ELEMENT \rows, 0, 16, 20, %rax, %rbx
    REST \rows
3:
    add $1024, %rdx
    add $(16 * \element_bytes), %r15
    add $(16 * \element_bytes), %rcx
    cmp 16(%rsp), %r15
    jb 2b
    pop %rdx
    .cfi_adjust_cfa_offset -8
    dec %rsi
    jnz 1b
    FOLD 0, 0, 1, 2, 3
    FOLD 2, 4, 5, 6, 7
  .if \rows == 8
    FOLD 4, 8, 9, 10, 11
    FOLD 6, 12, 13, 14, 15
  .endif
    add $16, %rsp
    .cfi_adjust_cfa_offset -16
  .irp saved, %r15, %r14, %r13, %r12, %rbp, %rbx
    pop \saved
    .cfi_adjust_cfa_offset -8
    .cfi_restore \saved
  .endr
    ret
    .cfi_endproc
    .size sp_dot\rows\()_\type, . - sp_dot\rows\()_\type
.endm

    DOT 8, f32, 4
    DOT 8, f16, 2
    DOT 8, bf16, 2
    DOT 4, f32, 4
    DOT 4, f16, 2
    DOT 4, bf16, 2

    .section .note.GNU-stack, "", @progbits
/* clang-format on */
