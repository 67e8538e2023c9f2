/* SPDX-License-Identifier: Apache-2.0 */
/* Every question "quantity < t?" about a row is the sign of one sum of exponentials, with rational
 * coefficients w_c and the distinct logits x_c of the classes of n_c members and value sum V_c:
 *
 *     out - t         has the sign of   sum_c (V_c - t n_c) e^(x_c)
 *     weight_j - t    has the sign of   sum_c ([j in c] - t n_c) e^(x_c)
 *     lse - t         has the sign of   sum_c n_c e^(x_c) - e^t
 *
 * By Lindemann-Weierstrass such a sum over distinct algebraic exponents is 0 only if every w_c is
 * (with rotated keys exponents are not algebraic, and it is only known that it is 0 if every w_c is).
 * So a tie is recognised exactly, and everything else is decided by a finite precision: a small
 * one, because classes with w_c = 0 drop out before the largest remaining term is made the unit.
 * Asking an enclosure of the result itself would need precision for the whole gap between two
 * classes. spec: NU-3 */
#include "ref/compare.h"

#include <stdlib.h>

#include "ref/logit.h"
#include "ref/rope.h"

enum { FIRST_PREC = 64 };

typedef struct exp_sum {
  size_t n;
  sp_ref_exact_logit *exponent; /* borrowed from the classes, but for the last, which is the
                                   threshold of an lse */
  mpq_t *coefficient;
  const sp_ref_rope *rope;
  double softcap; /* 0 = none */
} exp_sum;

/* x := cap(x) */
static void enclose_cap(mpfi_ptr x, double softcap) {
  mpfi_div_d(x, x, softcap);
  mpfi_tanh(x, x);
  mpfi_mul_d(x, x, softcap);
}

/* x := cap(capped + turned) + plain, where without a softcap nothing is capped */
static void enclose_exponent(mpfi_ptr x, const sp_ref_exact_logit *exact, const exp_sum *sum) {
  mpfi_set_q(x, exact->plain);
  if (exact->turned == NULL && mpq_sgn(exact->capped) == 0) return;
  mpfi_t product;
  mpfi_init2(product, mpfi_get_prec(x));
  mpfi_set_ui(product, 0);
  const sp_ref_exact_turn *t = exact->turned;
  if (t != NULL) sp_ref_rope_sum(product, sum->rope, t->along, t->across, t->turn);
  mpfi_add_q(product, product, exact->capped);
  if (sum->softcap != 0) enclose_cap(product, sum->softcap);
  mpfi_add(x, x, product);
  mpfi_clear(product);
}

/* The term of nonzero coefficient with the largest exponent. */
static size_t largest_term(const exp_sum *sum, mpfr_prec_t prec) {
  size_t largest = sum->n;
  mpfi_t x, best;
  mpfi_init2(x, prec);
  mpfi_init2(best, prec);
  for (size_t c = 0; c < sum->n; c++) {
    if (mpq_sgn(sum->coefficient[c]) == 0) continue;
    enclose_exponent(x, &sum->exponent[c], sum);
    if (largest < sum->n && mpfr_lessequal_p(&x->right, &best->right)) continue;
    mpfi_swap(best, x);
    largest = c;
  }
  mpfi_clear(x);
  mpfi_clear(best);
  return largest;
}

/* Enclose the sum divided by e^(exponent of term `unit`). */
static void enclose_sum(mpfi_ptr total, const exp_sum *sum, size_t unit, mpfr_prec_t prec) {
  mpfi_t x, x_unit;
  mpfi_init2(x, prec);
  mpfi_init2(x_unit, prec);
  enclose_exponent(x_unit, &sum->exponent[unit], sum);
  mpfi_set_q(total, sum->coefficient[unit]);
  for (size_t c = 0; c < sum->n; c++) {
    if (c == unit || mpq_sgn(sum->coefficient[c]) == 0) continue;
    enclose_exponent(x, &sum->exponent[c], sum);
    mpfi_sub(x, x, x_unit);
    mpfi_exp(x, x);
    mpfi_mul_q(x, x, sum->coefficient[c]);
    mpfi_add(total, total, x);
  }
  mpfi_clear(x);
  mpfi_clear(x_unit);
}

/* The sign is plain when all coefficients agree, whatever the exponents. */
static bool sign_of_coefficients(const exp_sum *sum, int *sign) {
  bool any_positive = false, any_negative = false;
  for (size_t c = 0; c < sum->n; c++) {
    any_positive |= mpq_sgn(sum->coefficient[c]) > 0;
    any_negative |= mpq_sgn(sum->coefficient[c]) < 0;
  }
  *sign = any_positive - any_negative;
  return !(any_positive && any_negative);
}

