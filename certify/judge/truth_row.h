/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted for one row; private to sp_truth_init, which goes through the rows of a case.
 * (CT-1, CT-2) */
#ifndef SINKPROOF_TRUTH_ROW_H
#define SINKPROOF_TRUTH_ROW_H

#include "certify/judge/accept.h"
#include "certify/judge/bound.h"

/* Everything that the rows of a case share, allocated once, and the row at hand. */
typedef struct sp_truth_work {
  sp_truth *truth;
  const sp_class *cls;
  sp_bound_types types;
  mpfr_prec_t max_prec;
  sp_case_values values;
  sp_ref_row row;
  sp_bound bound;
  sp_acceptor acceptor, lse_acceptor;
  sp_ref_row_input in;                                  /* the row at hand, and where its results */
  sp_accept *row_values, *row_lse_keys, *row_lse_total; /* go; NULL: not wanted */
} sp_truth_work;

void sp_truth_row(sp_truth_work *work);

#endif
