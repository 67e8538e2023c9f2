/* SPDX-License-Identifier: Apache-2.0 */
/* Cases, and changes to them, that more than one list of trials uses. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diagnose/trials.h"

void diag_fill(sp_array *a, sp_dtype dtype, size_t count, sp_rng *rng, double size) {
  ck_assert(sp_array_alloc(a, dtype, count));
  for (size_t i = 0; i < count; i++) sim_put(a, i, size * sp_rng_bell(rng));
}

void diag_attention(sp_case *c, size_t n_batch, size_t n_q, size_t n_kv, bool sink) {
  sp_rng rng;
  sp_rng_init(&rng, 4, "diagnose", n_q, n_kv);
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_batch = n_batch;
  c->n_q = n_q;
  c->n_kv = n_kv;
  c->n_heads = 4;
  c->n_kv_heads = 2;
  c->d_head = c->d_value = 8;
  c->scale = 0.4F;
  c->want_lse_keys = c->want_lse_total = true;
  diag_fill(&c->q, SP_F32, n_batch * n_q * 4 * 8, &rng, 1.5);
  diag_fill(&c->k, SP_F32, n_batch * n_kv * 2 * 8, &rng, 1.5);
  diag_fill(&c->v, SP_F32, n_batch * n_kv * 2 * 8, &rng, 1);
  if (sink) diag_fill(&c->sink_logit, SP_F32, 4, &rng, 2);
  for (size_t h = 0; sink && h < 4; h++)
    sim_put(&c->sink_logit, h, 2.1 + fabs(sim_get(&c->sink_logit, h)));
}

void diag_plain(sp_case *c) {
  diag_attention(c, 2, 5, 37, true);
}

void diag_without_sink(sp_case *c) {
  diag_attention(c, 1, 5, 37, false);
}

void diag_windowed(sp_case *c) {
  diag_attention(c, 1, 9, 37, true);
  c->window = 7;
  c->n_sink_tokens = 3;
}

void diag_leading_empty(sp_case *c) {
  diag_attention(c, 1, 7, 3, true);
}

void diag_masked(sp_case *c) { /* per query */
  diag_attention(c, 1, 4, 20, true);
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, 80));
  c->bias_rows = 4;
  for (size_t i = 0; i < 80; i += 3) sim_put(&c->key_bias, i, -INFINITY);
}

void diag_biased(sp_case *c) {
  sp_rng rng;
  sp_rng_init(&rng, 9, "diagnose", 1, 1);
  diag_attention(c, 1, 4, 20, true);
  diag_fill(&c->key_bias, SP_F32, 80, &rng, 1);
  c->bias_rows = 4;
  c->softcap = 1.5F;
}

void diag_softmax(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 3, 39, SP_F32, true, 4);
}

void diag_each(sp_array *a, double (*f)(double, double), double x) {
  for (size_t i = 0; i < a->count; i++) sim_put(a, i, f(sim_get(a, i), x));
}

double diag_times(double v, double x) {
  return v * x;
}

double diag_becomes(double v, double x) {
  (void)v;
  return x;
}

double diag_capped(double v, double x) {
  return x * tanh(v / x);
}

void diag_sink_is(sp_case *c, double x) {
  if (c->sink_logit.bits == NULL)
    ck_assert(sp_array_alloc(&c->sink_logit, SP_F32, c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads));
  diag_each(&c->sink_logit, diag_becomes, x);
}

void diag_scale_values(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  diag_each(&o->values, diag_times, x);
}

void diag_empty_values_are(const sp_case *c, sp_outputs *o, double x) {
  size_t row = c->op == SP_OP_SOFTMAX ? c->n_kv : c->d_value;
  for (size_t i = 0; i < o->values.count; i++)
    if (isinf(sim_get(&o->lse_keys, i / row))) sim_put(&o->values, i, x);
}
