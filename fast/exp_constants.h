/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers behind every exponential in fast/, and nothing else, so that one file can be compared
 * with the theorem about them.
 *
 *     k = round(x * LOG2E)           r = x - k * LN2_HI - k * LN2_LO           |r| <= 0.3468
 *     p(r) = 1 + r (1 + r (C2 + r (C3 + r (C4 + r (C5 + r C6)))))              e^x ~ p(r) * 2^k
 *
 * The polynomial is within 2^-28 of e^r, relatively, on [-0.3468, 0.3468]. Its coefficients are
 * binary32 numbers, found as such: rounding the coefficients of a real polynomial would cost more
 * than the degree buys. */
#ifndef SINKPROOF_FAST_EXP_CONSTANTS_H
#define SINKPROOF_FAST_EXP_CONSTANTS_H

#define SP_FAST_EXP_LOG2E 0x1.715476p+0f /* 1 / ln 2, nearest binary32 */

/* ln 2 = LN2_HI + LN2_LO + less than 2^-53. With a fused multiply-add x - k * LN2_HI is exact: both
 * are multiples of 2^-25 and the difference is below 1/2. (Cody and Waite) */
#define SP_FAST_EXP_LN2_HI 0x1.62e430p-1f
#define SP_FAST_EXP_LN2_LO -0x1.05c610p-29f

#define SP_FAST_EXP_C2 0x1.fffffcp-2f  /* 1/2! */
#define SP_FAST_EXP_C3 0x1.555490p-3f  /* 1/3! */
#define SP_FAST_EXP_C4 0x1.55589ep-5f  /* 1/4! */
#define SP_FAST_EXP_C5 0x1.123abcp-7f  /* 1/5! */
#define SP_FAST_EXP_C6 0x1.6a624cp-10f /* 1/6! */

/* e^-104 < 2^-150, half of the least subnormal, so everything from here down rounds to 0. Clamping
 * keeps k small enough for the reduction to mean something at -1e30 and at -inf. */
#define SP_FAST_EXP_FLOOR -0x1.a0p+6f

#endif
