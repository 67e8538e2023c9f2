/* SPDX-License-Identifier: Apache-2.0 */
/* See normalise.h. All of it is binary64, once per row: exp and log are libm's, within one unit of
 * binary64, and what is lost is what the final rounding to binary32 loses.
 *
 * In binary64 the sink logit need not join the maximum: e^(s - max) overflows only for
 * s - max > 709, where the true outputs are below 2^128 e^-709 and 1 / infinity = 0 rounds them
 * right (attention_row_far_sink, softmax_row_far_sink); and a sink far below the maximum underflows to
 * the nothing that it is. */
#include "fast/normalise.h"

/* spec: SM-5, AL-4 a NaN sink logit invalidates lse_keys too */
static bool is_invalid(const sp_fast_sum *row, float sink_logit) {
  return row->invalid || isnan(sink_logit);
}

static bool is_empty(const sp_fast_sum *row) {
  return row->max == -INFINITY;
}

/* spec: AL-2, SM-7: the keys' weights sum to less than 1 with a sink, and stay so. */
double sp_fast_inverse(const sp_fast_sum *row, float sink_logit) {
  if (is_invalid(row, sink_logit)) return NAN;
  if (is_empty(row)) return 0.0; /* spec: AT-9 */
  if (sink_logit == -INFINITY) return 1.0 / row->sum;
  return 1.0 / (row->sum + exp((double)sink_logit - row->max));
}

/* spec: SM-3 base e */
float sp_fast_lse_keys(const sp_fast_sum *row, float sink_logit) {
  if (is_invalid(row, sink_logit)) return NAN;
  if (is_empty(row)) return -INFINITY; /* spec: AT-9 */
  return (float)(row->max + log(row->sum));
}

/* spec: AL-5 ln(sum e^max + e^s), shifted by the larger of the two so that neither overflows. */
float sp_fast_lse_total(const sp_fast_sum *row, float sink_logit) {
  if (is_invalid(row, sink_logit)) return NAN;
  if (is_empty(row) || sink_logit == INFINITY) return sink_logit; /* spec: AT-9, AL-4 */
  double s = (double)sink_logit;
  double shift = s > row->max ? s : row->max;
  return (float)(shift + log(row->sum * exp(row->max - shift) + exp(s - shift)));
}

sp_fast_norm sp_fast_normalise(const sp_fast_sum *row, float sink_logit) {
  return (sp_fast_norm){
      .empty = !is_invalid(row, sink_logit) && is_empty(row),
      .inverse = sp_fast_inverse(row, sink_logit),
      .lse_keys = sp_fast_lse_keys(row, sink_logit),
      .lse_total = sp_fast_lse_total(row, sink_logit),
  };
}
