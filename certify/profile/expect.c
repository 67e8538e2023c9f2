/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that no case of SPEC.md has, read off the oracle's: a log-sum-exp in base 2 or with the
 * sink logit where SPEC.md has none, and what stands in a row without keys. spec: CT-11 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/judge/accept.h"
#include "certify/profile/translate.h"

bool sp_answers_differ(const sp_profile *profile) {
  static const sp_question questions[] = {SP_ASK_LSE_BASE, SP_ASK_LSE_SINK, SP_ASK_LSE_EMPTY,
                                          SP_ASK_EMPTY};
  for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
    if (sp_convention(profile, questions[i]) != SP_AS_CORE) return true;
  return false;
}

/* ---- base 2 ---- */

/* One end of an accepted real interval, moved by `pad` and rounded to the format. */
static double end_of(double x, double pad, sp_dtype format, mpfr_rnd_t direction) {
  mpfr_t y;
  mpfr_init2(y, 128);
  mpfr_set_d(y, x, MPFR_RNDN);
  mpfr_add_d(y, y, pad, direction);
  double rounded = sp_ref_round(format, y);
  mpfr_clear(y);
  return rounded;
}

/* The accepted interval times log2(e). A kernel may convert at the end, by one product with a
 * rounded constant: 2u more. `exact` and `allowance` are doubles of real numbers, so each end is
 * known to a few units of binary64, between which the verdict is open. spec: NU-7 */
static void to_base2(sp_accept *accept, const sp_class *cls, sp_dtype format) {
  const double log2e = 0x1.71547652b82fep+0, slack = 0x1p-49;
  if (accept->kind != SP_ACCEPT_INTERVAL && accept->kind != SP_ACCEPT_EXACT) return;
  if (!isfinite(accept->exact) || accept->exact == 0) return;
  accept->kind = SP_ACCEPT_INTERVAL; /* a sink logit alone is exact in base e only */
  double exact = accept->exact * log2e;
  double allowance = accept->allowance * log2e;
  allowance += (fabs(exact) + allowance) * 2 * cls->u * (1 + cls->u);
  double blur = (fabs(exact) + allowance) * slack;
  accept->exact = exact;
  accept->allowance = allowance;
  accept->rounding = sp_ref_ulp(format, exact) / 2;
  accept->in_lo = end_of(exact - allowance, blur, format, MPFR_RNDU);
  accept->in_hi = end_of(exact + allowance, -blur, format, MPFR_RNDD);
  accept->out_lo = end_of(exact - allowance, -blur, format, MPFR_RNDD);
  accept->out_hi = end_of(exact + allowance, blur, format, MPFR_RNDU);
}

/* ---- rows without keys ---- */

/* Nothing is seen by this row and no sink logit takes its mass. */
static bool is_empty(const sp_ref_row_input *row) {
  if (row->sink_logit != -INFINITY || row->bias_k != NULL) return false;
  for (size_t j = 0; j < row->n_kv; j++) {
    int64_t position = row->pos_k != NULL ? row->pos_k[j] : (int64_t)j;
    bool hidden = (row->masked && !sp_ref_visible(&row->mask, row->pos_q, position)) ||
                  (row->key_bias != NULL && row->key_bias[j] == -INFINITY) ||
                  (row->logits != NULL && row->logits[j] == -INFINITY);
    if (!hidden) return false;
  }
  return true;
}

/* The same values with equal logits and no mask: its rows are the averages. One array of zeros, as
 * long as the longest, stands for logits, q and k, which may hold anything. */
static bool average_case(const sp_case *c, sp_case *average, void **zeros) {
  size_t n = c->logits.count + c->q.count + c->k.count + 1;
  *average = *c;
  *zeros = calloc(n, sizeof(double));
  if (c->op == SP_OP_SOFTMAX) {
    average->logits.bits = *zeros;
  } else {
    average->q.bits = average->k.bits = *zeros;
  }
  average->causal = false;
  average->window = SP_WINDOW_ALL;
  average->n_sink_tokens = 0;
  average->key_bias = average->alibi_slope = average->sink_logit = (sp_array){0};
  return *zeros != NULL;
}

typedef struct rows {
  const sp_translation *t;
  sp_truth *truth;
  sp_truth average; /* of averages, when they are wanted and a row is empty */
} rows;

