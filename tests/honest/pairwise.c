/* SPDX-License-Identifier: Apache-2.0 */
/* All sums by halves, down to blocks of 8. w-deep: a term takes part in at most 8 + log2 N
 * additions. tests: NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

static float sum(const float *x, size_t n) {
  float total = 0;
  if (n > 8) return sum(x, n / 2) + sum(x + n / 2, n - n / 2);
  for (size_t i = 0; i < n; i++) total += x[i];
  return total;
}

static float product(const sp_honest_row *row, size_t j, size_t lo, size_t n) {
  float total = 0;
  if (n > 8) return product(row, j, lo, n / 2) + product(row, j, lo + n / 2, n - n / 2);
  for (size_t c = lo; c < lo + n; c++) total += row->q[c] * row->k[j * row->d_head + c];
  return total;
}

static float output(const sp_honest_row *row, const float *e, size_t c, size_t lo, size_t n) {
  float total = 0;
  if (n > 8) return output(row, e, c, lo, n / 2) + output(row, e, c, lo + n / 2, n - n / 2);
  for (size_t j = lo; j < lo + n; j++)
    if (row->present[j]) total += e[j] * row->v[j * row->d_value + c];
  return total;
}

static float shifted(const sp_honest_row *row, const float *x, float m, float *e) {
  for (size_t j = 0; j < row->n; j++) e[j] = row->present[j] ? expf(x[j] - m) : 0;
  return sum(e, row->n);
}

void sp_honest_pairwise(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->logits ? result->value : row->scratch;
  float *e = row->logits ? row->scratch : row->scratch + row->n;
  float m = -INFINITY;
  for (size_t j = 0; j < row->n; j++) {
    if (!row->present[j]) continue;
    x[j] = row->logits ? sp_honest_logit(row, j)
                       : sp_honest_bend(row, j, product(row, j, 0, row->d_head));
    m = fmaxf(m, x[j]);
  }
  float all = fmaxf(m, row->sink_logit);
  result->lse_keys = m + logf(shifted(row, x, m, e));
  float l = shifted(row, x, all, e) + expf(row->sink_logit - all);
  result->lse_total = all + logf(l);
  for (size_t j = 0; row->logits && j < row->n; j++) result->value[j] = e[j] / l;
  for (size_t c = 0; !row->logits && c < row->d_value; c++)
    result->value[c] = output(row, e, c, 0, row->n) / l;
}
