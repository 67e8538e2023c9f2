/* SPDX-License-Identifier: Apache-2.0 */
/* Logits that are not what is in memory: with a scale or a key bias. They are computed once, in a
 * pass of their own, and then go through the others as binary32. */
#ifndef SINKPROOF_FAST_AVX512_LOGITS_H
#define SINKPROOF_FAST_AVX512_LOGITS_H

#include "fast/avx512/lanes.h"
#include "fast/tensor.h"

/* NaN where a present key's logit is not finite, -inf where a key is absent, whatever the sign of
 * the scale and whatever the other of the two holds. spec: SM-1, AT-3, SM-5 */
SPECIALISED __m512 logits16(sp_dtype dtype, const sp_softmax_call *call, const void *logits,
                            const float *key_bias, uint64_t j) {
  const __m512 absent = _mm512_set1_ps(-INFINITY);
  __mmask16 present = first_lanes(call->n - j);
  __m512 raw = load16(dtype, logits, j, present);
  __m512 bias = _mm512_setzero_ps();
  if (key_bias != NULL) bias = load16(SP_F32, key_bias, j, present);
  present = _mm512_mask_cmp_ps_mask(present, raw, absent, _CMP_NEQ_UQ);
  present = _mm512_mask_cmp_ps_mask(present, bias, absent, _CMP_NEQ_UQ);
  __m512 x = _mm512_fmadd_ps(_mm512_set1_ps(call->scale), raw, bias);
  __mmask16 bad_raw = _mm512_mask_fpclass_ps_mask(present, raw, NOT_FINITE);
  __mmask16 bad_x = _mm512_mask_cmp_ps_mask(present, x, _mm512_set1_ps(INFINITY), _CMP_NLT_UQ);
  x = _mm512_mask_mov_ps(x, (__mmask16)(bad_raw | bad_x), _mm512_set1_ps(NAN));
  return _mm512_mask_mov_ps(absent, present, x);
}

/* The logits of row i, in binary32, to x[n]. */
static void prepare_logits(const sp_softmax_call *call, uint64_t i, float *x) {
  sp_dtype dtype = call->logits.dtype;
  const void *from = sp_fast_in(&call->logits, i, 0, 0);
  const float *key_bias = NULL;
  if (call->key_bias.data != NULL) key_bias = sp_fast_in(&call->key_bias, i, 0, 0);
  for (uint64_t j = 0; j < call->n; j += LANES) {
    __m512 logits = dtype == SP_F16    ? logits16(SP_F16, call, from, key_bias, j)
                    : dtype == SP_BF16 ? logits16(SP_BF16, call, from, key_bias, j)
                                       : logits16(SP_F32, call, from, key_bias, j);
    _mm512_mask_storeu_ps(x + j, first_lanes(call->n - j), logits);
  }
}

#endif
