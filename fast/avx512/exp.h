/* SPDX-License-Identifier: Apache-2.0 */
/* e^x in lanes of binary32: one clamp, Cody-Waite reduction to sixteenths of ln 2, a table
 * of 16 entries that lies in one register, a polynomial of degree 3, one scaling.
 * fast/scalar/exp.h is the same function, operation by operation.
 *
 * The code is in three leaves of assembly, exp128.S, exp64.S and exp16.S, whose very bytes are proved
 * (proofs/obj/): intrinsics would be compiled to other bytes at every use. The leaves keep to
 * fixed registers and touch no memory, so a call costs the compiler a few names.
 *
 * domain: x <= 88, -inf, or NaN    accuracy: log-error below 2^-23, largest seen 1.80 * 2^-24
 * spec: SM-2; NU-10 subnormal results are kept; -inf gives 0, NaN gives NaN
 *
 * Nothing here depends on the rounding mode except through the rounding of each operation, and no
 * operation can trap or overflow in the domain. */
#ifndef SINKPROOF_FAST_AVX512_EXP_H
#define SINKPROOF_FAST_AVX512_EXP_H

#include <immintrin.h>

/* The caller may keep data in the red zone, where the return address would go. */
#define LEAF_CALL(name) "lea -128(%%rsp), %%rsp\n\tcall " name "\n\tlea 128(%%rsp), %%rsp"

/* x[i] becomes e^(x[i] - max), of which max is one or the greatest. Returns, lane by lane,
 * sum + ((e0 + e1) + (e2 + e3)): a loop that needs no sum ignores it. */
static inline __m512 exp64_sum(__m512 x[4], __m512 max, __m512 sum) {
  register __m512 x0 __asm__("zmm0") = x[0];
  register __m512 x1 __asm__("zmm1") = x[1];
  register __m512 x2 __asm__("zmm2") = x[2];
  register __m512 x3 __asm__("zmm3") = x[3];
  register __m512 m __asm__("zmm4") = max;
  register __m512 s __asm__("zmm5") = sum;
  __asm__(LEAF_CALL("sp_exp64")
          : "+v"(x0), "+v"(x1), "+v"(x2), "+v"(x3), "+v"(s)
          : "v"(m)
          : "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15");
  x[0] = x0;
  x[1] = x1;
  x[2] = x2;
  x[3] = x3;
  return s;
}

/* The same for 128, where sum gains ((e0 + e1) + (e2 + e3)) + ((e4 + e5) + (e6 + e7)). */
static inline __m512 exp128_sum(__m512 x[8], __m512 max, __m512 sum) {
  register __m512 x0 __asm__("zmm0") = x[0];
  register __m512 x1 __asm__("zmm1") = x[1];
  register __m512 x2 __asm__("zmm2") = x[2];
  register __m512 x3 __asm__("zmm3") = x[3];
  register __m512 x4 __asm__("zmm4") = x[4];
  register __m512 x5 __asm__("zmm5") = x[5];
  register __m512 x6 __asm__("zmm6") = x[6];
  register __m512 x7 __asm__("zmm7") = x[7];
  register __m512 m __asm__("zmm30") = max;
  register __m512 s __asm__("zmm31") = sum;
  __asm__(LEAF_CALL("sp_exp128")
          : "+v"(x0), "+v"(x1), "+v"(x2), "+v"(x3), "+v"(x4), "+v"(x5), "+v"(x6), "+v"(x7), "+v"(s)
          : "v"(m)
          : "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17",
            "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26",
            "zmm27");
  x[0] = x0;
  x[1] = x1;
  x[2] = x2;
  x[3] = x3;
  x[4] = x4;
  x[5] = x5;
  x[6] = x6;
  x[7] = x7;
  return s;
}

/* e^x, for what is not 64 wide. */
static inline __m512 exp16(__m512 x) {
  register __m512 y __asm__("zmm0") = x;
  __asm__(LEAF_CALL("sp_exp16") : "+v"(y) : : "zmm1", "zmm2", "zmm3", "zmm4");
  return y;
}

#endif
