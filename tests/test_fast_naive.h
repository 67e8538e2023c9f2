/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of fast/ compare with: SPEC.md's definitions in long double, key by key, and for
 * each result how far a kernel of class w-deep may be from it (NU-7), rounding q and weights to bf16
 * and flushing subnormals where its class says so. The bound is the one of the
 * specification with its parameters, derived before any run; only u' is taken as u (1 + 2^-20).
 *
 * This is not the oracle (its errors are not enclosed, they are merely 2^-64); it is here so that a
 * fault of fast/ shows in a unit test that can be stepped through. Certification is certify's. */
#ifndef SINKPROOF_TEST_FAST_NAIVE_H
#define SINKPROOF_TEST_FAST_NAIVE_H

#include "tests/test_fast_arena.h"

#define NAIVE_MAX 9000 /* keys in a row */
#define NAIVE_U   (0x1p-24L * (1.0L + 0x1p-20L))
#define NAIVE_ETA 0x1p-149L

/* What a class adds to w-deep; all zero but eta, nothing. */
typedef struct naive_class {
  long double u_p, u_qk; /* u' of the rounding of weights, of q */
  long double eta;       /* underflow unit */
  bool flushes;
} naive_class;

static inline naive_class naive_class_of(const sp_kernel *kernel) {
  const long double u = 0x1p-8L / (1.0L - 0x1p-8L);
  naive_class cls = {.flushes = strstr(kernel->accuracy_class, "flush=both") != NULL};
  if (strstr(kernel->accuracy_class, "p=bf16") != NULL) cls.u_p = u;
  if (strstr(kernel->accuracy_class, "qk=bf16") != NULL) cls.u_qk = u;
  cls.eta = cls.flushes ? 0x1p-126L : NAIVE_ETA;
  return cls;
}

typedef struct naive_row {
  naive_class cls;
  size_t n;
  bool present[NAIVE_MAX];
  long double x[NAIVE_MAX];     /* logits of present keys */
  long double error[NAIVE_MAX]; /* a_j: how wrong a computed logit may be */
  long double sink;
  /* results */
  bool invalid, empty;
  long double p[NAIVE_MAX], theta[NAIVE_MAX];
  long double lse_keys, lse_total, lse_error;
  long double height; /* h u' */
} naive_row;

static inline void naive_limits(naive_row *row, size_t *n_present, long double *max) {
  *n_present = 0;
  *max = -INFINITY;
  row->invalid = isnan(row->sink);
  for (size_t j = 0; j < row->n; j++) {
    if (!row->present[j]) continue;
    (*n_present)++;
    if (isnan(row->x[j]) || row->x[j] == INFINITY) row->invalid = true;
    if (row->x[j] > *max) *max = row->x[j];
  }
  row->empty = *n_present == 0;
}

/* SM-2, SM-3, AL-2, AL-4, AL-5, AT-9, SM-5, and the bound of NU-7. */
static inline void naive_solve(naive_row *row) {
  size_t n_present;
  long double max;
  naive_limits(row, &n_present, &max);
  for (size_t j = 0; j < row->n; j++) row->p[j] = row->theta[j] = row->invalid ? NAN : 0.0L;
  row->lse_keys = row->invalid ? NAN : -INFINITY;
  row->lse_total = row->invalid ? NAN : row->sink;
  row->lse_error = row->height = 0.0L;
  if (row->invalid || row->empty) return;

  long double z_keys = 0.0L;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) z_keys += expl(row->x[j] - max);
  row->lse_keys = max + logl(z_keys);
  bool sink = row->sink > -INFINITY && row->sink < INFINITY;
  if (sink) {
    long double shift = row->sink > max ? row->sink : max;
    row->lse_total = shift + logl(z_keys * expl(max - shift) + expl(row->sink - shift));
  } else {
    row->lse_total = row->sink == INFINITY ? INFINITY : row->lse_keys;
  }

  long double top = sink && row->sink > max ? row->sink : max;
  long double e_sink = sink ? expl(row->sink - top) : 0.0L;
  long double z = z_keys * expl(max - top) + e_sink;
  long double mean = e_sink / z * expl(NAIVE_U * fabsl(sink ? max - row->sink : 0.0L));
  long double mean_keys = 0.0L;
  for (size_t j = 0; j < row->n; j++) {
    if (!row->present[j]) continue;
    long double delta = NAIVE_U * (top - row->x[j]) + row->error[j];
    row->p[j] = expl(row->x[j] - top) / z;
    row->theta[j] = delta;
    mean += row->p[j] * expl(delta);
    mean_keys += expl(row->x[j] - max) / z_keys * expl(delta);
  }
  long double eps = 2.0L * NAIVE_U;
  size_t n_terms = n_present + (sink ? 1 : 0);
  row->height = (24.0L + ceill(log2l((long double)n_terms + 1.0L))) * NAIVE_U;
  long double common =
      logl(mean > 0.0L ? mean : 1.0L) + 2.0L * eps + row->height + 3.0L * NAIVE_U + row->cls.u_p;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) row->theta[j] += common;
  long double worst_mean = mean > mean_keys ? mean : mean_keys;
  row->lse_error = logl(worst_mean > 1.0L ? worst_mean : 1.0L) + eps + row->height + row->cls.u_p;
}

