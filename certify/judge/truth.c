/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted for a whole case: row by row (certify/judge/truth_row.c), and for a cache the
 * lists of visible tokens, which are exact. spec: CT-2, CT-3, NU-8 */
#include "certify/judge/judge.h"

#include <fenv.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "certify/case/sequence.h"
#include "certify/judge/truth_row.h"

__attribute__((format(printf, 3, 4))) static bool refuse(char *error, size_t capacity,
                                                         const char *sentence, ...) {
  va_list arguments;
  va_start(arguments, sentence);
  if (capacity > 0) (void)vsnprintf(error, capacity, sentence, arguments);
  va_end(arguments);
  return false;
}

static void judge_rows(sp_truth_work *w) {
  sp_truth *truth = w->truth;
  const sp_case *c = truth->source;
  size_t r = 0;
  for (size_t b = 0; b < c->n_batch; b++) {
    for (size_t i = 0; i < w->values.n_out; i++) {
      for (size_t h = 0; h < c->n_heads; h++, r++) {
        sp_case_row(&w->values, b, i, h, &w->in);
        if (truth->values == NULL) w->in.d_value = 0;
        w->row_values = truth->values == NULL ? NULL : truth->values + r * truth->row_len;
        w->row_lse_keys = truth->lse_keys == NULL ? NULL : truth->lse_keys + r;
        w->row_lse_total = truth->lse_total == NULL ? NULL : truth->lse_total + r;
        sp_truth_row(w);
      }
    }
  }
}

static bool add_list(sp_truth *truth, size_t *n_listed, const uint64_t *token, size_t n) {
  uint64_t *list = realloc(truth->visible, (*n_listed + n + 1) * sizeof *list);
  if (list != NULL) truth->visible = list;
  size_t *lengths = realloc(truth->n_visible, (truth->n_lists + 1) * sizeof *lengths);
  if (lengths != NULL) truth->n_visible = lengths;
  if (list == NULL || lengths == NULL) return false;
  for (size_t i = 0; i < n; i++) list[*n_listed + i] = token[i];
  lengths[truth->n_lists++] = n;
  *n_listed += n;
  return true;
}

/* One step of one sequence: what it lists, or how a truncation ends, is added to the lists. */
static bool list_step(sp_truth *truth, size_t *n_listed, const sp_cache_step *step,
                      sp_ref_cache *cache) {
  if (step->kind == SP_STEP_APPEND) return sp_ref_cache_append(cache, step->n_tokens);
  if (step->kind == SP_STEP_TRUNCATE) {
    const uint64_t lost = SP_LOST;
    bool refused = sp_ref_cache_truncate(cache, step->n_tokens) == SP_LOST;
    return add_list(truth, n_listed, &lost, refused ? 1 : 0);
  }
  if (step->kind != SP_STEP_VISIBLE) return true;
  size_t n = (size_t)sp_ref_cache_n_visible(cache);
  uint64_t *token = malloc((n + 1) * sizeof *token);
  for (size_t i = 0; i < n && token != NULL; i++)
    token[i] = cache->token[sp_ref_cache_held(cache, i)];
  bool ok = token != NULL && add_list(truth, n_listed, token, n);
  free(token);
  return ok;
}

/* Lists come from the eviction machine, which knows nothing of the definition of visibility that
 * the rows are judged by. spec: EV-2, EV-6, EV-8, EV-9, EV-15, EV-16 */
static bool list_visible(sp_truth *truth) {
  const sp_case *c = truth->source;
  size_t n_listed = 0, n = sp_case_sequences(c);
  sp_ref_cache *cache = calloc(n, sizeof *cache);
  bool ok = cache != NULL;
  for (size_t i = 0; i < n && ok; i++) {
    ok = sp_ref_cache_init(&cache[i], c->n_sink_tokens, c->window, c->first_token);
    cache[i].n_evict = c->n_evict > 0 ? c->n_evict : 1;
    cache[i].n_undo = c->n_undo;
  }
  for (size_t s = 0; s < c->n_steps && ok; s++)
    ok = list_step(truth, &n_listed, &c->script[s], &cache[c->script[s].sequence]);
  for (size_t i = 0; i < n && cache != NULL; i++) sp_ref_cache_clear(&cache[i]);
  free(cache);
  return ok;
}

