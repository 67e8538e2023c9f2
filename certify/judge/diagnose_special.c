/* SPDX-License-Identifier: Apache-2.0 */
/* Results that are no sums of these keys at all: zeros, NaN, stalled sums, another row's result. A
 * hypothesis that is settled by its condition takes over what was got. spec: SM-5, AT-3, AT-9 */
#include <math.h>
#include <string.h>

#include "certify/judge/diagnose.h"

/* Where nothing but log-sum-exps was asked for, they speak. */
static bool any(const sp_suspect *s, bool (*is)(double)) {
  for (size_t i = 0; i < s->n_result; i++)
    if (is(s->got[i])) return true;
  return s->n_result == 0 && (is(s->got_lse_keys) || is(s->got_lse_total));
}

static bool is_nan(double x) {
  return isnan(x);
}
static bool not_finite(double x) {
  return !isfinite(x);
}
static bool not_nan(double x) {
  return !isnan(x);
}

static bool settled(sp_suspect *s) {
  memcpy(s->result, s->got, s->n_result * sizeof *s->result);
  s->lse_keys = s->got_lse_keys;
  s->lse_total = s->got_lse_total;
  return true;
}

static bool nan_on_empty(sp_suspect *s, double unused) {
  (void)unused;
  return s->kind == SP_REF_EMPTY && any(s, is_nan) && settled(s);
}

static bool repaired(sp_suspect *s, double unused) {
  (void)unused;
  return s->kind == SP_REF_INVALID && any(s, not_nan) && settled(s);
}

static bool nan_on_infinite_sink(sp_suspect *s, double unused) {
  (void)unused;
  return s->kind == SP_REF_SINK_INF && any(s, is_nan) && settled(s);
}

/* 0 * NaN, or NaN + -inf. */
static bool hidden_nan(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind == SP_REF_INVALID || !any(s, is_nan)) return false;
  for (size_t j = 0; j < s->in.n_kv; j++) {
    if (s->row.visible[j]) continue;
    double sum = 0;
    if (s->in.logits != NULL) sum += 0 * (s->in.logits[j] == -INFINITY ? 0 : s->in.logits[j]);
    for (size_t c = 0; s->in.logits == NULL && c < s->in.d_head; c++)
      sum += 0 * s->in.k[j * s->in.k_stride + c];
    for (size_t c = 0; c < s->in.d_value; c++) sum += 0 * s->in.v[j * s->in.v_stride + c];
    if (isnan(sum)) return settled(s);
  }
  return false;
}

/* e^x overflows in binary32 above 88.7. */
static bool overflow(sp_suspect *s, double limit) {
  return s->kind == SP_REF_ORDINARY && s->max_logit > limit && any(s, not_finite) && settled(s);
}

static bool sink_overflow(sp_suspect *s, double limit) {
  return s->kind == SP_REF_ORDINARY && s->in.sink_logit < INFINITY &&
         s->in.sink_logit - s->max_logit > limit && any(s, not_finite) && settled(s);
}

/* … and e^x is 0 there below -103.9, and so is the sum. */
static bool underflow(sp_suspect *s, double limit) {
  if (s->kind != SP_REF_ORDINARY || s->max_logit > limit) return false;
  bool nothing = true;
  for (size_t i = 0; i < s->n_result; i++) nothing &= s->got[i] == 0;
  return (nothing || any(s, not_finite)) && settled(s);
}

static bool zero(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind != SP_REF_ORDINARY || !s->values_fail) return false;
  for (size_t i = 0; i < s->n_result; i++) s->result[i] = 0;
  if (s->got_lse_keys == 0) s->lse_keys = 0;
  if (s->got_lse_total == 0) s->lse_total = 0;
  return true;
}

static bool nothing_but_nan(sp_suspect *s, double unused) {
  (void)unused;
  return s->kind == SP_REF_ORDINARY && any(s, is_nan) && !any(s, not_nan) && settled(s);
}

/* A running sum of n equal terms stops at 2^p of them. */
static bool stalled(sp_suspect *s, double terms) {
  double n = 0, p = -1;
  for (size_t j = 0; j < s->row.n_keys; j++) {
    if (!s->row.visible[j]) continue;
    double w = mpfi_get_d(s->row.weight[j]);
    if (p >= 0 && fabs(w - p) > 1e-3 * p) return false;
    p = w;
    n++;
  }
  if (!(n > terms) || isfinite(s->in.sink_logit)) return false;
  double factor = s->in.d_value > 0 ? terms / n : n / terms;
  for (size_t i = 0; i < s->n_result; i++) s->result[i] *= factor;
  return true;
}

/* ---- another row ---- */

static bool row_of(sp_suspect *s, size_t b, size_t i, size_t h) {
  if (b == s->b && i == s->i && h == s->h) return false;
  sp_case_row(s->values, b, i, h, &s->in);
  return true;
}

static bool row_of_query_0(sp_suspect *s, double unused) {
  (void)unused;
  return row_of(s, s->b, 0, s->h);
}

static bool row_of_head_0(sp_suspect *s, double unused) {
  (void)unused;
  return row_of(s, s->b, s->i, 0);
}

static bool row_of_batch_0(sp_suspect *s, double unused) {
  (void)unused;
  return row_of(s, 0, s->i, s->h);
}

static bool row_0(sp_suspect *s, double unused) {
  (void)unused;
  return row_of(s, 0, 0, 0);
}

static bool row_before(sp_suspect *s, double unused) {
  (void)unused;
  return s->i > 0 && row_of(s, s->b, s->i - 1, s->h);
}

static bool row_after(sp_suspect *s, double unused) {
  (void)unused;
  return s->i + 1 < s->values->n_out && row_of(s, s->b, s->i + 1, s->h);
}

static bool head_before(sp_suspect *s, double unused) {
  (void)unused;
  return s->h > 0 && row_of(s, s->b, s->i, s->h - 1);
}

static const sp_hypothesis list[] = {
    {"a row without a visible key is NaN: 0 is due", NULL, nan_on_empty, 0},
    {"a NaN or +inf among the visible logits was repaired: the whole row is NaN", NULL, repaired,
     0},
    {"an infinite sink logit gives NaN: every weight is 0", NULL, nan_on_infinite_sink, 0},
    {"a NaN in a masked slot reaches the result: what no query can see must not matter", NULL,
     hidden_nan, 0},
    {"e^x overflows: the maximum was not subtracted", NULL, overflow, 80},
    {"e^(sink_logit - m) overflows: the sink logit has to join the maximum", NULL, sink_overflow,
     80},
    {"e^x underflows: the maximum was not subtracted, or stayed at a placeholder above the logits",
     NULL, underflow, -80},
    {"the result is all zeros", NULL, zero, 0},
    {"the result is NaN, though everything visible is finite", NULL, nothing_but_nan, 0},
    {"the accumulator stalls at 2^8 equal terms: it has 8 significant bits (bf16)", NULL, stalled,
     0x1p8},
    {"the accumulator stalls at 2^11 equal terms: it has 11 significant bits (f16)", NULL, stalled,
     0x1p11},
    {"the result is that of query 0", row_of_query_0, NULL, 0},
    {"the result is that of head 0", row_of_head_0, NULL, 0},
    {"the result is that of batch entry 0", row_of_batch_0, NULL, 0},
    {"the result is that of the first row", row_0, NULL, 0},
    {"the result is that of the query before", row_before, NULL, 0},
    {"the result is that of the query after", row_after, NULL, 0},
    {"the result is that of the head before", head_before, NULL, 0},
};

sp_hypotheses sp_hypotheses_special(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