/* Sizes of what a logarithm, an addition and the final rounding add to a log-sum-exp are in units
 * of its own last place: one for the addition, one for the logarithm. */
static inline bool naive_lse_ok(double got, long double want, long double error) {
  if (isnan(want)) return isnan(got);
  if (isinf(want)) return got == (double)want;
  long double allowed = error + 4.0L * (long double)half_ulp(SP_F32, got);
  return fabsl((long double)got - want) <= allowed;
}

static inline bool naive_value_ok(sp_dtype dtype, double got, long double want, long double error) {
  if (isnan(want)) return isnan(got);
  long double allowed = error + (long double)half_ulp(dtype, got);
  return fabsl((long double)got - want) <= allowed;
}

/* p (e^t - 1), where the bound may be useless but a weight of 0 is 0. */
static inline long double naive_spread(long double p, long double t) {
  return p > 0.0L ? p * expm1l(t) : 0.0L;
}

static inline bool naive_weight_ok(const naive_row *row, sp_dtype dtype, size_t j, double got) {
  if (row->invalid) return isnan(got);
  if (!row->present[j] || row->sink == INFINITY) return got == 0.0; /* exact by clause */
  return naive_value_ok(dtype, got, row->p[j], naive_spread(row->p[j], row->theta[j]) + NAIVE_ETA);
}

/* out = sum p_j v_j and the allowed error E_c; NaN where a present value is. SM-4, SM-6 */
static inline long double naive_output(const naive_row *row, const double *v, long double *error) {
  long double out = 0.0L;
  *error = 0.0L;
  for (size_t j = 0; j < row->n; j++) {
    if (!row->present[j]) continue;
    if (isnan(v[j])) return NAN;
    long double size = fabsl((long double)v[j]);
    out += row->p[j] * (long double)v[j];
    *error += naive_spread(row->p[j] * size, row->theta[j] + row->height + row->cls.u_p);
    *error += 3.0L * row->cls.eta * (size + 1.0L) + 2.0L * row->cls.eta;
    if (row->cls.flushes && size < 0x1p-126L) *error += row->p[j] * size;
  }
  return out;
}

/* v[j] of the row's keys, one component. AL-4, AT-9 */
static inline bool naive_output_ok(const naive_row *row, sp_dtype dtype, const double *v,
                                   double got) {
  long double error;
  if (row->invalid) return isnan(got);
  long double out = naive_output(row, v, &error);
  if (isnan(out)) return isnan(got);
  if (row->sink == INFINITY || row->empty) return got == 0.0;
  return naive_value_ok(dtype, got, out, error);
}

/* Two binary32 results that may both be right. */
static inline bool naive_outputs_close(const naive_row *row, const double *v, double x, double y) {
  long double error;
  if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
  long double out = naive_output(row, v, &error);
  long double ulps = (long double)half_ulp(SP_F32, x) + (long double)half_ulp(SP_F32, y);
  return isnan(out) || fabsl((long double)x - (long double)y) <= 2.0L * error + ulps;
}

/* ---- softmax ---- */

static inline double naive_in(const sp_in *t, uint64_t a, uint64_t b, uint64_t c, uint64_t e) {
  return load(t->dtype, t->data,
              (int64_t)a * t->stride[0] + (int64_t)b * t->stride[1] + (int64_t)c * t->stride[2] +
                  (int64_t)e);
}

