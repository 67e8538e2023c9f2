/* SPDX-License-Identifier: Apache-2.0 */
/* One row: the oracle encloses, the bound widens, and what is still open asks for twice the
 * precision. Everything that SPEC.md settles by a clause (absent keys, empty rows, invalid rows,
 * infinite sink logits) is exact and never widened. spec: CT-1, CT-2 */
#include "certify/judge/truth_row.h"

#include <math.h>

static bool model(const sp_truth_work *w) {
  return w->cls->kind == SP_CLASS_MODEL;
}

/* spec: NU-7, NU-11, AT-3 (an absent key has weight 0, exactly) */
static size_t accept_weights(sp_truth_work *w) {
  size_t n_open = 0;
  for (size_t j = 0; j < w->truth->row_len; j++) {
    sp_accept *accept = &w->row_values[j];
    if (!w->row.visible[j]) {
      sp_accept_exactly(accept, 0);
      continue;
    }
    const sp_bound_key *key = &w->bound.key[j];
    sp_margin margin = {.shrink = key->shrink,
                        .grow = key->grow,
                        .down = w->bound.floor,
                        .up = w->bound.floor + key->reach,
                        .weight = true};
    bool decided = model(w) ? sp_accept_interval(accept, &w->acceptor, w->row.weight[j], &margin)
                            : sp_accept_rounded(accept, &w->acceptor, w->row.weight[j]);
    n_open += !decided;
  }
  return n_open;
}

/* A component in which a visible value is not finite: NaN makes it NaN, an infinity takes it out of
 * the domain. spec: SM-6 */
static bool accept_not_finite(const sp_truth_work *w, size_t c, sp_accept *accept) {
  if (!w->row.out_nan[c]) return false;
  bool infinite = false;
  for (size_t j = 0; j < w->row.n_keys && w->row.kind != SP_REF_INVALID; j++) {
    if (!w->row.visible[j]) continue;
    const double *v = j == w->in.n_kv ? w->in.bias_v : w->in.v + j * w->in.v_stride;
    infinite |= isinf(v[c]) != 0;
  }
  sp_accept_nan(accept);
  if (infinite) sp_accept_anything(accept);
  return true;
}

/* spec: NU-7, NU-11 */
static size_t accept_output(sp_truth_work *w) {
  size_t n_open = 0;
  for (size_t c = 0; c < w->truth->row_len; c++) {
    sp_accept *accept = &w->row_values[c];
    if (accept_not_finite(w, c, accept)) continue;
    double error = w->bound.error[c];
    sp_margin margin = {.shrink = 1, .grow = 1, .down = error, .up = error};
    bool decided = model(w) ? sp_accept_interval(accept, &w->acceptor, w->row.out[c], &margin)
                            : sp_accept_rounded(accept, &w->acceptor, w->row.out[c]);
    n_open += !decided;
  }
  return n_open;
}

/* spec: NU-7, NU-11, AL-4 (an infinite log-sum-exp is exact) */
static size_t accept_lse(sp_truth_work *w, sp_accept *accept, mpfi_srcptr lse, double error) {
  if (accept == NULL) return 0;
  if (mpfr_inf_p(&lse->left)) {
    sp_accept_exactly(accept, mpfr_get_d(&lse->left, MPFR_RNDN));
    return 0;
  }
  sp_margin margin = {.shrink = 1, .grow = 1, .down = error, .up = error};
  bool decided = model(w) ? sp_accept_interval(accept, &w->lse_acceptor, lse, &margin)
                          : sp_accept_rounded(accept, &w->lse_acceptor, lse);
  return !decided;
}

/* Values that a clause settles: NaN in an invalid row, 0 in an empty one or under an infinite sink
 * logit. spec: SM-5, AT-9, AL-4 */
static void accept_settled(sp_truth_work *w) {
  bool softmax = w->truth->source->op == SP_OP_SOFTMAX;
  for (size_t i = 0; w->row_values != NULL && i < w->truth->row_len; i++) {
    if (!softmax && accept_not_finite(w, i, &w->row_values[i])) continue;
    sp_accept_exactly(&w->row_values[i], 0);
    if (w->row.kind == SP_REF_INVALID) sp_accept_nan(&w->row_values[i]);
  }
}

static void accept_settled_lse(const sp_truth_work *w, sp_accept *accept, mpfi_srcptr lse) {
  if (accept == NULL) return;
  sp_accept_exactly(accept, sp_ref_round(w->lse_acceptor.format, &lse->left));
  if (w->row.kind == SP_REF_INVALID) sp_accept_nan(accept);
}

/* spec: NU-4 */
static void accept_everything(sp_truth_work *w) {
  for (size_t i = 0; w->row_values != NULL && i < w->truth->row_len; i++)
    sp_accept_anything(&w->row_values[i]);
  if (w->row_lse_keys != NULL) sp_accept_anything(w->row_lse_keys);
  if (w->row_lse_total != NULL) sp_accept_anything(w->row_lse_total);
}

/* A row without keys: lse_total is the sink logit as the class reads it, which kernels in base 2
 * convert and which, like any result, may be flushed. spec: AT-9, NU-7, NU-10 */
static void accept_empty_total(sp_truth_work *w) {
  mpfi_srcptr lse = w->row.lse_total;
  accept_settled_lse(w, w->row_lse_total, lse);
  if (w->row_lse_total == NULL || !mpfr_number_p(&lse->left)) return;
  double error = model(w) ? sp_bound_empty_lse(w->cls, w->types, &w->in) : 0;
  if (error > 0 || w->cls->flush_outputs) (void)accept_lse(w, w->row_lse_total, lse, error);
}

