/* SPDX-License-Identifier: Apache-2.0 */
/* Correctly rounded results. An enclosure whose ends round alike has decided; precision doubles
 * until the ends are at most two neighbours apart, and then only one question is left: on which
 * side of the midpoint between the two is the exact value? ref/compare.c answers it, ties included,
 * so that no precision is spent on a value that lies very near a midpoint, or on one. spec: NU-2,
 * NU-3
 */
#include "ref/round.h"

#include <math.h>
#include <stdlib.h>

#include "ref/exact.h"

enum { FIRST_PREC = 64, FIRST_EXACT_PREC = 128 };

static bool same(double x, double y) {
  return x == y || (isnan(x) && isnan(y));
}

sp_ref_decision sp_ref_round_enclosure(sp_dtype format, mpfi_srcptr x, double *rounded) {
  const double low = sp_ref_round(format, &x->left);
  const double high = sp_ref_round(format, &x->right);
  *rounded = low;
  if (same(low, high)) return SP_REF_DECIDED;
  mpfr_t middle;
  mpfr_init2(middle, mpfi_get_prec(x) + 1);
  mpfi_mid(middle, x);
  *rounded = sp_ref_round(format, middle);
  mpfr_clear(middle);
  return SP_REF_UNDECIDED;
}

/* The exact midpoint of two neighbours, where an infinity stands for the first number that the
 * format is too small for: that is how overflow rounds. spec: NU-2 */
static void midpoint(mpq_t middle, sp_dtype format, double below, double above) {
  mpq_t step;
  mpq_init(step);
  const double anchor = isfinite(below) ? below : above;
  const double far_end = isfinite(below) ? above : below;
  const double ulp = sp_ref_ulp(format, anchor);
  mpq_set_d(middle, anchor);
  mpq_set_d(step, isfinite(far_end) ? far_end : copysign(ulp, anchor));
  if (isfinite(far_end)) mpq_sub(step, step, middle);
  mpq_div_2exp(step, step, 1);
  mpq_add(middle, middle, step);
  mpq_clear(step);
}

/* A tie goes to the even neighbour; the midpoint itself rounds there. It has one bit more than the
 * format. */
static double round_midpoint(sp_dtype format, mpq_srcptr middle) {
  MPFR_DECL_INIT(x, 64);
  mpfr_set_q(x, middle, MPFR_RNDN);
  return sp_ref_round(format, x);
}

/* Decide between two neighbours by comparing the exact result with their midpoint. */
static sp_ref_decision choose(const sp_ref_element *element, const sp_ref_classes *classes,
                              double below, double above, mpfr_prec_t max_prec) {
  int sign = 0;
  sp_ref_decision decision = SP_REF_UNDECIDED;
  mpq_t middle;
  mpq_init(middle);
  midpoint(middle, element->format, below, above);
  const bool compared = sp_ref_compare(classes, element->quantity, element->index, middle, max_prec,
                                       &decision, &sign);
  if (compared && decision == SP_REF_DECIDED)
    *element->rounded = sign < 0   ? below
                        : sign > 0 ? above
                                   : round_midpoint(element->format, middle);
  mpq_clear(middle);
  return decision;
}

/* The enclosure alone has not decided: use what is known exactly. */
static sp_ref_decision decide_exactly(const sp_ref_element *element, const sp_ref_classes *classes,
                                      mpfr_prec_t prec, mpfr_prec_t max_prec) {
  mpq_t mean;
  mpfi_t x;
  mpq_init(mean);
  mpfi_init2(x, prec);
  mpfi_set(x, element->enclosure);
  /* Above all an output of exactly 0, around which no enclosure ever rounds one way. */
  if (element->quantity == SP_REF_OUT && sp_ref_mean_of_classes(classes, element->index, mean))
    mpfi_set_q(x, mean);
  sp_ref_decision decision = sp_ref_round_enclosure(element->format, x, element->rounded);
  if (decision == SP_REF_UNDECIDED) {
    const double below = sp_ref_round(element->format, &x->left);
    const double above = sp_ref_round(element->format, &x->right);
    if (sp_ref_next(element->format, below, true) == above)
      decision = choose(element, classes, below, above, max_prec);
  }
  mpq_clear(mean);
  mpfi_clear(x);
  return decision;
}