static inline double naive_out(const sp_out *t, uint64_t a, uint64_t b, uint64_t c, uint64_t e) {
  sp_in in = {.data = t->data, .dtype = t->dtype};
  memcpy(in.stride, t->stride, sizeof in.stride);
  return naive_in(&in, a, b, c, e);
}

static inline bool naive_lses_ok(const naive_row *row, const sp_out *keys, const sp_out *total,
                                 uint64_t a, uint64_t b, uint64_t c) {
  if (keys->data != NULL &&
      !naive_lse_ok(naive_out(keys, a, b, c, 0), row->lse_keys, row->lse_error))
    return false;
  return total->data == NULL ||
         naive_lse_ok(naive_out(total, a, b, c, 0), row->lse_total, row->lse_error);
}

static inline void naive_softmax_row(const sp_softmax_call *call, uint64_t r, naive_row *row) {
  ck_assert_uint_le(call->n, NAIVE_MAX);
  row->cls = (naive_class){.eta = NAIVE_ETA};
  row->n = call->n;
  row->sink = call->sink_logit.data ? (long double)naive_in(&call->sink_logit, r, 0, 0, 0)
                                    : (long double)-INFINITY;
  for (size_t j = 0; j < row->n; j++) {
    double raw = naive_in(&call->logits, r, 0, 0, j);
    double bias = call->key_bias.data ? naive_in(&call->key_bias, r, 0, 0, j) : 0.0;
    row->present[j] = raw != -INFINITY && bias != -INFINITY;
    long double product = (long double)call->scale * (long double)raw;
    row->x[j] = isfinite(raw) ? product + (long double)bias : NAN;
    row->error[j] = call->scale == 1.0F ? 0.0L : NAIVE_U * fabsl(product);
    if (bias != 0.0) row->error[j] += NAIVE_U * fabsl(row->x[j]);
  }
  naive_solve(row);
}

/* -1, or the first row of the finished call with a wrong result. */
static inline int64_t naive_wrong_softmax(const sp_softmax_call *call) {
  static naive_row row;
  for (uint64_t r = 0; r < call->n_rows; r++) {
    naive_softmax_row(call, r, &row);
    if (!naive_lses_ok(&row, &call->lse_keys, &call->lse_total, r, 0, 0)) return (int64_t)r;
    for (size_t j = 0; call->weights.data != NULL && j < row.n; j++)
      if (!naive_weight_ok(&row, call->weights.dtype, j, naive_out(&call->weights, r, 0, 0, j)))
        return (int64_t)r;
  }
  return -1;
}

/* ---- attention ---- */

/* EV-2, AT-4, AT-5, as they are written. */
static inline bool naive_visible(const sp_attention_call *call, int64_t pos_q, int64_t pos_k) {
  if (call->causal != 0 && pos_k > pos_q) return false;
  if (call->window == SP_WINDOW_ALL) return true;
  if (pos_k >= pos_q || (uint64_t)pos_k < call->n_sink_tokens) return true;
  return (uint64_t)(pos_q - pos_k) < call->window;
}

/* AT-2 with AT-6 and AL-8; `bias` and `alibi` are 0 for a bias pair. */
static inline void naive_logit(const sp_attention_call *call, naive_row *row, size_t j,
                               const double *q, const double *k, double bias, double alibi) {
  long double dot = 0.0L;
  long double size = 0.0L;
  for (uint64_t c = 0; c < call->d_head; c++) {
    long double product = (long double)q[c] * (long double)k[c];
    dot += product;
    size += fabsl(product);
    if (!isfinite(q[c]) || !isfinite(k[c])) dot = NAN;
  }
  long double cap = (long double)call->softcap;
  long double x = (long double)call->scale * dot;
  long double roundings = ((long double)call->d_head + 2.0L) * NAIVE_U + row->cls.u_qk;
  long double error = fabsl((long double)call->scale) * size * expm1l(roundings) / NAIVE_U;
  if (cap > 0.0L) {
    error += 7.0L * fabsl(x) < 7.0L * cap ? 7.0L * fabsl(x) : 7.0L * cap;
    x = cap * tanhl(x / cap);
  }
  row->x[j] = x + (long double)bias + (long double)alibi;
  if (bias != 0.0 || alibi != 0.0)
    error += 2.0L * fabsl((long double)alibi) +
             2.0L * (fabsl((long double)bias) + fabsl((long double)alibi) + fabsl(x));
  row->error[j] = error * NAIVE_U;
}

