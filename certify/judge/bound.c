/* SPDX-License-Identifier: Apache-2.0 */
/* The a-priori bound of NU-7, term by term.
 *
 * The model. Shift by a computed maximum, exponentiate, sum, normalise. For each present key j, and
 * for a finite sink logit s as one more key (without a value), a kernel of the class computes
 *
 *     e_j  = e^(x_j - mu) e^(r_j + f_j) + underflow        |r_j| <= delta_j + eps,  |f_j| <= u_p'
 *     l    = sum e_j e^(b_j) + underflow                   |b_j| <= H
 *     p_i  = (e_i / l) e^g + underflow                     |g|   <= c_n u'
 *     out  = (sum e_j v_j e^(b'_j) + underflow) / l e^g    |b'_j| <= H + r_v u'
 *
 * where mu is common to the row, one term is e^0, and f_j (the rounding of e_j to the format p) may
 * be there or not in each of the sums. Constants of the class (certify/judge/accuracy.h):
 *
 *     u'       u/(1-u), so that |ln(1 +- u)| <= u'; likewise u_p', and u_s' of max(u, u_acc)
 *     eps      log-error of the exponential
 *     N, T     keys of the row, masked or not, with the bias pair and a sink logit; rescales
 *     H        h(N, T) u_s' + T max(0, eps - 2u): the roundings of a sum. h counts 3 for a rescale,
 *              2 of them for its exponential
 *     c_n      roundings of the normalisation
 *     eta      underflow unit of u; eta_s: the larger of those of u and max(u, u_acc); eta_p: of p
 *     r_v      1 where v is rounded on its way into a coarser arithmetic, else 0
 *
 * With m = max of x_j over the present keys, M = max(m, s), L = ln Z, a_j the error of a computed
 * logit (certify/judge/bound_logit.c), a_s that of the sink logit and a* the largest of them:
 *
 *     D_j     = M - x_j         D_s = max(M - s, s - m)     (shifts with or without the sink logit)
 *     delta_j = u' (c_D (D_j + a_j + a*) + c_z (|x_j| + a_j) + c_L (|L| + L - M)) + a_j
 *     dbar    = ln(1 + sum_j p_j (e^delta_j - 1) + p_s (e^delta_s - 1))
 *     lambda  = eps + 2H + 2u_p' + c_n u'        (1/l, and what else may enlarge an underflow)
 *     kappa   = ((3N + T) eta_s + N eta_p) e^lambda
 *     K       = kappa / (1 - kappa), infinite from kappa = 1 on
 *               (underflows of exponentials, sums, rescales and the reciprocal of l, relative to l)
 *     theta_j = delta_j + dbar + 2 eps + H + c_n u' + u_p' + K
 *
 * weights:   [p_j e^(-t_j) - A, p_j e^(t_j) + A] cut at 0
 *     t_j = theta_j + u_p'          A = eta + (eta + eta_p) e^(lambda + K)
 * output:    out_c +- E_c
 *     tau_j = theta_j + u_p' + H + r_v u'
 *     E_c = sum_j p_j |v_jc| (e^(tau_j) - 1) + sum of p_j |v_jc| over flushed subnormal v_jc
 *         + e^(lambda + K) ((2 eta + eta_p) sum_j |v_jc| + (3N + T) eta_s) + 2 eta
 * lse_total: L +- E
 *     B = dbar + eps + H + u_p' + K
 *     E = B + c_log u' e^(6u') (2 (L - m + B + a*) + |L| + B + max(|m|, |s|) + a*) + 2 eta
 *     (the logarithm of l errs by 1 ulp = 2u of itself, the sum by 1 rounding; c_log = 1 in base e
 *     leaves room for a rounded shift, c_log = 3 in base 2 covers the constants and their products)
 *     (a row without keys, in base 2: B = a* = a_s and L = m = s; in base e E = a_s: a copy of the
 *     sink logit as it was read)
 * lse_keys:  as lse_total of the row without its sink logit
 *
 * Why it is right: with weights w = (p, p_s), and up to underflow,
 *     ln p^_i - ln p_i = r_i + f_i + g - ln(sum_j w_j e^(r_j + f_j + b_j)).
 * The logarithm is at most dbar + eps + u_p' + H. By Jensen it is at least the mean of its
 * exponents, so at least minus (the mean of delta_j + eps + u_p' + H), and by Jensen again that
 * mean is at most dbar. spec: NU-7, NU-10 */
#include "certify/judge/bound.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "certify/judge/bound_logit.h"
#include "certify/judge/class_constants.h"
#include "certify/judge/upward.h"

/* Beyond this log-error a factor is of no use, and p e^theta is computed from x + theta. */
static const double huge_log = 512;