static sp_ref_decision sign_of_sum(const exp_sum *sum, mpfr_prec_t max_prec, int *sign) {
  if (sign_of_coefficients(sum, sign)) return SP_REF_DECIDED;
  mpfi_t total;
  mpfi_init2(total, FIRST_PREC);
  for (mpfr_prec_t prec = FIRST_PREC; prec <= max_prec && *sign == 0; prec *= 2) {
    mpfi_set_prec(total, prec);
    enclose_sum(total, sum, largest_term(sum, prec), prec);
    if (mpfr_sgn(&total->left) > 0) *sign = 1;
    if (mpfr_sgn(&total->right) < 0) *sign = -1;
  }
  mpfi_clear(total);
  return *sign != 0 ? SP_REF_DECIDED : SP_REF_UNDECIDED;
}

/* coefficient[c] -= threshold * n_c */
static void subtract_threshold(exp_sum *sum, const sp_ref_classes *classes, mpq_srcptr threshold) {
  mpq_t members;
  mpq_init(members);
  for (size_t c = 0; c < classes->n; c++) {
    mpq_set_ui(members, classes->count[c], 1);
    mpq_mul(members, members, threshold);
    mpq_sub(sum->coefficient[c], sum->coefficient[c], members);
  }
  mpq_clear(members);
}

static void add_to(mpq_t coefficient, long term) {
  mpq_t addend;
  mpq_init(addend);
  mpq_set_si(addend, term, 1);
  mpq_add(coefficient, coefficient, addend);
  mpq_clear(addend);
}

/* Members of each class, and -e^threshold: in a class of its own unless one has that logit. */
static void set_log_sum(exp_sum *sum, const sp_ref_classes *classes, bool with_sink,
                        mpq_srcptr threshold) {
  sp_ref_exact_logit *last = &sum->exponent[classes->n];
  const size_t sink_class = classes->of_key[classes->n_keys];
  size_t merged = classes->n;
  mpq_set(last->plain, threshold);
  for (size_t c = 0; c < classes->n; c++) {
    mpq_set_ui(sum->coefficient[c], classes->count[c], 1);
    if (c == sink_class && !with_sink) add_to(sum->coefficient[c], -1);
    if (sp_ref_exact_logit_cmp(&classes->logit[c], last) == 0) merged = c;
  }
  add_to(sum->coefficient[merged], -1);
}

static void set_coefficients(exp_sum *sum, const sp_ref_classes *classes, sp_ref_quantity quantity,
                             size_t index, mpq_srcptr threshold) {
  switch (quantity) {
  case SP_REF_WEIGHT:
    if (classes->of_key[index] != SP_REF_NO_CLASS)
      mpq_set_ui(sum->coefficient[classes->of_key[index]], 1, 1);
    subtract_threshold(sum, classes, threshold);
    break;
  case SP_REF_OUT:
    sp_ref_class_sums(classes, index, sum->coefficient);
    subtract_threshold(sum, classes, threshold);
    break;
  case SP_REF_LSE_KEYS:
    set_log_sum(sum, classes, false, threshold);
    break;
  case SP_REF_LSE_TOTAL:
    set_log_sum(sum, classes, true, threshold);
    break;
  }
}

bool sp_ref_compare(const sp_ref_classes *classes, sp_ref_quantity quantity, size_t index,
                    mpq_srcptr threshold, mpfr_prec_t max_prec, sp_ref_decision *decision,
                    int *sign) {
  const size_t n = classes->n + 1;
  exp_sum sum = {.n = n,
                 .exponent = calloc(n, sizeof *sum.exponent),
                 .coefficient = calloc(n, sizeof *sum.coefficient),
                 .rope = &classes->in->rope,
                 .softcap = sp_ref_capped(classes->in) ? classes->in->softcap : 0};
  const bool ok = sum.exponent && sum.coefficient;
  if (ok) {
    for (size_t c = 0; c < classes->n; c++) sum.exponent[c] = classes->logit[c];
    mpq_inits(sum.exponent[n - 1].capped, sum.exponent[n - 1].plain, NULL);
    for (size_t c = 0; c < n; c++) mpq_init(sum.coefficient[c]);
    set_coefficients(&sum, classes, quantity, index, threshold);
    *decision = sign_of_sum(&sum, max_prec, sign);
    for (size_t c = 0; c < n; c++) mpq_clear(sum.coefficient[c]);
    mpq_clears(sum.exponent[n - 1].capped, sum.exponent[n - 1].plain, NULL);
  }
  free(sum.exponent);
  free(sum.coefficient);
  return ok;
}
