/* SPDX-License-Identifier: Apache-2.0 */
/* Every hypothesis of the diagnosis, on outputs that really have the fault: an honest simulated
 * kernel runs on a case that was changed in the way the sentence says (or its outputs are), and is
 * judged against the unchanged case. The last test sees that no hypothesis lacks such a trial. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/judge/diagnose.h"
#include "tests/judge_kernels.h"

Suite *suite_diagnose(void);

/* ---- cases ---- */

static void fill(sp_array *a, sp_dtype dtype, size_t count, sp_rng *rng, double size) {
  ck_assert(sp_array_alloc(a, dtype, count));
  for (size_t i = 0; i < count; i++) sim_put(a, i, size * sp_rng_bell(rng));
}

static void attention(sp_case *c, size_t n_batch, size_t n_q, size_t n_kv, bool sink) {
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
  fill(&c->q, SP_F32, n_batch * n_q * 4 * 8, &rng, 1.5);
  fill(&c->k, SP_F32, n_batch * n_kv * 2 * 8, &rng, 1.5);
  fill(&c->v, SP_F32, n_batch * n_kv * 2 * 8, &rng, 1);
  if (sink) fill(&c->sink_logit, SP_F32, 4, &rng, 2);
  for (size_t h = 0; sink && h < 4; h++)
    sim_put(&c->sink_logit, h, 2.1 + fabs(sim_get(&c->sink_logit, h)));
}

static void plain(sp_case *c) {
  attention(c, 2, 5, 37, true);
}
static void without_sink(sp_case *c) {
  attention(c, 1, 5, 37, false);
}

static void windowed(sp_case *c) {
  attention(c, 1, 9, 37, true);
  c->window = 7;
  c->n_sink_tokens = 3;
}

static void prompt(sp_case *c) { /* queries from the first position on */
  attention(c, 1, 12, 12, true);
  c->window = 4;
  c->n_sink_tokens = 5;
}

static void all_see_all(sp_case *c) {
  attention(c, 1, 5, 21, true);
  c->causal = false;
}

static void positions(sp_case *c) {
  attention(c, 1, 3, 12, true);
  c->pos_q = calloc(3, sizeof *c->pos_q);
  c->pos_k = calloc(12, sizeof *c->pos_k);
  ck_assert(c->pos_q && c->pos_k);
  for (int i = 0; i < 3; i++) c->pos_q[i] = 20 + 3 * i;
  for (int j = 0; j < 12; j++) c->pos_k[j] = 3 * j;
}

static void leading_empty(sp_case *c) {
  attention(c, 1, 7, 3, true);
}
static void leading_empty_without_sink(sp_case *c) {
  attention(c, 1, 7, 3, false);
}

static void masked(sp_case *c) { /* per query */
  attention(c, 1, 4, 20, true);
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, 80));
  c->bias_rows = 4;
  for (size_t i = 0; i < 80; i += 3) sim_put(&c->key_bias, i, -INFINITY);
}

static void masked_low(sp_case *c) { /* all visible logits far below: a finite mask comes back */
  masked(c);
  for (size_t i = 0; i < 80; i++)
    if (i % 3 != 0) sim_put(&c->key_bias, i, -60000);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, -60000);
}

static void fully_masked(sp_case *c) { /* query 1, which sees 18 keys by position */
  masked(c);
  free(c->sink_logit.bits);
  c->sink_logit = (sp_array){0};
  for (size_t i = 20; i < 40; i++) sim_put(&c->key_bias, i, -INFINITY);
}

static void biased(sp_case *c) {
  sp_rng rng;
  sp_rng_init(&rng, 9, "diagnose", 1, 1);
  attention(c, 1, 4, 20, true);
  fill(&c->key_bias, SP_F32, 80, &rng, 1);
  c->bias_rows = 4;
  c->softcap = 1.5F;
}

static void with_alibi(sp_case *c) {
  attention(c, 1, 4, 20, true);
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
  attention(c, 1, 4, 20, true);
  fill(&c->bias_k, SP_F32, 16, &rng, 1.5);
  fill(&c->bias_v, SP_F32, 16, &rng, 2);
}

static void softmax(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 3, 39, SP_F32, true, 4);
}
static void softmax_n(sp_case *c, size_t n) {
  sim_softmax_case(c, SIM_BELLS, 3, n, SP_F32, true, 4);
}
static void softmax_35(sp_case *c) {
  softmax_n(c, 35);
}
static void softmax_46(sp_case *c) {
  softmax_n(c, 46);
}
static void softmax_54(sp_case *c) {
  softmax_n(c, 54);
}
static void softmax_70(sp_case *c) {
  softmax_n(c, 70);
}
static void softmax_100(sp_case *c) {
  softmax_n(c, 100);
}
static void softmax_without_sink(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 3, 39, SP_F32, false, 4);
}
static void batch_of_45(sp_case *c) {
  attention(c, 1, 5, 45, true);
}
static void batch_of_1(sp_case *c) {
  attention(c, 1, 5, 37, true);
}
static void softmax_45(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 3, 45, SP_F32, true, 4);
}
static void softmax_low(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 2, 39, SP_F32, false, 4);
  for (size_t i = 0; i < 78; i++) sim_put(&c->logits, i, sim_get(&c->logits, i) - 200);
}
static void softmax_high(sp_case *c) {
  sim_softmax_case(c, SIM_SHIFTED, 2, 39, SP_F32, false, 4);
}
static void softmax_empty(sp_case *c) {
  softmax(c);
  for (size_t j = 0; j < 39; j++) sim_put(&c->logits, 39 + j, -INFINITY);
}
static void softmax_nan(sp_case *c) {
  softmax(c);
  sim_put(&c->logits, 50, NAN);
}
static void attention_300(sp_case *c) {
  sim_attention_case(c, SIM_UNIFORM, 2, 300, SP_F32, false, 4);
}
static void softmax_2100(sp_case *c) {
  sim_softmax_case(c, SIM_UNIFORM, 1, 2100, SP_F32, false, 4);
}
static void sink_200(sp_case *c) {
  plain(c);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, 200);
}
static void sink_infinite(sp_case *c) {
  plain(c);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, INFINITY);
}
static void poisoned(sp_case *c) {
  windowed(c);
  sim_put(&c->v, (5 * 2 + 1) * 8 + 2, NAN); /* key 5 is out of every window */
}

