/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of rows, three passes over the logits: the maximum, the sum, the weights. The exponential
 * is taken twice rather than kept, so that a row of any length and type needs no memory.
 *
 *     x[j] = scale * logits[j] + key_bias[j]      one fused multiply-add
 *
 * The sum: 16 lanes of binary32 over a block of 256 logits, binary64 from block to block. */
#include "fast/avx512/exp.h"
#include "fast/avx512/lanes.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

#define BLOCK 256u

typedef struct row {
  const void *logits;
  const float *key_bias; /* NULL = none */
  float scale;
  uint64_t n;
} row;

/* Logits j to j + 15: -inf where the key is absent, whatever the sign of the scale and whatever the
 * other of the two holds, and past the end; *bad gains the lanes of present keys that are not
 * finite. spec: SM-1, AT-3, SM-5 */
SPECIALISED __m512 logits16(sp_dtype dtype, const row *r, uint64_t j, __mmask16 *bad) {
  const __m512 absent = _mm512_set1_ps(-INFINITY);
  __mmask16 present = first_lanes(r->n - j);
  __m512 raw = load16(dtype, r->logits, j, present);
  __m512 bias = _mm512_setzero_ps();
  if (r->key_bias != NULL) bias = load16(SP_F32, r->key_bias, j, present);
  present = _mm512_mask_cmp_ps_mask(present, raw, absent, _CMP_NEQ_UQ);
  present = _mm512_mask_cmp_ps_mask(present, bias, absent, _CMP_NEQ_UQ);
  __m512 x = _mm512_fmadd_ps(_mm512_set1_ps(r->scale), raw, bias);
  __mmask16 bad_raw = _mm512_mask_fpclass_ps_mask(present, raw, NOT_FINITE);
  __mmask16 bad_x = _mm512_mask_cmp_ps_mask(present, x, _mm512_set1_ps(INFINITY), _CMP_NLT_UQ);
  *bad = (__mmask16)(*bad | bad_raw | bad_x);
  return _mm512_mask_mov_ps(absent, present, x);
}

/* The maximum alone; the sum follows. */
SPECIALISED sp_fast_sum scan(sp_dtype dtype, const row *r) {
  sp_fast_sum sum = sp_fast_sum_empty();
  __m512 max = _mm512_set1_ps(-INFINITY);
  __mmask16 bad = 0;
  for (uint64_t j = 0; j < r->n; j += LANES) max = _mm512_max_ps(logits16(dtype, r, j, &bad), max);
  sum.invalid = bad != 0;
  sum.max = (double)_mm512_reduce_max_ps(max);
  return sum;
}

/* spec: SM-2, AL-3 the maximum is subtracted from every logit, and from the sink logit too */
SPECIALISED __m512 exp_above_max(sp_dtype dtype, const row *r, uint64_t j, __m512 max) {
  __mmask16 ignored = 0;
  return exp16(_mm512_sub_ps(logits16(dtype, r, j, &ignored), max));
}

SPECIALISED double sum_exp(sp_dtype dtype, const row *r, __m512 max) {
  __m512d sum = _mm512_setzero_pd();
  for (uint64_t block = 0; block < r->n; block += BLOCK) {
    uint64_t end = r->n - block < BLOCK ? r->n : block + BLOCK;
    __m512 lanes = _mm512_setzero_ps();
    for (uint64_t j = block; j < end; j += LANES)
      lanes = _mm512_add_ps(lanes, exp_above_max(dtype, r, j, max));
    sum = _mm512_add_pd(sum, widen_sum(lanes));
  }
  return _mm512_reduce_add_pd(sum);
}

/* spec: AT-9 zeros, SM-5 NaN */
SPECIALISED void store_constant(sp_dtype dtype, const row *r, float x, void *weights) {
  for (uint64_t j = 0; j < r->n; j += LANES)
    store16(dtype, weights, j, first_lanes(r->n - j), _mm512_set1_ps(x));
}

SPECIALISED void store_weights(sp_dtype dtype, const row *r, __m512 max, double inverse,
                               void *weights) {
  const __m512 factor = _mm512_set1_ps((float)inverse);
  for (uint64_t j = 0; j < r->n; j += LANES) {
    __m512 e = exp_above_max(dtype, r, j, max);
    store16(dtype, weights, j, first_lanes(r->n - j), _mm512_mul_ps(e, factor));
  }
}

SPECIALISED void softmax_row(sp_dtype dtype, const sp_softmax_call *call, uint64_t i) {
  row r = {.scale = call->scale, .n = call->n};
  if (r.n > 0) r.logits = sp_fast_in(&call->logits, i, 0, 0);
  if (call->key_bias.data != NULL) r.key_bias = sp_fast_in(&call->key_bias, i, 0, 0);
  sp_fast_sum sum = scan(dtype, &r);
  const __m512 max = _mm512_set1_ps((float)sum.max);
  if (!sum.invalid && sum.max > -INFINITY) sum.sum = sum_exp(dtype, &r, max);
  sp_fast_norm norm = sp_fast_normalise(&sum, sp_fast_sink_logit(&call->sink_logit, i, 0));
  sp_fast_put(&call->lse_keys, i, 0, 0, norm.lse_keys);
  sp_fast_put(&call->lse_total, i, 0, 0, norm.lse_total);
  if (call->weights.data == NULL || r.n == 0) return;
  void *weights = sp_fast_out(&call->weights, i, 0, 0);
  if (norm.empty || isnan(norm.inverse)) {
    store_constant(dtype, &r, (float)norm.inverse, weights);
  } else {
    store_weights(dtype, &r, max, norm.inverse, weights);
  }
}

static void softmax_f32(const sp_softmax_call *call) {
  for (uint64_t i = 0; i < call->n_rows; i++) softmax_row(SP_F32, call, i);
}

static void softmax_f16(const sp_softmax_call *call) {
  for (uint64_t i = 0; i < call->n_rows; i++) softmax_row(SP_F16, call, i);
}

static void softmax_bf16(const sp_softmax_call *call) {
  for (uint64_t i = 0; i < call->n_rows; i++) softmax_row(SP_BF16, call, i);
}

void sp_fast_softmax_avx512(const sp_softmax_call *call) {
  switch (call->logits.dtype) {
  case SP_F16:
    softmax_f16(call);
    return;
  case SP_BF16:
    softmax_bf16(call);
    return;
  default:
    softmax_f32(call);
    return; /* also where a row without keys leaves the type open */
  }
}
