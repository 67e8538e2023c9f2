/* SPDX-License-Identifier: Apache-2.0 */
/* Long double has 11 bits more than f64 and 40 more than f32, so its own errors are far below every
 * allowance; what it cannot do is say so rigorously, and it need not. */
#include "tests/honest/naive.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

typedef long double real;

typedef struct key {
  bool present;
  real x;       /* logit */
  real error;   /* allowance for computing it: a_j */
  real p, grow; /* weight; e^theta - 1 with what an output may lose on top */
  size_t at;    /* index of its value, SIZE_MAX for a bias pair */
} key;

typedef struct row {
  const sp_case *c;
  size_t b, i, h, h_kv, n, n_present;
  key *key;
  bool invalid;
  real sink, u;
} row;

static real load(const sp_array *array, size_t index) {
  return (real)sp_ref_load(array->dtype, array->bits, index);
}

static real unit_of(sp_dtype dtype) {
  switch (dtype) {
  case SP_F64:
    return 0x1p-53L;
  case SP_F32:
    return 0x1p-24L;
  case SP_F16:
    return 0x1p-11L;
  default:
    return 0x1p-8L;
  }
}

static real least_of(sp_dtype dtype) {
  switch (dtype) {
  case SP_F64:
    return 0x1p-1074L;
  case SP_F32:
    return 0x1p-149L;
  case SP_F16:
    return 0x1p-24L;
  default:
    return 0x1p-133L;
  }
}

static bool sees(const sp_case *c, int64_t pos_q, int64_t pos_k) {
  bool causal = c->causal || c->op == SP_OP_CACHE;
  if (pos_k > pos_q) return !causal;
  return (uint64_t)pos_q - (uint64_t)pos_k < c->window || (uint64_t)pos_k < c->n_sink_tokens;
}

/* q . k and the sum of the absolute products; false if an element is not finite. */
static bool dot(const sp_case *c, size_t q_at, const sp_array *k, size_t k_at, real *sum,
                real *size) {
  bool finite = true;
  *sum = *size = 0;
  for (size_t e = 0; e < c->d_head; e++) {
    real a = load(&c->q, q_at + e), b = load(k, k_at + e);
    finite = finite && isfinite(a) && isfinite(b);
    *sum += a * b;
    *size += fabsl(a * b);
  }
  return finite;
}

static real bend(const sp_case *c, real t) {
  real cap = (real)c->softcap;
  return cap > 0 ? cap * tanhl(t / cap) : t;
}

/* Products and sums of a dot product, its scale, at most 6 roundings of a softcap, two additions.
 */
static real logit_error(const row *r, real size, real capped, real bias, real alibi) {
  real steps = (real)(r->c->d_head + 3) * fabsl((real)r->c->scale) * size;
  real cap = r->c->softcap > 0 ? 6 * fabsl(capped) : 0;
  return r->u * (steps + cap + 3 * (fabsl(capped) + fabsl(bias) + fabsl(alibi)));
}

static void add_key(row *r, key *k, real product, real size, real bias, real alibi) {
  real capped = bend(r->c, (real)r->c->scale * product);
  k->x = capped + bias + alibi;
  k->error = logit_error(r, size, capped, bias, alibi);
  r->n_present++;
}

static void softmax_keys(row *r) {
  const sp_case *c = r->c;
  size_t bias_row = c->bias_rows > 1 ? r->i * c->n_kv : 0;
  for (size_t j = 0; j < c->n_kv; j++) {
    key *k = &r->key[j];
    real x = load(&c->logits, r->i * c->n_kv + j);
    real bias = c->key_bias.bits ? load(&c->key_bias, bias_row + j) : 0;
    k->present = x != -INFINITY && bias != -INFINITY;
    if (!k->present) continue;
    r->invalid = r->invalid || !isfinite(x) || !isfinite(bias);
    add_key(r, k, x, fabsl(x), bias, 0);
  }
}