/* ---- changes to a case ---- */

typedef void (*change)(sp_case *c, double x);

static void each(sp_array *a, double (*f)(double, double), double x) {
  for (size_t i = 0; i < a->count; i++) sim_put(a, i, f(sim_get(a, i), x));
}
static double plus(double v, double x) {
  return v + x;
}
static double times(double v, double x) {
  return v * x;
}
static double becomes(double v, double x) {
  (void)v;
  return x;
}
static double log_of(double v, double x) {
  return log(v) * x;
}
static double capped(double v, double x) {
  return x * tanh(v / x);
}
static double truncated(double v, double x) { /* to x significant bits, to nearest */
  int e;
  (void)frexp(v, &e);
  return ldexp(nearbyint(ldexp(v, (int)x - e)), e - (int)x);
}
static double finite_times(double v, double x) {
  return isinf(v) ? v : v * x;
}
static double unmasked(double v, double x) {
  return v == -INFINITY ? x : v;
}

static void sink_plus(sp_case *c, double x) {
  each(&c->sink_logit, plus, x);
}
static void sink_times(sp_case *c, double x) {
  each(&c->sink_logit, times, x);
}
static void sink_is(sp_case *c, double x) {
  if (c->sink_logit.bits == NULL)
    ck_assert(sp_array_alloc(&c->sink_logit, SP_F32, c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads));
  each(&c->sink_logit, becomes, x);
}
static void sink_log(sp_case *c, double x) {
  each(&c->sink_logit, log_of, x);
}
static void sink_capped(sp_case *c, double x) {
  each(&c->sink_logit, capped, x);
}
static void sink_bits(sp_case *c, double x) {
  each(&c->sink_logit, truncated, x);
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
  sink_is(c, -INFINITY);
}
static void equal_sinks(sp_case *c) {
  plain(c);
  sink_is(c, 2.7);
}
static void positive_sinks(sp_case *c) {
  plain(c);
}

static void window_plus(sp_case *c, double x) {
  c->window += (uint64_t)(int64_t)x;
}
static void window_none(sp_case *c, double x) {
  (void)x;
  c->window = SP_WINDOW_ALL;
}
static void pinned_plus(sp_case *c, double x) {
  c->n_sink_tokens += (uint64_t)(int64_t)x;
}
static void pinned_for_window(sp_case *c, double x) {
  pinned_plus(c, x);
  window_plus(c, -x);
}
static void causal_is(sp_case *c, double x) {
  c->causal = x > 0;
}
static void query_plus(sp_case *c, double x) {
  c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
  for (size_t i = 0; i < c->n_q; i++) c->pos_q[i] = (int64_t)(c->n_kv - c->n_q + i) + (int64_t)x;
}
static void top_left(sp_case *c, double x) {
  c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
  for (size_t i = 0; i < c->n_q; i++) c->pos_q[i] = (int64_t)(i + (size_t)x);
}
static void no_positions(sp_case *c, double x) {
  (void)x;
  free(c->pos_q);
  free(c->pos_k);
  c->pos_q = c->pos_k = NULL;
}
/* The mask as biases, one row per query, with the exception `x` says. */
static void mask_by_bias(sp_case *c, double x) {
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, c->n_q * c->n_kv));
  c->bias_rows = c->n_q;
  for (size_t i = 0; i < c->n_q; i++)
    for (size_t j = 0; j < c->n_kv; j++) {
      size_t pos = c->n_kv - c->n_q + i;
      bool seen = j <= pos && (pos - j < c->window || j < c->n_sink_tokens);
      if (x == 1) seen |= j < c->n_sink_tokens;
      if (x == 2) seen &= j >= c->n_kv - c->n_q;
      if (!seen) sim_put(&c->key_bias, i * c->n_kv + j, -INFINITY);
    }
  c->causal = false;
  c->window = SP_WINDOW_ALL;
}
static void no_mask(sp_case *c, double x) {
  (void)x;
  c->causal = false;
  c->window = SP_WINDOW_ALL;
}
static void mask_number(sp_case *c, double x) { /* … where positions hide, too */
  if (c->causal && c->n_q > 1) {
    for (size_t i = 0; i < c->n_q; i++)
      for (size_t j = c->n_kv - c->n_q + i + 1; j < c->n_kv; j++)
        sim_put(&c->key_bias, i * c->n_kv + j, -INFINITY);
    c->causal = false;
  }
  each(&c->key_bias, unmasked, x);
}
static void mask_number_in_row_1(sp_case *c, double x) {
  for (size_t i = 20; i < 40; i++) sim_put(&c->key_bias, i, x);
}

