/* SPDX-License-Identifier: Apache-2.0 */
/* Trials of the diagnosis: scale, softcap, biases, ALiBi, bases, the bias pair. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diagnose/trials.h"

static void with_alibi(sp_case *c) {
  diag_attention(c, 1, 4, 20, true);
  ck_assert(sp_array_alloc(&c->alibi_slope, SP_F32, 4));
  for (size_t h = 0; h < 4; h++) sim_put(&c->alibi_slope, h, 0.11 * (double)(h + 1));
}

static void capped_alibi(sp_case *c) {
  with_alibi(c);
  c->softcap = 1.5F;
}

static void noncausal_alibi(sp_case *c) {
  with_alibi(c);
  c->causal = false;
}

static void with_pair(sp_case *c) {
  sp_rng rng;
  sp_rng_init(&rng, 9, "diagnose", 1, 1);
  diag_attention(c, 1, 4, 20, true);
  diag_fill(&c->bias_k, SP_F32, 16, &rng, 1.5);
  diag_fill(&c->bias_v, SP_F32, 16, &rng, 2);
}

/* key_bias[2][1][4][20] */
static void biased_heads(sp_case *c) {
  sp_rng rng;
  sp_rng_init(&rng, 9, "diagnose", 1, 2);
  diag_attention(c, 2, 4, 20, true);
  diag_fill(&c->key_bias, SP_F32, 160, &rng, 1);
  c->bias_batches = 2;
  c->bias_heads = 4;
}

static double finite_times(double v, double x) {
  return isinf(v) ? v : v * x;
}

static void scale_is(sp_case *c, double x) {
  c->scale = (float)x;
}

static void no_cap(sp_case *c, double x) {
  c->softcap = (float)x;
}

static void bias_times(sp_case *c, double x) {
  diag_each(&c->key_bias, finite_times, x);
}

static void alibi_times(sp_case *c, double x) {
  diag_each(&c->alibi_slope, diag_times, x);
}

/* Entry and head whose biases stand in their place: (0, h), (b, 0), (b, kv head of h). */
static void bias_from(sp_case *c, double which) {
  double old[160];
  for (size_t e = 0; e < 160; e++) old[e] = sim_get(&c->key_bias, e);
  for (size_t e = 0; e < 160; e++) {
    size_t b = e / 80, h = e / 20 % 4, from_h = which == 0 ? h : which == 1 ? 0 : h / 2;
    sim_put(&c->key_bias, e, old[((which == 0 ? 0 : b) * 4 + from_h) * 20 + e % 20]);
  }
}

static void bias_row_0(sp_case *c, double x) {
  (void)x;
  for (size_t i = 20; i < 80; i++) sim_put(&c->key_bias, i, sim_get(&c->key_bias, i % 20));
}

/* c tanh(t/c) of the unscaled product, then scale: the same as a softcap c scale after scale. */
static void cap_unscaled(sp_case *c, double x) {
  (void)x;
  c->softcap *= c->scale;
}

static void slope_of(sp_case *c, double x) {
  double old[4];
  for (size_t h = 0; h < 4; h++) old[h] = sim_get(&c->alibi_slope, h);
  for (size_t h = 0; h < 4; h++) sim_put(&c->alibi_slope, h, old[x == 0 ? 0 : (h + 1) % 4]);
}

static void base_2(sp_case *c, double x) {
  c->scale = (float)((double)c->scale * x);
  diag_each(&c->sink_logit, diag_times, x);
}

static void base_2_keys(sp_case *c, double x) {
  c->scale = (float)((double)c->scale * x);
}

static void no_pair(sp_case *c, double x) {
  (void)x;
  free(c->bias_k.bits);
  free(c->bias_v.bits);
  c->bias_k = c->bias_v = (sp_array){0};
}

static void pair_value(sp_case *c, double x) {
  diag_each(&c->bias_v, diag_becomes, x);
}

/* + slope pos_k: the row moves by slope pos_q. */
static void alibi_moved(const sp_case *c, sp_outputs *o, double x) {
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    size_t h = r % 4, pos = c->n_kv - c->n_q + r / 4 % c->n_q;
    double by = x * sim_get(&c->alibi_slope, h) * (double)pos, s = sim_get(&c->sink_logit, h);
    double lse = sim_get(&o->lse_keys, r), old = sim_get(&o->lse_total, r);
    double total = lse + by + log1p(exp(s - lse - by));
    for (size_t e = 0; e < 8; e++)
      sim_put(&o->values, r * 8 + e, sim_get(&o->values, r * 8 + e) * exp(old + by - total));
    sim_put(&o->lse_keys, r, lse + by);
    sim_put(&o->lse_total, r, total);
  }
}

typedef double (*formula)(const sp_case *c, double dot, size_t i, size_t h, size_t j);

