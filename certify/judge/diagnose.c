/* SPDX-License-Identifier: Apache-2.0 */
/* What a pattern of failures usually means. Every hypothesis is put to the oracle: what would a
 * kernel return if this were its fault? The one whose answer is what was got, in every failing row
 * that is examined, is the diagnosis. Nothing is inferred from the size of an error, and nothing
 * here enters a verdict. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/judge/diagnose_view.h"

enum { MAX_ROWS = 6, PRECISION = 96, LONG_ROW = 1 << 14 };

typedef struct examination {
  const sp_truth *truth;
  const sp_outputs *outputs;
  sp_case_values values;
  sp_suspect s;
  double *got; /* got[n_result] of the row at hand */
  size_t rows[MAX_ROWS], n_rows, n_failing;
  bool *fails;    /* fails[n_rows] */
  size_t current; /* the row at hand */
  bool row_as_is; /* the oracle's enclosure is that of the unaltered input */
} examination;

/* ---- help for hypotheses ---- */

double *sp_suspect_bias(sp_suspect *s) {
  if (s->in.key_bias == s->key_bias) return s->key_bias;
  for (size_t j = 0; j < s->in.n_kv; j++)
    s->key_bias[j] = s->in.key_bias != NULL ? s->in.key_bias[j] : 0;
  s->in.key_bias = s->key_bias;
  return s->key_bias;
}

int64_t sp_suspect_position(const sp_suspect *s, size_t j) {
  return s->in.pos_k != NULL ? s->in.pos_k[j] : (int64_t)j;
}

bool sp_suspect_sees(const sp_suspect *s, size_t j) {
  return !s->in.masked || sp_ref_visible(&s->in.mask, s->in.pos_q, sp_suspect_position(s, j));
}

/* ---- a row as it is ---- */

static double got_at(const sp_array *array, size_t index) {
  return index < array->count ? sp_ref_load(array->dtype, array->bits, index) : NAN;
}

static bool fails(const sp_accept *accept, double got) {
  double budget;
  return sp_judge_element(accept, got, &budget) == SP_FAIL;
}

static bool values_fail(const examination *e, size_t r) {
  size_t n = e->truth->values != NULL ? e->truth->row_len : 0;
  for (size_t i = r * n; i < (r + 1) * n; i++)
    if (fails(&e->truth->values[i], got_at(&e->outputs->values, i))) return true;
  return false;
}

static bool lse_fails(const sp_accept *accept, const sp_array *got, size_t r) {
  return accept != NULL && fails(&accept[r], got_at(got, r));
}

static bool row_fails(const examination *e, size_t r) {
  return values_fail(e, r) || lse_fails(e->truth->lse_keys, &e->outputs->lse_keys, r) ||
         lse_fails(e->truth->lse_total, &e->outputs->lse_total, r);
}

/* The first, the last, and some between. */
static void choose_rows(examination *e) {
  for (size_t r = 0; r < e->truth->n_rows; r++) e->n_failing += e->fails[r] = row_fails(e, r);
  size_t wanted = e->n_failing < MAX_ROWS ? e->n_failing : MAX_ROWS, seen = 0;
  for (size_t r = 0; r < e->truth->n_rows && e->n_rows < wanted; r++) {
    if (!e->fails[r]) continue;
    size_t next = wanted > 1 ? e->n_rows * (e->n_failing - 1) / (wanted - 1) : 0;
    if (seen++ == next) e->rows[e->n_rows++] = r;
  }
}

static void set_row(examination *e, size_t r) {
  sp_suspect *s = &e->s;
  if (e->current == r) return;
  e->current = r;
  size_t n_heads = s->c->n_heads, n_out = e->values.n_out;
  s->h = r % n_heads;
  s->i = r / n_heads % n_out;
  s->b = r / n_heads / n_out;
  sp_case_row(&e->values, s->b, s->i, s->h, &s->in);
  (void)sp_ref_row_eval(&s->row, &s->in, PRECISION);
  e->row_as_is = true;
  s->kind = s->row.kind;
  s->max_logit = mpfr_get_d(&s->row.max_logit->right, MPFR_RNDN);
  for (size_t i = 0; i < s->n_result; i++)
    e->got[i] = got_at(&e->outputs->values, r * e->truth->row_len + i);
  s->values_fail = values_fail(e, r);
  s->got_lse_keys = got_at(&e->outputs->lse_keys, r);
  s->got_lse_total = got_at(&e->outputs->lse_total, r);
}

