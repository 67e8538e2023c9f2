/* SPDX-License-Identifier: Apache-2.0 */
/* One row of softmax or attention, enclosed. The sums are those of the definition, divided by one
 * term of the denominator, the "unit" (the largest key, or the sink logit when it is larger):
 *
 *     e_j = exp(x_j - x_u)      Z_K = e^(x_u) * (1 + rest)      lse_keys = x_u + log1p(rest)
 *
 * Any unit is admissible in the reals; this one keeps every factor in range and gives 1 exactly
 * where the definition does. Nothing is rescaled on the way: rows are not computed online here. */
#include "ref/ref.h"

#include <math.h>
#include <stdlib.h>

#include "ref/check.h"
#include "ref/interval.h"
#include "ref/logit.h"

static mpfi_t *intervals(size_t n) {
  mpfi_t *x = malloc((n ? n : 1) * sizeof *x);
  if (x == NULL) return NULL;
  for (size_t i = 0; i < n; i++) mpfi_init2(x[i], MPFR_PREC_MIN);
  return x;
}

static void clear_intervals(mpfi_t *x, size_t n) {
  if (x == NULL) return;
  for (size_t i = 0; i < n; i++) mpfi_clear(x[i]);
  free(x);
}

bool sp_ref_row_init(sp_ref_row *row, size_t max_keys, size_t max_value) {
  *row = (sp_ref_row){.n_keys = max_keys,
                      .d_value = max_value,
                      .visible = calloc(max_keys ? max_keys : 1, sizeof *row->visible),
                      .logit = intervals(max_keys),
                      .weight = intervals(max_keys),
                      .out = intervals(max_value),
                      .out_nan = calloc(max_value ? max_value : 1, sizeof *row->out_nan),
                      .cap_keys = max_keys,
                      .cap_value = max_value};
  mpfi_init2(row->weight_sink, MPFR_PREC_MIN);
  mpfi_init2(row->max_logit, MPFR_PREC_MIN);
  mpfi_init2(row->lse_keys, MPFR_PREC_MIN);
  mpfi_init2(row->lse_total, MPFR_PREC_MIN);
  if (row->visible && row->logit && row->weight && row->out && row->out_nan) return true;
  sp_ref_row_clear(row);
  return false;
}

void sp_ref_row_clear(sp_ref_row *row) {
  free(row->visible);
  clear_intervals(row->logit, row->cap_keys);
  clear_intervals(row->weight, row->cap_keys);
  clear_intervals(row->out, row->cap_value);
  free(row->out_nan);
  mpfi_clear(row->weight_sink);
  mpfi_clear(row->max_logit);
  mpfi_clear(row->lse_keys);
  mpfi_clear(row->lse_total);
  *row = (sp_ref_row){0};
}

static void resize(sp_ref_row *row, const sp_ref_row_input *in, mpfr_prec_t prec) {
  row->n_keys = sp_ref_n_keys(in);
  row->d_value = in->d_value;
  row->prec = prec;
  SP_CHECK(row->n_keys <= row->cap_keys && row->d_value <= row->cap_value);
  for (size_t j = 0; j < row->n_keys; j++) {
    mpfi_set_prec(row->logit[j], prec);
    mpfi_set_prec(row->weight[j], prec);
  }
  for (size_t c = 0; c < row->d_value; c++) mpfi_set_prec(row->out[c], prec);
  mpfi_set_prec(row->weight_sink, prec);
  mpfi_set_prec(row->max_logit, prec);
  mpfi_set_prec(row->lse_keys, prec);
  mpfi_set_prec(row->lse_total, prec);
}

/* Decide presence of every key, and with it the kind of the row.
 * spec: SM-1, SM-5, AT-3, AT-9, AL-4 */
static sp_ref_kind classify(sp_ref_row *row, const sp_ref_row_input *in) {
  bool any_visible = false, any_poison = isnan(in->sink_logit);
  for (size_t j = 0; j < row->n_keys; j++) {
    const sp_ref_presence presence = sp_ref_key_presence(in, j);
    row->visible[j] = presence != SP_REF_ABSENT;
    any_visible |= row->visible[j];
    any_poison |= presence == SP_REF_POISON;
  }
  if (any_poison) return SP_REF_INVALID;
  if (!any_visible) return SP_REF_EMPTY;
  return in->sink_logit == INFINITY ? SP_REF_SINK_INF : SP_REF_ORDINARY;
}

