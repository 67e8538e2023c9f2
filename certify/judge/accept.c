/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted for one element. Rounding R into the output format is monotone, so the image of
 * a real interval is an interval of output values, and the four ends are the images of the ends of
 * the interval for either end of the enclosure: what is inside for both is accepted whatever the
 * exact value is, what is outside for both is not. spec: CT-1, CT-2, NU-2, NU-9, NU-10, NU-11 */
#include "certify/judge/accept.h"

#include <math.h>

void sp_accept_exactly(sp_accept *accept, double value) {
  *accept = (sp_accept){.in_lo = value,
                        .in_hi = value,
                        .out_lo = value,
                        .out_hi = value,
                        .exact = value,
                        .kind = SP_ACCEPT_EXACT};
}

void sp_accept_nan(sp_accept *accept) {
  sp_accept_exactly(accept, NAN);
  accept->kind = SP_ACCEPT_NAN;
}

void sp_accept_anything(sp_accept *accept) {
  *accept = (sp_accept){.in_lo = -INFINITY,
                        .in_hi = INFINITY,
                        .out_lo = -INFINITY,
                        .out_hi = INFINITY,
                        .exact = NAN,
                        .kind = SP_ACCEPT_ANY};
}

/* R(y * factor + shift), the real operations rounded in one direction. */
static double end(sp_acceptor *a, mpfr_srcptr y, double factor, double shift,
                  mpfr_rnd_t direction) {
  if (isinf(factor) || isinf(shift)) return shift < 0 ? -INFINITY : INFINITY;
  mpfr_set_prec(a->t, mpfr_get_prec(y) + 64);
  mpfr_mul_d(a->t, y, factor, direction);
  mpfr_add_d(a->t, a->t, shift, direction);
  return sp_ref_round(a->format, a->t);
}

static double least_normal(sp_dtype format) {
  return format == SP_F64 ? 0x1p-1022 : format == SP_F16 ? 0x1p-14 : 0x1p-126;
}

static void start(sp_accept *accept, sp_dtype format, mpfi_srcptr y) {
  *accept = (sp_accept){.kind = SP_ACCEPT_INTERVAL};
  accept->exact = mpfr_get_d(&y->left, MPFR_RNDN);
  double rounded = sp_ref_round(format, &y->left);
  accept->rounding = isfinite(rounded) ? sp_ref_ulp(format, rounded) / 2 : 0;
}

/* With flushed outputs a zero stands for every value below the least normal. Returns false when it
 * is open whether there is one. */
static bool flush(sp_accept *accept, sp_acceptor *a) {
  if (!a->cls->flush_outputs) return true;
  double least = least_normal(a->format);
  accept->zero_too = accept->in_lo < least && accept->in_hi > -least;
  return accept->zero_too == (accept->out_lo < least && accept->out_hi > -least);
}

static bool closed(const sp_accept *accept) {
  return accept->in_lo == accept->out_lo && accept->in_hi == accept->out_hi;
}

bool sp_accept_interval(sp_accept *accept, sp_acceptor *a, mpfi_srcptr y, const sp_margin *m) {
  start(accept, a->format, y);
  accept->out_lo = end(a, &y->left, m->shrink, -m->down, MPFR_RNDD);
  accept->in_lo = end(a, &y->right, m->shrink, -m->down, MPFR_RNDU);
  accept->in_hi = end(a, &y->left, m->grow, m->up, MPFR_RNDD);
  accept->out_hi = end(a, &y->right, m->grow, m->up, MPFR_RNDU);
  if (m->weight) {
    accept->out_lo = fmax(0, accept->out_lo);
    accept->in_lo = fmax(0, accept->in_lo);
  }
  accept->allowance = (accept->exact * (m->grow - m->shrink) + m->down + m->up) / 2;
  return flush(accept, a) && closed(accept);
}

/* RD(x) and RU(x) into the format. */
static double round_to_side(sp_dtype format, mpfr_srcptr x, bool up) {
  double nearest = sp_ref_round(format, x);
  int side = mpfr_cmp_d(x, nearest); /* x > nearest: positive */
  if (up) return side > 0 ? sp_ref_next(format, nearest, true) : nearest;
  return side < 0 ? sp_ref_next(format, nearest, false) : nearest;
}

bool sp_accept_rounded(sp_accept *accept, sp_acceptor *a, mpfi_srcptr y) {
  start(accept, a->format, y);
  if (a->cls->kind == SP_CLASS_CR) {
    accept->out_lo = accept->in_hi = sp_ref_round(a->format, &y->left);
    accept->in_lo = accept->out_hi = sp_ref_round(a->format, &y->right);
  } else {
    accept->out_lo = round_to_side(a->format, &y->left, false);
    accept->in_lo = round_to_side(a->format, &y->right, false);
    accept->in_hi = round_to_side(a->format, &y->left, true);
    accept->out_hi = round_to_side(a->format, &y->right, true);
    accept->allowance = accept->rounding; /* and half an ulp of rounding: a whole one */
  }
  return flush(accept, a) && closed(accept);
}

bool sp_accept_rational(sp_accept *accept, sp_acceptor *a, mpq_srcptr y) {
  /* A rational that is no number of 2^-k lies at least 1/(denominator 2^k) away from each, so that
   * this precision separates it from every midpoint of the format. */
  size_t bits = mpz_sizeinbase(mpq_denref(y), 2) + mpz_sizeinbase(mpq_numref(y), 2);
  mpfi_t enclosure;
  mpfi_init2(enclosure, (mpfr_prec_t)bits + 1200);
  mpfi_set_q(enclosure, y);
  bool decided = sp_accept_rounded(accept, a, enclosure);
  mpfi_clear(enclosure);
  return decided;
}
