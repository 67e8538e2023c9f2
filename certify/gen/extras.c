/* SPDX-License-Identifier: Apache-2.0 */
/* Masks, biases and sink logits. Sink logits are placed relative to the log-sum-exp of the keys,
 * because that is the scale on which they can be seen: they compete with the sum of all weights,
 * not with the largest. spec: CT-6 */
#include "certify/gen/tools.h"

#include <math.h>
#include <stdlib.h>

bool sp_gen_bias(sp_gen *g, bool per_query) {
  sp_case *c = g->c;
  c->bias_rows = per_query ? c->n_q : 1;
  return sp_array_alloc(&c->key_bias, SP_F32, c->bias_rows * c->n_kv);
}

/* Row i of the mask: in the logits, or in a bias that has a row for each query. A bias that was
 * shared so far is spread over the queries. */
static bool bias_per_query(sp_gen *g) {
  sp_case *c = g->c;
  if (c->key_bias.bits == NULL) return sp_gen_bias(g, true);
  if (c->bias_rows == c->n_q) return true;
  sp_array shared = c->key_bias;
  c->key_bias = (sp_array){0};
  bool ok = sp_gen_bias(g, true);
  for (size_t e = 0; ok && e < c->key_bias.count; e++)
    sp_gen_set(&c->key_bias, e, sp_gen_get(&shared, e % c->n_kv));
  free(shared.bits);
  return ok;
}

bool sp_gen_hide(sp_gen *g, size_t i, size_t j) {
  sp_case *c = g->c;
  if (c->op == SP_OP_SOFTMAX && g->hide_in_logits) {
    sp_gen_set(&c->logits, i * c->n_kv + j, -INFINITY);
    return true;
  }
  if (!bias_per_query(g)) return false;
  sp_gen_set(&c->key_bias, sp_case_bias_row(c, 0, i, 0) + j, -INFINITY);
  return true;
}

bool sp_gen_hide_from_all(sp_gen *g, size_t j) {
  sp_case *c = g->c;
  if (c->op == SP_OP_SOFTMAX && g->hide_in_logits) {
    for (size_t i = 0; i < c->n_q; i++) sp_gen_set(&c->logits, i * c->n_kv + j, -INFINITY);
    return true;
  }
  if (c->key_bias.bits == NULL && !sp_gen_bias(g, false)) return false;
  for (size_t at = j; at < c->key_bias.count; at += c->n_kv)
    sp_gen_set(&c->key_bias, at, -INFINITY);
  return true;
}

static size_t n_sinks(const sp_case *c) {
  return c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads;
}

bool sp_gen_sinks(sp_gen *g, sp_dtype dtype, const double *value, size_t n) {
  sp_case *c = g->c;
  if (!sp_array_alloc(&c->sink_logit, dtype, n_sinks(c))) return false;
  for (size_t h = 0; h < c->sink_logit.count; h++) sp_gen_set(&c->sink_logit, h, value[h % n]);
  return true;
}

/* The logit of key j of a row; -inf when it is absent. */
static double logit(const sp_ref_row_input *row, size_t j) {
  int64_t pos_k = row->pos_k != NULL ? row->pos_k[j] : (int64_t)j;
  if (row->masked && !sp_ref_visible(&row->mask, row->pos_q, pos_k)) return -INFINITY;
  double bias = row->key_bias != NULL ? row->key_bias[j] : 0.0;
  if (bias == -INFINITY) return -INFINITY;
  double x = 0.0;
  if (row->logits != NULL) {
    x = row->logits[j];
  } else {
    for (size_t e = 0; e < row->d_head; e++) x += row->q[e] * row->k[j * row->k_stride + e];
  }
  x *= row->scale;
  if (row->softcap > 0.0) x = row->softcap * sp_gen_tanh(x / row->softcap);
  double distance = row->alibi_slope < 0.0 || row->alibi_slope > 0.0
                        ? fabs((double)row->pos_q - (double)pos_k)
                        : 0.0;
  return x + bias - row->alibi_slope * distance;
}

double sp_gen_lse(const sp_case_values *values, size_t b, size_t i, size_t h) {
  sp_ref_row_input row;
  sp_case_row(values, b, i, h, &row);
  double most = -INFINITY;
  for (size_t j = 0; j < row.n_kv; j++) {
    double x = logit(&row, j);
    if (x > most) most = x;
  }
  if (!isfinite(most)) return most;
  double sum = 0.0;
  for (size_t j = 0; j < row.n_kv; j++) {
    double gap = logit(&row, j) - most;
    if (gap > -50.0) sum += sp_gen_exp(gap); /* e^-50 < 2^-72: below the last bit of the sum */
  }
  return most + sp_gen_log(sum);
}

bool sp_gen_sinks_near(sp_gen *g, sp_dtype dtype, const double *delta, size_t n) {
  sp_case *c = g->c;
  sp_case_values values;
  if (!sp_case_values_init(&values, c)) return false;
  bool ok = sp_array_alloc(&c->sink_logit, dtype, n_sinks(c));
  for (size_t h = 0; ok && h < c->sink_logit.count; h++) {
    bool softmax = c->op == SP_OP_SOFTMAX;
    double lse = 0.0;
    if (values.n_out > 0)
      lse = sp_gen_lse(&values, 0, softmax ? h : values.n_out - 1, softmax ? 0 : h);
    if (!isfinite(lse)) lse = 0.0;
    sp_gen_set(&c->sink_logit, h, lse + delta[h % n]);
  }
  sp_case_values_clear(&values);
  return ok;
}

bool sp_gen_maybe_sinks(sp_gen *g) {
  bool wanted = sp_rng_one_in(&g->rng, 3);
  double delta[3]; /* masses of about 0.3 to 0.9 */
  for (int i = 0; i < 3; i++) delta[i] = sp_rng_uniform(&g->rng, -1.0, 2.0);
  if (!wanted || !sp_gen_has(g, SP_OPT_SINK_LOGIT)) return true;
  sp_dtype dtype = sp_rng_one_in(&g->rng, 4) ? SP_BF16 : SP_F32;
  return sp_gen_sinks_near(g, dtype, delta, 3);
}
