/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of NU-7 once more, to check the one that judges: in long double, rounded to nearest,
 * straight from the text at the head of certify/judge/bound.c and certify/judge/bound_logit.c, with libm. */
#ifndef SINKPROOF_TESTS_BOUND_FORMULA_H
#define SINKPROOF_TESTS_BOUND_FORMULA_H

#include "certify/judge/bound.h"

typedef struct sp_formula {
  size_t n_keys;
  long double *theta; /* theta[n_keys] */
  long double *error; /* error[d_value] */
  long double u_p, floor, lse_keys, lse_total;
} sp_formula;

/* `row` is a narrow enclosure of kind ORDINARY or SINK_INF. */
void sp_formula_init(sp_formula *formula, const sp_class *cls, sp_bound_types types,
                     const sp_ref_row_input *in, const sp_ref_row *row);
void sp_formula_clear(sp_formula *formula);

/* The error of lse_total in a row without keys. */
long double sp_formula_empty(const sp_class *cls, double sink_logit);

#endif
