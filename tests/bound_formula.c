/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. Shared with the judge are the types and the class, and nothing that computes. */
#include "tests/bound_formula.h"

#include <math.h>
#include <stdlib.h>

typedef long double real;

typedef struct unit {
  double u;
  real subnormal, normal;
} unit;

static const unit units[] = {{0x1p-53, 0x1p-1074L, 0x1p-1022L},
                             {0x1p-24, 0x1p-149L, 0x1p-126L},
                             {0x1p-11, 0x1p-24L, 0x1p-14L},
                             {0x1p-8, 0x1p-133L, 0x1p-126L}};

static real eta_of(const sp_class *cls, double u) {
  for (size_t i = 0; i < 4; i++)
    if (units[i].u == u)
      return cls->flush_inputs || cls->flush_outputs ? units[i].normal : units[i].subnormal;
  return 0;
}

static const unit *unit_of(sp_dtype t) {
  return &units[t == SP_F64 ? 0 : t == SP_F32 ? 1 : t == SP_F16 ? 2 : 3];
}

static real prime(double u) {
  return (real)u / (1 - (real)u);
}

static bool subnormal(double x, sp_dtype t) {
  return x != 0 && (real)fabs(x) < unit_of(t)->normal;
}

static real height(const sp_class *cls, real n, real tiles) {
  if (cls->depth == SP_DEPTH_DEEP) return 24 + ceill(log2l(n + 1)) + 3 * tiles;
  if (cls->depth == SP_DEPTH_LANE16) return ceill(n / 16) + 8 + 3 * tiles;
  return n + 1 + 3 * tiles;
}

static real middle(mpfi_srcptr x) {
  return (mpfr_get_ld(&x->left, MPFR_RNDN) + mpfr_get_ld(&x->right, MPFR_RNDN)) / 2;
}

static real distance(const sp_ref_row_input *in, size_t j) {
  real pos_k = in->pos_k ? (real)in->pos_k[j] : (real)j;
  return fabsl((real)in->pos_q - pos_k);
}

/* A pair: n_q n_k, and what its angle may be off by. */
static real pair_of(const sp_class *cls, const sp_ref_row_input *in, size_t j, size_t i, real *off,
                    bool *flushed, sp_bound_types types) {
  const sp_ref_rope *rope = &in->rope;
  const size_t a = rope->interleaved ? 2 * i : i,
               b = rope->interleaved ? a + 1 : i + rope->dims / 2;
  const double *q = in->q, *k = in->k + j * in->k_stride;
  const real e = 2 * (real)i / (real)rope->dims * logl((real)rope->base);
  *off = (real)rope->reach * expl(-e) * expm1l((8 + 4 * e) * prime(cls->u_angle));
  *flushed = subnormal(q[a], types.q) || subnormal(q[b], types.q) || subnormal(k[a], types.kv) ||
             subnormal(k[b], types.kv);
  return hypotl(q[a], q[b]) * hypotl(k[a], k[b]);
}

/* (1 + 2 rho)^3 e^(2 u_rk'), as a logarithm */
static real rotations(const sp_class *cls) {
  const real u = prime(cls->u), u_t = prime(fmax(cls->u, cls->u_angle));
  const real rho = (1 + 3 * u_t) * expl(2 * u) - 1;
  return 3 * log1pl(2 * rho) + 2 * prime(cls->u_rk);
}

