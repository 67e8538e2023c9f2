/* SPDX-License-Identifier: Apache-2.0 */
/* Exact sums of products of doubles. spec: AT-1 */
#include "ref/dyadic.h"

#include <math.h>
#include <stdint.h>

void sp_ref_dyadic_init(sp_ref_dyadic *sum) {
  mpz_init(sum->significand);
  mpz_init(sum->term);
  sum->exponent = 0;
}

void sp_ref_dyadic_clear(sp_ref_dyadic *sum) {
  mpz_clear(sum->significand);
  mpz_clear(sum->term);
}

/* x = result * 2^*exponent, with an integer result. */
static long split(double x, int *exponent) {
  const double fraction = frexp(x, exponent);
  *exponent -= 53;
  return (long)ldexp(fraction, 53);
}

void sp_ref_dyadic_add_product(sp_ref_dyadic *sum, double a, double b) {
  if (a == 0 || b == 0) return;
  int exponent_a, exponent_b;
  mpz_set_si(sum->term, split(a, &exponent_a));
  mpz_mul_si(sum->term, sum->term, split(b, &exponent_b));
  const int exponent = exponent_a + exponent_b;
  if (mpz_sgn(sum->significand) == 0) sum->exponent = exponent;
  const int shift = exponent - sum->exponent;
  if (shift >= 0) {
    mpz_mul_2exp(sum->term, sum->term, (mp_bitcnt_t)shift);
  } else {
    mpz_mul_2exp(sum->significand, sum->significand, (mp_bitcnt_t)-shift);
    sum->exponent = exponent;
  }
  mpz_add(sum->significand, sum->significand, sum->term);
}

void sp_ref_dyadic_get(mpq_t value, const sp_ref_dyadic *sum) {
  mpq_set_z(value, sum->significand);
  if (sum->exponent >= 0)
    mpq_mul_2exp(value, value, (mp_bitcnt_t)sum->exponent);
  else
    mpq_div_2exp(value, value, (mp_bitcnt_t)-sum->exponent);
}