/* ---- a row as a hypothesis has it ---- */

static double middle(mpfi_srcptr x) {
  return mpfr_get_d(&x->left, MPFR_RNDN);
}

/* The oracle rotates towards the past only; what a rotated stream shows of its future is asked in
 * diagnose_stream.c. */
static bool has_oracle(const sp_suspect *s) {
  const sp_ref_row_input *in = &s->in;
  if (in->rope.dims == 0 || (in->masked && in->mask.causal)) return true;
  for (size_t j = 0; j < in->n_kv; j++)
    if (sp_suspect_position(s, j) > in->pos_q) return false;
  return true;
}

static bool suppose(examination *e, const sp_hypothesis *h) {
  sp_suspect *s = &e->s;
  sp_case_row(&e->values, s->b, s->i, s->h, &s->in);
  if (h->alter != NULL && !(h->alter(s, h->parameter) && has_oracle(s))) return false;
  if (h->alter != NULL || !e->row_as_is) (void)sp_ref_row_eval(&s->row, &s->in, PRECISION);
  e->row_as_is = h->alter == NULL;
  bool out = s->c->op != SP_OP_SOFTMAX;
  for (size_t i = 0; i < s->n_result; i++) {
    bool present = out || i < s->row.n_keys;
    s->result[i] = present ? middle(out ? s->row.out[i] : s->row.weight[i]) : 0;
  }
  s->lse_keys = middle(s->row.lse_keys);
  s->lse_total = middle(s->row.lse_total);
  return h->transform == NULL || h->transform(s, h->parameter);
}

/* ---- does it explain what was got? ---- */

static double distance(double a, double b) {
  if (a == b || (isnan(a) && isnan(b))) return 0;
  double d = fabs(a - b);
  return isnan(d) ? INFINITY : d;
}

/* Twice what the class allows there, carried over to the size that the hypothesis predicts, and a
 * few units of binary32, in which it may not have been computed. */
static double tolerance(const sp_accept *accept, sp_dtype format, double size, double predicted) {
  if (!isfinite(predicted)) return 0;
  double growth = size > 0 ? fmax(1, predicted / size) : 1;
  double allowed = accept->kind == SP_ACCEPT_INTERVAL ? 2 * accept->allowance * growth : 0;
  return allowed + sp_ref_ulp(format, predicted) / 2 + predicted * 0x1p-19;
}

/* The errors of a group of elements, with and without the hypothesis. */
typedef struct fit {
  bool close;   /* every element is as predicted */
  bool telling; /* some error is larger than a few units of the output format */
  double with, without;
} fit;

static void fit_element(fit *f, const sp_accept *accept, double got, double predicted,
                        double most) {
  double error = distance(got, predicted), error_as_is = distance(got, accept->exact);
  f->close &= error <= most;
  f->telling |= error_as_is > 8 * accept->rounding;
  f->with = fmax(f->with, error);
  f->without = fmax(f->without, error_as_is);
}

static double largest(const double *x, size_t n) {
  double most = 0;
  for (size_t i = 0; i < n; i++)
    if (isfinite(x[i])) most = fmax(most, fabs(x[i]));
  return most;
}

/* Weights are compared one by one; the components of an output share a size, for they share their
 * weights and may cancel. */
