/* SPDX-License-Identifier: Apache-2.0 */
/* Results that are rational numbers. With algebraic logits an output component is algebraic only if
 * the value means of all classes of equal logit coincide, and a weight only if there is one class;
 * then the value is known exactly and no enclosure is needed. (With a softcap the "if" holds and
 * the "only if" is unproved.) A log-sum-exp is rational only for a single member in all: then it is
 * its logit, and ref/compare.c sees the tie. spec: NU-3 */
#include "ref/classes.h"

#include <math.h>
#include <stdlib.h>

#include "ref/exact.h"
#include "ref/logit.h"

bool sp_ref_mean_of_classes(const sp_ref_classes *classes, size_t component, mpq_t value) {
  if (classes->n == 0) return false;
  mpq_t *mean = calloc(classes->n, sizeof *mean);
  if (mean == NULL) return false;
  for (size_t c = 0; c < classes->n; c++) mpq_init(mean[c]);
  sp_ref_class_sums(classes, component, mean);
  bool coincide = true;
  for (size_t c = 0; c < classes->n; c++) {
    mpq_set_ui(value, classes->count[c], 1);
    mpq_div(mean[c], mean[c], value);
    coincide &= mpq_equal(mean[c], mean[0]) != 0;
  }
  if (coincide) mpq_set(value, mean[0]);
  for (size_t c = 0; c < classes->n; c++) mpq_clear(mean[c]);
  free(mean);
  return coincide;
}

/* Which case a row is, as in ref/row.c. */
typedef struct row_shape {
  bool poison, empty, finite_values;
} row_shape;

static row_shape shape_of(const sp_ref_row_input *in, size_t component) {
  row_shape shape = {.poison = isnan(in->sink_logit), .empty = true, .finite_values = true};
  for (size_t j = 0; j < sp_ref_n_keys(in); j++) {
    const sp_ref_presence presence = sp_ref_key_presence(in, j);
    if (presence == SP_REF_ABSENT) continue;
    shape.empty = false;
    shape.poison |= presence == SP_REF_POISON;
    if (component < in->d_value)
      shape.finite_values &= isfinite(sp_ref_key_value(in, j)[component]) != 0;
  }
  return shape;
}

bool sp_ref_exact_out(const sp_ref_row_input *in, size_t component, mpq_t value) {
  const row_shape shape = shape_of(in, component);
  if (shape.poison || !shape.finite_values) return false;
  mpq_set_ui(value, 0, 1);
  if (shape.empty || in->sink_logit == INFINITY) return true; /* spec: AT-9, AL-4 */
  sp_ref_classes classes;
  if (!sp_ref_classes_init(&classes, in)) return false;
  const bool exact = sp_ref_mean_of_classes(&classes, component, value);
  sp_ref_classes_clear(&classes);
  return exact;
}

bool sp_ref_exact_weight(const sp_ref_row_input *in, mpq_t value) {
  const row_shape shape = shape_of(in, in->d_value);
  if (shape.poison || shape.empty || in->sink_logit == INFINITY) return false;
  sp_ref_classes classes;
  if (!sp_ref_classes_init(&classes, in)) return false;
  const bool exact = classes.n == 1;
  if (exact) mpq_set_ui(value, 1, classes.count[0]);
  sp_ref_classes_clear(&classes);
  return exact;
}
