/* SPDX-License-Identifier: Apache-2.0 */
/* See normalise.h. All of it is binary64, once per row: exp and log are libm's, within one unit of
 * binary64, and what is lost is what the final rounding to binary32 loses.
 *
 * In binary64 the sink logit need not join the maximum: e^(s - max) overflows only for
 * s - max > 709, where the true outputs are below 2^128 e^-709 and 1 / infinity = 0 rounds them
 * right; and a sink far below the maximum underflows to the nothing that it is. */
#include "fast/normalise.h"

/* spec: AL-5 ln(sum e^max + e^s), shifted by the larger of the two so that neither overflows. */
static double log_total(double max, double sum, double s) {
  if (s == INFINITY) return INFINITY;
  double shift = s > max ? s : max;
  return shift + log(sum * exp(max - shift) + exp(s - shift));
}

sp_fast_norm sp_fast_normalise(const sp_fast_sum *row, float sink_logit) {
  /* spec: SM-5, AL-4 a NaN sink logit invalidates lse_keys too */
  if (row->invalid || isnan(sink_logit))
    return (sp_fast_norm){.empty = false, .inverse = NAN, .lse_keys = NAN, .lse_total = NAN};
  /* spec: AT-9 */
  if (row->max == -INFINITY)
    return (sp_fast_norm){
        .empty = true, .inverse = 0.0, .lse_keys = -INFINITY, .lse_total = sink_logit};
  double s = (double)sink_logit;
  /* spec: SM-3 base e. SM-7: the keys' weights sum to less than 1 and stay so. */
  return (sp_fast_norm){
      .empty = false,
      .inverse = 1.0 / (row->sum + exp(s - row->max)),
      .lse_keys = (float)(row->max + log(row->sum)),
      .lse_total = (float)log_total(row->max, row->sum, s),
  };
}
