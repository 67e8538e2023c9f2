/* SPDX-License-Identifier: Apache-2.0 */
/* Upper bounds of elementary functions in binary64, for a caller that has set FE_UPWARD.
 *
 * The judge's bounds are evaluated so that every operation errs towards accepting: under FE_UPWARD
 * the sums, products and quotients of nonnegative numbers do so by themselves, a difference does
 * when its second operand is a lower bound, and these functions are built of such steps and of
 * inequalities that hold for all real arguments. No libm function but the square root is trusted.
 * They exceed the exact value by less than 2^-20 of it for results up to 2^1000.
 *
 * The code that computes in this mode must be a function of its own that the caller calls between
 * the two mode switches, not inlined: compilers do not know that arithmetic depends on the mode. */
#ifndef SINKPROOF_UPWARD_H
#define SINKPROOF_UPWARD_H

/* a - b, rounded down, under FE_UPWARD. */
double sp_up_less(double a, double b);

/* >= e^x, for any x; never below the least subnormal. */
double sp_up_exp(double x);

/* >= e^x - 1, for x >= 0. */
double sp_up_expm1(double x);

/* >= ln(1 + x), for x >= 0. */
double sp_up_log1p(double x);

#endif