/* What the row tells as a whole, in doubles. */
typedef struct measures {
  bool sink; /* a finite sink logit */
  double sink_logit, sink_weight;
  double sink_above_lo, sink_above_hi; /* enclose max(0, s - m) */
  double sink_below_lo, sink_below_hi; /* enclose max(0, m - s) */
  double max_size;                     /* >= |m| */
  double keys_size, keys_above;        /* >= |ln Z_K|, >= ln Z_K - m */
  double total_size, total_above;      /* >= |ln Z|,   >= ln Z - m */
  double total_above_max;              /* >= ln Z - M */
} measures;

/* Costs of the class for this length; names as above. */
typedef struct costs {
  double u, u_p, chain, norm, eps;
  double eta, eta_s, eta_p;
  double events; /* 3N + T */
  double lambda, k;
} costs;

bool sp_bound_init(sp_bound *bound, size_t max_keys, size_t max_value) {
  *bound = (sp_bound){.key = calloc(max_keys + 1, sizeof *bound->key),
                      .error = calloc(max_value + 1, sizeof *bound->error),
                      .value_sum = calloc(max_value + 1, sizeof *bound->value_sum)};
  if (bound->key != NULL && bound->error != NULL && bound->value_sum != NULL) return true;
  sp_bound_clear(bound);
  return false;
}

void sp_bound_clear(sp_bound *bound) {
  free(bound->key);
  free(bound->error);
  free(bound->value_sum);
  *bound = (sp_bound){0};
}

/* ---- from the oracle's enclosures to doubles: MPFR, so in the default environment ---- */

static double low(mpfi_srcptr x) {
  return mpfr_get_d(&x->left, MPFR_RNDD);
}
static double high(mpfi_srcptr x) {
  return mpfr_get_d(&x->right, MPFR_RNDU);
}
static double size(mpfi_srcptr x) {
  return fmax(fabs(low(x)), fabs(high(x)));
}

/* x - y, both ends, but not below 0 where the exact difference cannot be. */
static void difference(double *lo, double *hi, mpfr_t t, mpfi_srcptr x, mpfi_srcptr y) {
  mpfr_sub(t, &x->left, &y->right, MPFR_RNDD);
  *lo = fmax(0, mpfr_get_d(t, MPFR_RNDD));
  mpfr_sub(t, &x->right, &y->left, MPFR_RNDU);
  *hi = fmax(0, mpfr_get_d(t, MPFR_RNDU));
}

static void measure_sink(measures *ms, mpfr_t t, const sp_ref_row *row) {
  double ignored, above_sink;
  mpfi_t s;
  mpfi_init2(s, 53);
  mpfi_set_d(s, ms->sink_logit);
  ms->sink_weight = high(row->weight_sink);
  ms->total_size = size(row->lse_total);
  difference(&ignored, &ms->total_above, t, row->lse_total, row->max_logit);
  difference(&ignored, &above_sink, t, row->lse_total, s);
  ms->total_above_max = fmin(ms->total_above, above_sink);
  difference(&ms->sink_above_lo, &ms->sink_above_hi, t, s, row->max_logit);
  difference(&ms->sink_below_lo, &ms->sink_below_hi, t, row->max_logit, s);
  mpfi_clear(s);
}

static void measure(measures *ms, sp_bound *bound, const sp_ref_row_input *in,
                    const sp_ref_row *row) {
  *ms = (measures){.sink = row->kind == SP_REF_ORDINARY && isfinite(in->sink_logit),
                   .sink_logit = in->sink_logit,
                   .max_size = size(row->max_logit),
                   .keys_size = size(row->lse_keys)};
  double ignored;
  mpfr_t t;
  mpfr_init2(t, row->prec);
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    sp_bound_key *key = &bound->key[j];
    key->magnitude = size(row->logit[j]);
    key->weight = high(row->weight[j]);
    difference(&key->below_lo, &key->below_hi, t, row->max_logit, row->logit[j]);
  }
  difference(&ignored, &ms->keys_above, t, row->lse_keys, row->max_logit);
  ms->total_size = ms->keys_size;
  ms->total_above = ms->total_above_max = ms->keys_above;
  if (ms->sink) measure_sink(ms, t, row);
  mpfr_clear(t);
}

/* ---- the formula, under FE_UPWARD ---- */

