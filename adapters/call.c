/* SPDX-License-Identifier: Apache-2.0 */
/* Admission of calls. Libraries answer an argument they do not like by aborting, by an exception or
 * not at all, so nothing that SPEC.md calls an error is passed on to them. */
#include "adapters/call.h"

#include <math.h>
#include <stdbool.h>

static bool offers(uint32_t dtypes, sp_dtype dtype) {
  return dtype < 32 && (dtypes & SP_DTYPE_BIT(dtype)) != 0;
}

static bool sink_type(const sp_in *sink_logit) {
  return sink_logit->data == NULL || sink_logit->dtype == SP_F32 || sink_logit->dtype == SP_BF16;
}

static bool f32_type(const sp_in *tensor) {
  return tensor->data == NULL || tensor->dtype == SP_F32;
}

static uint64_t lse_options(const sp_out *lse_keys, const sp_out *lse_total) {
  uint64_t options = 0;
  if (lse_keys->data != NULL) options |= SP_OPT_LSE_KEYS;
  if (lse_total->data != NULL) options |= SP_OPT_LSE_TOTAL;
  return options;
}

/* A key bias is admitted for either of the options that it can stand for. */
static bool within(uint64_t options, const sp_kernel *kernel, const sp_in *key_bias) {
  if (key_bias->data != NULL && (kernel->options & (SP_OPT_KEY_BIAS | SP_OPT_MASK)) == 0)
    return false;
  return (options & ~kernel->options) == 0;
}

/* Libraries count in int. */
static bool fits_int(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return false;
  if (__builtin_mul_overflow(product, c, &product)) return false;
  return a <= INT32_MAX && b <= INT32_MAX && c <= INT32_MAX && product <= INT32_MAX;
}

static uint64_t softmax_options(const sp_softmax_call *call) {
  uint64_t options = lse_options(&call->lse_keys, &call->lse_total);
  if (call->sink_logit.data != NULL) options |= SP_OPT_SINK_LOGIT;
  if (call->scale < 1.0F || call->scale > 1.0F) options |= SP_OPT_SCALE;
  if (call->n == 0) options |= SP_OPT_EMPTY;
  return options;
}

static bool softmax_typed(const sp_kernel *kernel, const sp_softmax_call *call) {
  return offers(kernel->dtypes_softmax, call->logits.dtype) &&
         call->weights.dtype == call->logits.dtype && f32_type(&call->key_bias) &&
         sink_type(&call->sink_logit);
}

sp_status sp_adapter_admit_softmax(const sp_kernel *kernel, const sp_softmax_call *call) {
  if (call == NULL || call->size < sizeof *call) return SP_UNSUPPORTED;
  bool asked =
      call->weights.data != NULL || call->lse_keys.data != NULL || call->lse_total.data != NULL;
  if (!asked || !isfinite(call->scale)) return SP_INVALID;
  if (!within(softmax_options(call), kernel, &call->key_bias)) return SP_UNSUPPORTED;
  if (call->weights.data == NULL || !softmax_typed(kernel, call)) return SP_UNSUPPORTED;
  return fits_int(call->n_rows, call->n, 1) ? SP_OK : SP_UNSUPPORTED;
}

static bool attention_invalid(const sp_attention_call *call) {
  if (call->window == 0 || !isfinite(call->scale)) return true;
  if (call->n_kv_heads == 0 || call->n_heads % call->n_kv_heads != 0) return true;
  if (isnan(call->softcap) || call->softcap < 0.0F) return true;
  if ((call->bias_k.data == NULL) != (call->bias_v.data == NULL)) return true;
  return call->out.data == NULL && call->lse_keys.data == NULL && call->lse_total.data == NULL;
}

static uint64_t extra_options(const sp_attention_call *call) {
  uint64_t options = 0;
  if (call->sink_logit.data != NULL) options |= SP_OPT_SINK_LOGIT;
  if (call->alibi_slope.data != NULL) options |= SP_OPT_ALIBI;
  if (call->bias_k.data != NULL) options |= SP_OPT_BIAS_PAIR;
  if (call->softcap > 0.0F) options |= SP_OPT_SOFTCAP;
  if (call->window != SP_WINDOW_ALL) options |= SP_OPT_WINDOW;
  if (call->n_sink_tokens > 0) options |= SP_OPT_SINK_TOKENS;
  return options | lse_options(&call->lse_keys, &call->lse_total);
}

static uint64_t shape_options(const sp_attention_call *call) {
  uint64_t options = 0;
  bool positions = call->pos_q != NULL || call->pos_k != NULL;
  if (positions) options |= SP_OPT_POSITIONS;
  if (call->causal == 0 && (call->n_q > 1 || positions)) options |= SP_OPT_NONCAUSAL;
  if (call->n_q > 1) options |= SP_OPT_PREFILL;
  if (call->n_q > 1 && call->n_q > call->n_kv) options |= SP_OPT_MORE_Q_THAN_KV;
  if (call->n_kv == 0) options |= SP_OPT_EMPTY;
  if (call->n_batch > 1) options |= SP_OPT_BATCH;
  if (call->n_kv_heads < call->n_heads) options |= SP_OPT_GQA;
  if (call->d_value != call->d_head) options |= SP_OPT_D_VALUE;
  return options;
}

static bool attention_typed(const sp_kernel *kernel, const sp_attention_call *call) {
  return offers(kernel->dtypes_q, call->q.dtype) && offers(kernel->dtypes_kv, call->k.dtype) &&
         call->v.dtype == call->k.dtype && call->out.dtype == call->q.dtype &&
         f32_type(&call->key_bias) && sink_type(&call->sink_logit);
}

static bool attention_small(const sp_attention_call *call) {
  return fits_int(call->n_batch, call->n_q, call->n_heads * call->d_head) &&
         fits_int(call->n_batch, call->n_q, call->n_heads * call->d_value) &&
         fits_int(call->n_kv, call->n_q, call->n_batch) && call->n_heads <= INT32_MAX &&
         fits_int(call->n_kv, call->n_kv_heads * call->d_head, call->n_batch) &&
         fits_int(call->n_kv, call->n_kv_heads * call->d_value, call->n_batch);
}

sp_status sp_adapter_admit_attention(const sp_kernel *kernel, const sp_attention_call *call) {
  if (call == NULL || call->size < sizeof *call) return SP_UNSUPPORTED;
  if (attention_invalid(call)) return SP_INVALID;
  uint64_t options = extra_options(call) | shape_options(call);
  if (!within(options, kernel, &call->key_bias)) return SP_UNSUPPORTED;
  if (call->out.data == NULL || !attention_typed(kernel, call)) return SP_UNSUPPORTED;
  if (isinf(call->softcap) || call->d_head == 0 || call->d_value == 0) return SP_UNSUPPORTED;
  return attention_small(call) ? SP_OK : SP_UNSUPPORTED;
}

int sp_adapter_threads(uint32_t n_threads) {
  if (n_threads < 1) return 1;
  return n_threads > 1024 ? 1024 : (int)n_threads;
}
