/* SPDX-License-Identifier: Apache-2.0 */
/* Attention behind the ABI: keys and values of one kv head are unpacked once, then every query of
 * every head in its group is one rounded row of the oracle. spec: AT-7, AT-8 */
#include "ref/operations.h"

#include <math.h>
#include <stdlib.h>

#include "ref/heads.h"

static bool wants_anything(const sp_attention_call *call) {
  return sp_ref_wanted_out(&call->out) || sp_ref_wanted_out(&call->lse_keys) ||
         sp_ref_wanted_out(&call->lse_total);
}

static bool has_rows(const sp_attention_call *call) {
  return call->n_batch != 0 && call->n_q != 0 && call->n_heads != 0;
}

/* Tensors: required unless they have no element, or nothing needs them. spec: KC-7 */
static sp_status check_tensors(const sp_attention_call *call) {
  const bool has_q = has_rows(call) && call->d_head != 0;
  const bool has_k = has_q && call->n_kv != 0;
  const bool has_v =
      has_rows(call) && call->n_kv != 0 && call->d_value != 0 && sp_ref_wanted_out(&call->out);
  const uint32_t f32 = SP_DTYPE_BIT(SP_F32);
  const uint32_t kv = sp_ref_type_of(&call->k);
  const uint32_t lse = sp_ref_lse_type_of(&call->q);
  const sp_status checks[] = {
      sp_ref_check_in(&call->q, has_q ? SP_REF_REQUIRED : SP_REF_OPTIONAL, SP_REF_ALL_TYPES),
      sp_ref_check_in(&call->k, has_k ? SP_REF_REQUIRED : SP_REF_OPTIONAL, SP_REF_ALL_TYPES),
      sp_ref_check_in(&call->v, has_v ? SP_REF_REQUIRED : SP_REF_OPTIONAL, kv),
      sp_ref_check_in(&call->key_bias, SP_REF_OPTIONAL, f32),
      sp_ref_check_in(&call->alibi_slope, SP_REF_OPTIONAL, f32),
      sp_ref_check_in(&call->sink_logit, SP_REF_OPTIONAL, SP_REF_SINK_TYPES),
      sp_ref_check_in(&call->bias_k, SP_REF_OPTIONAL, kv),
      sp_ref_check_in(&call->bias_v, SP_REF_OPTIONAL, kv),
      sp_ref_check_out(&call->out, sp_ref_type_of(&call->q)),
      sp_ref_check_out(&call->lse_keys, lse),
      sp_ref_check_out(&call->lse_total, lse),
  };
  return sp_ref_first_refusal(checks, sizeof checks / sizeof checks[0]);
}

/* spec: KC-7, EV-3, AL-8 */
static sp_status validate(const sp_attention_call *call) {
  if (call == NULL || call->size < sizeof *call) return SP_INVALID;
  if (call->window == 0) return SP_INVALID;
  if (!sp_ref_legal_heads(call->n_heads, call->n_kv_heads)) return SP_INVALID;
  if (!sp_ref_legal_scale(call->scale, call->softcap)) return SP_INVALID;
  if (sp_ref_present(&call->bias_k) != sp_ref_present(&call->bias_v)) return SP_INVALID;
  if (!wants_anything(call)) return SP_INVALID;
  return check_tensors(call);
}

typedef struct workspace {
  double *q, *k, *v, *key_bias, *bias_k, *bias_v, *out;
  sp_ref_rounder rounder;
} workspace;

static bool workspace_init(workspace *work, const sp_attention_call *call) {
  *work = (workspace){.q = sp_ref_doubles(call->d_head, 1),
                      .k = sp_ref_doubles(call->n_kv, call->d_head),
                      .v = sp_ref_doubles(call->n_kv, call->d_value),
                      .key_bias = sp_ref_doubles(call->n_kv, 1),
                      .bias_k = sp_ref_doubles(call->d_head, 1),
                      .bias_v = sp_ref_doubles(call->d_value, 1),
                      .out = sp_ref_doubles(call->d_value, 1)};
  return work->q && work->k && work->v && work->key_bias && work->bias_k && work->bias_v &&
         work->out &&
         sp_ref_rounder_init(&work->rounder, (size_t)call->n_kv + 1, (size_t)call->d_value);
}