static void scale_is(sp_case *c, double x) {
  c->scale = (float)x;
}
static void no_cap(sp_case *c, double x) {
  c->softcap = (float)x;
}
static void bias_times(sp_case *c, double x) {
  each(&c->key_bias, finite_times, x);
}
static void alibi_times(sp_case *c, double x) {
  each(&c->alibi_slope, times, x);
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
  each(&c->sink_logit, times, x);
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

/* Query head h uses kv head map[h]: give each its own copy. */
static void kv_heads(sp_case *c, double x) {
  static const size_t maps[3][4] = {{0, 1, 0, 1}, {0, 0, 0, 0}, {1, 1, 0, 0}};
  const size_t *map = maps[(size_t)x];
  sp_array *const arrays[] = {&c->k, &c->v};
  for (size_t a = 0; a < 2; a++) {
    sp_array old = *arrays[a];
    *arrays[a] = (sp_array){0};
    ck_assert(sp_array_alloc(arrays[a], SP_F32, old.count * 2));
    for (size_t i = 0; i < old.count * 2; i++) {
      size_t row = i / 32, h = i / 8 % 4, e = i % 8;
      sim_put(arrays[a], i, sim_get(&old, row * 16 + map[h] * 8 + e));
    }
    free(old.bits);
  }
  c->n_kv_heads = 4;
}
static void kv_batch_0(sp_case *c, double x) {
  size_t half = c->k.count / 2;
  if (x > 0) memcpy((float *)c->k.bits + half, c->k.bits, half * sizeof(float));
  memcpy((float *)c->v.bits + half, c->v.bits, half * sizeof(float));
}
static void lose(sp_case *c, double x) { /* keys from x on; x < 0: key 0 */
  if (c->op == SP_OP_SOFTMAX) {
    for (size_t r = 0; r < c->n_q; r++)
      for (size_t j = 0; j < c->n_kv; j++)
        if (x < 0 ? j == 0 : (double)j >= x) sim_put(&c->logits, r * c->n_kv + j, -INFINITY);
    return;
  }
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, c->n_kv));
  for (size_t j = 0; j < c->n_kv; j++)
    if (x < 0 ? j == 0 : (double)j >= x) sim_put(&c->key_bias, j, -INFINITY);
}
static void pad_to(sp_case *c, double x) { /* e^s + padding */
  for (size_t r = 0; r < c->sink_logit.count; r++)
    sim_put(&c->sink_logit, r,
            log(exp(sim_get(&c->sink_logit, r)) + (x - (double)(c->n_kv % (size_t)x))));
}
static void shift(sp_array *a, size_t row, int step) {
  size_t n = a->count / row;
  float *old = malloc(a->count * sizeof *old);
  memcpy(old, a->bits, a->count * sizeof *old);
  for (size_t j = 0; j < n; j++) {
    size_t from = step > 0 ? (j + 1 < n ? j + 1 : j) : (j > 0 ? j - 1 : j);
    memcpy((float *)a->bits + j * row, old + from * row, row * sizeof *old);
  }
  free(old);
}
static void skip_values(sp_case *c, double x) {
  size_t first = c->n_kv - c->n_kv % (size_t)x;
  for (size_t i = first * 16; i < c->v.count; i++) sim_put(&c->v, i, 0);
}
static void pair_value(sp_case *c, double x) {
  each(&c->bias_v, becomes, x);
}
static void shift_v(sp_case *c, double x) {
  shift(&c->v, 16, (int)x);
}
static void shift_k(sp_case *c, double x) {
  shift(&c->k, 16, (int)x);
}
static void heal(sp_case *c, double x) {
  sim_put(&c->logits, 50, x);
}

/* ---- changes to outputs; c is the unchanged case ---- */

typedef void (*corruption)(const sp_case *c, sp_outputs *o, double x);