/* One pass at the precision of the enclosure; returns how many elements are still open. */
static size_t accept_enclosed(sp_truth_work *w) {
  if (model(w)) sp_bound_eval(&w->bound, w->cls, w->types, &w->in, &w->row);
  size_t n_open = 0;
  if (w->row.kind == SP_REF_SINK_INF) {
    accept_settled(w);
  } else if (w->row_values != NULL) {
    n_open += w->truth->source->op == SP_OP_SOFTMAX ? accept_weights(w) : accept_output(w);
  }
  n_open += accept_lse(w, w->row_lse_keys, w->row.lse_keys, w->bound.lse_keys);
  n_open += accept_lse(w, w->row_lse_total, w->row.lse_total, w->bound.lse_total);
  return n_open;
}

static bool is_open(const sp_accept *a) {
  return a->kind == SP_ACCEPT_INTERVAL && !(a->in_lo == a->out_lo && a->in_hi == a->out_hi);
}

/* Close what no precision decides: values that are rational. Returns how many it closed.
 * spec: NU-3 */
static size_t accept_rational(sp_truth_work *w) {
  if (model(w) || w->row_values == NULL || w->row.kind != SP_REF_ORDINARY) return 0;
  size_t n_closed = 0;
  mpq_t y;
  mpq_init(y);
  for (size_t i = 0; i < w->truth->row_len; i++) {
    if (!is_open(&w->row_values[i])) continue;
    bool rational = w->truth->source->op == SP_OP_SOFTMAX ? sp_ref_exact_weight(&w->in, y)
                                                          : sp_ref_exact_out(&w->in, i, y);
    if (rational && sp_accept_rational(&w->row_values[i], &w->acceptor, y)) n_closed++;
  }
  mpq_clear(y);
  return n_closed;
}

/* Enough for most elements of a row whose logits stay below 2^exponent: the difference of two of
 * them has this many bits less. */
static mpfr_prec_t first_precision(const sp_truth_work *w, int exponent) {
  mpfr_prec_t prec = w->acceptor.format == SP_F64 || w->lse_acceptor.format == SP_F64 ? 128 : 64;
  while (prec < 64 + exponent - 10) prec *= 2;
  return prec < w->max_prec ? prec : w->max_prec;
}

/* Rows that clauses settle, without a bound of their own. */
static void accept_empty(sp_truth_work *w) {
  if (sp_bound_sink_outside(w->cls, w->in.sink_logit)) {
    w->truth->n_outside++;
    accept_everything(w);
    return;
  }
  accept_settled(w);
  accept_settled_lse(w, w->row_lse_keys, w->row.lse_keys);
  accept_empty_total(w);
}

static void accept_invalid(sp_truth_work *w) {
  accept_settled(w);
  accept_settled_lse(w, w->row_lse_keys, w->row.lse_keys);
  accept_settled_lse(w, w->row_lse_total, w->row.lse_total);
}

static void accept_row(sp_truth_work *w) {
  mpfr_prec_t prec = first_precision(w, 0);
  bool finite = sp_ref_row_eval(&w->row, &w->in, prec);
  w->truth->n_outside += !finite;
  if (w->row.kind == SP_REF_INVALID) {
    accept_invalid(w);
    return;
  }
  if (w->row.kind == SP_REF_EMPTY) {
    accept_empty(w);
    return;
  }
  sp_bound_inputs(&w->bound, w->cls, w->types, &w->in, &w->row);
  if (w->bound.outside) {
    w->truth->n_outside += finite;
    accept_everything(w);
    return;
  }
  mpfr_prec_t wanted = first_precision(w, w->bound.exponent);
  for (;; wanted *= 2) {
    if (wanted > w->max_prec) wanted = w->max_prec;
    if (wanted != prec) (void)sp_ref_row_eval(&w->row, &w->in, wanted);
    prec = wanted;
    size_t n_open = accept_enclosed(w);
    if (n_open > 0) n_open -= accept_rational(w);
    if (n_open > 0 && prec < w->max_prec) continue;
    w->truth->n_undecided += n_open;
    return;
  }
}

static void note_resolution(sp_truth_work *w) {
  for (size_t i = 0; w->row_values != NULL && i < w->truth->row_len; i++) {
    const sp_accept *a = &w->row_values[i];
    if (a->kind != SP_ACCEPT_INTERVAL || a->exact == 0) continue;
    double relative = (a->allowance + a->rounding) / fabs(a->exact);
    if (relative < w->truth->resolution) w->truth->resolution = relative;
  }
}

/* Leaving the sink logit out of this row could not pass for rounding. spec: CT-6 */
static bool sink_logit_is_visible(const sp_truth_work *w) {
  if (w->row.kind != SP_REF_ORDINARY || w->in.sink_logit == -INFINITY || w->bound.outside)
    return false;
  double theta = 0;
  for (size_t j = 0; model(w) && j < w->row.n_keys; j++)
    if (w->row.visible[j]) theta = fmax(theta, w->bound.key[j].theta);
  double mass = mpfr_get_d(&w->row.weight_sink->left, MPFR_RNDD);
  return mass > 0 && mass >= 32 * theta * (1 - mass);
}

void sp_truth_row(sp_truth_work *w) {
  accept_row(w);
  note_resolution(w);
  w->truth->n_sink_visible += sink_logit_is_visible(w);
}