static void workspace_free(workspace *work) {
  free(work->q);
  free(work->k);
  free(work->v);
  free(work->key_bias);
  free(work->bias_k);
  free(work->bias_v);
  free(work->out);
}

static void load_kv_head(workspace *work, const sp_attention_call *call, uint64_t b,
                         uint64_t h_kv) {
  const size_t d_head = (size_t)call->d_head, d_value = (size_t)call->d_value;
  for (uint64_t j = 0; j < call->n_kv; j++) {
    sp_ref_load_row(work->k + j * d_head, &call->k, b, j, h_kv, d_head);
    if (sp_ref_present(&call->v))
      sp_ref_load_row(work->v + j * d_value, &call->v, b, j, h_kv, d_value);
  }
  if (!sp_ref_present(&call->bias_k)) return;
  sp_ref_load_row(work->bias_k, &call->bias_k, 0, 0, h_kv, d_head);
  sp_ref_load_row(work->bias_v, &call->bias_v, 0, 0, h_kv, d_value);
}

/* spec: AT-4 (bottom-right unless positions are given; unsigned wrap-around is the signed result)
 */
static int64_t position_of_query(const sp_attention_call *call, uint64_t i) {
  return call->pos_q != NULL ? call->pos_q[i] : (int64_t)(call->n_kv - call->n_q + i);
}

static sp_ref_row_input row_input(const sp_attention_call *call, const workspace *work, uint64_t i,
                                  uint64_t h) {
  const bool has_pair = sp_ref_present(&call->bias_k);
  return (sp_ref_row_input){
      .n_kv = (size_t)call->n_kv,
      .d_head = (size_t)call->d_head,
      .d_value = sp_ref_wanted_out(&call->out) ? (size_t)call->d_value : 0,
      .q = work->q,
      .k = work->k,
      .k_stride = (size_t)call->d_head,
      .v = work->v,
      .v_stride = (size_t)call->d_value,
      .key_bias = sp_ref_present(&call->key_bias) ? work->key_bias : NULL,
      .scale = (double)call->scale,
      .softcap = (double)call->softcap,
      .alibi_slope = sp_ref_load_or(0, &call->alibi_slope, 0, 0, h, 0),
      .sink_logit = sp_ref_load_or(-INFINITY, &call->sink_logit, 0, 0, h, 0), /* spec: AL-2 */
      .bias_k = has_pair ? work->bias_k : NULL,
      .bias_v = has_pair ? work->bias_v : NULL,
      .masked = true,
      .mask = {call->causal != 0, call->window, call->n_sink_tokens},
      .pos_q = position_of_query(call, i),
      .pos_k = call->pos_k,
  };
}

static void attend(const sp_attention_call *call, workspace *work, uint64_t b, uint64_t i,
                   uint64_t h) {
  sp_ref_load_row(work->q, &call->q, b, i, h, (size_t)call->d_head);
  if (sp_ref_present(&call->key_bias))
    sp_ref_load_row(work->key_bias, &call->key_bias, b, i, h, (size_t)call->n_kv);
  const sp_ref_row_input in = row_input(call, work, i, h);
  const sp_ref_target target = {&call->out, &call->lse_keys, &call->lse_total, b, i, h};
  sp_ref_write_row(&work->rounder, &in, &target, work->out);
}

sp_status sp_ref_attention(const sp_attention_call *call) {
  const sp_status status = validate(call);
  if (status != SP_OK || !has_rows(call)) return status;
  workspace work;
  if (!workspace_init(&work, call)) {
    workspace_free(&work);
    return SP_NOMEM;
  }
  const uint64_t group = call->n_heads / call->n_kv_heads;
  for (uint64_t b = 0; b < call->n_batch; b++)
    for (uint64_t h_kv = 0; h_kv < call->n_kv_heads; h_kv++) {
      load_kv_head(&work, call, b, h_kv);
      for (uint64_t i = 0; i < call->n_q; i++)
        for (uint64_t h = h_kv * group; h < (h_kv + 1) * group; h++) attend(call, &work, b, i, h);
    }
  sp_ref_rounder_clear(&work.rounder);
  workspace_free(&work);
  return SP_OK;
}
