/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the arguments of a call, hands each row to a style and stores what it answers. Which keys
 * are present and which rows are invalid is decided here, from the inputs alone. tests: SM-5 AT-3
 * AT-4 AT-5 AT-7 AL-4 AL-8 */
#include <math.h>
#include <stdlib.h>

#include "tests/honest/honest.h"

/* Room for one row; present lies in memory of its own because it has another type. */
typedef struct workspace {
  float *memory;
  bool *present;
  float *logits, *q, *k, *v, *bias, *alibi, *value, *scratch;
} workspace;

static bool workspace_init(workspace *w, size_t n, size_t d_head, size_t d_value) {
  size_t wide = n > d_value ? n : d_value;
  size_t total = 5 * n + 3 * d_head + n * d_head + n * d_value + 2 * d_value + wide + 128;
  w->memory = calloc(total, sizeof *w->memory);
  w->present = calloc(n + 1, sizeof *w->present);
  if (!w->memory || !w->present) {
    free(w->memory);
    free(w->present);
    return false;
  }
  w->logits = w->memory;
  w->bias = w->logits + n;
  w->alibi = w->bias + n;
  w->q = w->alibi + n;
  w->k = w->q + d_head;
  w->v = w->k + n * d_head;
  w->value = w->v + n * d_value;
  w->scratch = w->value + wide;
  return true;
}

static void workspace_clear(workspace *w) {
  free(w->memory);
  free(w->present);
}

static int64_t at(const int64_t stride[3], size_t a, size_t b, size_t c) {
  return (int64_t)a * stride[0] + (int64_t)b * stride[1] + (int64_t)c * stride[2];
}

/* Answer a row, invalid or not. */
static void answer(sp_honest_style *style, sp_honest_row *row, bool invalid,
                   sp_honest_result *result) {
  size_t n_value = row->logits ? row->n : row->d_value;
  bool infinite = row->sink_logit == INFINITY, any = false;
  for (size_t j = 0; j < row->n; j++) any = any || row->present[j];
  if (invalid || isnan(row->sink_logit)) {
    for (size_t c = 0; c < n_value; c++) result->value[c] = NAN;
    result->lse_keys = result->lse_total = NAN;
    return;
  }
  if (!any) {
    for (size_t c = 0; c < n_value; c++) result->value[c] = 0;
    result->lse_keys = -INFINITY;
    result->lse_total = row->sink_logit;
    return;
  }
  if (infinite) row->sink_logit = -INFINITY;
  style(row, result);
  if (!infinite) return;
  for (size_t c = 0; c < n_value; c++)
    if (!isnan(result->value[c])) result->value[c] = 0;
  result->lse_total = INFINITY;
}

static void store_lse(const sp_out *out, int64_t index, float x) {
  if (out->data) sp_honest_store(SP_F32, out->data, index, x);
}

/* The logits of row i; returns whether one makes the row invalid. */
static bool load_logits(const sp_softmax_call *call, const workspace *w, size_t i) {
  bool invalid = false;
  for (size_t j = 0; j < call->n; j++) {
    int64_t e = (int64_t)j;
    w->logits[j] =
        sp_honest_load(call->logits.dtype, call->logits.data, at(call->logits.stride, i, 0, 0) + e);
    w->bias[j] = 0;
    if (call->key_bias.data)
      w->bias[j] =
          sp_honest_load(SP_F32, call->key_bias.data, at(call->key_bias.stride, i, 0, 0) + e);
    w->present[j] = w->logits[j] != -INFINITY && w->bias[j] != -INFINITY;
    bool finite = isfinite(w->logits[j]) && isfinite(w->bias[j]);
    invalid = invalid || (w->present[j] && !finite);
  }
  return invalid;
}

static void softmax_row(sp_honest_style *style, const sp_softmax_call *call, const workspace *w,
                        size_t i) {
  sp_honest_row row = {.n = call->n,
                       .logits = w->logits,
                       .bias = w->bias,
                       .alibi = w->alibi,
                       .present = w->present,
                       .scale = call->scale,
                       .sink_logit = -INFINITY,
                       .scratch = w->scratch};
  if (call->sink_logit.data)
    row.sink_logit = sp_honest_load(call->sink_logit.dtype, call->sink_logit.data,
                                    at(call->sink_logit.stride, i, 0, 0));
  sp_honest_result result = {.value = w->value};
  bool invalid = load_logits(call, w, i);
  answer(style, &row, invalid, &result);
  for (size_t j = 0; call->weights.data && j < call->n; j++)
    sp_honest_store(call->weights.dtype, call->weights.data,
                    at(call->weights.stride, i, 0, 0) + (int64_t)j, w->value[j]);
  store_lse(&call->lse_keys, at(call->lse_keys.stride, i, 0, 0), result.lse_keys);
  store_lse(&call->lse_total, at(call->lse_total.stride, i, 0, 0), result.lse_total);
}

sp_status sp_honest_softmax(sp_honest_style *style, const sp_softmax_call *call) {
  workspace w;
  if (!isfinite(call->scale)) return SP_INVALID;
  if (!call->weights.data && !call->lse_keys.data && !call->lse_total.data) return SP_INVALID;
  if (call->logits.dtype == SP_F64) return SP_UNSUPPORTED;
  if (!workspace_init(&w, call->n, 0, 0)) return SP_NOMEM;
  for (size_t i = 0; i < call->n_rows; i++) softmax_row(style, call, &w, i);
  workspace_clear(&w);
  return SP_OK;
}

