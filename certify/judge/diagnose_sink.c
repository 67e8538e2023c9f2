/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong with a sink logit. spec: AL-2, AL-3, AL-4, AL-6 */
#include <math.h>

#include "certify/judge/diagnose.h"

static const double ln2 = 0x1.62e42fefa39efp-1;

static bool has_sink(const sp_suspect *s) {
  return isfinite(s->in.sink_logit);
}

static bool replace(sp_suspect *s, double sink_logit) {
  bool changes = sink_logit != s->in.sink_logit;
  s->in.sink_logit = sink_logit;
  return changes;
}

/* e^s counted 0 times, twice, …: times the parameter. */
static bool count_times(sp_suspect *s, double times) {
  return has_sink(s) && replace(s, s->in.sink_logit + log(times));
}

static bool multiply(sp_suspect *s, double factor) {
  return has_sink(s) && replace(s, s->in.sink_logit * factor);
}

static bool set_value(sp_suspect *s, double value) {
  return has_sink(s) && replace(s, value);
}

static bool invent(sp_suspect *s, double value) {
  return s->in.sink_logit == -INFINITY && replace(s, value);
}

static bool scale_it(sp_suspect *s, double power) {
  return has_sink(s) && replace(s, s->in.sink_logit * pow(s->in.scale, power));
}

static bool cap_it(sp_suspect *s, double unused) {
  (void)unused;
  double cap = s->in.softcap;
  return has_sink(s) && cap > 0 && replace(s, cap * tanh(s->in.sink_logit / cap));
}

static bool add_after_max(sp_suspect *s, double keep_value) {
  return has_sink(s) && replace(s, s->max_logit + keep_value * s->in.sink_logit);
}

static bool invent_after_max(sp_suspect *s, double unused) {
  (void)unused;
  return invent(s, s->max_logit);
}

static bool bias_key_0(sp_suspect *s, double unused) {
  (void)unused;
  if (!has_sink(s) || s->in.n_kv == 0) return false;
  sp_suspect_bias(s)[0] += s->in.sink_logit;
  return replace(s, -INFINITY);
}

static bool round_to_bf16(sp_suspect *s, double unused) {
  (void)unused;
  if (!has_sink(s)) return false;
  mpfr_t x;
  mpfr_init2(x, 53);
  mpfr_set_d(x, s->in.sink_logit, MPFR_RNDN);
  double rounded = sp_ref_round(SP_BF16, x);
  mpfr_clear(x);
  return replace(s, rounded);
}

/* An f32 array read through a bf16 pointer. */
static bool read_as_bf16(sp_suspect *s, double unused) {
  (void)unused;
  const sp_array *sinks = &s->c->sink_logit;
  if (!has_sink(s) || sinks->dtype != SP_F32) return false;
  return replace(s, sp_ref_load(SP_BF16, sinks->bits, s->h));
}

static bool take_index(sp_suspect *s, size_t index) {
  size_t n = s->c->sink_logit.count;
  return n > 0 && s->c->op != SP_OP_SOFTMAX && replace(s, s->values->sink_logit[index % n]);
}

static bool index_of_kv_head(sp_suspect *s, double unused) {
  (void)unused;
  return take_index(s, s->h / (s->c->n_heads / s->c->n_kv_heads));
}

static bool index_of_row(sp_suspect *s, double unused) {
  (void)unused;
  return take_index(s, s->h * s->c->n_q + s->i);
}

static bool index_of_query(sp_suspect *s, double unused) {
  (void)unused;
  return take_index(s, s->i);
}

static bool index_of_batch(sp_suspect *s, double unused) {
  (void)unused;
  return take_index(s, s->b);
}

static bool next_index(sp_suspect *s, double step) {
  return take_index(s, s->h + (size_t)step);
}

static bool first_index(sp_suspect *s, double unused) {
  (void)unused;
  return take_index(s, 0);
}

/* Z_K + s instead of Z_K + e^s. */
static bool use_as_weight(sp_suspect *s, double unused) {
  (void)unused;
  if (!has_sink(s)) return false;
  double p = mpfi_get_d(s->row.weight_sink), sink = s->in.sink_logit;
  double factor = 1 / (1 - p + p * sink * exp(-sink));
  for (size_t i = 0; i < s->n_result; i++) s->result[i] *= factor;
  s->lse_total -= log(factor);
  return true;
}

static bool give_value_of_key_0(sp_suspect *s, double unused) {
  (void)unused;
  if (!has_sink(s) || s->in.d_value == 0 || s->in.n_kv == 0) return false;
  double p = mpfi_get_d(s->row.weight_sink);
  for (size_t c = 0; c < s->n_result; c++) s->result[c] += p * s->in.v[c];
  return true;
}

static const sp_hypothesis list[] = {
    {"the sink logit is missing from the denominator: every value is too large by 1/(1 - p_sink)",
     count_times, NULL, 0},
    {"the sink logit is counted twice in the denominator", count_times, NULL, 2},
    {"the sink logit is counted three times in the denominator, as if once per part", count_times,
     NULL, 3},
    {"the sink logit is counted four times in the denominator, as if once per part", count_times,
     NULL, 4},
    {"the sink logit is counted eight times in the denominator, as if once per part", count_times,
     NULL, 8},
    {"the sink term is 1 after the maximum was subtracted: e^(sink_logit - m) is due",
     add_after_max, NULL, 0},
    {"the sink logit is added after the maximum was subtracted from the keys only: it has to be "
     "shifted by the same maximum",
     add_after_max, NULL, 1},
    {"the value of the sink logit is ignored and 0 is used (softmax-off-by-one)", set_value, NULL,
     0},
    {"an absent sink logit is taken as 0: absent means -inf", invent, NULL, 0},
    {"without a sink logit, 1 is added to the denominator after the maximum was subtracted",
     invent_after_max, NULL, 0},
    {"the sink logit is multiplied by scale: it joins after the scaling", scale_it, NULL, 1},
    {"the sink logit is divided by scale: it joins after the scaling", scale_it, NULL, -1},
    {"the sink logit is soft-capped: it joins after the cap", cap_it, NULL, 0},
    {"the sink logit is used in base 2 (2^s for e^s): log2(e) is missing", multiply, NULL, ln2},
    {"the sink logit is multiplied by log2(e) once too often", multiply, NULL, 1 / ln2},
    {"the sink logit is a bias on key 0: it has to join the denominator only", bias_key_0, NULL, 0},
    {"the mass of the sink logit goes to the value of key 0: it has to vanish", NULL,
     give_value_of_key_0, 0},
    {"the sink logit itself joins the denominator: e^sink_logit is due", NULL, use_as_weight, 0},
    {"the sink logit is rounded to bf16 on the way in", round_to_bf16, NULL, 0},
    {"f32 sink logits are read as bf16", read_as_bf16, NULL, 0},
    {"the sink logit is that of the kv head (one per query head is due)", index_of_kv_head, NULL,
     0},
    {"the sink logit of head 0 is used for all heads", first_index, NULL, 0},
    {"the sink logit is indexed by the flattened row, not by the head", index_of_row, NULL, 0},
    {"the sink logit is indexed by the query, not by the head", index_of_query, NULL, 0},
    {"the sink logit is indexed by the batch entry, not by the head", index_of_batch, NULL, 0},
    {"the sink logit of the next head is used", next_index, NULL, 1},
};

sp_hypotheses sp_hypotheses_sink(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