static void fit_values(fit *f, const examination *e, size_t r) {
  const sp_suspect *s = &e->s;
  const sp_accept *accept = &e->truth->values[r * e->truth->row_len];
  bool weights = s->c->op == SP_OP_SOFTMAX;
  double size = 0, predicted = largest(s->result, s->n_result);
  for (size_t i = 0; i < s->n_result; i++)
    if (isfinite(accept[i].exact)) size = fmax(size, fabs(accept[i].exact));
  for (size_t i = 0; i < s->n_result; i++) {
    double most =
        weights ? tolerance(&accept[i], s->c->dtype_q, fabs(accept[i].exact), fabs(s->result[i]))
                : tolerance(&accept[i], s->c->dtype_q, size, predicted);
    fit_element(f, &accept[i], e->got[i], s->result[i], most);
  }
}

static void fit_lse(fit *f, const sp_accept *accept, const sp_array *got, size_t r,
                    double predicted) {
  double size = fabs(accept[r].exact);
  double most = isfinite(size) ? tolerance(&accept[r], got->dtype, size, fabs(predicted)) : 0;
  fit_element(f, &accept[r], got_at(got, r), predicted, most);
}

/* Outputs of the row that fail must be as predicted, and clearly closer to that than to what is
 * right; outputs that pass may differ from it. */
static bool explains(examination *e, const sp_hypothesis *h, size_t r) {
  if (!suppose(e, h)) return false;
  fit f = {.close = true};
  const sp_truth *t = e->truth;
  if (e->s.values_fail) fit_values(&f, e, r);
  if (lse_fails(t->lse_keys, &e->outputs->lse_keys, r))
    fit_lse(&f, t->lse_keys, &e->outputs->lse_keys, r, e->s.lse_keys);
  if (lse_fails(t->lse_total, &e->outputs->lse_total, r))
    fit_lse(&f, t->lse_total, &e->outputs->lse_total, r, e->s.lse_total);
  return f.close && f.telling && f.with <= f.without / 4;
}

/* How many of the examined rows a hypothesis explains; it has to explain the first. */
static size_t count_explained(examination *e, const sp_hypothesis *h) {
  size_t n = 0;
  for (size_t i = 0; i < e->n_rows; i++) {
    set_row(e, e->rows[i]);
    n += explains(e, h, e->rows[i]);
    if (n == 0) return 0;
  }
  return n;
}

static const sp_hypothesis *best(examination *e, size_t *n_explained) {
  sp_hypotheses (*const tables[])(void) = {
      sp_hypotheses_special, sp_hypotheses_lse,   sp_hypotheses_sink,
      sp_hypotheses_entry,   sp_hypotheses_mask,  sp_hypotheses_stream,
      sp_hypotheses_turn,    sp_hypotheses_score, sp_hypotheses_data,
  };
  const sp_hypothesis *found = NULL;
  /* A hypothesis costs one run of the oracle: for very long rows only the commonest are tried. */
  size_t n_tables = e->s.c->n_kv > LONG_ROW ? 3 : sizeof tables / sizeof tables[0];
  *n_explained = 0;
  for (size_t t = 0; t < n_tables; t++) {
    sp_hypotheses table = tables[t]();
    for (size_t i = 0; i < table.count && *n_explained < e->n_rows; i++) {
      size_t n = count_explained(e, &table.list[i]);
      if (n <= *n_explained) continue;
      *n_explained = n;
      found = &table.list[i];
    }
  }
  return found;
}

/* ---- in words ---- */

/* " (every value is 1.25 times the exact one)", when one factor fits the whole row; or "". */
static void describe_factor(examination *e, char *text, size_t capacity) {
  double factor = 0;
  size_t n = 0;
  const sp_accept *accept = &e->truth->values[e->rows[0] * e->truth->row_len];
  text[0] = '\0';
  set_row(e, e->rows[0]);
  for (size_t i = 0; i < e->s.n_result; i++) {
    if (accept[i].kind != SP_ACCEPT_INTERVAL || !(fabs(accept[i].exact) > DBL_MIN)) continue;
    double ratio = e->got[i] / accept[i].exact;
    if (factor == 0) factor = ratio;
    if (!(fabs(ratio - factor) <= fabs(factor) * 0x1p-12)) return;
    n++;
  }
  if (n < 2 || factor == 0 || !isfinite(factor) || fabs(factor - 1) < 0x1p-12) return;
  (void)snprintf(text, capacity, " (every value of the row is %.6g times the exact one)", factor);
}