static void scale_values(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  each(&o->values, times, x);
}
static void spoil_all(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  each(&o->values, becomes, x);
  each(&o->lse_total, becomes, x);
}
static void values_are(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  each(&o->values, becomes, x);
}
static void values_of_kv_head_1_are(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  for (size_t i = 0; i < o->values.count; i++)
    if (i / 8 % 4 >= 2) sim_put(&o->values, i, x);
}
static void empty_values_are(const sp_case *c, sp_outputs *o, double x) {
  size_t row = c->op == SP_OP_SOFTMAX ? c->n_kv : c->d_value;
  for (size_t i = 0; i < o->values.count; i++)
    if (isinf(sim_get(&o->lse_keys, i / row))) sim_put(&o->values, i, x);
}
static void empty_average(const sp_case *c, sp_outputs *o, double x) {
  (void)x;
  for (size_t i = 0; i < o->values.count; i++) {
    if (!isinf(sim_get(&o->lse_keys, i / 8))) continue;
    double sum = 0;
    size_t h = i / 8 % 4 / 2;
    for (size_t j = 0; j < c->n_kv; j++) sum += sim_get(&c->v, (j * 2 + h) * 8 + i % 8);
    sim_put(&o->values, i, sum / (double)c->n_kv);
  }
}
static void zero_tail(const sp_case *c, sp_outputs *o, double x) {
  for (size_t i = 0; i < o->values.count; i++)
    if (i % c->n_kv >= c->n_kv - c->n_kv % (size_t)x) sim_put(&o->values, i, 0);
}
static void undivided_tail(const sp_case *c, sp_outputs *o, double x) {
  for (size_t i = 0; i < o->values.count; i++) {
    size_t r = i / c->n_kv;
    if (i % c->n_kv < c->n_kv - c->n_kv % (size_t)x) continue;
    double top = sim_get(&c->sink_logit, r);
    for (size_t j = 0; j < c->n_kv; j++) top = fmax(top, sim_get(&c->logits, r * c->n_kv + j));
    sim_put(&o->values, i, exp(sim_get(&c->logits, i) - top));
  }
}
/* Row r becomes row (r & keep) …: 0 query, 1 head, 2 batch, 3 all; 4, 5, 6: a neighbour. */
static void copy_rows(const sp_case *c, sp_outputs *o, double x) {
  sp_outputs old;
  ck_assert(sp_outputs_init(&old, c));
  memcpy(old.values.bits, o->values.bits, o->values.count * sizeof(float));
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    size_t h = r % c->n_heads, i = r / c->n_heads % c->n_q, b = r / c->n_heads / c->n_q;
    if (x == 0 || x == 3) i = 0;
    if (x == 1 || x == 3) h = 0;
    if (x == 2 || x == 3) b = 0;
    if (x == 4 && i > 0) i--;
    if (x == 5 && i + 1 < c->n_q) i++;
    if (x == 6 && h > 0) h--;
    size_t from = (b * c->n_q + i) * c->n_heads + h;
    memcpy((float *)o->values.bits + r * 8, (float *)old.values.bits + from * 8, 32);
  }
  sp_outputs_clear(&old);
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
  return capped((double)c->scale * dot + sim_get(&c->key_bias, i * 20 + j), (double)c->softcap);
}
static double scaled_biased(const sp_case *c, double dot, size_t i, size_t h, size_t j) {
  (void)h;
  return (double)c->scale * (dot + sim_get(&c->key_bias, i * 20 + j));
}
static double by_alibi(const sp_case *c, size_t i, size_t h, size_t j) {
  return -sim_get(&c->alibi_slope, h) * ((double)(c->n_kv - c->n_q + i) - (double)j);
}
static double capped_alibied(const sp_case *c, double dot, size_t i, size_t h, size_t j) {
  return capped((double)c->scale * dot + by_alibi(c, i, h, j), (double)c->softcap);
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
  biased(c);
  c->softcap = 0;
}

static void lse_times(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  each(&o->lse_keys, times, x);
  each(&o->lse_total, times, x);
}
/* 0: total := keys; 1: keys := total; 2: swap. */
static void lse_mix(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    double keys = sim_get(&o->lse_keys, r), total = sim_get(&o->lse_total, r);
    if (x != 0) sim_put(&o->lse_keys, r, total);
    if (x != 1) sim_put(&o->lse_total, r, keys);
  }
}
/* 0: less the maximum with the sink logit in it; 1: less that of the keys; 2: the maximum alone. */
static void lse_max(const sp_case *c, sp_outputs *o, double x) {
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    double m = -INFINITY;
    for (size_t j = 0; j < c->n_kv; j++) m = fmax(m, sim_get(&c->logits, r * c->n_kv + j));
    double top = fmax(m, sim_get(&c->sink_logit, r));
    double keys = sim_get(&o->lse_keys, r), total = sim_get(&o->lse_total, r);
    sim_put(&o->lse_keys, r, x == 2 ? m : keys - m);
    sim_put(&o->lse_total, r, x == 2 ? top : total - (x == 0 ? top : m));
  }
}
static void empty_lse(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  for (size_t r = 0; r < o->lse_keys.count; r++)
    if (sim_get(&o->lse_keys, r) == -INFINITY) {
      sim_put(&o->lse_keys, r, x);
      sim_put(&o->lse_total, r, x);
    }
}
/* ---- trials ---- */

typedef struct trial {
  const char *sentence; /* part of exactly one */
  void (*make)(sp_case *);
  change alter;
  double x;
  corruption corrupt;
  double y;
} trial;

#define LN2 0x1.62e42fefa39efp-1

