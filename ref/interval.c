/* SPDX-License-Identifier: Apache-2.0 */
/* Interval operations beside MPFI's, written on the two ends. Each line names the rounding that
 * keeps the enclosure: down on the left, up on the right. spec: NU-3 */
#include "ref/interval.h"

/* An interval no wider than 2^NARROW; its square is then out of sight. */
enum { NARROW = -40 };

void sp_ref_interval_scale(mpfi_ptr x, double factor) {
  if (factor < 0) mpfr_swap(&x->left, &x->right);
  mpfr_mul_d(&x->left, &x->left, factor, MPFR_RNDD);
  mpfr_mul_d(&x->right, &x->right, factor, MPFR_RNDU);
}

void sp_ref_interval_add_product(mpfi_ptr sum, mpfi_srcptr weight, double value) {
  /* A negative value turns the weight around: its larger end gives the smaller product. */
  const bool turned = value < 0;
  mpfr_srcptr low = turned ? &weight->right : &weight->left;
  mpfr_srcptr high = turned ? &weight->left : &weight->right;
  MPFR_DECL_INIT(exact, 53);
  mpfr_set_d(exact, value, MPFR_RNDN);
  mpfr_fma(&sum->left, low, exact, &sum->left, MPFR_RNDD);
  mpfr_fma(&sum->right, high, exact, &sum->right, MPFR_RNDU);
}

/* The product of two doubles is exact in 106 bits. */
void sp_ref_interval_add_exact(mpfi_ptr sum, double a, double b) {
  MPFR_DECL_INIT(product, 106);
  mpfr_set_d(product, a, MPFR_RNDN);
  mpfr_mul_d(product, product, b, MPFR_RNDN);
  mpfi_add_fr(sum, sum, product);
}

/* x := x * e^width upwards, where e^w <= 1 + w + w^2 as long as w <= 1. */
static void stretch(mpfr_ptr x, mpfr_ptr width) {
  MPFR_DECL_INIT(factor, 64);
  mpfr_sqr(factor, width, MPFR_RNDU);
  mpfr_add(factor, factor, width, MPFR_RNDU);
  mpfr_fma(x, x, factor, x, MPFR_RNDU);
}

void sp_ref_interval_exp(mpfi_ptr x) {
  MPFR_DECL_INIT(width, 64);
  mpfr_sub(width, &x->right, &x->left, MPFR_RNDU);
  if (!mpfr_number_p(width) || mpfr_cmp_ui_2exp(width, 1, NARROW) > 0) {
    mpfi_exp(x, x);
    return;
  }
  const bool inexact = mpfr_exp(&x->left, &x->left, MPFR_RNDD) != 0;
  mpfr_set(&x->right, &x->left, MPFR_RNDU);
  if (inexact) mpfr_nextabove(&x->right);
  if (!mpfr_zero_p(width)) stretch(&x->right, width);
}

void sp_ref_interval_max(mpfi_ptr largest, mpfi_srcptr x) {
  mpfr_max(&largest->left, &largest->left, &x->left, MPFR_RNDD);
  mpfr_max(&largest->right, &largest->right, &x->right, MPFR_RNDU);
}

void sp_ref_interval_clip_to_unit(mpfi_ptr x) {
  if (mpfr_sgn(&x->left) < 0) mpfr_set_zero(&x->left, 1);
  if (mpfr_cmp_ui(&x->right, 1) > 0) mpfr_set_ui(&x->right, 1, MPFR_RNDU);
}

void sp_ref_interval_set(mpfi_ptr x, double value) {
  mpfr_set_d(&x->left, value, MPFR_RNDD);
  mpfr_set_d(&x->right, value, MPFR_RNDU);
}

bool sp_ref_interval_overlap(mpfi_srcptr x, mpfi_srcptr y) {
  return mpfr_lessequal_p(&x->left, &y->right) && mpfr_lessequal_p(&y->left, &x->right);
}