static void attention_keys(row *r, int64_t pos_q, size_t q_at) {
  const sp_case *c = r->c;
  size_t bias_row = c->bias_rows > 1 ? r->i * c->n_kv : 0;
  real slope = c->alibi_slope.bits ? load(&c->alibi_slope, r->h) : 0, product, size;
  for (size_t j = 0; j < c->n_kv; j++) {
    key *k = &r->key[j];
    int64_t pos_k = c->pos_k ? c->pos_k[j] : (int64_t)j;
    k->at = (r->b * c->n_kv + j) * c->n_kv_heads + r->h_kv;
    real bias = c->key_bias.bits ? load(&c->key_bias, bias_row + j) : 0;
    k->present = sees(c, pos_q, pos_k) && bias != -INFINITY;
    if (!k->present) continue;
    bool finite = dot(c, q_at, &c->k, k->at * c->d_head, &product, &size);
    r->invalid = r->invalid || !finite || !isfinite(bias) || !isfinite(slope);
    add_key(r, k, product, size, bias, -slope * fabsl((real)pos_q - (real)pos_k));
  }
  if (!c->bias_k.bits) return;
  key *pair = &r->key[c->n_kv];
  pair->present = true;
  pair->at = SIZE_MAX;
  bool finite = dot(c, q_at, &c->bias_k, r->h_kv * c->d_head, &product, &size);
  r->invalid = r->invalid || !finite;
  add_key(r, pair, product, size, 0, 0);
}

static real value(const row *r, const key *k, size_t c) {
  if (k->at == SIZE_MAX) return load(&r->c->bias_v, r->h_kv * r->c->d_value + c);
  return load(&r->c->v, k->at * r->c->d_value + c);
}

/* ---- the bound: NU-7 to first order, with the same terms ---- */

typedef struct measure {
  real m, keys, total; /* max, ln Z_K, ln Z */
  real mean, mean_keys, chain, common;
} measure;

static real delta(const row *r, const sp_class *cls, const key *k, real top, real lse) {
  real depth = top - k->x;
  return r->u * ((real)cls->c_d * depth + (real)cls->c_z * fabsl(k->x) +
                 (real)cls->c_l * (fabsl(lse) + fabsl(lse - top))) +
         2 * k->error;
}

static real mean_error(const row *r, const sp_class *cls, real top, real lse, real sink) {
  real sum = 0;
  for (size_t j = 0; j < r->n; j++)
    if (r->key[j].present)
      sum += expl(r->key[j].x - lse) * expm1l(fminl(delta(r, cls, &r->key[j], top, lse), 100));
  if (isfinite(sink)) {
    real depth = fmaxl(top - sink, sink - top);
    real d = r->u * ((real)cls->c_d * depth + (real)cls->c_z * fabsl(sink) +
                     (real)cls->c_l * (fabsl(lse) + fabsl(lse - top)));
    sum += expl(sink - lse) * expm1l(fminl(d, 100));
  }
  return log1pl(sum);
}

static measure measured(const row *r, const sp_class *cls) {
  measure ms = {.m = -INFINITY};
  real sum = 0;
  bool sink = isfinite(r->sink);
  for (size_t j = 0; j < r->n; j++)
    if (r->key[j].present) ms.m = fmaxl(ms.m, r->key[j].x);
  for (size_t j = 0; j < r->n; j++)
    if (r->key[j].present) sum += expl(r->key[j].x - ms.m);
  ms.keys = ms.m + logl(sum);
  real top = sink ? fmaxl(ms.m, r->sink) : ms.m;
  ms.total = sink ? top + logl(sum * expl(ms.m - top) + expl(r->sink - top)) : ms.keys;
  real scale = r->u / 0x1p-24L; /* a class is written for f32 */
  size_t n = r->n + (sink ? 1 : 0);
  ms.chain = (real)sp_class_height(cls, n) * (real)cls->u_acc * scale;
  /* At most 8 events per key (product, exponential, sum, rescale, in and out) may underflow. */
  ms.common = 2 * (real)cls->eps_exp * scale + ms.chain + (real)cls->c_norm * r->u +
              (real)cls->u_p + (real)n * 8 * least_of(r->u < 0x1p-30L ? SP_F64 : SP_F32);
  ms.mean = mean_error(r, cls, top, ms.total, r->sink);
  ms.mean_keys = mean_error(r, cls, ms.m, ms.keys, -INFINITY);
  return ms;
}

