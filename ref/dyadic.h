/* SPDX-License-Identifier: Apache-2.0 */
/* Exact sums of products of doubles: an integer times a power of two. A rational would reduce a
 * fraction at every step; here nothing is reduced until the sum is complete. Private to ref/. */
#ifndef SINKPROOF_REF_DYADIC_H
#define SINKPROOF_REF_DYADIC_H

#include <gmp.h>

typedef struct sp_ref_dyadic {
  mpz_t significand, term;
  int exponent; /* the value is significand * 2^exponent */
} sp_ref_dyadic;

void sp_ref_dyadic_init(sp_ref_dyadic *sum); /* 0 */
void sp_ref_dyadic_clear(sp_ref_dyadic *sum);

/* sum := sum + a * b, for finite a and b. */
void sp_ref_dyadic_add_product(sp_ref_dyadic *sum, double a, double b);

void sp_ref_dyadic_get(mpq_t value, const sp_ref_dyadic *sum);

#endif
