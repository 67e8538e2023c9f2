/* SPDX-License-Identifier: Apache-2.0 */
/* Equal logits, found exactly. Every input is a dyadic rational, so a logit without softcap and
 * rotation is one too, and equality is a comparison of numbers instead of a question of precision. spec: NU-3
 */
#include "ref/classes.h"

#include <math.h>
#include <stdlib.h>

#include "ref/dyadic.h"
#include "ref/logit.h"
#include "ref/rope.h"

_Static_assert(sizeof(unsigned long) >= sizeof(uint64_t), "mpz_set_ui takes a whole distance");

int sp_ref_exact_logit_cmp(const sp_ref_exact_logit *a, const sp_ref_exact_logit *b) {
  int order = mpq_cmp(a->capped, b->capped);
  if (order == 0) order = mpq_cmp(a->plain, b->plain);
  return order != 0 ? order : sp_ref_exact_turn_cmp(a->turned, b->turned);
}

static void add_double(mpq_t sum, double x) {
  mpq_t term;
  mpq_init(term);
  mpq_set_d(term, x);
  mpq_add(sum, sum, term);
  mpq_clear(term);
}

/* The part of the product that no angle enters. */
static void exact_product(mpq_t product, const sp_ref_row_input *in, size_t key) {
  sp_ref_dyadic sum;
  sp_ref_dyadic_init(&sum);
  if (in->logits != NULL && key < in->n_kv) {
    sp_ref_dyadic_add_product(&sum, in->logits[key], 1.0);
  } else {
    const double *k = sp_ref_key_vector(in, key);
    size_t c = sp_ref_turn(in, key) != 0 ? in->rope.dims : 0;
    for (; c < in->d_head; c++) sp_ref_dyadic_add_product(&sum, in->q[c], k[c]);
  }
  sp_ref_dyadic_get(product, &sum);
  sp_ref_dyadic_clear(&sum);
}

static void exact_alibi(mpq_t alibi, const sp_ref_row_input *in, size_t key) {
  mpq_t distance;
  mpq_init(distance);
  mpz_set_ui(mpq_numref(distance), sp_ref_distance(in, key));
  mpq_set_d(alibi, -in->alibi_slope);
  mpq_mul(alibi, alibi, distance);
  mpq_clear(distance);
}

/* spec: AT-2, EV-11. False when memory runs out. */
static bool exact_logit(sp_ref_exact_logit *x, const sp_ref_row_input *in, size_t key) {
  const uint64_t turn = sp_ref_turn(in, key);
  mpq_t term;
  mpq_init(term);
  exact_product(x->capped, in, key);
  mpq_set_d(term, in->scale);
  mpq_mul(x->capped, x->capped, term);
  mpq_set_ui(x->plain, 0, 1);
  if (!sp_ref_capped(in)) mpq_swap(x->capped, x->plain);
  if (key < in->n_kv && in->key_bias != NULL) add_double(x->plain, in->key_bias[key]);
  if (key < in->n_kv && in->alibi_slope != 0) {
    exact_alibi(term, in, key);
    mpq_add(x->plain, x->plain, term);
  }
  mpq_clear(term);
  return turn == 0 || sp_ref_exact_turn_make(&x->turned, in, sp_ref_key_vector(in, key), turn);
}

static void clear_logit(sp_ref_exact_logit *x) {
  mpq_clears(x->capped, x->plain, NULL);
  sp_ref_exact_turn_free(x->turned);
}

typedef struct entry {
  sp_ref_exact_logit logit;
  size_t key;
} entry;

static int compare_entries(const void *a, const void *b) {
  return sp_ref_exact_logit_cmp(&((const entry *)a)->logit, &((const entry *)b)->logit);
}

/* The present keys and a finite sink logit, unsorted; *complete is false when memory runs out. */
static size_t collect(entry *entries, const sp_ref_row_input *in, size_t n_keys, bool *complete) {
  size_t n = 0;
  *complete = true;
  for (size_t j = 0; j <= n_keys; j++) {
    const bool is_sink = j == n_keys;
    if (is_sink ? !isfinite(in->sink_logit) : sp_ref_key_presence(in, j) != SP_REF_PRESENT)
      continue;
    mpq_inits(entries[n].logit.capped, entries[n].logit.plain, NULL);
    if (is_sink)
      mpq_set_d(entries[n].logit.plain, in->sink_logit);
    else
      *complete &= exact_logit(&entries[n].logit, in, j);
    entries[n++].key = j;
  }
  return n;
}

/* Runs of equal logits become classes. A class takes over the logit of its first member; those of
 * the others are cleared. */
static void group(sp_ref_classes *classes, entry *sorted, size_t n) {
  for (size_t i = 0; i < n; i++) {
    sp_ref_exact_logit *x = &sorted[i].logit;
    if (i == 0 || sp_ref_exact_logit_cmp(x, &classes->logit[classes->n - 1]) != 0)
      classes->logit[classes->n++] = *x;
    else
      clear_logit(x);
    classes->count[classes->n - 1]++;
    classes->of_key[sorted[i].key] = classes->n - 1;
  }
}

bool sp_ref_classes_init(sp_ref_classes *classes, const sp_ref_row_input *in) {
  const size_t n_keys = sp_ref_n_keys(in);
  *classes = (sp_ref_classes){.in = in,
                              .n_keys = n_keys,
                              .logit = calloc(n_keys + 1, sizeof *classes->logit),
                              .count = calloc(n_keys + 1, sizeof *classes->count),
                              .of_key = calloc(n_keys + 1, sizeof *classes->of_key)};
  entry *entries = calloc(n_keys + 1, sizeof *entries);
  bool ok = classes->logit && classes->count && classes->of_key && entries;
  if (ok) {
    for (size_t j = 0; j <= n_keys; j++) classes->of_key[j] = SP_REF_NO_CLASS;
    const size_t n = collect(entries, in, n_keys, &ok);
    qsort(entries, n, sizeof *entries, compare_entries);
    group(classes, entries, n);
  }
  free(entries);
  if (!ok) sp_ref_classes_clear(classes);
  return ok;
}

void sp_ref_classes_clear(sp_ref_classes *classes) {
  for (size_t c = 0; c < classes->n; c++) clear_logit(&classes->logit[c]);
  free(classes->logit);
  free(classes->count);
  free(classes->of_key);
  *classes = (sp_ref_classes){0};
}

/* spec: AL-2 (the sink logit belongs to a class and adds no value) */
void sp_ref_class_sums(const sp_ref_classes *classes, size_t component, mpq_t *sum) {
  for (size_t c = 0; c < classes->n; c++) mpq_set_ui(sum[c], 0, 1);
  for (size_t j = 0; j < classes->n_keys; j++)
    if (classes->of_key[j] != SP_REF_NO_CLASS)
      add_double(sum[classes->of_key[j]], sp_ref_key_value(classes->in, j)[component]);
}