/* The value that all results of a kind share. */
static void fill(sp_ref_row *row, double weight, double out, double weight_sink) {
  for (size_t j = 0; j < row->n_keys; j++) sp_ref_interval_set(row->weight[j], weight);
  for (size_t c = 0; c < row->d_value; c++) sp_ref_interval_set(row->out[c], out);
  sp_ref_interval_set(row->weight_sink, weight_sink);
}

static void fill_lse(sp_ref_row *row, double max_logit, double lse_keys, double lse_total) {
  sp_ref_interval_set(row->max_logit, max_logit);
  sp_ref_interval_set(row->lse_keys, lse_keys);
  sp_ref_interval_set(row->lse_total, lse_total);
}

/* Enclose the visible logits and their maximum; returns the key with the largest right end. */
static size_t enclose_logits(sp_ref_row *row, const sp_ref_row_input *in) {
  size_t unit = row->n_keys;
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    sp_ref_logit(row->logit[j], in, j);
    if (unit == row->n_keys)
      mpfi_set(row->max_logit, row->logit[j]);
    else
      sp_ref_interval_max(row->max_logit, row->logit[j]);
    if (unit == row->n_keys || mpfr_greater_p(&row->logit[j]->right, &row->logit[unit]->right))
      unit = j;
  }
  return unit;
}

/* weight[j] := e_j for now, and rest := their sum without the unit. A single key is its own unit, and
 * everything about it exact. spec: SM-2, AT-10 */
static void exponentials(sp_ref_row *row, size_t unit, mpfi_ptr rest) {
  mpfi_set_ui(rest, 0);
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j] || j == unit) {
      mpfi_set_ui(row->weight[j], j == unit ? 1 : 0);
      continue;
    }
    mpfi_sub(row->weight[j], row->logit[j], row->logit[unit]);
    sp_ref_interval_exp(row->weight[j]);
    mpfi_add(rest, rest, row->weight[j]);
  }
}

/* lse := unit + log1p(rest). spec: SM-3 */
static void log_sum(mpfi_ptr lse, mpfi_srcptr unit, mpfi_srcptr rest) {
  mpfi_log1p(lse, rest);
  mpfi_add(lse, lse, unit);
}

/* Let the sink logit join the denominator. On return the denominator in the current unit is
 * 1 + rest, and `factor` converts an e_j into that unit. spec: AL-2, AL-3, AL-5, AL-6 */
static void join_sink(sp_ref_row *row, double sink_logit, size_t unit, mpfi_ptr rest,
                      mpfi_ptr factor) {
  mpfi_set_ui(factor, 1);
  mpfi_set_ui(row->weight_sink, 0);
  mpfi_set(row->lse_total, row->lse_keys);
  if (sink_logit == -INFINITY) return; /* spec: AL-4 */

  mpfi_t sink;
  mpfi_init2(sink, 53);
  sp_ref_interval_set(sink, sink_logit);
  if (mpfr_greater_p(&sink->left, &row->logit[unit]->right)) {
    mpfi_sub(factor, row->logit[unit], sink);
    sp_ref_interval_exp(factor);
    mpfi_add_ui(rest, rest, 1);
    mpfi_mul(rest, rest, factor);
    log_sum(row->lse_total, sink, rest);
    mpfi_set_ui(row->weight_sink, 1);
  } else {
    mpfi_sub(row->weight_sink, sink, row->logit[unit]);
    sp_ref_interval_exp(row->weight_sink);
    mpfi_add(rest, rest, row->weight_sink);
    log_sum(row->lse_total, row->logit[unit], rest);
  }
  mpfi_clear(sink);
}

/* out := sum of e_j v_j over the visible keys; false if an infinite value is among them.
 * spec: SM-4, SM-6 */