typedef struct naive_attention {
  naive_row row;
  double q[512], k[512], v[NAIVE_MAX];
} naive_attention;

static inline void naive_load_row(const sp_in *t, uint64_t a, uint64_t b, uint64_t c, uint64_t n,
                                  double *to) {
  ck_assert_uint_le(n, 512);
  for (uint64_t e = 0; e < n; e++) to[e] = naive_in(t, a, b, c, e);
}

/* Row (b, i, h): key n_kv is the bias pair. */
static inline void naive_attention_row(const sp_attention_call *call, const naive_class *cls,
                                       uint64_t b, uint64_t i, uint64_t h, naive_attention *work) {
  naive_row *row = &work->row;
  uint64_t h_kv = h * call->n_kv_heads / call->n_heads; /* AT-7 */
  int64_t pos_q =
      call->pos_q ? call->pos_q[i] : (int64_t)call->n_kv - (int64_t)call->n_q + (int64_t)i;
  double slope = call->alibi_slope.data ? naive_in(&call->alibi_slope, 0, 0, h, 0) : 0.0;
  row->n = call->n_kv + (call->bias_k.data ? 1 : 0);
  ck_assert_uint_le(row->n, NAIVE_MAX);
  row->cls = *cls;
  row->sink = call->sink_logit.data ? (long double)naive_in(&call->sink_logit, 0, 0, h, 0)
                                    : (long double)-INFINITY;
  naive_load_row(&call->q, b, i, h, call->d_head, work->q);
  for (uint64_t j = 0; j < call->n_kv; j++) {
    int64_t pos_k = call->pos_k ? call->pos_k[j] : (int64_t)j;
    double bias = call->key_bias.data ? naive_in(&call->key_bias, b, i, h, j) : 0.0;
    row->present[j] = naive_visible(call, pos_q, pos_k) && bias != -INFINITY;
    if (!row->present[j]) continue;
    naive_load_row(&call->k, b, j, h_kv, call->d_head, work->k);
    naive_logit(call, row, j, work->q, work->k, bias, -slope * fabs((double)(pos_q - pos_k)));
  }
  if (call->bias_k.data) {
    row->present[call->n_kv] = true;
    naive_load_row(&call->bias_k, 0, 0, h_kv, call->d_head, work->k);
    naive_logit(call, row, call->n_kv, work->q, work->k, 0.0, 0.0);
  }
  naive_solve(row);
}

static inline bool naive_outputs_ok(const sp_attention_call *call, uint64_t b, uint64_t i,
                                    uint64_t h, naive_attention *work) {
  uint64_t h_kv = h * call->n_kv_heads / call->n_heads;
  for (uint64_t c = 0; call->out.data != NULL && c < call->d_value; c++) {
    for (uint64_t j = 0; j < call->n_kv; j++) work->v[j] = naive_in(&call->v, b, j, h_kv, c);
    if (call->bias_v.data) work->v[call->n_kv] = naive_in(&call->bias_v, 0, 0, h_kv, c);
    if (!naive_output_ok(&work->row, call->out.dtype, work->v, naive_out(&call->out, b, i, h, c)))
      return false;
  }
  return true;
}

/* -1, or the number [b][i][h] of the first row of the call that the kernel has got wrong. */
static inline int64_t naive_wrong_attention(const sp_kernel *kernel,
                                            const sp_attention_call *call) {
  static naive_attention work;
  const naive_class cls = naive_class_of(kernel);
  int64_t number = 0;
  for (uint64_t b = 0; b < call->n_batch; b++)
    for (uint64_t i = 0; i < call->n_q; i++)
      for (uint64_t h = 0; h < call->n_heads; h++, number++) {
        naive_attention_row(call, &cls, b, i, h, &work);
        if (!naive_lses_ok(&work.row, &call->lse_keys, &call->lse_total, b, i, h)) return number;
        if (!naive_outputs_ok(call, b, i, h, &work)) return number;
      }
  return -1;
}

#endif
