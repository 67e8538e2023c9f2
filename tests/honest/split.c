/* SPDX-License-Identifier: Apache-2.0 */
/* Split keys: parts of 32, each with its own maximum, merged from left to right. The sink logit
 * goes into the first part, into the merge, or into the last part: over the reals it is all the
 * same. w-seq:tile=32: a merge costs what a rescale does. tests: AL-6 AT-8 NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

enum { PART = 32 };

typedef enum place { SINK_FIRST, SINK_MERGE, SINK_LAST, SINK_NOWHERE } place;

typedef struct partial {
  float m, l;
  float *acc;
} partial;

static void merge(const sp_honest_row *row, partial *into, const partial *part) {
  if (part->m == -INFINITY) return;
  float m = fmaxf(into->m, part->m);
  float a = expf(into->m - m), b = expf(part->m - m);
  into->m = m;
  into->l = into->l * a + part->l * b;
  for (size_t c = 0; into->acc && c < row->d_value; c++)
    into->acc[c] = into->acc[c] * a + (part->acc ? part->acc[c] * b : 0);
}

static void fill_part(const sp_honest_row *row, const float *x, size_t lo, size_t hi, float sink,
                      partial *part) {
  part->m = sink;
  for (size_t j = lo; j < hi; j++)
    if (row->present[j]) part->m = fmaxf(part->m, x[j]);
  part->l = sink == -INFINITY ? 0 : expf(sink - part->m);
  for (size_t c = 0; part->acc && c < row->d_value; c++) part->acc[c] = 0;
  for (size_t j = lo; j < hi; j++) {
    if (!row->present[j]) continue;
    float p = expf(x[j] - part->m);
    part->l += p;
    for (size_t c = 0; part->acc && c < row->d_value; c++)
      part->acc[c] += p * row->v[j * row->d_value + c];
  }
}

static partial all_parts(const sp_honest_row *row, const float *x, place where, float *acc,
                         float *room) {
  partial total = {.m = -INFINITY, .acc = acc}, part = {.acc = acc ? room : NULL};
  for (size_t c = 0; acc && c < row->d_value; c++) acc[c] = 0;
  for (size_t lo = 0; lo < row->n; lo += PART) {
    bool first = lo == 0, last = row->n - lo <= PART;
    bool here = (where == SINK_FIRST && first) || (where == SINK_LAST && last);
    fill_part(row, x, lo, last ? row->n : lo + PART, here ? row->sink_logit : -INFINITY, &part);
    merge(row, &total, &part);
  }
  const partial sink = {.m = row->sink_logit, .l = 1};
  if (where == SINK_MERGE) merge(row, &total, &sink);
  return total;
}

static void split(const sp_honest_row *row, sp_honest_result *result, place where) {
  float *x = row->scratch, *room = row->scratch + row->n;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) x[j] = sp_honest_logit(row, j);
  partial keys = all_parts(row, x, SINK_NOWHERE, NULL, NULL);
  result->lse_keys = keys.m + logf(keys.l);
  partial all = all_parts(row, x, where, row->logits ? NULL : result->value, room);
  result->lse_total = all.m + logf(all.l);
  for (size_t j = 0; row->logits && j < row->n; j++)
    result->value[j] = row->present[j] ? expf(x[j] - all.m) / all.l : 0;
  for (size_t c = 0; !row->logits && c < row->d_value; c++) result->value[c] /= all.l;
}

void sp_honest_split_first(const sp_honest_row *row, sp_honest_result *result) {
  split(row, result, SINK_FIRST);
}

void sp_honest_split_merge(const sp_honest_row *row, sp_honest_result *result) {
  split(row, result, SINK_MERGE);
}

void sp_honest_split_last(const sp_honest_row *row, sp_honest_result *result) {
  split(row, result, SINK_LAST);
}
