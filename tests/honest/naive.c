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

/* Where a token of a stream is: nowhere before it is appended and after it was taken back. */
typedef struct place {
  bool there;
  size_t sequence;
  int64_t index;
} place;

typedef struct row {
  const sp_case *c;
  const sp_class *cls;
  size_t b, i, h, h_kv, n, n_present;
  place *place; /* place[n_kv] of a stream, and the query's: */
  place query;
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

/* How many recent tokens token t of a stream sees, by appending one after the other. tests: EV-9 */
static uint64_t recent(const sp_case *c, uint64_t t) {
  uint64_t held = 0;
  for (uint64_t j = c->n_sink_tokens; j <= t; j++) {
    if (held == c->window) held -= c->n_evict > 0 ? c->n_evict : 1;
    held++;
  }
  return held;
}

static bool sees(const sp_case *c, int64_t pos_q, int64_t pos_k) {
  bool stream = c->op == SP_OP_CACHE;
  if (pos_k > pos_q) return !c->causal && !stream;
  uint64_t window = stream ? recent(c, (uint64_t)pos_q) : c->window;
  return (uint64_t)pos_q - (uint64_t)pos_k < window || (uint64_t)pos_k < c->n_sink_tokens;
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

/* The position of a token as the query sees it. tests: EV-10 */
static real position(const row *r, const place *at) {
  int64_t rank = 0;
  if (r->c->position == SP_POSITION_ABS) return (real)at->index;
  for (size_t j = 0; j < r->c->n_kv; j++) {
    const place *k = &r->place[j];
    rank += k->there && k->sequence == at->sequence && k->index < at->index &&
            sees(r->c, r->query.index, k->index);
  }
  return (real)rank;
}

/* As dot, with rotated vectors. size counts lengths of pairs, and *extra what their angles may be
 * off by. tests: EV-11 */
static bool rotated_dot(const row *r, size_t q_at, size_t k_at, real turn, real *sum, real *size,
                        real *extra) {
  const sp_case *c = r->c;
  size_t dims = c->rope_dims;
  bool finite = dot(c, q_at, &c->k, k_at, sum, size), halves = c->rope_pairing == SP_ROPE_HALF;
  real reach = (real)r->query.index;
  if (c->position == SP_POSITION_ABS) reach += (real)c->first_token;
  *extra = 0;
  for (size_t i = 0; i < dims / 2; i++) {
    size_t a = halves ? i : 2 * i, b = halves ? i + dims / 2 : 2 * i + 1;
    real q_a = load(&c->q, q_at + a), q_b = load(&c->q, q_at + b);
    real k_a = load(&c->k, k_at + a), k_b = load(&c->k, k_at + b);
    real share = 2 * (real)i / (real)dims, e = share * logl((real)c->rope_base);
    real angle = turn * powl((real)c->rope_base, -share);
    real lengths = hypotl(q_a, q_b) * hypotl(k_a, k_b);
    *sum += (q_a * k_a + q_b * k_b) * (cosl(angle) - 1) + (q_a * k_b - q_b * k_a) * sinl(angle);
    *size += lengths - fabsl(q_a * k_a) - fabsl(q_b * k_b);
    *extra += lengths * fminl(3 * reach * expl(-e) * (8 + 4 * e) * (real)r->cls->u_angle, 2);
    *extra += lengths * (36 * r->u + 2 * (real)r->cls->u_rk);
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
  size_t bias_row = sp_case_bias_row(c, 0, r->i, 0);
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
  size_t bias_row = sp_case_bias_row(c, r->b, r->i, r->h);
  real slope = c->alibi_slope.bits ? load(&c->alibi_slope, r->h) : 0, product, size;
  for (size_t j = 0; j < c->n_kv; j++) {
    key *k = &r->key[j];
    int64_t pos_k = c->pos_k ? c->pos_k[j] : (int64_t)j;
    k->at = (r->b * c->n_kv + j) * c->n_kv_heads + r->h_kv;
    real bias = c->key_bias.bits ? load(&c->key_bias, bias_row + j) : 0;
    if (r->place) pos_k = r->place[j].index;
    k->present = sees(c, pos_q, pos_k) && bias != -INFINITY;
    if (r->place && (!r->place[j].there || r->place[j].sequence != r->query.sequence))
      k->present = false;
    if (!k->present) continue;
    real extra = 0, turn = 0;
    if (c->rope_dims > 0) turn = position(r, &r->query) - position(r, &r->place[j]);
    bool finite = c->rope_dims > 0
                      ? rotated_dot(r, q_at, k->at * c->d_head, turn, &product, &size, &extra)
                      : dot(c, q_at, &c->k, k->at * c->d_head, &product, &size);
    r->invalid = r->invalid || !finite || !isfinite(bias) || !isfinite(slope);
    add_key(r, k, product, size, bias, -slope * fabsl((real)pos_q - (real)pos_k));
    k->error += fabsl((real)c->scale) * extra;
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
  real sum = 0, largest = 0;
  for (size_t j = 0; j < r->n; j++)
    if (r->key[j].present) {
      real d = delta(r, cls, &r->key[j], top, lse);
      sum += expl(r->key[j].x - lse) * expm1l(fminl(d, 100));
      largest = fmaxl(largest, d);
    }
  if (largest > 100) return largest; /* the mean is no larger, and near enough */
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
  real least = least_of(r->u < 0x1p-30L ? SP_F64 : SP_F32);
  least += (real)sp_class_underflow(r->cls, r->cls->u_p); /* weights may underflow where rounded */
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
    error = none ? 0 : error + 8 * (1 + size) * least;
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
    if (r->place) pos_q = r->query.index;
    attention_keys(r, pos_q, ((r->b * c->n_q + token) * c->n_heads + r->h) * c->d_head);
  }
  compare_row(r, cls, out, at, budget);
}

/* ---- streams ---- */

typedef struct stream {
  row *r;
  const sp_class *cls;
  const sp_outputs *out;
  int64_t *length, *held_from; /* of each sequence; F of EV-15 */
  size_t n_appended, n_rows, n_lists, n_listed;
  double *budget;
} stream;

static void judge_token(stream *s, size_t token) {
  row *r = s->r;
  r->query = r->place[token];
  for (r->h = 0; r->h < r->c->n_heads; r->h++)
    judge_row(r, s->cls, s->out, token, s->n_rows++, s->budget);
}

static void append(stream *s, const sp_cache_step *step) {
  const sp_case *c = s->r->c;
  for (size_t t = 0; t < step->n_tokens; t++) {
    int64_t *length = &s->length[step->sequence];
    s->r->place[s->n_appended] = (place){true, step->sequence, *length};
    ++*length;
    int64_t first = *length - (int64_t)(c->window + c->n_undo);
    if (first > s->held_from[step->sequence]) s->held_from[step->sequence] = first;
    if (step->with_queries) judge_token(s, s->n_appended);
    s->n_appended++;
  }
}

static void compare_list(stream *s, const uint64_t *expected, size_t n) {
  size_t got = s->out->n_visible[s->n_lists++];
  if (got != n) use(s->budget, INFINITY);
  for (size_t i = 0; i < n && i < got; i++)
    if (s->out->visible[s->n_listed + i] != expected[i]) use(s->budget, INFINITY);
  s->n_listed += got;
}

/* tests: EV-15 */
static void truncate(stream *s, const sp_cache_step *step) {
  const sp_case *c = s->r->c;
  const uint64_t refused = SP_LOST;
  int64_t *length = &s->length[step->sequence], *from = &s->held_from[step->sequence];
  int64_t left = *length - (int64_t)step->n_tokens;
  bool lost = false;
  for (int64_t j = 0; j < left; j++)
    lost = lost || (sees(c, left - 1, j) && j >= (int64_t)c->n_sink_tokens && j < *from);
  compare_list(s, &refused, lost ? 1 : 0);
  if (lost) return;
  *length = left;
  if (*from > left) *from = left;
  for (size_t j = 0; j < s->n_appended; j++)
    if (s->r->place[j].sequence == step->sequence && s->r->place[j].index >= left)
      s->r->place[j].there = false;
}

/* tests: EV-6 */
static void visible(stream *s, const sp_cache_step *step) {
  const sp_case *c = s->r->c;
  int64_t newest = s->length[step->sequence] - 1;
  uint64_t *expected = calloc(c->n_kv + 1, sizeof *expected);
  size_t n = 0;
  for (int64_t j = 0; j <= newest && expected; j++)
    if (sees(c, newest, j)) expected[n++] = c->first_token + (uint64_t)j;
  if (expected) compare_list(s, expected, n);
  free(expected);
}

static void attend(stream *s, const sp_cache_step *step) {
  for (size_t j = s->n_appended; j-- > 0;) {
    const place *at = &s->r->place[j];
    if (!at->there || at->sequence != step->sequence) continue;
    if (at->index != s->length[step->sequence] - 1) continue;
    judge_token(s, j);
    return;
  }
}

static void judge_stream(row *r, const sp_class *cls, const sp_outputs *out, double *budget) {
  const sp_case *c = r->c;
  size_t n = c->n_sequences > 0 ? c->n_sequences : 1;
  stream s = {.r = r,
              .cls = cls,
              .out = out,
              .length = calloc(n, sizeof *s.length),
              .held_from = calloc(n, sizeof *s.held_from),
              .budget = budget};
  for (size_t i = 0; i < c->n_steps && s.length && s.held_from; i++) {
    const sp_cache_step *step = &c->script[i];
    if (step->kind == SP_STEP_APPEND) append(&s, step);
    if (step->kind == SP_STEP_ATTEND) attend(&s, step);
    if (step->kind == SP_STEP_VISIBLE) visible(&s, step);
    if (step->kind == SP_STEP_TRUNCATE) truncate(&s, step);
  }
  free(s.length);
  free(s.held_from);
}

bool sp_naive_accepts(const sp_case *c, const sp_outputs *out, const char *class_text,
                      double *budget) {
  sp_class cls;
  char why[160];
  *budget = INFINITY;
  if (!sp_class_parse(class_text, &cls, why, sizeof why)) return false;
  row r = {.c = c,
           .cls = &cls,
           .n = c->n_kv + (c->bias_k.bits ? 1 : 0),
           .u = c->dtype_q == SP_F64 ? 0x1p-53L : (real)cls.u};
  r.key = calloc(r.n + 1, sizeof *r.key);
  if (c->op == SP_OP_CACHE) r.place = calloc(c->n_kv + 1, sizeof *r.place);
  if (!r.key || (c->op == SP_OP_CACHE && !r.place)) goto done;
  *budget = 0;
  if (c->op == SP_OP_CACHE) judge_stream(&r, &cls, out, budget);
  size_t at = 0;
  for (r.b = 0; r.b < c->n_batch && !r.place; r.b++)
    for (r.i = 0; r.i < c->n_q; r.i++)
      for (r.h = 0; r.h < c->n_heads; r.h++) judge_row(&r, &cls, out, r.i, at++, budget);
done:
  free(r.place);
  free(r.key);
  return *budget <= 1;
}
