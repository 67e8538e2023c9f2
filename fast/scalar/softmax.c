/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of rows, three passes over the logits: the maximum, the sum, the weights. The exponential
 * is taken twice rather than kept, so that a row of any length and type needs no memory.
 *
 *     x[j] = scale * logits[j] + key_bias[j]     exact product and one rounding, in binary64 */
#include "fast/scalar/exp.h"
#include "fast/scalar/variant.h"
#include "fast/tensor.h"

typedef struct row {
  const void *logits;
  sp_dtype dtype;
  const float *key_bias; /* NULL = none */
  double scale;
  uint64_t n;
} row;

/* -inf for an absent key, whatever the sign of the scale and whatever the other of the two holds;
 * NaN where the logit itself is not finite. spec: SM-1, AT-3, SM-5 */
static double logit(const row *r, uint64_t j) {
  float raw = sp_fast_load(r->dtype, r->logits, j);
  float bias = r->key_bias != NULL ? r->key_bias[j] : 0.0F;
  if (raw == -INFINITY || bias == -INFINITY) return -INFINITY;
  if (!isfinite(raw)) return NAN;
  return r->scale * (double)raw + (double)bias;
}

/* The maximum alone; the sum follows. */
static sp_fast_sum scan(const row *r) {
  sp_fast_sum sum = sp_fast_sum_empty();
  for (uint64_t j = 0; j < r->n; j++) {
    double x = logit(r, j);
    if (isnan(x) || x == INFINITY) sum.invalid = true;
    if (x > sum.max) sum.max = x;
  }
  return sum;
}

/* spec: SM-2, AL-3 the maximum is subtracted from every logit, and from the sink logit too */
static float exp_above_max(const row *r, uint64_t j, double max) {
  return scalar_exp((float)(logit(r, j) - max));
}

static double sum_exp(const row *r, double max) {
  double sum = 0.0;
  for (uint64_t j = 0; j < r->n; j++) sum += (double)exp_above_max(r, j, max);
  return sum;
}

static void store_weights(const row *r, const sp_fast_sum *sum, const sp_fast_norm *norm,
                          void *weights) {
  bool constant = norm->empty || isnan(norm->inverse); /* spec: AT-9 zeros, SM-5 NaN */
  for (uint64_t j = 0; j < r->n; j++) {
    double e = constant ? 1.0 : (double)exp_above_max(r, j, sum->max);
    sp_fast_store(r->dtype, weights, j, (float)(e * norm->inverse));
  }
}

static void softmax_row(const sp_softmax_call *call, uint64_t i) {
  row r = {.dtype = call->logits.dtype, .scale = (double)call->scale, .n = call->n};
  if (r.n > 0) r.logits = sp_fast_in(&call->logits, i, 0, 0);
  if (call->key_bias.data != NULL) r.key_bias = sp_fast_in(&call->key_bias, i, 0, 0);
  sp_fast_sum sum = scan(&r);
  if (!sum.invalid && sum.max > -INFINITY) sum.sum = sum_exp(&r, sum.max);
  sp_fast_norm norm = sp_fast_normalise(&sum, sp_fast_sink_logit(&call->sink_logit, i, 0));
  sp_fast_put(&call->lse_keys, i, 0, 0, norm.lse_keys);
  sp_fast_put(&call->lse_total, i, 0, 0, norm.lse_total);
  if (call->weights.data != NULL && r.n > 0)
    store_weights(&r, &sum, &norm, sp_fast_out(&call->weights, i, 0, 0));
}

void sp_fast_softmax_scalar(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                            uint64_t begin, uint64_t end, void *scratch) {
  (void)plan;
  (void)scratch;
  for (uint64_t i = begin; i < end; i++) softmax_row(call, i);
}
