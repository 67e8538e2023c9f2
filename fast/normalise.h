/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of every row: from the running maximum and sum to the normaliser and the two
 * log-sum-exps. The sink logit enters here and only here, once per row, however the keys were
 * split. spec: AL-2, AL-6 */
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
 * `inverse` = exp(max) / Z. */
typedef struct sp_fast_norm {
  bool empty;     /* no present key: weights are 0, whatever inverse says */
  double inverse; /* NaN on an invalid row, 0 on an empty one */
  float lse_keys, lse_total;
} sp_fast_norm;

sp_fast_norm sp_fast_normalise(const sp_fast_sum *row, float sink_logit);

#endif
