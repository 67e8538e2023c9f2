/* SPDX-License-Identifier: Apache-2.0 */
/* The logit of one key: which keys there are, what is read, in which order scale, softcap and
 * biases apply. tests: AT-1 AT-2 AT-3 AT-4 AT-5 AT-6 AT-7 AL-7 AL-8 EV-2 */
#include "certify/museum/base.h"

double sp_base_load(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  (void)row;
  int64_t index = (int64_t)at[3];
  for (int axis = 0; axis < 3; axis++) index += (int64_t)at[axis] * in->stride[axis];
  return sp_element(in->dtype, in->data, index);
}

double sp_row_load(const sp_row *row, const sp_in *in, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t e) {
  const uint64_t at[4] = {a, b, c, e};
  return SP_HOOK(row, load)(row, in, at);
}

bool sp_row_is_pair(const sp_row *row, uint64_t j) {
  return row->attention && j == row->n_kv;
}

int64_t sp_row_pos(const sp_row *row, uint64_t j) {
  return row->attention->pos_k ? row->attention->pos_k[j] : (int64_t)j;
}

double sp_row_bias(const sp_row *row, uint64_t j) {
  const sp_in *bias = row->softmax ? &row->softmax->key_bias : &row->attention->key_bias;
  if (!bias->data) return 0;
  if (row->softmax) return sp_row_load(row, bias, row->i, 0, 0, j);
  return sp_row_load(row, bias, row->b, row->i, row->h, j);
}

/* Differences of positions are taken in unsigned arithmetic: pos_q may be negative, pos_k may be
 * the largest number there is. */
bool sp_base_visible(const sp_row *row, uint64_t j) {
  if (row->softmax) return sp_row_bias(row, j) != -INFINITY;
  if (sp_row_is_pair(row, j)) return true;
  int64_t pos = sp_row_pos(row, j);
  if (row->cache && (pos < 0 || !SP_HOOK(row->cache, retained)(row->cache, (uint64_t)pos)))
    return false;
  if (row->causal && pos > row->pos_q) return false;
  bool near = pos > row->pos_q || (uint64_t)row->pos_q - (uint64_t)pos < row->window;
  if (!near && (uint64_t)pos >= row->n_sink_tokens) return false;
  return sp_row_bias(row, j) != -INFINITY;
}

double sp_row_dot(const sp_row *row, uint64_t j) {
  const sp_attention_call *call = row->attention;
  if (row->cache && row->cache->config.rope_dims > 0) return sp_row_rotated_dot(row, j);
  double sum = 0;
  for (uint64_t c = 0; c < row->d_head; c++) {
    double k = sp_row_is_pair(row, j) ? sp_row_load(row, &call->bias_k, 0, 0, row->kv_head, c)
                                      : sp_row_load(row, &call->k, row->b, j, row->kv_head, c);
    sum = sp_fl(row, sum + sp_fl(row, row->q[c] * k));
  }
  return isfinite(sum) ? sum : (double)NAN;
}

/* An infinite cap is the limit of large ones: none. */
double sp_base_cap(const sp_row *row, double t) {
  if (row->softcap == 0 || isinf(row->softcap)) return t;
  return sp_fl(row, row->softcap * sp_fl(row, tanh(sp_fl(row, t / row->softcap))));
}

double sp_row_alibi(const sp_row *row, uint64_t j) {
  if (!row->attention->alibi_slope.data) return 0;
  int64_t pos = sp_row_pos(row, j);
  uint64_t distance = pos > row->pos_q ? (uint64_t)pos - (uint64_t)row->pos_q
                                       : (uint64_t)row->pos_q - (uint64_t)pos;
  return -sp_fl(row, row->slope * sp_fl(row, (double)distance));
}

double sp_base_logit(const sp_row *row, uint64_t j) {
  if (row->softmax) {
    double x = sp_row_load(row, &row->softmax->logits, row->i, 0, 0, j);
    if (x == -INFINITY) return x; /* absent, whatever the sign of the scale */
    if (x == INFINITY) return (double)NAN;
    return sp_fl(row, sp_fl(row, row->scale * x) + sp_row_bias(row, j));
  }
  double x = SP_HOOK(row, cap)(row, sp_fl(row, row->scale * sp_row_dot(row, j)));
  if (sp_row_is_pair(row, j)) return x;
  return sp_fl(row, sp_fl(row, x + sp_row_bias(row, j)) + sp_row_alibi(row, j));
}

double sp_base_masked(const sp_row *row, uint64_t j) {
  (void)row, (void)j;
  return -INFINITY;
}

double sp_base_value(const sp_row *row, uint64_t j, uint64_t c) {
  const sp_attention_call *call = row->attention;
  if (sp_row_is_pair(row, j)) return sp_row_load(row, &call->bias_v, 0, 0, row->kv_head, c);
  return sp_row_load(row, &call->v, row->b, j, row->kv_head, c);
}
