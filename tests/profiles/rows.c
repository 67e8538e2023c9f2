/* SPDX-License-Identifier: Apache-2.0 */
/* A row in binary64, and attention calls cut into rows. */
#include "tests/profiles/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void row_attend(const row *r, row_result *result) {
  double m = -INFINITY, z = 0;
  for (uint64_t j = 0; j < r->n; j++) m = r->x[j] > m || isnan(r->x[j]) ? r->x[j] : m;
  for (uint64_t c = 0; c < r->d_value; c++) result->out[c] = 0;
  result->empty = m == -INFINITY;
  result->lse_keys = -INFINITY;
  result->lse_total = r->sink_logit;
  if (result->empty) return;
  for (uint64_t j = 0; j < r->n; j++) z += r->x[j] > -INFINITY ? exp(r->x[j] - m) : 0;
  double top = r->sink_logit > m ? r->sink_logit : m;
  double total = z * exp(m - top) + exp(r->sink_logit - top);
  result->lse_keys = m + log(z);
  result->lse_total = top + log(total);
  for (uint64_t j = 0; j < r->n; j++) {
    if (r->x[j] == -INFINITY) continue;
    double p = exp(r->x[j] - top) / total;
    for (uint64_t c = 0; c < r->d_value; c++) result->out[c] += p * (double)r->v[j][c];
  }
}

double dot(const float *q, const float *k, uint64_t d) {
  double sum = 0;
  for (uint64_t c = 0; c < d; c++) sum += (double)q[c] * (double)k[c];
  return sum;
}

static int64_t offset(const int64_t stride[3], uint64_t a, uint64_t b, uint64_t c) {
  return (int64_t)a * stride[0] + (int64_t)b * stride[1] + (int64_t)c * stride[2];
}

const float *in_at(const sp_in *view, uint64_t a, uint64_t b, uint64_t c) {
  return (const float *)view->data + offset(view->stride, a, b, c);
}

float *out_at(const sp_out *view, uint64_t a, uint64_t b, uint64_t c) {
  return (float *)view->data + offset(view->stride, a, b, c);
}

double sink_at(const sp_in *view, uint64_t h) {
  if (view->data == NULL) return -INFINITY;
  if (view->dtype == SP_F32) return (double)*in_at(view, 0, 0, h);
  uint32_t bits = (uint32_t)((const uint16_t *)view->data)[offset(view->stride, 0, 0, h)] << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

uint64_t grouped_head(const sp_attention_call *call, uint64_t h) {
  return h / (call->n_heads / call->n_kv_heads);
}

double capped(const sp_attention_call *call, double t) {
  double c = (double)call->softcap;
  return c > 0 && isfinite(c) ? c * tanh(t / c) : t;
}

static bool is_error(const sp_attention_call *call) {
  return call->window == 0 || call->n_kv_heads == 0 || call->n_heads % call->n_kv_heads != 0 ||
         !isfinite(call->scale) || !(call->softcap >= 0) ||
         (call->bias_k.data == NULL) != (call->bias_v.data == NULL) ||
         (!call->out.data && !call->lse_keys.data && !call->lse_total.data);
}

static bool is_declined(uint64_t options, const sp_attention_call *call) {
  return call->q.dtype != SP_F32 || call->k.dtype != SP_F32 || call->pos_q || call->pos_k ||
         call->bias_k.data || (call->sink_logit.data && !(options & SP_OPT_SINK_LOGIT)) ||
         (call->alibi_slope.data && !(options & SP_OPT_ALIBI)) ||
         (call->softcap > 0 && !(options & SP_OPT_SOFTCAP));
}

typedef struct scratch {
  double *x, *out;
  const float **v;
} scratch;

static void attend(const row_policy *p, const sp_attention_call *call, const scratch *s, uint64_t b,
                   uint64_t i, uint64_t h) {
  uint64_t h_kv = p->kv_head(call, h);
  const float *q = in_at(&call->q, b, i, h);
  for (uint64_t j = 0; j < call->n_kv; j++) {
    double bias = call->key_bias.data ? (double)in_at(&call->key_bias, b, i, h)[j] : 0;
    s->v[j] = in_at(&call->v, b, j, h_kv);
    s->x[j] = -INFINITY;
    if (bias == -INFINITY || (p->sees && !p->sees(call, (int64_t)i, (int64_t)j))) continue;
    double t = (double)call->scale * dot(q, in_at(&call->k, b, j, h_kv), call->d_head);
    s->x[j] = p->score(call, t, (int64_t)i, (int64_t)j, h) + bias;
  }
  const row r = {call->n_kv, s->x, s->v, call->d_value, sink_at(&call->sink_logit, h)};
  row_result result = {.out = s->out};
  row_attend(&r, &result);
  if (p->finish) p->finish(call, b, h, &result);
  for (uint64_t c = 0; call->out.data && c < call->d_value; c++)
    out_at(&call->out, b, i, h)[c] = (float)result.out[c];
  if (call->lse_keys.data) *out_at(&call->lse_keys, b, i, h) = (float)result.lse_keys;
  if (call->lse_total.data) *out_at(&call->lse_total, b, i, h) = (float)result.lse_total;
}

sp_status attention_by(const row_policy *p, uint64_t options, const sp_attention_call *call) {
  if (is_error(call)) return SP_INVALID;
  if (is_declined(options, call)) return SP_UNSUPPORTED;
  const scratch s = {malloc((call->n_kv + 1) * sizeof *s.x),
                     malloc((call->d_value + 1) * sizeof *s.out),
                     malloc((call->n_kv + 1) * sizeof *s.v)};
  bool ok = s.x && s.out && s.v;
  for (uint64_t b = 0; ok && b < call->n_batch; b++)
    for (uint64_t i = 0; i < call->n_q; i++)
      for (uint64_t h = 0; h < call->n_heads; h++) attend(p, call, &s, b, i, h);
  free(s.x);
  free(s.out);
  free(s.v);
  return ok ? SP_OK : SP_NOMEM;
}