static bool visible(const sp_attention_call *call, int64_t pos_q, int64_t pos_k) {
  if (pos_k > pos_q) return !call->causal;
  uint64_t distance = (uint64_t)pos_q - (uint64_t)pos_k;
  return distance < call->window || (uint64_t)pos_k < call->n_sink_tokens;
}

/* A vector of a tensor; false if an element is not finite. */
static bool load_vector(const sp_in *in, int64_t index, size_t n, float *x) {
  bool finite = true;
  for (size_t c = 0; c < n; c++) {
    x[c] = sp_honest_load(in->dtype, in->data, index + (int64_t)c);
    finite = finite && isfinite(x[c]);
  }
  return finite;
}

/* The keys of one query; returns whether one makes the row invalid. */
static bool load_keys(const sp_attention_call *call, const workspace *w, size_t b, size_t i,
                      size_t h, float slope) {
  size_t kv = h * call->n_kv_heads / call->n_heads;
  int64_t pos_q =
      call->pos_q ? call->pos_q[i] : (int64_t)call->n_kv - (int64_t)call->n_q + (int64_t)i;
  bool invalid = false;
  for (size_t j = 0; j < call->n_kv; j++) {
    int64_t pos_k = call->pos_k ? call->pos_k[j] : (int64_t)j;
    w->present[j] = visible(call, pos_q, pos_k);
    w->bias[j] = 0;
    if (w->present[j] && call->key_bias.data)
      w->bias[j] = sp_honest_load(SP_F32, call->key_bias.data,
                                  at(call->key_bias.stride, b, i, h) + (int64_t)j);
    w->present[j] = w->present[j] && w->bias[j] != -INFINITY;
    if (!w->present[j]) continue;
    uint64_t distance =
        pos_k > pos_q ? (uint64_t)pos_k - (uint64_t)pos_q : (uint64_t)pos_q - (uint64_t)pos_k;
    w->alibi[j] = call->alibi_slope.data ? -(slope * (float)distance) : 0;
    bool finite =
        load_vector(&call->k, at(call->k.stride, b, j, kv), call->d_head, w->k + j * call->d_head);
    load_vector(&call->v, at(call->v.stride, b, j, kv), call->d_value, w->v + j * call->d_value);
    invalid = invalid || !finite || !isfinite(w->bias[j]) || !isfinite(slope);
  }
  if (!call->bias_k.data) return invalid;
  size_t j = call->n_kv;
  w->present[j] = true;
  w->bias[j] = w->alibi[j] = 0;
  load_vector(&call->bias_v, at(call->bias_v.stride, 0, 0, kv), call->d_value,
              w->v + j * call->d_value);
  return !load_vector(&call->bias_k, at(call->bias_k.stride, 0, 0, kv), call->d_head,
                      w->k + j * call->d_head) ||
         invalid;
}

static void attend(sp_honest_style *style, const sp_attention_call *call, const workspace *w,
                   size_t b, size_t i, size_t h) {
  sp_honest_row row = {.n = call->n_kv + (call->bias_k.data ? 1 : 0),
                       .d_head = call->d_head,
                       .d_value = call->d_value,
                       .q = w->q,
                       .k = w->k,
                       .v = w->v,
                       .bias = w->bias,
                       .alibi = w->alibi,
                       .present = w->present,
                       .scale = call->scale,
                       .softcap = isinf(call->softcap) ? 0 : call->softcap,
                       .sink_logit = -INFINITY,
                       .scratch = w->scratch};
  float slope = 0;
  if (call->alibi_slope.data)
    slope = sp_honest_load(SP_F32, call->alibi_slope.data, at(call->alibi_slope.stride, 0, 0, h));
  if (call->sink_logit.data)
    row.sink_logit = sp_honest_load(call->sink_logit.dtype, call->sink_logit.data,
                                    at(call->sink_logit.stride, 0, 0, h));
  bool finite = load_vector(&call->q, at(call->q.stride, b, i, h), call->d_head, w->q);
  bool invalid = load_keys(call, w, b, i, h, slope), any = false;
  for (size_t j = 0; j < row.n; j++) any = any || row.present[j];
  sp_honest_result result = {.value = w->value};
  answer(style, &row, any && (invalid || !finite), &result);
  for (size_t c = 0; call->out.data && c < call->d_value; c++)
    sp_honest_store(call->out.dtype, call->out.data, at(call->out.stride, b, i, h) + (int64_t)c,
                    w->value[c]);
  store_lse(&call->lse_keys, at(call->lse_keys.stride, b, i, h), result.lse_keys);
  store_lse(&call->lse_total, at(call->lse_total.stride, b, i, h), result.lse_total);
}

static bool legal(const sp_attention_call *call) {
  return call->window > 0 && call->n_kv_heads > 0 && call->n_heads % call->n_kv_heads == 0 &&
         isfinite(call->scale) && call->softcap >= 0 && !call->bias_k.data == !call->bias_v.data &&
         (call->out.data || call->lse_keys.data || call->lse_total.data);
}

sp_status sp_honest_attention(sp_honest_style *style, const sp_attention_call *call) {
  workspace w;
  if (!legal(call)) return SP_INVALID;
  if (call->q.dtype == SP_F64 || call->k.dtype == SP_F64) return SP_UNSUPPORTED;
  if (!workspace_init(&w, call->n_kv + 1, call->d_head, call->d_value)) return SP_NOMEM;
  for (size_t b = 0; b < call->n_batch; b++)
    for (size_t i = 0; i < call->n_q; i++)
      for (size_t h = 0; h < call->n_heads; h++) attend(style, call, &w, b, i, h);
  workspace_clear(&w);
  return SP_OK;
}
