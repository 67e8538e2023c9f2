/* SPDX-License-Identifier: Apache-2.0 */
/* Textbook softmax: maximum, sum, divide. w-seq: one running sum of N terms. `reciprocal`
 * multiplies by 1 / l instead: two roundings, which every class allows. tests: SM-2 SM-4 NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

/* Shift by `shift`; the sum of what is written to x. */
static float exponentials(const sp_honest_row *row, const float *x, float shift, float *e) {
  float sum = 0;
  for (size_t j = 0; j < row->n; j++) {
    e[j] = row->present[j] ? expf(x[j] - shift) : 0;
    sum += e[j];
  }
  return sum;
}

static void values(const sp_honest_row *row, const float *e, float *out) {
  for (size_t c = 0; c < row->d_value; c++) {
    out[c] = 0;
    for (size_t j = 0; j < row->n; j++)
      if (row->present[j]) out[c] += e[j] * row->v[j * row->d_value + c];
  }
}

static float run(const sp_honest_row *row, sp_honest_result *result, size_t *n_out) {
  float *x = row->scratch, *e = row->logits ? result->value : row->scratch;
  float m = -INFINITY;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) m = fmaxf(m, x[j] = sp_honest_logit(row, j));
  float all = fmaxf(m, row->sink_logit), sum = 0;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) sum += expf(x[j] - m);
  result->lse_keys = m + logf(sum);
  float l = exponentials(row, x, all, e) + expf(row->sink_logit - all);
  result->lse_total = all + logf(l);
  if (!row->logits) values(row, e, result->value);
  *n_out = row->logits ? row->n : row->d_value;
  return l;
}

void sp_honest_three_pass(const sp_honest_row *row, sp_honest_result *result) {
  size_t n;
  float l = run(row, result, &n);
  for (size_t c = 0; c < n; c++) result->value[c] /= l;
}

void sp_honest_reciprocal(const sp_honest_row *row, sp_honest_result *result) {
  size_t n;
  float r = 1 / run(row, result, &n);
  for (size_t c = 0; c < n; c++) result->value[c] *= r;
}