static void describe(examination *e, const char *sentence, size_t n_explained, char *text,
                     size_t capacity) {
  char factor[96] = "", share[80] = "";
  if (e->truth->values != NULL && values_fail(e, e->rows[0]))
    describe_factor(e, factor, sizeof factor);
  if (sentence == NULL && factor[0] == '\0') return;
  if (sentence == NULL) sentence = "one factor is wrong in the whole row";
  if (n_explained > 0 && n_explained < e->n_rows)
    (void)snprintf(share, sizeof share, ", in %zu of the %zu failing rows examined", n_explained,
                   e->n_rows);
  size_t n_heads = e->s.c->n_heads, n_out = e->values.n_out, r = e->rows[0];
  (void)snprintf(text, capacity, "%s%s; first in row [%zu][%zu][%zu]%s", sentence, factor,
                 r / n_heads / n_out, r / n_heads % n_out, r % n_heads, share);
}

static void add_scope(const sp_suspect *s, char *text, size_t capacity) {
  const char *scope = sp_view_scope(s);
  size_t length = strlen(text);
  if (scope != NULL)
    (void)snprintf(text + length, capacity - length, "%s%s", length > 0 ? "; " : "", scope);
}

static bool begin(examination *e, const sp_case *c, const sp_truth *truth,
                  const sp_outputs *outputs) {
  *e = (examination){.truth = truth, .outputs = outputs, .current = SIZE_MAX};
  sp_suspect *s = &e->s;
  s->c = c;
  s->values = &e->values;
  s->n_result = truth->values != NULL ? truth->row_len : 0;
  size_t n = (c->op == SP_OP_CACHE ? 2 : 1) * c->n_kv + 1;
  s->logits = calloc(n, sizeof *s->logits);
  s->key_bias = calloc(n, sizeof *s->key_bias);
  s->k = calloc(n * c->d_head + 1, sizeof *s->k);
  s->v = calloc(n * c->d_value + 1, sizeof *s->v);
  s->result = calloc(s->n_result + 1, sizeof *s->result);
  s->got = e->got = calloc(s->n_result + 1, sizeof *e->got);
  e->fails = calloc(truth->n_rows + 1, sizeof *e->fails);
  s->fails = e->fails;
  return e->fails && s->logits && s->key_bias && s->k && s->v && s->result && e->got &&
         sp_case_values_init(&e->values, c) && sp_ref_row_init(&s->row, n, c->d_value);
}

static void end(examination *e) {
  sp_suspect *s = &e->s;
  free(s->logits);
  free(s->key_bias);
  free(s->k);
  free(s->v);
  free(s->result);
  free(e->got);
  free(e->fails);
  if (s->row.visible != NULL) sp_ref_row_clear(&s->row);
  sp_case_values_clear(&e->values);
}

void sp_diagnose(const sp_case *c, const sp_truth *truth, const sp_outputs *outputs, char *text,
                 size_t capacity) {
  if (capacity == 0) return;
  (void)snprintf(text, capacity, "%s", sp_diagnose_lists(truth, outputs));
  if (text[0] != '\0') return;
  examination e;
  bool ready = begin(&e, c, truth, outputs);
  if (ready) choose_rows(&e);
  if (ready && e.n_rows > 0) {
    size_t n_explained;
    const sp_hypothesis *h = best(&e, &n_explained);
    bool whole = n_explained == e.n_rows;
    bool long_row = c->n_kv > LONG_ROW;
    if (whole || long_row || !sp_diagnose_class(c, outputs, text, capacity))
      describe(&e, h != NULL ? h->sentence : NULL, n_explained, text, capacity);
    if (!whole) add_scope(&e.s, text, capacity);
  }
  end(&e);
}
