/* SPDX-License-Identifier: Apache-2.0 */
/* Two runs of one call: what neither wrote, and what differs. spec: KC-5, NU-12 */
#include "certify/host/host_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const names[3] = {"values", "lse_keys", "lse_total"};

static const sp_array *array_of(const sp_outputs *outputs, int which) {
  if (which == 0) return &outputs->values;
  return which == 1 ? &outputs->lse_keys : &outputs->lse_total;
}

/* "weights[2][5]", "out[0][3][1][7]", "lse_total[0][3][1]". */
static void name_element(const sp_case *c, int which, size_t index, char *text, size_t capacity) {
  size_t length = which > 0 ? 1 : c->op == SP_OP_SOFTMAX ? c->n_kv : c->d_value;
  size_t row = index / length;
  size_t n_rows = c->op == SP_OP_ATTENTION ? c->n_q : SIZE_MAX;
  const char *name = which > 0 ? names[which] : c->op == SP_OP_SOFTMAX ? "weights" : "out";
  char last[32] = "";
  if (which == 0) snprintf(last, sizeof last, "[%zu]", index % length);
  if (c->op == SP_OP_SOFTMAX) {
    snprintf(text, capacity, "%s[%zu]%s", name, row, last);
    return;
  }
  size_t h = row % c->n_heads;
  size_t i = row / c->n_heads % n_rows;
  size_t b = row / c->n_heads / n_rows;
  snprintf(text, capacity, "%s[%zu][%zu][%zu]%s", name, b, i, h, last);
}

/* A run that holds its own poison where the other holds something else did not write there. With
 * one run only, a type is trusted whose patterns are too many for a coincidence. */
static size_t find_unwritten(const sp_array *a, const sp_array *b) {
  size_t element = sp_ref_format_bytes(a->dtype);
  uint64_t poison_a = sp_poison(a->dtype, 0);
  uint64_t poison_b = sp_poison(a->dtype, 1);
  if (b == NULL && element < 4) return a->count;
  for (size_t i = 0; i < a->count; i++) {
    bool held_a = sp_is_pattern(a->bits, i, element, poison_a);
    if (b == NULL && held_a) return i;
    if (b == NULL) continue;
    bool held_b = sp_is_pattern(b->bits, i, element, poison_b);
    if (held_a && !sp_is_pattern(b->bits, i, element, poison_a)) return i;
    if (held_b && !sp_is_pattern(a->bits, i, element, poison_b)) return i;
  }
  return a->count;
}

void sp_check_written(const sp_case *c, const sp_outputs *first, const sp_outputs *second,
                      sp_incident *incident) {
  char name[96];
  for (int which = 0; which < 3; which++) {
    const sp_array *a = array_of(first, which);
    if (a->bits == NULL) continue;
    size_t i = find_unwritten(a, second ? array_of(second, which) : NULL);
    if (i == a->count) continue;
    name_element(c, which, i, name, sizeof name);
    sp_incident_set(incident, SP_INCIDENT_UNWRITTEN,
                    "%s was not written: it holds what lay there before the call", name);
    return;
  }
}

size_t sp_first_difference(const sp_array *a, size_t a_at, const sp_array *b, size_t b_at,
                           size_t count) {
  size_t element = sp_ref_format_bytes(a->dtype);
  const unsigned char *x = (const unsigned char *)a->bits + a_at * element;
  const unsigned char *y = (const unsigned char *)b->bits + b_at * element;
  if (memcmp(x, y, count * element) == 0) return count;
  for (size_t i = 0; i < count; i++) {
    if (memcmp(x + i * element, y + i * element, element) == 0) continue;
    if (isnan(sp_ref_load(a->dtype, x, i)) && isnan(sp_ref_load(a->dtype, y, i))) continue;
    return i;
  }
  return count;
}

static bool same_lists(const sp_outputs *first, const sp_outputs *second) {
  size_t total = 0;
  for (size_t l = 0; l < first->n_lists; l++) {
    if (first->n_visible[l] != second->n_visible[l]) return false;
    total += first->n_visible[l];
  }
  return total == 0 || memcmp(first->visible, second->visible, total * sizeof(uint64_t)) == 0;
}

bool sp_same_outputs(const sp_case *c, const sp_outputs *first, const sp_outputs *second,
                     char *difference, size_t capacity) {
  char name[96];
  for (int which = 0; which < 3; which++) {
    const sp_array *a = array_of(first, which);
    const sp_array *b = array_of(second, which);
    if (a->bits == NULL) continue;
    size_t i = sp_first_difference(a, 0, b, 0, a->count);
    if (i == a->count) continue;
    name_element(c, which, i, name, sizeof name);
    snprintf(difference, capacity, "%s is %a in one run and %a in the other", name,
             sp_ref_load(a->dtype, a->bits, i), sp_ref_load(b->dtype, b->bits, i));
    return false;
  }
  if (same_lists(first, second)) return true;
  snprintf(difference, capacity, "the lists of visible tokens differ");
  return false;
}