static void cost_up(costs *k, const sp_class *cls, size_t n) {
  double rescales = sp_class_rescales(cls, n);
  double u_s = fmax(cls->u, cls->u_acc);
  *k = (costs){.u = sp_rounding_cost(cls->u),
               .u_p = sp_rounding_cost(cls->u_p),
               .eps = cls->eps_exp,
               .eta = cls->eta,
               .eta_s = sp_class_underflow(cls, u_s),
               .eta_p = sp_class_underflow(cls, cls->u_p),
               .events = SP_CLASS_EVENTS * (double)n + rescales};
  /* With formats of different range the finer one may have the larger subnormals. */
  k->eta_s = fmax(k->eta_s, cls->eta);
  k->chain =
      sp_class_height(cls, n) * sp_rounding_cost(u_s) + rescales * fmax(0, k->eps - 2 * cls->u);
  k->norm = cls->c_norm * k->u;
  k->lambda = k->eps + 2 * k->chain + 2 * k->u_p + k->norm;
  double kappa = (k->events * k->eta_s + (double)n * k->eta_p) * sp_up_exp(k->lambda);
  double rest = sp_up_less(1, kappa);
  k->k = rest > 0 ? kappa / rest : INFINITY;
}

/* >= p (e^delta - 1), for a weight p whose logarithm is at most -gap. */
static double tilt(double p, double gap, double delta) {
  if (delta <= huge_log) return p * sp_up_expm1(delta);
  return sp_up_exp(delta - gap);
}

/* >= dbar, from sum w (e^delta - 1) and the largest delta: the weights w sum to 1, so the mean does
 * not exceed the largest, which stays finite when e^delta does not. */
static double log_mean(double sum, double largest) {
  return fmin(sp_up_log1p(sum), largest);
}

/* A lower bound of M - x, and so of -ln p. */
static double gap_below(const sp_bound_key *key, const measures *ms) {
  return -(-key->below_lo - ms->sink_above_lo);
}

/* delta of an exponent argument of depth D, from a logit of size |x| with error a. */
static double delta_up(const sp_class *cls, const costs *k, double depth, double magnitude,
                       double a, double a_max, double lse) {
  return k->u * (cls->c_d * (depth + a + a_max) + cls->c_z * (magnitude + a) + cls->c_l * lse) + a;
}

/* dbar of the keys alone, with weights e^(x_j - m) / sum e^(x_j - m): the oracle's weights contain
 * the sink logit. */
static double keys_mean_up(const sp_class *cls, const costs *k, const measures *ms,
                           const sp_bound *bound, const sp_ref_row *row, double a_max) {
  double lse = ms->keys_size + ms->keys_above;
  double sum = 0, minus_total = 0, largest = 0;
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    const sp_bound_key *key = &bound->key[j];
    double delta = delta_up(cls, k, key->below_hi, key->magnitude, key->logit_error, a_max, lse);
    sum += tilt(sp_up_exp(-key->below_lo), key->below_lo, delta);
    minus_total += -1 / sp_up_exp(key->below_hi);
    largest = fmax(largest, delta);
  }
  return log_mean(sum / -minus_total, largest);
}

static double lse_error_up(const sp_class *cls, const costs *k, double mean, double size_lse,
                           double above, double size_shift, double a_max) {
  double c_log = cls->c_d > 1 ? SP_CLASS_C_LOG_BASE2 : SP_CLASS_C_LOG;
  double b = mean + k->eps + k->chain + k->u_p + k->k;
  double sizes = 2 * (above + b + a_max) + (size_lse + b) + (size_shift + a_max);
  return b + c_log * k->u * sp_up_exp(6 * k->u) * sizes + 2 * k->eta;
}

/* Fill theta with delta for now; returns dbar. */
static double total_mean_up(const sp_class *cls, const costs *k, const measures *ms,
                            sp_bound *bound, const sp_ref_row *row, double a_sink, double a_max) {
  double lse = ms->total_size + ms->total_above_max;
  double sum = 0, largest = 0;
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    sp_bound_key *key = &bound->key[j];
    double depth = key->below_hi + ms->sink_above_hi;
    key->theta = delta_up(cls, k, depth, key->magnitude, key->logit_error, a_max, lse);
    sum += tilt(key->weight, gap_below(key, ms), key->theta);
    largest = fmax(largest, key->theta);
  }
  if (!ms->sink) return log_mean(sum, largest);
  double depth = fmax(ms->sink_above_hi, ms->sink_below_hi);
  double delta = delta_up(cls, k, depth, fabs(ms->sink_logit), a_sink, a_max, lse);
  sum += tilt(ms->sink_weight, ms->sink_below_lo, delta);
  return log_mean(sum, fmax(largest, delta));
}

static void weights_up(sp_bound *bound, const costs *k, const measures *ms, const sp_ref_row *row,
                       double common) {
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    sp_bound_key *key = &bound->key[j];
    key->theta += common;
    double error = key->theta + k->u_p;
    double grow = sp_up_exp(error);
    bool useful = error <= huge_log;
    key->grow = useful ? grow : 0;
    key->reach = useful ? 0 : sp_up_exp(error - gap_below(key, ms));
    key->shrink = -(-1 / grow);
  }
  bound->floor = k->eta + (k->eta + k->eta_p) * sp_up_exp(k->lambda + k->k);
}