static void convert_row(rows *w, size_t r) {
  const sp_profile *profile = w->t->profile;
  unsigned empty = sp_convention(profile, SP_ASK_EMPTY);
  size_t n = w->truth->values != NULL ? w->truth->row_len : 0;
  for (size_t i = r * n; i < (r + 1) * n; i++) {
    if (empty == SP_EMPTY_NAN) sp_accept_nan(&w->truth->values[i]);
    if (empty == SP_EMPTY_AVERAGE) w->truth->values[i] = w->average.values[i];
  }
  bool plus = sp_convention(profile, SP_ASK_LSE_EMPTY) == SP_LSE_EMPTY_PLUS_INF;
  sp_accept *const lse[2] = {w->truth->lse_keys, w->truth->lse_total};
  for (int i = 0; i < 2; i++) {
    if (lse[i] == NULL) continue;
    if (plus) sp_accept_exactly(&lse[i][r], INFINITY);
    /* Beside a NaN or an average stands whatever the finite mask left. */
    if (empty != SP_EMPTY_ZERO) sp_accept_anything(&lse[i][r]);
  }
}

static bool convert_empty_rows(const sp_translation *t, sp_truth *truth, const sp_class *cls,
                               mpfr_prec_t max_prec, char *error, size_t capacity) {
  const sp_case *c = &t->meaning;
  sp_case_values values;
  sp_case averages;
  void *zeros = NULL;
  rows w = {.t = t, .truth = truth};
  if (c->op == SP_OP_CACHE) return true;
  if (!sp_case_values_init(&values, c)) return false;
  bool ok = true;
  for (size_t r = 0; r < truth->n_rows && ok; r++) {
    sp_ref_row_input row;
    size_t n_out = values.n_out;
    sp_case_row(&values, r / c->n_heads / n_out, r / c->n_heads % n_out, r % c->n_heads, &row);
    if (!is_empty(&row)) continue;
    if (w.average.source == NULL && sp_convention(t->profile, SP_ASK_EMPTY) == SP_EMPTY_AVERAGE)
      ok = average_case(c, &averages, &zeros) &&
           sp_truth_init(&w.average, &averages, cls, max_prec, error, capacity);
    if (ok) convert_row(&w, r);
  }
  sp_truth_clear(&w.average);
  sp_case_values_clear(&values);
  free(zeros);
  return ok;
}

/* ---- which log-sum-exp is which ---- */

static void copy_lse(const sp_truth *truth, sp_accept *to, const sp_accept *from) {
  if (to != NULL && from != NULL) memcpy(to, from, truth->n_rows * sizeof *to);
}

static void drop_unwanted(const sp_case *put, sp_truth *truth) {
  if (!put->want_lse_keys) {
    free(truth->lse_keys);
    truth->lse_keys = NULL;
  }
  if (!put->want_lse_total) {
    free(truth->lse_total);
    truth->lse_total = NULL;
  }
}

bool sp_answers_convert(const sp_translation *t, sp_truth *truth, const sp_class *cls,
                        mpfr_prec_t max_prec, char *error, size_t capacity) {
  const sp_case *c = &t->meaning;
  sp_dtype format = c->dtype_q == SP_F64 && c->op != SP_OP_CACHE ? SP_F64 : SP_F32;
  unsigned sink = sp_convention(t->profile, SP_ASK_LSE_SINK);
  if (sink == SP_LSE_SINK_BOTH) copy_lse(truth, truth->lse_keys, truth->lse_total);
  if (sink == SP_LSE_SINK_NEITHER) copy_lse(truth, truth->lse_total, truth->lse_keys);
  drop_unwanted(&t->put, truth);
  if (sp_convention(t->profile, SP_ASK_LSE_BASE) == SP_LSE_BASE_2) {
    for (size_t r = 0; r < truth->n_rows; r++) {
      if (truth->lse_keys != NULL) to_base2(&truth->lse_keys[r], cls, format);
      if (truth->lse_total != NULL) to_base2(&truth->lse_total[r], cls, format);
    }
  }
  if (sp_convention(t->profile, SP_ASK_EMPTY) == SP_AS_CORE &&
      sp_convention(t->profile, SP_ASK_LSE_EMPTY) == SP_AS_CORE)
    return true;
  return convert_empty_rows(t, truth, cls, max_prec, error, capacity);
}

/* Hypotheses are put to the oracle, which knows only answers of SPEC.md. */
void sp_translation_diagnose(const sp_translation *t, const sp_outputs *outputs, char *text,
                             size_t capacity) {
  if (capacity > 0) text[0] = '\0';
  if (!sp_answers_differ(t->profile))
    sp_diagnose(&t->meaning, t->expected, outputs, text, capacity);
}