static const trial trials[] = {
    {"without a visible key is NaN: 0 is due", leading_empty, NULL, 0, empty_values_are, NAN},
    {"was repaired", softmax_nan, heal, 0.5, NULL, 0},
    {"infinite sink logit gives NaN", sink_infinite, NULL, 0, values_are, NAN},
    {"NaN in a masked slot", poisoned, NULL, 0, values_of_kv_head_1_are, NAN},
    {"e^x overflows", softmax_high, NULL, 0, values_are, NAN},
    {"e^(sink_logit - m) overflows", sink_200, NULL, 0, spoil_all, INFINITY},
    {"e^x underflows", softmax_low, NULL, 0, values_are, 0},
    {"all zeros", plain, NULL, 0, values_are, 0},
    {"though everything visible is finite", plain, NULL, 0, values_are, NAN},
    {"stalls at 2^8", attention_300, NULL, 0, scale_values, 256.0 / 300},
    {"stalls at 2^11", softmax_2100, NULL, 0, scale_values, 2100.0 / 2048},
    {"result is that of query 0", plain, NULL, 0, copy_rows, 0},
    {"result is that of head 0", plain, NULL, 0, copy_rows, 1},
    {"result is that of batch entry 0", plain, NULL, 0, copy_rows, 2},
    {"result is that of the first row", plain, NULL, 0, copy_rows, 3},
    {"result is that of the query before", plain, NULL, 0, copy_rows, 4},
    {"result is that of the query after", plain, NULL, 0, copy_rows, 5},
    {"result is that of the head before", plain, NULL, 0, copy_rows, 6},

    {"lse_total does not contain", softmax, NULL, 0, lse_mix, 0},
    {"lse_keys contains the sink", softmax, NULL, 0, lse_mix, 1},
    {"are swapped", softmax, NULL, 0, lse_mix, 2},
    {"in base 2: a factor ln 2", softmax, NULL, 0, lse_times, 1 / LN2},
    {"multiplied by ln 2, though", plain, NULL, 0, lse_times, LN2},
    {"log-sum-exp has the wrong sign", plain, NULL, 0, lse_times, -1},
    {"lacks the maximum that", softmax, NULL, 0, lse_max, 0},
    {"lack the maximum over", softmax, NULL, 0, lse_max, 1},
    {"is the maximum alone", softmax, NULL, 0, lse_max, 2},
    {"is -inf whatever", leading_empty, NULL, 0, empty_lse, -INFINITY},
    {"log-sum-exp of a row without a visible key is +inf", leading_empty, NULL, 0, empty_lse,
     INFINITY},
    {"log-sum-exp of a row without a visible key is 0", leading_empty, NULL, 0, empty_lse, 0},
    {"log-sum-exp of a row without a visible key is NaN", leading_empty, NULL, 0, empty_lse, NAN},

    {"missing from the denominator", plain, sink_is, -INFINITY, NULL, 0},
    {"counted twice", softmax, sink_plus, LN2, NULL, 0},
    {"counted three times", plain, sink_plus, 0x1.193ea7aad030bp+0, NULL, 0},
    {"counted four times", softmax, sink_plus, 2 * LN2, NULL, 0},
    {"counted eight times", plain, sink_plus, 3 * LN2, NULL, 0},
    {"sink term is 1 after", softmax, NULL, 0, sink_after_max, 0},
    {"from the keys only", softmax, NULL, 0, sink_after_max, 1},
    {"softmax-off-by-one", plain, sink_is, 0, NULL, 0},
    {"absent sink logit is taken as 0", without_sink, sink_is, 0, NULL, 0},
    {"without a sink logit, 1 is added", softmax_without_sink, NULL, 0, sink_after_max, 0},
    {"multiplied by scale: it joins", plain, sink_times, 0.4, NULL, 0},
    {"divided by scale: it joins", plain, sink_times, 2.5, NULL, 0},
    {"is soft-capped", biased, sink_capped, 1.5, NULL, 0},
    {"2^s for e^s", softmax, sink_times, LN2, NULL, 0},
    {"by log2(e) once too often", plain, sink_times, 1 / LN2, NULL, 0},
    {"is a bias on key 0", equal_sinks, sink_to_bias, 0, NULL, 0},
    {"goes to the value of key 0", plain, NULL, 0, value_of_key_0, 1},
    {"itself joins the denominator", positive_sinks, sink_log, 1, NULL, 0},
    {"rounded to bf16 on the way", plain, sink_bits, 8, NULL, 0},
    {"are read as bf16", plain, sink_reread, 0, NULL, 0},
    {"that of the kv head", plain, sink_of, 201, NULL, 0},
    {"sink logit of head 0", plain, sink_of, 100, NULL, 0},
    {"indexed by the flattened row", plain, NULL, 0, sink_index, 0},
    {"indexed by the query", plain, NULL, 0, sink_index, 1},
    {"indexed by the batch entry", plain, NULL, 0, sink_index, 2},
    {"sink logit of the next head", plain, sink_of, 111, NULL, 0},

    {"average of all values", leading_empty_without_sink, NULL, 0, empty_average, 0},
    {"masked by bias is the average", fully_masked, mask_number_in_row_1, -1e30, NULL, 0},
    {"has uniform weights", softmax_empty, NULL, 0, empty_values_are, 1.0 / 39},
    {"window is one key too wide", windowed, window_plus, 1, NULL, 0},
    {"window is one key too narrow", windowed, window_plus, -1, NULL, 0},
    {"counted inside the window: they come", windowed, window_plus, -3, NULL, 0},
    {"too wide by the number", windowed, window_plus, 3, NULL, 0},
    {"the window is ignored", windowed, window_none, 0, NULL, 0},
    {"(n_sink_tokens) are ignored", windowed, pinned_plus, -3, NULL, 0},
    {"too many is pinned$", windowed, pinned_plus, 1, NULL, 0},
    {"too few is pinned$", windowed, pinned_plus, -1, NULL, 0},
    {"at the cost of the window$", windowed, pinned_for_window, 1, NULL, 0},
    {"without the causal bound", prompt, mask_by_bias, 1, NULL, 0},
    {"aligned top-left", plain, top_left, 0, NULL, 0},
    {"causal bound is ignored", plain, causal_is, 0, NULL, 0},
    {"although causal is 0", all_see_all, causal_is, 1, NULL, 0},
    {"one position too late", plain, query_plus, 1, NULL, 0},
    {"one position too early", plain, query_plus, -1, NULL, 0},
    {"explicit positions are ignored", positions, no_positions, 0, NULL, 0},
    {"start at the query offset", plain, mask_by_bias, 2, NULL, 0},
    {"no mask is applied by position", windowed, no_mask, 0, NULL, 0},
    {"no mask is applied at all", masked, mask_number, 0, NULL, 0},
    {"number -1e4", masked_low, mask_number, -1e4, NULL, 0},
    {"number -5e4", masked_low, mask_number, -5e4, NULL, 0},

    {"scale is not applied", plain, scale_is, 1, NULL, 0},
    {"scale is applied twice", plain, scale_is, 0.16, NULL, 0},
    {"1/sqrt(d_head)", plain, scale_is, 0.35355339059327376, NULL, 0},
    {"softcap is ignored", biased, no_cap, 0, NULL, 0},
    {"applied before scale", biased, cap_unscaled, 0, NULL, 0},
    {"key_bias is added before the softcap", biased, NULL, 0, bias_inside, 0},
    {"key_bias is multiplied by scale", uncapped_bias, NULL, 0, bias_inside, 1},
    {"key_bias is ignored", biased, bias_times, 0, NULL, 0},
    {"key_bias is subtracted", biased, bias_times, -1, NULL, 0},
    {"key_bias is added twice", biased, bias_times, 2, NULL, 0},
    {"key_bias of query 0", biased, bias_row_0, 0, NULL, 0},
    {"ALiBi is ignored", with_alibi, alibi_times, 0, NULL, 0},
    {"ALiBi has the wrong sign", with_alibi, alibi_times, -1, NULL, 0},
    {"without the position of the query", with_alibi, NULL, 0, alibi_moved, 1},
    {"ALiBi is added before", capped_alibi, NULL, 0, alibi_inside, 0},
    {"without its absolute value", noncausal_alibi, NULL, 0, alibi_inside, 1},
    {"ALiBi slope of head 0", with_alibi, slope_of, 0, NULL, 0},
    {"ALiBi slope of the next head", with_alibi, slope_of, 1, NULL, 0},
    {"2^x is computed instead of e^x", plain, base_2, LN2, NULL, 0},
    {"2^x is computed for the keys", plain, base_2_keys, LN2, NULL, 0},
    {"log2(e) is applied once too often", plain, base_2, 1 / LN2, NULL, 0},
    {"!the bias pair is ignored", with_pair, no_pair, 0, NULL, 0},
    {"value of the bias pair", with_pair, pair_value, 0, NULL, 0},
    {"all weights are equal", without_sink, scale_is, 0, NULL, 0},

    {"h mod n_kv_heads", plain, kv_heads, 0, NULL, 0},
    {"kv head 0 is used", plain, kv_heads, 1, NULL, 0},
    {"next kv head", plain, kv_heads, 2, NULL, 0},
    {"keys and values of batch entry 0", plain, kv_batch_0, 1, NULL, 0},
    {"the values of batch entry 0 are used", plain, kv_batch_0, 0, NULL, 0},
    {"last n mod 64 keys are lost", softmax_100, lose, 64, NULL, 0},
    {"last n mod 32 keys are lost", softmax_45, lose, 32, NULL, 0},
    {"last n mod 16 keys are lost", softmax_54, lose, 48, NULL, 0},
    {"last n mod 8 keys are lost", softmax_45, lose, 40, NULL, 0},
    {"last n mod 4 keys are lost", softmax_46, lose, 44, NULL, 0},
    {"last key is lost", softmax_46, lose, 45, NULL, 0},
    {"first key is lost", plain, lose, -1, NULL, 0},
    {"weights of the last n mod 16", softmax, NULL, 0, zero_tail, 16},
    {"weights of the last n mod 8", softmax_45, NULL, 0, zero_tail, 8},
    {"weights of the last n mod 4", softmax_45, NULL, 0, zero_tail, 4},
    {"last n mod 16 weights are not divided", softmax, NULL, 0, undivided_tail, 16},
    {"last n mod 8 weights are not divided", softmax_45, NULL, 0, undivided_tail, 8},
    {"values of the last n mod 16 keys are skipped", batch_of_45, skip_values, 16, NULL, 0},
    {"values of the last n mod 8 keys are skipped", batch_of_45, skip_values, 8, NULL, 0},
    {"values of the last n mod 4 keys are skipped", batch_of_45, skip_values, 4, NULL, 0},
    {"multiple of 64", softmax, pad_to, 64, NULL, 0},
    {"multiple of 32", softmax_70, pad_to, 32, NULL, 0},
    {"multiple of 16", softmax_35, pad_to, 16, NULL, 0},
    {"multiple of 8", softmax_35, pad_to, 8, NULL, 0},
    {"multiple of 4 ", softmax_35, pad_to, 4, NULL, 0},
    {"value of the next key", batch_of_1, shift_v, 1, NULL, 0},
    {"value of the key before", batch_of_1, shift_v, -1, NULL, 0},
    {"goes with the next key", batch_of_1, shift_k, 1, NULL, 0},
    {"goes with the key before", batch_of_1, shift_k, -1, NULL, 0},
};
enum { N_TRIALS = sizeof trials / sizeof trials[0] };