/* a_j */
static real logit_error(const sp_class *cls, sp_bound_types types, const sp_ref_row_input *in,
                        size_t j, real x) {
  real u = prime(cls->u), eta = eta_of(cls, cls->u), scale = fabsl((real)in->scale);
  real r_q = cls->u > unit_of(types.q)->u, r_k = cls->u > unit_of(types.kv)->u;
  real r_32 = cls->u > 0x1p-24, d = (real)in->d_head;
  bool given = in->logits != NULL, pair = j == in->n_kv;
  real size = 0, sum_k = 0, sum_q = 0, flushed = 0;
  const size_t rotated = pair || given ? 0 : in->rope.dims;
  real turned = 0, turn = in->rope.dims > 0 ? 2 : 1;
  for (size_t i = 0; i < rotated / 2; i++) {
    real off;
    bool vanishes;
    const real product = pair_of(cls, in, j, i, &off, &vanishes, types);
    size += product;
    turned += product * fminl(3 * off, 2);
    if (vanishes) flushed += 2 * product;
  }
  for (size_t c = 0; c < in->d_head && !given; c++) {
    const double *k = pair ? in->bias_k : in->k + j * in->k_stride;
    real product = fabsl((real)in->q[c] * (real)k[c]);
    if (c >= rotated) size += product;
    sum_k += fabsl((real)k[c]);
    sum_q += fabsl((real)in->q[c]);
    if (subnormal(in->q[c], types.q) || subnormal(k[c], types.kv))
      flushed += c >= rotated ? product : 0;
  }
  if (given) {
    size = scale * fabsl((real)in->logits[j]);
    if (subnormal(in->logits[j], types.q)) flushed = size;
  }
  real a, reach = scale + r_32 * eta, sum = 0;
  if (given) {
    sum = fabsl((real)in->logits[j]);
    a = in->scale == 1 ? sum * expm1l(r_q * u) + r_q * eta
                       : reach * sum * expm1l((1 + r_32 + r_q) * u) + r_32 * eta * sum +
                             expl((1 + r_32 + r_q) * u) * (reach * r_q + 1) * eta;
  } else {
    real cost = (d + 2 + r_q + r_k) * u + prime(cls->u_qk);
    real once = 2 * d * eta + turn * (2 * eta + eta_of(cls, cls->u_qk)) * (sum_k + d * eta) +
                turn * eta * sum_q;
    if (in->rope.dims > 0) {
      cost += rotations(cls);
      once += (24 * eta + 8 * eta_of(cls, cls->u_rk)) * (sum_k + sum_q + d);
    }
    a = reach * (size * expm1l(cost) + turned) + r_32 * eta * size +
        expl(cost) * (fmaxl(1, reach) * once + eta);
    size *= scale;
    flushed *= scale;
  }
  if (cls->flush_inputs) a += subnormal(in->scale, SP_F32) && size > flushed ? size : flushed;
  if (in->softcap > 0 && !isinf(in->softcap)) {
    real c = (real)in->softcap, cost = (7 + r_32) * u;
    a += (fminl(c, size) + a) * expm1l(cost) + (2 * c + 1) * eta * expl(cost);
  }
  real bias = !pair && in->key_bias ? fabsl((real)in->key_bias[j]) : 0;
  real alibi = !pair ? fabsl((real)in->alibi_slope) * distance(in, j) : 0;
  if (alibi > 0) {
    a += alibi * expm1l((2 + r_32) * u) + eta + r_32 * eta * distance(in, j) * expl((2 + r_32) * u);
    if (cls->flush_inputs && subnormal(in->alibi_slope, SP_F32)) a += alibi;
  }
  if (bias > 0) a += bias * expm1l(r_32 * u) + r_32 * eta;
  if (cls->flush_inputs && bias > 0 && bias < 0x1p-126L) a += bias;
  if (alibi > 0 && bias > 0) a += u * (fabsl(x) + bias + alibi + a) + eta;
  if (alibi > 0 || bias > 0) a += u * (fabsl(x) + a) + eta;
  if (cls->u_logit > 0) {
    real stored = fmaxl(fabsl(x), fminl(size, fabsl(x) + bias + alibi));
    a += expl((11 + r_32) * u) *
         (prime(cls->u_logit) * (stored + 2 * a) + fmaxl(1, reach) * eta_of(cls, cls->u_logit));
  }
  return a;
}

typedef struct terms {
  real u, u_p, h, norm, eps, eta, eta_s, eta_p, events, lambda, k;
} terms;

