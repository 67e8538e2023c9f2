/* SPDX-License-Identifier: Apache-2.0 */
/* From q and k to logits: scale, softcap, biases, their order, and the base of the exponential.
 * spec: AT-1, AT-2, AT-6, AL-7, AL-8, SM-3 */
#include <math.h>

#include "certify/judge/diagnose.h"

static const double ln2 = 0x1.62e42fefa39efp-1;

static bool set_scale(sp_suspect *s, double scale) {
  bool changes = s->in.scale != scale;
  s->in.scale = scale;
  return changes;
}

static bool scale_twice(sp_suspect *s, double unused) {
  (void)unused;
  return set_scale(s, s->in.scale * s->in.scale);
}

static bool usual_scale(sp_suspect *s, double unused) {
  (void)unused;
  return s->in.d_head > 0 && set_scale(s, 1 / sqrt((double)s->in.d_head));
}

static bool no_cap(sp_suspect *s, double unused) {
  (void)unused;
  bool capped = s->in.softcap > 0;
  s->in.softcap = 0;
  return capped;
}

/* q . k, in more than double precision. */
static double dot(const sp_suspect *s, size_t j) {
  long double sum = 0;
  for (size_t c = 0; c < s->in.d_head; c++)
    sum += (long double)s->in.q[c] * (long double)s->in.k[j * s->in.k_stride + c];
  return (double)sum;
}

/* Replace q and k by logits that another formula gives. A key that is not seen keeps out: its k may
 * hold anything, and masks apply to given logits too. */
static bool use_logits(sp_suspect *s, double (*formula)(const sp_suspect *, size_t)) {
  if (s->in.logits != NULL || s->in.bias_k != NULL) return false;
  for (size_t j = 0; j < s->in.n_kv; j++) s->logits[j] = formula(s, j);
  s->in.logits = s->logits;
  s->in.scale = 1;
  s->in.softcap = 0;
  return true;
}

static double cap(double x, double c) {
  return c * tanh(x / c);
}

static double cap_before_scale(const sp_suspect *s, size_t j) {
  return s->in.scale * cap(dot(s, j), s->in.softcap);
}

static double cap_after_bias(const sp_suspect *s, size_t j) {
  return cap(s->in.scale * dot(s, j) + s->in.key_bias[j], s->in.softcap) - s->in.key_bias[j];
}

static double scale_after_bias(const sp_suspect *s, size_t j) {
  double x = s->in.scale * (dot(s, j) + s->in.key_bias[j]);
  return (s->in.softcap > 0 ? cap(x, s->in.softcap) : x) - s->in.key_bias[j];
}

static double alibi(const sp_suspect *s, size_t j) {
  return -s->in.alibi_slope * fabs((double)(s->in.pos_q - sp_suspect_position(s, j)));
}

static double cap_after_alibi(const sp_suspect *s, size_t j) {
  return cap(s->in.scale * dot(s, j) + alibi(s, j), s->in.softcap) - alibi(s, j);
}

/* Not |pos_q - pos_k|: the future is favoured. */
static double signed_alibi(const sp_suspect *s, size_t j) {
  double x = s->in.scale * dot(s, j);
  double by_sign = -s->in.alibi_slope * (double)(s->in.pos_q - sp_suspect_position(s, j));
  return (s->in.softcap > 0 ? cap(x, s->in.softcap) : x) + by_sign - alibi(s, j);
}

static bool wrong_place_of_cap(sp_suspect *s, double unused) {
  (void)unused;
  return s->in.softcap > 0 && use_logits(s, cap_before_scale);
}

static bool bias_inside_cap(sp_suspect *s, double unused) {
  (void)unused;
  return s->in.softcap > 0 && s->in.key_bias != NULL && use_logits(s, cap_after_bias);
}

static bool bias_inside_scale(sp_suspect *s, double unused) {
  (void)unused;
  return s->in.key_bias != NULL && s->in.scale != 1 && use_logits(s, scale_after_bias);
}

static bool alibi_inside_cap(sp_suspect *s, double unused) {
  (void)unused;
  return s->in.softcap > 0 && s->in.alibi_slope != 0 && use_logits(s, cap_after_alibi);
}

static bool alibi_without_size(sp_suspect *s, double unused) {
  (void)unused;
  return s->in.alibi_slope != 0 && use_logits(s, signed_alibi);
}

/* Finite biases only: -inf is a mask. */
static bool multiply_bias(sp_suspect *s, double factor) {
  if (s->in.key_bias == NULL) return false;
  double *bias = sp_suspect_bias(s);
  for (size_t j = 0; j < s->in.n_kv; j++)
    if (bias[j] != -INFINITY) bias[j] *= factor;
  return true;
}

/* All weights equal; the log-sum-exps beside them may be anything. */
static bool ignore_logits(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind != SP_REF_ORDINARY || !s->values_fail) return false;
  s->in.scale = 0;
  s->in.alibi_slope = 0;
  s->in.sink_logit = -INFINITY;
  (void)multiply_bias(s, 0);
  return true;
}

static bool any_lse(sp_suspect *s, double unused) {
  (void)unused;
  s->lse_keys = s->got_lse_keys;
  s->lse_total = s->got_lse_total;
  return true;
}

static bool bias_of(sp_suspect *s, size_t b, size_t i, size_t h) {
  const double *other = s->values->key_bias + sp_case_bias_row(s->c, b, i, h);
  if (s->in.key_bias == NULL || s->in.key_bias == other) return false;
  s->in.key_bias = other;
  return true;
}

