/* SPDX-License-Identifier: Apache-2.0 */
/* The softmax operation of the museum's kernel: checks the call, then row by row. tests: KC-3 KC-7
 */
#include "certify/museum/base.h"

bool sp_base_sink_known(const sp_in *sink_logit) {
  return !sink_logit->data || sink_logit->dtype == SP_F32 || sink_logit->dtype == SP_BF16;
}

static bool lse_known(const sp_out *out, bool f64) {
  return !out->data || out->dtype == (f64 ? SP_F64 : SP_F32);
}

static sp_status check(const sp_softmax_call *call) {
  if (call->size < sizeof *call) return SP_UNSUPPORTED;
  if (!isfinite(call->scale)) return SP_INVALID;
  if (!call->weights.data && !call->lse_keys.data && !call->lse_total.data) return SP_INVALID;
  bool f64 = call->logits.dtype == SP_F64;
  bool known = sp_element_bytes(call->logits.dtype) && sp_base_sink_known(&call->sink_logit) &&
               (!call->key_bias.data || call->key_bias.dtype == SP_F32) &&
               (!call->weights.data || call->weights.dtype == call->logits.dtype) &&
               lse_known(&call->lse_keys, f64) && lse_known(&call->lse_total, f64);
  return known ? SP_OK : SP_UNSUPPORTED;
}

static void store_row(const sp_softmax_call *call, uint64_t i, const sp_answer *answer) {
  int64_t at = (int64_t)i;
  const sp_out *weights = &call->weights;
  for (uint64_t j = 0; weights->data && j < answer->n_store; j++)
    sp_put_element(weights->dtype, weights->data, at * weights->stride[0] + (int64_t)j,
                   answer->value[j]);
  if (call->lse_keys.data && answer->store_lse)
    sp_put_element(call->lse_keys.dtype, call->lse_keys.data, at * call->lse_keys.stride[0],
                   answer->lse_keys);
  if (call->lse_total.data && answer->store_lse)
    sp_put_element(call->lse_total.dtype, call->lse_total.data, at * call->lse_total.stride[0],
                   answer->lse_total);
}

static sp_row make_row(const sp_hooks *hooks, const sp_softmax_call *call, uint64_t i) {
  sp_row row = {.hooks = hooks,
                .softmax = call,
                .i = i,
                .n_kv = call->n,
                .n_keys = call->n,
                .n_value = call->n,
                .scale = (double)call->scale,
                .sink_logit = -INFINITY,
                .has_sink = call->sink_logit.data != NULL,
                .window = SP_WINDOW_ALL,
                .f64 = call->logits.dtype == SP_F64};
  if (row.has_sink) row.sink_logit = sp_row_load(&row, &call->sink_logit, i, 0, 0, 0);
  return row;
}

sp_status sp_base_softmax(const sp_hooks *hooks, const sp_softmax_call *call) {
  sp_scratch scratch;
  sp_answer answer;
  sp_status status = check(call);
  if (status != SP_OK) return status;
  if (!sp_scratch_init(&scratch, call->n, 0, call->n)) return SP_NOMEM;
  for (uint64_t i = 0; i < call->n_rows; i++) {
    sp_row row = make_row(hooks, call, i);
    sp_row_answer(&row, &scratch, &answer);
    store_row(call, i, &answer);
  }
  sp_scratch_clear(&scratch);
  return SP_OK;
}