static terms terms_of(const sp_class *cls, real n) {
  real tiles = cls->tile ? ceill(n / cls->tile) : 0;
  double u_s = fmax(cls->u, cls->u_acc);
  terms t = {.u = prime(cls->u), .eps = (real)cls->eps_exp, .eta = eta_of(cls, cls->u)};
  t.u_p = prime(cls->u_p);
  t.eta_p = eta_of(cls, cls->u_p);
  t.eta_s = fmaxl(t.eta, eta_of(cls, u_s));
  t.h = height(cls, n, tiles) * prime(u_s) + tiles * fmaxl(0, t.eps - 2 * (real)cls->u);
  t.norm = (real)cls->c_norm * t.u;
  t.lambda = t.eps + 2 * t.h + 2 * t.u_p + t.norm;
  t.events = 3 * n + tiles;
  real kappa = (t.events * t.eta_s + n * t.eta_p) * expl(t.lambda);
  t.k = kappa < 1 ? kappa / (1 - kappa) : INFINITY;
  return t;
}

static real delta_of(const sp_class *cls, const terms *t, real depth, real size, real a, real a_max,
                     real lse) {
  return t->u * ((real)cls->c_d * (depth + a + a_max) + (real)cls->c_z * (size + a) +
                 (real)cls->c_l * lse) +
         a;
}

static real lse_bound(const sp_class *cls, const terms *t, real mean, real lse, real m, real shift,
                      real a_max) {
  real b = mean + t->eps + t->h + t->u_p + t->k;
  real c_log = cls->c_d > 1 ? 3 : 1;
  return b +
         c_log * t->u * expl(6 * t->u) *
             (2 * (lse - m + b + a_max) + fabsl(lse) + b + shift + a_max) +
         2 * t->eta;
}

/* ln(sum w e^delta) = ln(1 + sum w (e^delta - 1)) of pairs (ln w, delta); the first form where
 * e^delta may overflow, the second where it may cancel. */
static real log_mean(const real *log_w, const real *delta, size_t n) {
  real largest = -INFINITY, top = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++) {
    largest = fmaxl(largest, delta[i]);
    top = fmaxl(top, log_w[i] + delta[i]);
  }
  for (size_t i = 0; i < n; i++)
    sum += largest > 1 ? expl(log_w[i] + delta[i] - top) : expl(log_w[i]) * expm1l(delta[i]);
  return largest > 1 ? top + logl(sum) : log1pl(sum);
}

/* dbar, the sink logit taking part if `sink`; the deltas go to theta. */
static real mean_of(sp_formula *f, const sp_class *cls, const terms *t, const sp_ref_row_input *in,
                    const sp_ref_row *row, const real *a, real a_sink, real a_max, bool sink) {
  real m = middle(row->max_logit), s = (real)in->sink_logit;
  real lse = middle(sink ? row->lse_total : row->lse_keys), top = sink ? fmaxl(m, s) : m;
  real about = fabsl(lse) + lse - top;
  real *pairs = calloc(2 * (f->n_keys + 1), sizeof *pairs);
  real *log_w = pairs, *delta = pairs + f->n_keys + 1;
  size_t n = 0;
  for (size_t j = 0; j < f->n_keys; j++) {
    if (!row->visible[j]) continue;
    real x = middle(row->logit[j]);
    f->theta[j] = delta_of(cls, t, top - x, fabsl(x), a[j], a_max, about);
    log_w[n] = x - lse;
    delta[n++] = f->theta[j];
  }
  if (sink) {
    log_w[n] = s - lse;
    delta[n++] = delta_of(cls, t, fmaxl(top - s, s - m), fabsl(s), a_sink, a_max, about);
  }
  real mean = log_mean(log_w, delta, n);
  free(pairs);
  return mean;
}