/* ---- acceptance ---- */

static void use(double *budget, real share) {
  if (!(share <= (real)*budget)) *budget = isnan(share) ? (double)INFINITY : (double)share;
}

/* got must be within error of exact before it was rounded to its type. */
static void compare(double *budget, sp_dtype dtype, real got, real exact, real error) {
  if (!isfinite(exact)) {
    bool same = isnan(exact) ? isnan(got) : got == exact;
    use(budget, same ? 0 : INFINITY);
    return;
  }
  real largest = dtype == SP_F16 ? 65504 : dtype == SP_F64 ? (real)DBL_MAX : 0x1p127L;
  if (fabsl(exact) + error > largest) return;
  real allowed = error + unit_of(dtype) * (fabsl(exact) + error) + least_of(dtype);
  use(budget, fabsl(got - exact) / allowed);
}

/* Weights and what each may be off by. */
static void weigh(row *r, const sp_class *cls, const measure *ms) {
  real top = isfinite(r->sink) ? fmaxl(ms->m, r->sink) : ms->m;
  real more = r->c->op == SP_OP_SOFTMAX ? 0 : (real)cls->u_p + ms->chain;
  for (size_t j = 0; j < r->n; j++) {
    key *k = &r->key[j];
    if (!k->present) continue;
    real theta = delta(r, cls, k, top, ms->total) + ms->mean + ms->common;
    k->p = expl(k->x - ms->total);
    k->grow = expm1l(fminl(theta + more, 100));
  }
}

static void compare_values(const row *r, const sp_array *got, size_t at, double *budget) {
  const sp_case *c = r->c;
  bool softmax = c->op == SP_OP_SOFTMAX, none = r->n_present == 0 || r->sink == INFINITY;
  sp_dtype least = r->u < 0x1p-30L ? SP_F64 : SP_F32;
  size_t row_len = softmax ? c->n_kv : c->d_value;
  for (size_t e = 0; e < row_len; e++) {
    real exact = 0, error = 0, size = 0;
    for (size_t j = softmax ? e : 0; j < (softmax ? e + 1 : r->n) && !r->invalid; j++) {
      const key *k = &r->key[j];
      if (!k->present) continue;
      real v = softmax ? 1 : value(r, k, e), p = none && !isnan(v) ? 0 : k->p;
      exact += p * v;
      error += p * fabsl(v) * k->grow;
      size += fabsl(v);
    }
    error = none ? 0 : error + 8 * (1 + size) * least_of(least);
    compare(budget, c->dtype_q, load(got, at + e), r->invalid ? (real)NAN : exact, error);
  }
}

static void compare_lse(const row *r, const measure *ms, const sp_array *got, size_t at, bool total,
                        double *budget) {
  real exact = total ? ms->total : ms->keys, mean = total ? ms->mean : ms->mean_keys;
  real shift = fabsl(ms->m) + (total && isfinite(r->sink) ? fabsl(r->sink) : 0);
  /* The logarithm (one ulp: 2u) and its sum with the shift; up to three roundings each where the
   * constant of base 2 comes in. */
  real error = mean + ms->common + 3 * r->u * (2 * fabsl(exact - ms->m) + fabsl(exact) + shift);
  if (r->n_present == 0) {
    exact = total ? r->sink : -INFINITY;
    error = 0;
  }
  if (r->n_present > 0 && total && r->sink == INFINITY) exact = INFINITY;
  if (r->invalid) exact = (real)NAN;
  compare(budget, got->dtype, load(got, at), exact, error);
}

