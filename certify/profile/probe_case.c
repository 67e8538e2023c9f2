/* SPDX-License-Identifier: Apache-2.0 */
/* Small calls with equal keys, and what is expected of them. spec: CT-13 */
#include <math.h>
#include <stdlib.h>

#include "certify/profile/probe.h"

bool sp_probe_offers(const sp_asker *asker, uint64_t options) {
  return (options & ~asker->kernel->options) == 0;
}

void sp_probe_set(sp_array *array, size_t index, double x) {
  sp_ref_store(array->dtype, array->bits, index, x);
}

/* d_head = d_value, and q has a 1 in front, so that k[j][0] is the logit of key j. */
bool sp_probe_rows(const sp_asker *asker, sp_case *c, size_t n_q, size_t n_kv) {
  size_t d = asker->d, rows = n_q * c->n_heads, keys = n_kv * c->n_kv_heads;
  c->n_q = n_q;
  c->n_kv = n_kv;
  c->d_head = c->d_value = d;
  if (!sp_array_alloc(&c->q, c->dtype_q, rows * d) ||
      !sp_array_alloc(&c->k, c->dtype_kv, keys * d) ||
      !sp_array_alloc(&c->v, c->dtype_kv, keys * d))
    return false;
  for (size_t r = 0; r < rows; r++) sp_probe_set(&c->q, r * d, 1);
  for (size_t j = 0; j < keys; j++) sp_probe_set(&c->v, j * d + j % SP_PROBE_KEYS, 1);
  return true;
}

static bool append_one_by_one(sp_case *c, size_t n) {
  c->script = calloc(n, sizeof *c->script);
  c->n_steps = n;
  for (size_t t = 0; c->script != NULL && t < n; t++)
    c->script[t] = (sp_cache_step){.kind = SP_STEP_APPEND, .n_tokens = 1, .with_queries = true};
  if (c->window == SP_WINDOW_ALL) c->window = SP_PROBE_KEYS;
  return c->script != NULL;
}

bool sp_probe_keys(const sp_asker *asker, sp_case *c, size_t n) {
  if (c->op == SP_OP_SOFTMAX) {
    c->n_kv = n;
    return sp_array_alloc(&c->logits, c->dtype_q, n);
  }
  if (c->op == SP_OP_CACHE) return sp_probe_rows(asker, c, n, n) && append_one_by_one(c, n);
  return sp_probe_rows(asker, c, sp_probe_offers(asker, SP_OPT_PREFILL) ? n : 1, n);
}

void sp_probe_logit(sp_case *c, size_t j, double x) {
  if (c->op == SP_OP_SOFTMAX)
    sp_probe_set(&c->logits, j, x);
  else
    sp_probe_set(&c->k, j * c->n_kv_heads * c->d_head, x);
}

double sp_expect_fixed(const sp_asker *asker) {
  return sp_convention(asker->known, SP_ASK_FIXED_SINK) == SP_FIXED_ZERO ? 1 : 0;
}

void sp_expect_weights(const sp_asker *asker, const double *x, size_t n, double extra, double *e) {
  double z = extra + sp_expect_fixed(asker);
  for (size_t j = 0; j < n; j++) z += exp(x[j]);
  for (size_t j = 0; j < SP_PROBE_KEYS; j++) e[j] = j < n ? exp(x[j]) / z : 0;
}

double sp_expect_lse(const sp_asker *asker, double z) {
  return sp_convention(asker->known, SP_ASK_LSE_BASE) == SP_LSE_BASE_2 ? log2(z) : log(z);
}
