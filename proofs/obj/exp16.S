/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in 16 lanes: zmm0 -> zmm0, clobbers zmm1 and zmm2. The constants stand behind the code in the same
 * section, so that the distance to them, and with it every byte, is the same under every assembler
 * and linker: one byte string, which proofs/obj/ExpCode.v decodes and proves. */
    .section .text.sp_exp16_leaf,"ax",@progbits
    .globl sp_exp16_leaf
    .hidden sp_exp16_leaf
    .type sp_exp16_leaf,@function
    .p2align 6
sp_exp16_leaf:
    vbroadcastss  .Lk(%rip), %zmm1
    vmaxps        %zmm0, %zmm1, %zmm0
    vmulps        .Lk+4(%rip){1to16}, %zmm0, %zmm2
    vrndscaleps   $8, %zmm2, %zmm2
    vfnmadd231ps  .Lk+8(%rip){1to16}, %zmm2, %zmm0
    vfnmadd231ps  .Lk+12(%rip){1to16}, %zmm2, %zmm0
    vbroadcastss  .Lk+16(%rip), %zmm1
    vfmadd213ps   .Lk+20(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lk+24(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lk+28(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lk+32(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lk+36(%rip){1to16}, %zmm0, %zmm1
    vfmadd213ps   .Lk+36(%rip){1to16}, %zmm0, %zmm1
    vscalefps     %zmm2, %zmm1, %zmm0
    ret
    .p2align 2
.Lk:
    .long 0xc2d00000 /* FLOOR  = -104 */
    .long 0x3fb8aa3b /* LOG2E */
    .long 0x3f317218 /* LN2_HI */
    .long 0xb102e308 /* LN2_LO */
    .long 0x3ab53126 /* C6 */
    .long 0x3c091d5e /* C5 */
    .long 0x3d2aac4f /* C4 */
    .long 0x3e2aaa48 /* C3 */
    .long 0x3efffffe /* C2 */
    .long 0x3f800000 /* 1 */
    .size sp_exp16_leaf, .-sp_exp16_leaf
    .section .note.GNU-stack,"",@progbits
