/* SPDX-License-Identifier: Apache-2.0 */
/* Trials of the diagnosis: the sink logit: lost, repeated, scaled, shifted, taken from elsewhere. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diagnose/trials.h"

static void softmax_without_sink(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 3, 39, SP_F32, false, 4);
}

static double plus(double v, double x) {
  return v + x;
}

static double log_of(double v, double x) {
  return log(v) * x;
}

static double truncated(double v, double x) { /* to x significant bits, to nearest */
  int e;
  (void)frexp(v, &e);
  return ldexp(nearbyint(ldexp(v, (int)x - e)), e - (int)x);
}

static void sink_plus(sp_case *c, double x) {
  diag_each(&c->sink_logit, plus, x);
}

static void sink_times(sp_case *c, double x) {
  diag_each(&c->sink_logit, diag_times, x);
}

static void sink_log(sp_case *c, double x) {
  diag_each(&c->sink_logit, log_of, x);
}

static void sink_capped(sp_case *c, double x) {
  diag_each(&c->sink_logit, diag_capped, x);
}

static void sink_bits(sp_case *c, double x) {
  diag_each(&c->sink_logit, truncated, x);
}

static void sink_reread(sp_case *c, double x) {
  double read[4];
  (void)x;
  for (size_t h = 0; h < 4; h++) read[h] = sp_ref_load(SP_BF16, c->sink_logit.bits, h);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, read[h]);
}

/* Head h takes the sink logit of head (h * a + b) / d mod 4, packed as a + 10 b + 100 d. */
static void sink_of(sp_case *c, double x) {
  double old[4];
  size_t code = (size_t)x, a = code % 10, b = code / 10 % 10, d = code / 100;
  for (size_t h = 0; h < 4; h++) old[h] = sim_get(&c->sink_logit, h);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, old[(h * a + b) / d % 4]);
}

static void sink_to_bias(sp_case *c, double x) {
  (void)x;
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, c->n_kv));
  double s = sim_get(&c->sink_logit, 0);
  sim_put(&c->key_bias, 0, s);
  diag_sink_is(c, -INFINITY);
}

static void equal_sinks(sp_case *c) {
  diag_plain(c);
  diag_sink_is(c, 2.7);
}

static void positive_sinks(sp_case *c) {
  diag_plain(c);
}

/* 1/(1 + e^(s)) with e^s replaced: the denominator gets e^(m + x s) instead. m by brute force. */
static void sink_after_max(const sp_case *c, sp_outputs *o, double x) {
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    double m = -INFINITY, lse = sim_get(&o->lse_keys, r);
    for (size_t j = 0; j < c->n_kv; j++) m = fmax(m, sim_get(&c->logits, r * c->n_kv + j));
    double s = c->sink_logit.bits ? sim_get(&c->sink_logit, r) : 0;
    double total = lse + log1p(exp(m + x * s - lse));
    for (size_t j = 0; j < c->n_kv; j++)
      sim_put(&o->values, r * c->n_kv + j, exp(sim_get(&c->logits, r * c->n_kv + j) - total));
    sim_put(&o->lse_total, r, total);
  }
}

static void value_of_key_0(const sp_case *c, sp_outputs *o, double x) {
  for (size_t i = 0; i < o->values.count; i++) {
    size_t r = i / 8, h = r % 4, b = r / 4 / c->n_q;
    double p = exp(sim_get(&c->sink_logit, h) - sim_get(&o->lse_total, r));
    double v = sim_get(&c->v, (b * c->n_kv * 2 + h / 2) * 8 + i % 8);
    sim_put(&o->values, i, sim_get(&o->values, i) + x * p * v);
  }
}

/* Row (b, i, h) takes the sink logit number index(…): 0 flattened, 1 query, 2 batch. */
static void sink_index(const sp_case *c, sp_outputs *o, double x) {
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    size_t h = r % 4, i = r / 4 % c->n_q, b = r / 4 / c->n_q;
    size_t index = x == 0 ? h * c->n_q + i : x == 1 ? i : b;
    double s = sim_get(&c->sink_logit, index % 4), lse = sim_get(&o->lse_keys, r);
    double total = lse + log1p(exp(s - lse)), old = sim_get(&o->lse_total, r);
    for (size_t e = 0; e < 8; e++)
      sim_put(&o->values, r * 8 + e, sim_get(&o->values, r * 8 + e) * exp(old - total));
    sim_put(&o->lse_total, r, total);
  }
}

static const trial trials[] = {
    {"missing from the denominator", diag_plain, diag_sink_is, -INFINITY, NULL, 0},
    {"counted twice", diag_softmax, sink_plus, LN2, NULL, 0},
    {"counted three times", diag_plain, sink_plus, 0x1.193ea7aad030bp+0, NULL, 0},
    {"counted four times", diag_softmax, sink_plus, 2 * LN2, NULL, 0},
    {"counted eight times", diag_plain, sink_plus, 3 * LN2, NULL, 0},
    {"sink term is 1 after", diag_softmax, NULL, 0, sink_after_max, 0},
    {"from the keys only", diag_softmax, NULL, 0, sink_after_max, 1},
    {"softmax-off-by-one", diag_plain, diag_sink_is, 0, NULL, 0},
    {"absent sink logit is taken as 0", diag_without_sink, diag_sink_is, 0, NULL, 0},
    {"without a sink logit, 1 is added", softmax_without_sink, NULL, 0, sink_after_max, 0},
    {"multiplied by scale: it joins", diag_plain, sink_times, 0.4, NULL, 0},
    {"divided by scale: it joins", diag_plain, sink_times, 2.5, NULL, 0},
    {"is soft-capped", diag_biased, sink_capped, 1.5, NULL, 0},
    {"2^s for e^s", diag_softmax, sink_times, LN2, NULL, 0},
    {"by log2(e) once too often", diag_plain, sink_times, 1 / LN2, NULL, 0},
    {"is a bias on key 0", equal_sinks, sink_to_bias, 0, NULL, 0},
    {"goes to the value of key 0", diag_plain, NULL, 0, value_of_key_0, 1},
    {"itself joins the denominator", positive_sinks, sink_log, 1, NULL, 0},
    {"rounded to bf16 on the way", diag_plain, sink_bits, 8, NULL, 0},
    {"are read as bf16", diag_plain, sink_reread, 0, NULL, 0},
    {"that of the kv head", diag_plain, sink_of, 201, NULL, 0},
    {"sink logit of head 0", diag_plain, sink_of, 100, NULL, 0},
    {"indexed by the flattened row", diag_plain, NULL, 0, sink_index, 0},
    {"indexed by the query", diag_plain, NULL, 0, sink_index, 1},
    {"indexed by the batch entry", diag_plain, NULL, 0, sink_index, 2},
    {"sink logit of the next head", diag_plain, sink_of, 111, NULL, 0},
};

trial_list trials_sink(void) {
  return (trial_list){trials, sizeof trials / sizeof trials[0]};
}
