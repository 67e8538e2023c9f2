/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of every row: from the running maximum and sum to the normaliser and the two
 * log-sum-exps. The sink logit enters here and only here, once per row, however the keys were
 * split. spec: AL-2, AL-6
 *
 * Each result is a function of its own, because most calls ask for no logarithm and many rows have
 * no sink, and libm's functions cost as much as a hundred keys. */
#ifndef SINKPROOF_FAST_NORMALISE_H
#define SINKPROOF_FAST_NORMALISE_H

#include <math.h>
#include <stdbool.h>

/* sum of exp(x - max) over the present keys so far. */
typedef struct sp_fast_sum {
  double max;   /* -inf before the first present key */
  double sum;   /* 0 then, otherwise at least about 1 */
  bool invalid; /* a present logit was NaN or +inf */
} sp_fast_sum;

static inline sp_fast_sum sp_fast_sum_empty(void) {
  return (sp_fast_sum){.max = -INFINITY, .sum = 0.0, .invalid = false};
}

/* What is still to be done to a row: multiply exp(x - max), or the sum of them times values, by
 * exp(max) / Z. NaN on an invalid row, 0 on an empty one. */
double sp_fast_inverse(const sp_fast_sum *row, float sink_logit);

float sp_fast_lse_keys(const sp_fast_sum *row, float sink_logit);
float sp_fast_lse_total(const sp_fast_sum *row, float sink_logit);

/* All of it. */
typedef struct sp_fast_norm {
  bool empty; /* no present key */
  double inverse;
  float lse_keys, lse_total;
} sp_fast_norm;

sp_fast_norm sp_fast_normalise(const sp_fast_sum *row, float sink_logit);

#endif
