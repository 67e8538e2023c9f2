/* SPDX-License-Identifier: Apache-2.0 */
/* A row in plain doubles: good enough to see whether a generated case has the shape it claims, and
 * written without a look at the oracle. */
#ifndef SINKPROOF_TESTS_ROW_DOUBLE_H
#define SINKPROOF_TESTS_ROW_DOUBLE_H

#include "certify/case/case.h"

typedef struct row_double {
  size_t n;         /* keys */
  size_t n_visible; /* of them */
  bool *visible;    /* visible[n] */
  double *logit;    /* logit[n]; of hidden keys too, as if they were visible and unbiased */
  double *weight;   /* weight[n]; 0 for hidden keys */
  double sink_logit, weight_sink, lse_keys;
  size_t largest; /* the key of the largest logit, hidden ones included */
} row_double;

/* The row (b, i, h) of the case; the bias pair is left out. Dies when memory runs out. */
row_double row_double_of(const sp_case_values *values, size_t b, size_t i, size_t h);
void row_double_free(row_double *row);

#endif