static void output_bound(sp_formula *f, const sp_class *cls, const terms *t, sp_bound_types types,
                         const sp_ref_row_input *in, const sp_ref_row *row, real lse) {
  real r_v = cls->u > unit_of(types.kv)->u;
  for (size_t c = 0; c < in->d_value; c++) {
    real sum = 0, error = 0;
    for (size_t j = 0; j < f->n_keys; j++) {
      if (!row->visible[j]) continue;
      const double *value = j == in->n_kv ? in->bias_v : in->v + j * in->v_stride;
      real v = fabsl((real)value[c]), tau = f->theta[j] + t->u_p + t->h + r_v * t->u;
      real exponent = middle(row->logit[j]) - lse;
      sum += v;
      if (v == 0) continue;
      error += v * (tau > 1 ? expl(exponent + tau) - expl(exponent) : expl(exponent) * expm1l(tau));
      if (cls->flush_inputs && subnormal(value[c], types.kv)) error += v * expl(exponent);
    }
    f->error[c] = error + 2 * t->eta +
                  expl(t->lambda + t->k) * ((2 * t->eta + t->eta_p) * sum + t->events * t->eta_s);
  }
}

static real sink_error(const sp_class *cls, double s) {
  real a = 0;
  if (cls->u > 0x1p-24) a = fabsl((real)s) * prime(cls->u) + eta_of(cls, cls->u);
  return cls->flush_inputs && subnormal(s, SP_F32) ? a + fabsl((real)s) : a;
}

void sp_formula_init(sp_formula *f, const sp_class *cls, sp_bound_types types,
                     const sp_ref_row_input *in, const sp_ref_row *row) {
  size_t n = row->n_keys;
  *f = (sp_formula){.n_keys = n,
                    .theta = calloc(n + 1, sizeof *f->theta),
                    .error = calloc(in->d_value + 1, sizeof *f->error)};
  real *a = calloc(n + 1, sizeof *a), a_keys = 0;
  bool sink = row->kind == SP_REF_ORDINARY && isfinite(in->sink_logit);
  terms t = terms_of(cls, (real)(n + (in->sink_logit > -INFINITY)));
  for (size_t j = 0; j < n; j++) {
    if (!row->visible[j]) continue;
    a[j] = logit_error(cls, types, in, j, middle(row->logit[j]));
    a_keys = fmaxl(a_keys, a[j]);
  }
  real s = (real)in->sink_logit, a_sink = sink ? sink_error(cls, in->sink_logit) : 0;
  real m = middle(row->max_logit), a_max = fmaxl(a_keys, a_sink);
  real mean = mean_of(f, cls, &t, in, row, a, 0, a_keys, false);
  f->lse_keys = lse_bound(cls, &t, mean, middle(row->lse_keys), m, fabsl(m), a_keys);
  mean = mean_of(f, cls, &t, in, row, a, a_sink, a_max, sink);
  real lse = middle(sink ? row->lse_total : row->lse_keys);
  f->lse_total =
      lse_bound(cls, &t, mean, lse, m, sink ? fmaxl(fabsl(m), fabsl(s)) : fabsl(m), a_max);
  real common = mean + 2 * t.eps + t.h + t.norm + t.u_p + t.k;
  for (size_t j = 0; j < n; j++) f->theta[j] += common;
  f->floor = t.eta + (t.eta + t.eta_p) * expl(t.lambda + t.k);
  f->u_p = t.u_p;
  output_bound(f, cls, &t, types, in, row, lse);
  free(a);
}

real sp_formula_empty(const sp_class *cls, double sink_logit) {
  real s = fabsl((real)sink_logit), a = sink_error(cls, sink_logit), u = prime(cls->u);
  if (cls->c_d <= 1) return a;
  return a + 3 * u * expl(6 * u) * (2 * s + 6 * a) + 2 * eta_of(cls, cls->u);
}

void sp_formula_clear(sp_formula *f) {
  free(f->theta);
  free(f->error);
  *f = (sp_formula){0};
}