static bool sum_values(sp_ref_row *row, const sp_ref_row_input *in) {
  bool all_in_domain = true;
  for (size_t c = 0; c < row->d_value; c++) {
    mpfi_set_ui(row->out[c], 0);
    row->out_nan[c] = false;
  }
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    const double *v = sp_ref_key_value(in, j);
    for (size_t c = 0; c < row->d_value; c++) {
      if (isfinite(v[c]))
        sp_ref_interval_add_product(row->out[c], row->weight[j], v[c]);
      else
        row->out_nan[c] = true;
      all_in_domain &= !isinf(v[c]);
    }
  }
  return all_in_domain;
}

static void mark_nan(sp_ref_row *row) {
  for (size_t c = 0; c < row->d_value; c++)
    if (row->out_nan[c]) sp_ref_interval_set(row->out[c], NAN);
}

static void divide(mpfi_ptr x, mpfi_srcptr factor, mpfi_srcptr denominator) {
  mpfi_mul(x, x, factor);
  mpfi_div(x, x, denominator);
}

/* inf/inf and 0*inf of ends too wide for the precision say nothing about the value: such an end is
 * infinite, so that the enclosure holds and its caller asks for more precision. spec: NU-3 */
static void open_ends(mpfi_ptr x) {
  if (mpfr_nan_p(&x->left)) mpfr_set_inf(&x->left, -1);
  if (mpfr_nan_p(&x->right)) mpfr_set_inf(&x->right, 1);
}

/* Turn sums into results: everything over Z, in the unit of Z. spec: SM-2, SM-7 */
static void normalise(sp_ref_row *row, mpfi_srcptr factor, mpfi_srcptr denominator) {
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    divide(row->weight[j], factor, denominator);
    open_ends(row->weight[j]);
    sp_ref_interval_clip_to_unit(row->weight[j]);
  }
  for (size_t c = 0; c < row->d_value; c++) {
    divide(row->out[c], factor, denominator);
    open_ends(row->out[c]);
  }
  mpfi_div(row->weight_sink, row->weight_sink, denominator);
  open_ends(row->weight_sink);
  sp_ref_interval_clip_to_unit(row->weight_sink);
}

static bool eval_visible(sp_ref_row *row, const sp_ref_row_input *in) {
  mpfi_t rest, factor;
  mpfi_init2(rest, row->prec);
  mpfi_init2(factor, row->prec);
  const size_t unit = enclose_logits(row, in);
  exponentials(row, unit, rest);
  log_sum(row->lse_keys, row->logit[unit], rest);
  open_ends(row->lse_keys);
  const bool all_in_domain = sum_values(row, in);
  if (row->kind == SP_REF_SINK_INF) {
    fill(row, 0, 0, 1); /* spec: AL-4 */
    sp_ref_interval_set(row->lse_total, INFINITY);
  } else {
    join_sink(row, in->sink_logit, unit, rest, factor);
    mpfi_add_ui(rest, rest, 1);
    normalise(row, factor, rest);
    open_ends(row->lse_total);
  }
  mark_nan(row);
  mpfi_clear(rest);
  mpfi_clear(factor);
  return all_in_domain;
}

bool sp_ref_row_eval(sp_ref_row *row, const sp_ref_row_input *in, mpfr_prec_t prec) {
  resize(row, in, prec);
  row->kind = classify(row, in);
  if (row->kind == SP_REF_ORDINARY || row->kind == SP_REF_SINK_INF) {
    const bool all_in_domain = eval_visible(row, in);
    SP_CHECK(sp_ref_row_holds(row, in));
    return all_in_domain;
  }
  const bool invalid = row->kind == SP_REF_INVALID;
  for (size_t c = 0; c < row->d_value; c++) row->out_nan[c] = invalid;
  if (invalid) {
    fill(row, NAN, NAN, NAN); /* spec: SM-5 */
    fill_lse(row, NAN, NAN, NAN);
  } else {
    fill(row, 0, 0, in->sink_logit == -INFINITY ? 0 : 1); /* spec: AT-9 */
    fill_lse(row, -INFINITY, -INFINITY, in->sink_logit);
  }
  SP_CHECK(sp_ref_row_holds(row, in));
  return true;
}