/* Every row from its definition, with another formula for logits; n_kv is 20, causal or not. */
static void recompute(const sp_case *c, sp_outputs *o, formula logit) {
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    size_t h = r % 4, i = r / 4 % c->n_q, n = c->causal ? c->n_kv - c->n_q + i + 1 : c->n_kv;
    double sum = 0, out[8] = {0};
    for (size_t j = 0; j < n; j++) {
      double dot = 0;
      for (size_t e = 0; e < 8; e++)
        dot += sim_get(&c->q, (i * 4 + h) * 8 + e) * sim_get(&c->k, (j * 2 + h / 2) * 8 + e);
      double w = exp(logit(c, dot, i, h, j));
      sum += w;
      for (size_t e = 0; e < 8; e++) out[e] += w * sim_get(&c->v, (j * 2 + h / 2) * 8 + e);
    }
    double total = sum + exp(sim_get(&c->sink_logit, h));
    for (size_t e = 0; e < 8; e++) sim_put(&o->values, r * 8 + e, out[e] / total);
    sim_put(&o->lse_keys, r, log(sum));
    sim_put(&o->lse_total, r, log(total));
  }
}

static double capped_biased(const sp_case *c, double dot, size_t i, size_t h, size_t j) {
  (void)h;
  return diag_capped((double)c->scale * dot + sim_get(&c->key_bias, i * 20 + j),
                     (double)c->softcap);
}

static double scaled_biased(const sp_case *c, double dot, size_t i, size_t h, size_t j) {
  (void)h;
  return (double)c->scale * (dot + sim_get(&c->key_bias, i * 20 + j));
}

static double by_alibi(const sp_case *c, size_t i, size_t h, size_t j) {
  return -sim_get(&c->alibi_slope, h) * ((double)(c->n_kv - c->n_q + i) - (double)j);
}

static double capped_alibied(const sp_case *c, double dot, size_t i, size_t h, size_t j) {
  return diag_capped((double)c->scale * dot + by_alibi(c, i, h, j), (double)c->softcap);
}

static double signed_alibied(const sp_case *c, double dot, size_t i, size_t h, size_t j) {
  return (double)c->scale * dot + by_alibi(c, i, h, j);
}

static void bias_inside(const sp_case *c, sp_outputs *o, double x) {
  recompute(c, o, x == 0 ? capped_biased : scaled_biased);
}

static void alibi_inside(const sp_case *c, sp_outputs *o, double x) {
  recompute(c, o, x == 0 ? capped_alibied : signed_alibied);
}

static void uncapped_bias(sp_case *c) {
  diag_biased(c);
  c->softcap = 0;
}

static const trial trials[] = {
    {"scale is not applied", diag_plain, scale_is, 1, NULL, 0},
    {"scale is applied twice", diag_plain, scale_is, 0.16, NULL, 0},
    {"1/sqrt(d_head)", diag_plain, scale_is, 0.35355339059327376, NULL, 0},
    {"softcap is ignored", diag_biased, no_cap, 0, NULL, 0},
    {"applied before scale", diag_biased, cap_unscaled, 0, NULL, 0},
    {"key_bias is added before the softcap", diag_biased, NULL, 0, bias_inside, 0},
    {"key_bias is multiplied by scale", uncapped_bias, NULL, 0, bias_inside, 1},
    {"key_bias is ignored", diag_biased, bias_times, 0, NULL, 0},
    {"key_bias is subtracted", diag_biased, bias_times, -1, NULL, 0},
    {"key_bias is added twice", diag_biased, bias_times, 2, NULL, 0},
    {"key_bias of query 0", diag_biased, bias_row_0, 0, NULL, 0},
    {"key_bias of batch entry 0", biased_heads, bias_from, 0, NULL, 0},
    {"key_bias of head 0", biased_heads, bias_from, 1, NULL, 0},
    {"key_bias of a head is taken at the index of its kv head", biased_heads, bias_from, 2, NULL,
     0},
    {"ALiBi is ignored", with_alibi, alibi_times, 0, NULL, 0},
    {"ALiBi has the wrong sign", with_alibi, alibi_times, -1, NULL, 0},
    {"without the position of the query", with_alibi, NULL, 0, alibi_moved, 1},
    {"ALiBi is added before", capped_alibi, NULL, 0, alibi_inside, 0},
    {"without its absolute value", noncausal_alibi, NULL, 0, alibi_inside, 1},
    {"ALiBi slope of head 0", with_alibi, slope_of, 0, NULL, 0},
    {"ALiBi slope of the next head", with_alibi, slope_of, 1, NULL, 0},
    {"2^x is computed instead of e^x", diag_plain, base_2, LN2, NULL, 0},
    {"2^x is computed for the keys", diag_plain, base_2_keys, LN2, NULL, 0},
    {"log2(e) is applied once too often", diag_plain, base_2, 1 / LN2, NULL, 0},
    {"!the bias pair is ignored", with_pair, no_pair, 0, NULL, 0},
    {"value of the bias pair", with_pair, pair_value, 0, NULL, 0},
    {"all weights are equal", diag_without_sink, scale_is, 0, NULL, 0},
};

trial_list trials_score(void) {
  return (trial_list){trials, sizeof trials / sizeof trials[0]};
}