static sp_hypotheses (*const tables[])(void) = {sp_hypotheses_special, sp_hypotheses_lse,
                                                sp_hypotheses_sink,    sp_hypotheses_mask,
                                                sp_hypotheses_score,   sp_hypotheses_data};

/* A '$' asks for the end of the sentence, a '!' for its beginning. */
static bool has(const char *sentence, const char *part) {
  if (part[0] == '!') return strncmp(sentence, part + 1, strlen(part) - 1) == 0;
  size_t n = strlen(part);
  if (part[n - 1] != '$') return strstr(sentence, part) != NULL;
  size_t length = strlen(sentence);
  return length >= n - 1 && memcmp(sentence + length - (n - 1), part, n - 1) == 0;
}

/* The one sentence of the tables that a trial means. */
static const char *sentence_of(const char *part) {
  const char *found = NULL;
  for (size_t t = 0; t < 6; t++)
    for (size_t i = 0; i < tables[t]().count; i++) {
      const char *sentence = tables[t]().list[i].sentence;
      if (!has(sentence, part)) continue;
      ck_assert_msg(found == NULL, "\"%s\" is in two sentences", part);
      found = sentence;
    }
  ck_assert_msg(found != NULL, "\"%s\" is in no sentence", part);
  return found;
}

static void diagnose(const sp_case *c, const sp_outputs *outputs, const char *cls_text, char *text,
                     size_t capacity) {
  sp_class cls = sim_class(cls_text);
  sp_truth truth;
  char error[200];
  ck_assert(sp_truth_init(&truth, c, &cls, 1024, error, sizeof error));
  sp_diagnose(c, &truth, outputs, text, capacity);
  sp_truth_clear(&truth);
}