static bool bias_of_query_0(sp_suspect *s, double unused) {
  (void)unused;
  return bias_of(s, s->b, 0, s->h);
}

static bool bias_of_entry_0(sp_suspect *s, double unused) {
  (void)unused;
  return bias_of(s, 0, s->i, s->h);
}

static bool bias_of_head_0(sp_suspect *s, double unused) {
  (void)unused;
  return bias_of(s, s->b, s->i, 0);
}

static bool bias_of_kv_head(sp_suspect *s, double unused) {
  (void)unused;
  return bias_of(s, s->b, s->i, s->h / (s->c->n_heads / s->c->n_kv_heads));
}

static bool multiply_alibi(sp_suspect *s, double factor) {
  bool present = s->in.alibi_slope != 0;
  s->in.alibi_slope *= factor;
  return present;
}

/* + slope * pos_k instead of - slope * |pos_q - pos_k|: the logits of the past move together, which
 * only a sink logit and the log-sum-exps notice. */
static bool alibi_without_query(sp_suspect *s, double unused) {
  (void)unused;
  double shift = s->in.alibi_slope * (double)s->in.pos_q;
  s->in.sink_logit -= shift;
  return shift != 0;
}

static bool move_lse_by_alibi(sp_suspect *s, double unused) {
  (void)unused;
  double shift = s->in.alibi_slope * (double)s->in.pos_q;
  s->lse_keys += shift;
  s->lse_total += shift;
  return true;
}

static bool other_slope(sp_suspect *s, double step) {
  if (s->values->alibi_slope == NULL) return false;
  double slope = s->values->alibi_slope[step == 0 ? 0 : (s->h + 1) % s->c->n_heads];
  bool changes = slope != s->in.alibi_slope;
  s->in.alibi_slope = slope;
  return changes;
}

/* All logits times a factor; the softcap too, as cap(f t) with f c is f times cap(t) with c. */
static bool multiply_logits(sp_suspect *s, double factor) {
  s->in.scale *= factor;
  s->in.softcap *= factor;
  s->in.alibi_slope *= factor;
  (void)multiply_bias(s, factor);
  return true;
}

static bool multiply_all(sp_suspect *s, double factor) {
  if (isfinite(s->in.sink_logit)) s->in.sink_logit *= factor;
  return multiply_logits(s, factor);
}

static bool multiply_keys_only(sp_suspect *s, double factor) {
  return isfinite(s->in.sink_logit) && multiply_logits(s, factor);
}

static bool no_pair(sp_suspect *s, double unused) {
  (void)unused;
  bool present = s->in.bias_k != NULL;
  s->in.bias_k = s->in.bias_v = NULL;
  return present;
}

static bool pair_without_value(sp_suspect *s, double unused) {
  (void)unused;
  for (size_t c = 0; c < s->in.d_value; c++) s->v[c] = 0;
  bool present = s->in.bias_v != NULL;
  if (present) s->in.bias_v = s->v;
  return present;
}

static const sp_hypothesis list[] = {
    {"scale is not applied", set_scale, NULL, 1},
    {"scale is applied twice", scale_twice, NULL, 0},
    {"1/sqrt(d_head) is used instead of the given scale", usual_scale, NULL, 0},
    {"the softcap is ignored", no_cap, NULL, 0},
    {"the softcap is applied before scale", wrong_place_of_cap, NULL, 0},
    {"key_bias is added before the softcap", bias_inside_cap, NULL, 0},
    {"key_bias is multiplied by scale", bias_inside_scale, NULL, 0},
    {"key_bias is ignored", multiply_bias, NULL, 0},
    {"key_bias is subtracted", multiply_bias, NULL, -1},
    {"key_bias is added twice", multiply_bias, NULL, 2},
    {"the key_bias of query 0 is used for all queries", bias_of_query_0, NULL, 0},
    {"the key_bias of batch entry 0 is used for all entries", bias_of_entry_0, NULL, 0},
    {"the key_bias of head 0 is used for all heads", bias_of_head_0, NULL, 0},
    {"the key_bias of a head is taken at the index of its kv head", bias_of_kv_head, NULL, 0},
    {"ALiBi is ignored", multiply_alibi, NULL, 0},
    {"ALiBi has the wrong sign", multiply_alibi, NULL, -1},
    {"ALiBi is slope * pos_k without the position of the query: a sink logit sees the difference",
     alibi_without_query, move_lse_by_alibi, 0},
    {"ALiBi is added before the softcap", alibi_inside_cap, NULL, 0},
    {"ALiBi takes pos_q - pos_k without its absolute value", alibi_without_size, NULL, 0},
    {"the ALiBi slope of head 0 is used for all heads", other_slope, NULL, 0},
    {"the ALiBi slope of the next head is used", other_slope, NULL, 1},
    {"2^x is computed instead of e^x: log2(e) is missing", multiply_all, NULL, ln2},
    {"2^x is computed for the keys and e^s for the sink logit", multiply_keys_only, NULL, ln2},
    {"log2(e) is applied once too often", multiply_all, NULL, 1 / ln2},
    {"the bias pair is ignored", no_pair, NULL, 0},
    {"the value of the bias pair is ignored", pair_without_value, NULL, 0},
    {"the logits are ignored: all weights are equal", ignore_logits, any_lse, 0},
};

sp_hypotheses sp_hypotheses_score(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