static const double *values_of(const sp_ref_row_input *in, size_t j) {
  if (in->v == NULL) return in->bias_v; /* softmax, or no key but the bias pair */
  return j == in->n_kv ? in->bias_v : in->v + j * in->v_stride;
}

static double least_normal(sp_dtype dtype) {
  return dtype == SP_F64 ? 0x1p-1022 : dtype == SP_F16 ? 0x1p-14 : 0x1p-126;
}

static void output_up(sp_bound *bound, const sp_class *cls, const costs *k, const measures *ms,
                      sp_bound_types types, const sp_ref_row_input *in, const sp_ref_row *row) {
  double u_kv = types.kv == SP_F64   ? 0x1p-53
                : types.kv == SP_F32 ? 0x1p-24
                : types.kv == SP_F16 ? 0x1p-11
                                     : 0x1p-8;
  double more = k->u_p + k->chain + (cls->u > u_kv ? k->u : 0);
  double flushed_below = cls->flush_inputs ? least_normal(types.kv) : 0;
  double enlarge = sp_up_exp(k->lambda + k->k);
  for (size_t c = 0; c < in->d_value; c++) {
    double events = (2 * k->eta + k->eta_p) * bound->value_sum[c] + k->events * k->eta_s;
    bound->error[c] = enlarge * events + 2 * k->eta;
  }
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    const sp_bound_key *key = &bound->key[j];
    const double *v = values_of(in, j);
    double share = tilt(key->weight, gap_below(key, ms), key->theta + more);
    for (size_t c = 0; c < in->d_value; c++) {
      double size_v = fabs(v[c]);
      if (size_v == 0) continue; /* adds nothing, also where share is infinite */
      bound->error[c] += share * size_v;
      if (size_v < flushed_below) bound->error[c] += key->weight * size_v;
    }
  }
}

/* Not inlined: see certify/judge/upward.h. */
__attribute__((noinline)) static void evaluate_up(sp_bound *bound, const sp_class *cls,
                                                  const measures *ms, sp_bound_types types,
                                                  const sp_ref_row_input *in,
                                                  const sp_ref_row *row) {
  sp_logit_model model;
  costs k;
  sp_logit_model_init(&model, cls, types, in);
  bool joined = in->sink_logit > -INFINITY;
  cost_up(&k, cls, row->n_keys + (joined ? 1 : 0));
  double a_sink = ms->sink ? sp_sink_error(&model, ms->sink_logit) : 0;
  double a_keys = 0;
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    bound->key[j].logit_error = sp_logit_error(&model, in, &bound->key[j]);
    a_keys = fmax(a_keys, bound->key[j].logit_error);
  }
  double a_max = fmax(a_keys, a_sink);
  double mean = total_mean_up(cls, &k, ms, bound, row, a_sink, a_max);
  double mean_keys = joined ? keys_mean_up(cls, &k, ms, bound, row, a_keys) : mean;
  bound->lse_keys =
      lse_error_up(cls, &k, mean_keys, ms->keys_size, ms->keys_above, ms->max_size, a_keys);
  double shift = ms->sink ? fmax(ms->max_size, fabs(ms->sink_logit)) : ms->max_size;
  bound->lse_total = lse_error_up(cls, &k, mean, ms->total_size, ms->total_above, shift, a_max);
  weights_up(bound, &k, ms, row, mean + 2 * k.eps + k.chain + k.norm + k.u_p + k.k);
  output_up(bound, cls, &k, ms, types, in, row);
}

void sp_bound_eval(sp_bound *bound, const sp_class *cls, sp_bound_types types,
                   const sp_ref_row_input *in, const sp_ref_row *row) {
  fenv_t environment;
  measures ms;
  fegetenv(&environment);
  fesetenv(FE_DFL_ENV);
  measure(&ms, bound, in, row);
  fesetround(FE_UPWARD);
  evaluate_up(bound, cls, &ms, types, in, row);
  fesetenv(&environment);
}

/* Not inlined: see certify/judge/upward.h. */
__attribute__((noinline)) static double empty_lse_up(const sp_class *cls, sp_bound_types types,
                                                     const sp_ref_row_input *in) {
  sp_logit_model model;
  sp_logit_model_init(&model, cls, types, in);
  double a = sp_sink_error(&model, in->sink_logit), size = fabs(in->sink_logit);
  if (cls->c_d <= 1) return a;
  const costs k = {.u = model.u, .eta = cls->eta};
  return lse_error_up(cls, &k, a, size, 0, size, a);
}

double sp_bound_empty_lse(const sp_class *cls, sp_bound_types types, const sp_ref_row_input *in) {
  fenv_t environment;
  fegetenv(&environment);
  fesetenv(FE_DFL_ENV);
  fesetround(FE_UPWARD);
  double error = empty_lse_up(cls, types, in);
  fesetenv(&environment);
  return error;
}