static void want(sp_ref_rounder *rounder, sp_ref_quantity quantity, size_t index, sp_dtype format,
                 mpfi_srcptr enclosure, double *rounded) {
  rounder->open[rounder->n_open++] = (sp_ref_element){quantity, index, format, enclosure, rounded};
}

static void open_all(sp_ref_rounder *rounder, const sp_ref_wanted *wanted) {
  const sp_ref_row *row = &rounder->row;
  rounder->n_open = 0;
  for (size_t j = 0; wanted->weights != NULL && j < row->n_keys; j++)
    want(rounder, SP_REF_WEIGHT, j, wanted->format, row->weight[j], &wanted->weights[j]);
  for (size_t c = 0; wanted->out != NULL && c < row->d_value; c++)
    want(rounder, SP_REF_OUT, c, wanted->format, row->out[c], &wanted->out[c]);
  if (wanted->lse_keys != NULL)
    want(rounder, SP_REF_LSE_KEYS, 0, wanted->lse_format, row->lse_keys, wanted->lse_keys);
  if (wanted->lse_total != NULL)
    want(rounder, SP_REF_LSE_TOTAL, 0, wanted->lse_format, row->lse_total, wanted->lse_total);
}

/* Keep the elements that their enclosures leave open. */
static void close_by_enclosure(sp_ref_rounder *rounder) {
  size_t n = 0;
  for (size_t i = 0; i < rounder->n_open; i++) {
    const sp_ref_element e = rounder->open[i];
    if (sp_ref_round_enclosure(e.format, e.enclosure, e.rounded) == SP_REF_UNDECIDED)
      rounder->open[n++] = e;
  }
  rounder->n_open = n;
}

static void close_exactly(sp_ref_rounder *rounder, const sp_ref_classes *classes,
                          mpfr_prec_t max_prec) {
  size_t n = 0;
  for (size_t i = 0; i < rounder->n_open; i++) {
    const sp_ref_element e = rounder->open[i];
    if (decide_exactly(&e, classes, rounder->row.prec, max_prec) == SP_REF_UNDECIDED)
      rounder->open[n++] = e;
  }
  rounder->n_open = n;
}

sp_ref_decision sp_ref_rounder_row(sp_ref_rounder *rounder, const sp_ref_row_input *in,
                                   mpfr_prec_t max_prec, const sp_ref_wanted *wanted) {
  sp_ref_classes classes;
  bool grouped = false;
  for (mpfr_prec_t prec = FIRST_PREC; prec <= max_prec || prec == FIRST_PREC; prec *= 2) {
    (void)sp_ref_row_eval(&rounder->row, in, prec);
    if (prec == FIRST_PREC) open_all(rounder, wanted);
    close_by_enclosure(rounder);
    if (rounder->n_open == 0) break;
    if (prec < FIRST_EXACT_PREC && prec * 2 <= max_prec) continue;
    if (!grouped) grouped = sp_ref_classes_init(&classes, in);
    if (grouped) close_exactly(rounder, &classes, max_prec);
    if (rounder->n_open == 0) break;
  }
  if (grouped) sp_ref_classes_clear(&classes);
  return rounder->n_open == 0 ? SP_REF_DECIDED : SP_REF_UNDECIDED;
}

bool sp_ref_rounder_init(sp_ref_rounder *rounder, size_t max_keys, size_t max_value) {
  *rounder = (sp_ref_rounder){.open = calloc(max_keys + max_value + 2, sizeof *rounder->open)};
  if (rounder->open == NULL) return false;
  if (sp_ref_row_init(&rounder->row, max_keys, max_value)) return true;
  free(rounder->open);
  return false;
}

void sp_ref_rounder_clear(sp_ref_rounder *rounder) {
  sp_ref_row_clear(&rounder->row);
  free(rounder->open);
}

sp_ref_decision sp_ref_row_round(const sp_ref_row_input *in, mpfr_prec_t max_prec, sp_dtype format,
                                 double *weights, double *out, sp_dtype lse_format,
                                 double *lse_keys, double *lse_total) {
  sp_ref_rounder rounder;
  if (!sp_ref_rounder_init(&rounder, in->n_kv + 1, in->d_value)) return SP_REF_UNDECIDED;
  const sp_ref_wanted wanted = {format, lse_format, weights, out, lse_keys, lse_total};
  const sp_ref_decision decision = sp_ref_rounder_row(&rounder, in, max_prec, &wanted);
  sp_ref_rounder_clear(&rounder);
  return decision;
}
