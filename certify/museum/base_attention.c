/* SPDX-License-Identifier: Apache-2.0 */
/* The attention operation of the museum's kernel: checks the call, then every query of every head.
 * A cache attends through it too, over its slots. tests: AT-7 AT-8 AL-8 KC-3 KC-7 */
#include "certify/museum/base.h"

static bool legal(const sp_attention_call *call) {
  return call->window > 0 && call->n_kv_heads > 0 && call->n_heads % call->n_kv_heads == 0 &&
         isfinite(call->scale) && call->softcap >= 0 && !call->bias_k.data == !call->bias_v.data &&
         (call->out.data || call->lse_keys.data || call->lse_total.data);
}

static bool f32_or_absent(const sp_in *in) {
  return !in->data || in->dtype == SP_F32;
}

static bool kv_or_absent(const sp_attention_call *call, const sp_in *in) {
  return !in->data || in->dtype == call->k.dtype;
}

/* f64 with q, but a cache's are always f32: either is stored as it says. */
static bool lse_known(const sp_out *out) {
  return !out->data || out->dtype == SP_F32 || out->dtype == SP_F64;
}

static bool known(const sp_attention_call *call) {
  return sp_element_bytes(call->q.dtype) && sp_element_bytes(call->k.dtype) &&
         call->v.dtype == call->k.dtype && f32_or_absent(&call->key_bias) &&
         f32_or_absent(&call->alibi_slope) && sp_base_sink_known(&call->sink_logit) &&
         kv_or_absent(call, &call->bias_k) && kv_or_absent(call, &call->bias_v) &&
         (!call->out.data || call->out.dtype == call->q.dtype) && lse_known(&call->lse_keys) &&
         lse_known(&call->lse_total);
}

static sp_status check(const sp_attention_call *call) {
  if (call->size < sizeof *call) return SP_UNSUPPORTED;
  if (!legal(call)) return SP_INVALID;
  return known(call) ? SP_OK : SP_UNSUPPORTED;
}

static sp_row make_row(const sp_hooks *hooks, const sp_attention_call *call, const sp_cache *cache,
                       const uint64_t at[3]) {
  sp_row row = {.hooks = hooks,
                .attention = call,
                .cache = cache,
                .b = at[0],
                .i = at[1],
                .h = at[2],
                .kv_head = at[2] / (call->n_heads / call->n_kv_heads),
                .n_kv = call->n_kv,
                .n_keys = call->n_kv + (call->bias_k.data ? 1 : 0),
                .d_head = call->d_head,
                .n_value = call->d_value,
                .scale = (double)call->scale,
                .softcap = (double)call->softcap,
                .sink_logit = -INFINITY,
                .has_sink = call->sink_logit.data != NULL,
                .causal = call->causal != 0,
                .window = call->window,
                .n_sink_tokens = call->n_sink_tokens,
                .pos_q = (int64_t)call->n_kv - (int64_t)call->n_q + (int64_t)at[1],
                .f64 = call->q.dtype == SP_F64 || call->k.dtype == SP_F64};
  if (call->pos_q) row.pos_q = call->pos_q[row.i];
  if (row.has_sink) row.sink_logit = sp_row_load(&row, &call->sink_logit, 0, 0, row.h, 0);
  if (call->alibi_slope.data) row.slope = sp_row_load(&row, &call->alibi_slope, 0, 0, row.h, 0);
  return row;
}

static void store(const sp_out *out, const sp_row *row, uint64_t c, double value) {
  if (!out->data) return;
  int64_t index = (int64_t)row->b * out->stride[0] + (int64_t)row->i * out->stride[1] +
                  (int64_t)row->h * out->stride[2] + (int64_t)c;
  sp_put_element(out->dtype, out->data, index, value);
}

static void attend_row(sp_row *row, const sp_scratch *scratch) {
  const sp_attention_call *call = row->attention;
  sp_answer answer;
  for (uint64_t c = 0; c < row->d_head; c++)
    scratch->q[c] = sp_row_load(row, &call->q, row->b, row->i, row->h, c);
  sp_row_answer(row, scratch, &answer);
  for (uint64_t c = 0; c < answer.n_store; c++) store(&call->out, row, c, answer.value[c]);
  if (!answer.store_lse) return;
  store(&call->lse_keys, row, 0, answer.lse_keys);
  store(&call->lse_total, row, 0, answer.lse_total);
}

sp_status sp_base_attention_of(const sp_hooks *hooks, const sp_attention_call *call,
                               const sp_cache *cache) {
  sp_scratch scratch;
  sp_status status = check(call);
  if (status != SP_OK) return status;
  if (!sp_scratch_init(&scratch, call->n_kv + 1, call->d_head, call->d_value)) return SP_NOMEM;
  uint64_t at[3];
  for (at[0] = 0; at[0] < call->n_batch; at[0]++)
    for (at[1] = 0; at[1] < call->n_q; at[1]++)
      for (at[2] = 0; at[2] < call->n_heads; at[2]++) {
        sp_row row = make_row(hooks, call, cache, at);
        attend_row(&row, &scratch);
      }
  sp_scratch_clear(&scratch);
  return SP_OK;
}

sp_status sp_base_attention(const sp_hooks *hooks, const sp_attention_call *call) {
  return sp_base_attention_of(hooks, call, NULL);
}