static void compare_row(row *r, const sp_class *cls, const sp_outputs *out, size_t at,
                        double *budget) {
  const sp_case *c = r->c;
  measure ms = measured(r, cls);
  r->invalid = r->invalid || isnan(r->sink);
  size_t row_len = c->op == SP_OP_SOFTMAX ? c->n_kv : c->d_value;
  weigh(r, cls, &ms);
  if (out->values.bits) compare_values(r, &out->values, at * row_len, budget);
  if (out->lse_keys.bits) compare_lse(r, &ms, &out->lse_keys, at, false, budget);
  if (out->lse_total.bits) compare_lse(r, &ms, &out->lse_total, at, true, budget);
}

/* ---- rows and lists ---- */

/* The token of each output of a stream, in the order of the script; returns how many. */
static size_t tokens_of(const sp_case *c, size_t *token) {
  size_t n = 0, appended = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    const sp_cache_step *step = &c->script[s];
    if (step->kind == SP_STEP_ATTEND) token[n++] = appended - 1;
    for (size_t t = 0; step->kind == SP_STEP_APPEND && t < step->n_tokens; t++, appended++)
      if (step->with_queries) token[n++] = appended;
  }
  return n;
}

static void compare_lists(const sp_case *c, const sp_outputs *out, double *budget) {
  size_t list = 0, at = 0, appended = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    if (c->script[s].kind == SP_STEP_APPEND) appended += c->script[s].n_tokens;
    if (c->script[s].kind != SP_STEP_VISIBLE) continue;
    size_t n = 0;
    for (size_t t = 0; t < appended; t++) {
      if (!sees(c, (int64_t)appended - 1, (int64_t)t)) continue;
      bool same = n < out->n_visible[list] && out->visible[at + n] == c->first_token + t;
      if (!same) use(budget, INFINITY);
      n++;
    }
    if (out->n_visible[list] != n) use(budget, INFINITY);
    at += out->n_visible[list++];
  }
}

/* Row (b, i, h) of the outputs; for a stream, `token` is the query's. */
static void judge_row(row *r, const sp_class *cls, const sp_outputs *out, size_t token, size_t at,
                      double *budget) {
  const sp_case *c = r->c;
  for (size_t j = 0; j < r->n; j++) r->key[j].present = false;
  r->n_present = 0;
  r->invalid = false;
  r->h_kv = r->h / (c->n_heads / c->n_kv_heads);
  r->sink = -INFINITY;
  if (c->sink_logit.bits) r->sink = load(&c->sink_logit, c->op == SP_OP_SOFTMAX ? r->i : r->h);
  if (c->op == SP_OP_SOFTMAX) {
    softmax_keys(r);
  } else {
    int64_t pos_q = (int64_t)c->n_kv - (int64_t)c->n_q + (int64_t)token;
    if (c->pos_q) pos_q = c->pos_q[token];
    attention_keys(r, pos_q, ((r->b * c->n_q + token) * c->n_heads + r->h) * c->d_head);
  }
  compare_row(r, cls, out, at, budget);
}

bool sp_naive_accepts(const sp_case *c, const sp_outputs *out, const char *class_text,
                      double *budget) {
  sp_class cls;
  char why[160];
  *budget = INFINITY;
  if (!sp_class_parse(class_text, &cls, why, sizeof why)) return false;
  size_t *token = calloc(c->n_q + c->n_steps + 1, sizeof *token);
  row r = {.c = c,
           .n = c->n_kv + (c->bias_k.bits ? 1 : 0),
           .u = c->dtype_q == SP_F64 ? 0x1p-53L : (real)cls.u};
  r.key = calloc(r.n + 1, sizeof *r.key);
  if (!token || !r.key) goto done;
  *budget = 0;
  size_t n_out = c->op == SP_OP_CACHE ? tokens_of(c, token) : c->n_q, at = 0;
  for (r.b = 0; r.b < c->n_batch; r.b++)
    for (r.i = 0; r.i < n_out; r.i++)
      for (r.h = 0; r.h < c->n_heads; r.h++)
        judge_row(&r, &cls, out, c->op == SP_OP_CACHE ? token[r.i] : r.i, at++, budget);
  if (c->op == SP_OP_CACHE) compare_lists(c, out, budget);
done:
  free(token);
  free(r.key);
  return *budget <= 1;
}