static const sim_style honest = {.name = "honest"};

/* tests: AL-2, AT-2, AT-4, AT-5, AT-6, AT-7, AT-9, EV-2, SM-3 */
START_TEST(a_fault_is_named) {
  const trial *t = &trials[_i];
  sp_case c, wrong;
  sp_outputs outputs;
  char text[400];
  t->make(&c);
  t->make(&wrong);
  if (t->alter != NULL) t->alter(&wrong, t->x);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&honest, &wrong, &outputs);
  if (t->corrupt != NULL) t->corrupt(&c, &outputs, t->y);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  const char *sentence = sentence_of(t->sentence);
  ck_assert_msg(strncmp(text, sentence, strlen(sentence)) == 0, "expected \"%s\", got \"%s\"",
                sentence, text);
  ck_assert_msg(strstr(text, "failing rows examined") == NULL, "not in all rows: \"%s\"", text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&wrong);
  sp_case_clear(&c);
}
END_TEST

/* tests: CT-3 */
START_TEST(every_hypothesis_has_a_trial) {
  for (size_t t = 0; t < 6; t++)
    for (size_t i = 0; i < tables[t]().count; i++) {
      const char *sentence = tables[t]().list[i].sentence;
      bool tried = false;
      for (size_t k = 0; k < N_TRIALS; k++) tried |= sentence_of(trials[k].sentence) == sentence;
      ck_assert_msg(tried, "no trial for \"%s\"", sentence);
    }
}
END_TEST

/* Nothing is said about outputs that are right, and of a fault in some rows the rest is not blamed.
 * tests: CT-1 */