/* Room for the row-by-row results that the case asks for. */
static bool allocate(sp_truth *truth, size_t n_out) {
  const sp_case *c = truth->source;
  bool softmax = c->op == SP_OP_SOFTMAX;
  truth->n_rows = c->n_batch * n_out * c->n_heads;
  truth->row_len = softmax ? c->n_kv : c->d_value;
  if (!softmax || c->want_weights)
    truth->values = calloc(truth->n_rows * truth->row_len + 1, sizeof *truth->values);
  if (c->want_lse_keys) truth->lse_keys = calloc(truth->n_rows + 1, sizeof *truth->lse_keys);
  if (c->want_lse_total) truth->lse_total = calloc(truth->n_rows + 1, sizeof *truth->lse_total);
  return (truth->values != NULL || (softmax && !c->want_weights)) &&
         (truth->lse_keys != NULL || !c->want_lse_keys) &&
         (truth->lse_total != NULL || !c->want_lse_total);
}

static bool work_init(sp_truth_work *w) {
  const sp_case *c = w->truth->source;
  sp_dtype lse = c->dtype_q == SP_F64 && c->op != SP_OP_CACHE ? SP_F64 : SP_F32;
  w->types = (sp_bound_types){c->dtype_q, c->dtype_kv};
  w->acceptor = (sp_acceptor){.cls = w->cls, .format = c->dtype_q};
  w->lse_acceptor = (sp_acceptor){.cls = w->cls, .format = lse};
  mpfr_init2(w->acceptor.t, 128);
  mpfr_init2(w->lse_acceptor.t, 128);
  return sp_case_values_init(&w->values, c) &&
         sp_ref_row_init(&w->row, c->n_kv + 1, c->op == SP_OP_SOFTMAX ? 0 : c->d_value) &&
         sp_bound_init(&w->bound, c->n_kv + 1, c->d_value);
}

static void work_clear(sp_truth_work *w) {
  sp_bound_clear(&w->bound);
  if (w->row.visible != NULL) sp_ref_row_clear(&w->row);
  sp_case_values_clear(&w->values);
  mpfr_clear(w->acceptor.t);
  mpfr_clear(w->lse_acceptor.t);
}

static bool evaluate(sp_truth *truth, const sp_class *cls, mpfr_prec_t max_prec) {
  sp_truth_work w = {.truth = truth, .cls = cls, .max_prec = max_prec};
  bool ok = work_init(&w) && allocate(truth, w.values.n_out) &&
            (truth->source->op != SP_OP_CACHE || list_visible(truth));
  if (ok) judge_rows(&w);
  work_clear(&w);
  return ok;
}

bool sp_truth_init(sp_truth *truth, const sp_case *c, const sp_class *cls, mpfr_prec_t max_prec,
                   char *error, size_t capacity) {
  *truth = (sp_truth){.source = c, .resolution = INFINITY};
  size_t n = c->n_kv + (c->bias_k.bits != NULL) + (c->sink_logit.bits != NULL);
  if (sp_class_unbounded(cls, n)) {
    return refuse(error, capacity,
                  "class %s has no error bound for rows of %zu keys: a sum of height %.0f at unit "
                  "roundoff %g may lose everything (NU-8)",
                  cls->text, n, sp_class_height(cls, n), fmax(cls->u, cls->u_acc));
  }
  fenv_t environment; /* a mode left behind by strangers must not reach the oracle */
  fegetenv(&environment);
  fesetenv(FE_DFL_ENV);
  bool ok = evaluate(truth, cls, max_prec);
  fesetenv(&environment);
  if (ok) return true;
  sp_truth_clear(truth);
  return refuse(error, capacity, "out of memory");
}

void sp_truth_clear(sp_truth *truth) {
  free(truth->values);
  free(truth->lse_keys);
  free(truth->lse_total);
  free(truth->visible);
  free(truth->n_visible);
  *truth = (sp_truth){0};
}
