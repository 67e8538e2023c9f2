/* SPDX-License-Identifier: Apache-2.0 */
/* A case as the oracle takes it: exact doubles, one row at a time. Every decision of the semantics
 * (mask, absence, sink) is the oracle's; here are only indices. */
#include "certify/case/case.h"

#include <math.h>
#include <stdlib.h>

/* spec: NU-1 every bit pattern of the four formats is exactly a double. */
static bool load(double **values, const sp_array *array) {
  if (array->bits == NULL) return true;
  double *v = malloc((array->count > 0 ? array->count : 1) * sizeof *v);
  if (v == NULL) return false;
  for (size_t i = 0; i < array->count; i++) v[i] = sp_ref_load(array->dtype, array->bits, i);
  *values = v;
  return true;
}

/* Which token each output row of a stream belongs to, in the order of the script. */
static bool load_script(sp_case_values *values, const sp_case *c) {
  size_t n_out = 0;
  for (size_t s = 0; s < c->n_steps; s++)
    n_out += c->script[s].kind == SP_STEP_APPEND ? c->script[s].n_tokens : 1;
  size_t *token = malloc((n_out + 1) * sizeof *token);
  if (token == NULL) return false;
  size_t n_appended = 0;
  n_out = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    const sp_cache_step *step = &c->script[s];
    if (step->kind == SP_STEP_ATTEND) token[n_out++] = n_appended - 1;
    if (step->kind != SP_STEP_APPEND) continue;
    for (size_t t = 0; step->with_queries && t < step->n_tokens; t++)
      token[n_out++] = n_appended + t;
    n_appended += step->n_tokens;
  }
  values->output_token = token;
  values->n_out = n_out;
  return true;
}

bool sp_case_values_init(sp_case_values *values, const sp_case *c) {
  *values = (sp_case_values){.source = c, .n_out = c->n_q};
  bool ok = load(&values->logits, &c->logits) && load(&values->q, &c->q) &&
            load(&values->k, &c->k) && load(&values->v, &c->v) &&
            load(&values->sink_logit, &c->sink_logit) && load(&values->key_bias, &c->key_bias) &&
            load(&values->alibi_slope, &c->alibi_slope) && load(&values->bias_k, &c->bias_k) &&
            load(&values->bias_v, &c->bias_v);
  if (c->op == SP_OP_CACHE) ok = ok && load_script(values, c);
  if (!ok) sp_case_values_clear(values);
  return ok;
}

void sp_case_values_clear(sp_case_values *values) {
  free(values->logits);
  free(values->q);
  free(values->k);
  free(values->v);
  free(values->sink_logit);
  free(values->key_bias);
  free(values->alibi_slope);
  free(values->bias_k);
  free(values->bias_v);
  free(values->output_token);
  *values = (sp_case_values){0};
}

static void softmax_row(const sp_case_values *values, size_t i, sp_ref_row_input *row) {
  const sp_case *c = values->source;
  row->logits = values->logits + i * c->n_kv;
  if (values->sink_logit != NULL) row->sink_logit = values->sink_logit[i];
}

/* spec: AT-7 (kv head), AT-4 (default positions are bottom-right). */
static void attention_row(const sp_case_values *values, size_t b, size_t i, size_t h,
                          sp_ref_row_input *row) {
  const sp_case *c = values->source;
  size_t h_kv = h / (c->n_heads / c->n_kv_heads);
  size_t first_key = b * c->n_kv * c->n_kv_heads + h_kv;
  row->d_head = c->d_head;
  row->d_value = c->d_value;
  row->q = values->q + ((b * c->n_q + i) * c->n_heads + h) * c->d_head;
  row->k = values->k + (c->n_kv > 0 ? first_key * c->d_head : 0);
  row->v = values->v + (c->n_kv > 0 ? first_key * c->d_value : 0);
  row->k_stride = c->n_kv_heads * c->d_head;
  row->v_stride = c->n_kv_heads * c->d_value;
  if (values->sink_logit != NULL) row->sink_logit = values->sink_logit[h];
  if (values->alibi_slope != NULL) row->alibi_slope = values->alibi_slope[h];
  if (values->bias_k != NULL) row->bias_k = values->bias_k + h_kv * c->d_head;
  if (values->bias_v != NULL) row->bias_v = values->bias_v + h_kv * c->d_value;
  row->masked = true;
  row->mask = (sp_ref_mask){c->causal, c->window, c->n_sink_tokens};
  row->pos_q = c->pos_q != NULL ? c->pos_q[i] : (int64_t)c->n_kv - (int64_t)c->n_q + (int64_t)i;
  row->pos_k = c->pos_k;
}

void sp_case_row(const sp_case_values *values, size_t b, size_t i, size_t h,
                 sp_ref_row_input *row) {
  const sp_case *c = values->source;
  *row = (sp_ref_row_input){.n_kv = c->n_kv, .scale = (double)c->scale, .sink_logit = -INFINITY};
  row->softcap = (double)c->softcap;
  if (values->key_bias != NULL)
    row->key_bias = values->key_bias + (c->bias_rows > 1 ? i * c->n_kv : 0);
  if (c->op == SP_OP_SOFTMAX) {
    softmax_row(values, i, row);
    return;
  }
  size_t token = c->op == SP_OP_CACHE ? values->output_token[i] : i;
  attention_row(values, b, token, h, row);
  if (c->op != SP_OP_CACHE) return;
  /* spec: EV-2 a token sees the past only, and positions count from the first token appended. */
  row->n_kv = token + 1;
  row->mask.causal = true;
  row->pos_q = (int64_t)token;
}