START_TEST(nothing_to_say) {
  sp_case c;
  sp_outputs outputs;
  char text[400] = "left over";
  plain(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&honest, &c, &outputs);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_str_eq(text, "");
  for (size_t i = 0; i < 8; i++) /* noise fits no hypothesis */
    sim_put(&outputs.values, 40 + i, sim_get(&outputs.values, 40 + i) * (1 + 0.37 * (double)i) + 1);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_str_eq(text, "");
  diagnose(&c, &outputs, "w-seq", text, 0);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

/* tests: CT-1 */
START_TEST(a_fault_in_some_rows) {
  sp_case c, wrong;
  sp_outputs outputs, dropped;
  char text[400];
  plain(&c);
  plain(&wrong);
  sink_is(&wrong, -INFINITY);
  ck_assert(sp_outputs_init(&outputs, &c) && sp_outputs_init(&dropped, &c));
  sim_run(&honest, &c, &outputs);
  sim_run(&honest, &wrong, &dropped);
  for (size_t i = 5 * 8; i < 9 * 8; i++) sim_put(&outputs.values, i, sim_get(&dropped.values, i));
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_msg(strstr(text, "missing from the denominator") && strstr(text, "[0][1][1]"), "%s",
                text);
  for (size_t i = 20 * 8; i < 21 * 8; i++) sim_put(&outputs.values, i, 77 + (double)(i * i));
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_msg(strstr(text, "missing from the denominator") && strstr(text, "in 4 of the 5"), "%s",
                text);
  sp_outputs_clear(&dropped);
  sp_outputs_clear(&outputs);
  sp_case_clear(&wrong);
  sp_case_clear(&c);
}
END_TEST

/* A factor that no hypothesis explains is still told. tests: CT-1 */
START_TEST(an_unknown_factor) {
  sp_case c;
  sp_outputs outputs;
  char text[400];
  softmax(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&honest, &c, &outputs);
  scale_values(&c, &outputs, 0.8125);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_msg(strstr(text, "0.8125 times the exact"), "%s", text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

typedef struct overclaim {
  sim_style style;
  const char *claim, *meaning;
} overclaim;

static const overclaim overclaims[] = {
    {{.name = "P in bf16", .p_bits = 8}, "w-seq", "p=bf16"},
    {{.name = "logits in bf16", .logit_bits = 8}, "w-seq", "logit=bf16"},
    {{.name = "exp to 2^-13", .exp_error = 0x1p-13}, "w-seq", "exp=-12"},
    {{.name = "not correctly rounded"}, "cr", "w-deep"},
};

/* Where nothing is wrong but the claim, the class that fits is told. tests: NU-5 */
START_TEST(a_claim_too_strong) {
  const overclaim *o = &overclaims[_i];
  sp_case c;
  sp_outputs outputs;
  char text[400];
  without_sink(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&o->style, &c, &outputs);
  diagnose(&c, &outputs, o->claim, text, sizeof text);
  ck_assert_msg(strstr(text, o->meaning) && strstr(text, "weaker class"), "%s: %s", o->style.name,
                text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

/* ---- lists ---- */

typedef struct list_trial {
  uint64_t pinned, window, first;
  const char *meaning;
} list_trial;

static const list_trial list_trials[] = {
    {2, 4, 7, ""},
    {2, 5, 7, "one recent token too many"},
    {2, 3, 7, "one recent token too few"},
    {3, 4, 7, "too many is pinned"},
    {1, 4, 7, "too few is pinned"},
    {3, 3, 7, "at the cost of the window"},
    {1, 5, 7, "the window is one wider"},
    {2, 2, 7, "counted inside the window"},
    {0, 4, 7, "evicted or not listed"},
    {2, 100, 7, "nothing is ever evicted"},
    {2, 4, 0, "numbered from 0"},
    {5, 9, 3, ""},
};

/* tests: EV-1, EV-2, EV-6, EV-8 */
START_TEST(lists_are_explained) {
  const list_trial *t = &list_trials[_i];
  sp_case c;
  sp_outputs outputs;
  sp_ref_cache cache;
  char text[400];
  sp_case_init(&c, SP_OP_CACHE);
  c.n_q = c.n_kv = 12;
  c.window = 4;
  c.n_sink_tokens = 2;
  c.first_token = 7;
  ck_assert(sp_array_alloc(&c.q, SP_F32, 12) && sp_array_alloc(&c.k, SP_F32, 12));
  ck_assert(sp_array_alloc(&c.v, SP_F32, 12));
  c.n_steps = 24;
  c.script = calloc(24, sizeof *c.script);
  ck_assert(c.script != NULL && sp_outputs_init(&outputs, &c));
  for (size_t s = 0; s < 24; s++)
    c.script[s] = s % 2 ? (sp_cache_step){SP_STEP_VISIBLE, 0, false}
                        : (sp_cache_step){SP_STEP_APPEND, 1, false};
  sp_outputs_clear(&outputs);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_ref_cache_init(&cache, t->pinned, t->window, t->first));
  uint64_t *at = outputs.visible;
  for (size_t l = 0; l < 12; l++) {
    ck_assert(sp_ref_cache_append(&cache, 1));
    outputs.n_visible[l] = (size_t)cache.n_retained;
    for (uint64_t i = 0; i < cache.n_retained; i++) *at++ = cache.token[i];
  }
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_msg(t->meaning[0] ? strstr(text, t->meaning) != NULL : text[0] == '\0',
                "expected \"%s\", got \"%s\"", t->meaning, text);
  sp_ref_cache_clear(&cache);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

Suite *suite_diagnose(void) {
  Suite *suite = suite_create("diagnose");
  TCase *trial_case = tcase_create("AL-2");
  tcase_set_timeout(trial_case, 60);
  tcase_add_loop_test(trial_case, a_fault_is_named, 0, N_TRIALS);
  tcase_add_test(trial_case, every_hypothesis_has_a_trial);
  suite_add_tcase(suite, trial_case);
  TCase *manner = tcase_create("CT-1");
  tcase_add_test(manner, nothing_to_say);
  tcase_add_test(manner, a_fault_in_some_rows);
  tcase_add_test(manner, an_unknown_factor);
  suite_add_tcase(suite, manner);
  TCase *claims = tcase_create("NU-5");
  tcase_add_loop_test(claims, a_claim_too_strong, 0, 4);
  suite_add_tcase(suite, claims);
  TCase *lists = tcase_create("EV-6");
  tcase_add_loop_test(lists, lists_are_explained, 0, sizeof list_trials / sizeof list_trials[0]);
  suite_add_tcase(suite, lists);
  return suite;
}
