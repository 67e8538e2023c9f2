/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong log-sum-exps beside values that may be right. spec: SM-3, AT-9, AL-5 */
#include <math.h>

#include "certify/judge/diagnose.h"

static const double ln2 = 0x1.62e42fefa39efp-1;

static bool without_sink(sp_suspect *s, double unused) {
  (void)unused;
  s->lse_total = s->lse_keys;
  return true;
}

static bool with_sink(sp_suspect *s, double unused) {
  (void)unused;
  s->lse_keys = s->lse_total;
  return true;
}

static bool swapped(sp_suspect *s, double unused) {
  (void)unused;
  double keys = s->lse_keys;
  s->lse_keys = s->lse_total;
  s->lse_total = keys;
  return true;
}

static bool multiplied(sp_suspect *s, double factor) {
  s->lse_keys *= factor;
  s->lse_total *= factor;
  return true;
}

static bool without_max(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind != SP_REF_ORDINARY) return false;
  double total_max = fmax(s->max_logit, s->in.sink_logit);
  s->lse_keys -= s->max_logit;
  s->lse_total -= total_max;
  return true;
}

static bool without_keys_max(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind != SP_REF_ORDINARY) return false;
  s->lse_keys -= s->max_logit;
  s->lse_total -= s->max_logit;
  return true;
}

static bool only_max(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind != SP_REF_ORDINARY) return false;
  s->lse_keys = s->max_logit;
  s->lse_total = fmax(s->max_logit, s->in.sink_logit);
  return true;
}

static bool on_empty(sp_suspect *s, double value) {
  if (s->kind != SP_REF_EMPTY) return false;
  s->lse_keys = s->lse_total = value;
  return true;
}

/* From the special to the general: on empty rows many of these are the same. */
static const sp_hypothesis list[] = {
    {"the log-sum-exp of a row without a visible key is -inf whatever the sink logit is", NULL,
     on_empty, -INFINITY},
    {"the log-sum-exp of a row without a visible key is +inf: -inf, or the sink logit, is due",
     NULL, on_empty, INFINITY},
    {"the log-sum-exp of a row without a visible key is 0: -inf, or the sink logit, is due", NULL,
     on_empty, 0},
    {"the log-sum-exp of a row without a visible key is NaN: -inf, or the sink logit, is due", NULL,
     on_empty, NAN},
    {"lse_total does not contain the sink logit (it is lse_keys)", NULL, without_sink, 0},
    {"lse_keys contains the sink logit (it is lse_total)", NULL, with_sink, 0},
    {"lse_keys and lse_total are swapped", NULL, swapped, 0},
    {"the log-sum-exp is in base 2: a factor ln 2 is missing", NULL, multiplied, 1 / ln2},
    {"the log-sum-exp is multiplied by ln 2, though it is natural already", NULL, multiplied, ln2},
    {"the log-sum-exp has the wrong sign", NULL, multiplied, -1},
    {"the log-sum-exp lacks the maximum that was subtracted", NULL, without_max, 0},
    {"the log-sum-exps lack the maximum over the keys", NULL, without_keys_max, 0},
    {"the log-sum-exp is the maximum alone", NULL, only_max, 0},
};

sp_hypotheses sp_hypotheses_lse(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
