/* SPDX-License-Identifier: Apache-2.0 */
/* Split keys as flash decoding publishes them: each part of 64 a normalised output and its
 * log-sum-exp, combined by e^(lse_part - lse), the sink logit as one more part without output. The
 * roundings of the log-sum-exps are relative to their size, not to differences: w-loose.
 * tests: AL-6 NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

enum { PART = 64 };

static float add_logs(float a, float b) {
  float m = fmaxf(a, b);
  if (m == -INFINITY) return m;
  return m + logf(expf(a - m) + expf(b - m));
}

/* lse and weights (relative to the part) of the keys [lo, hi). */
static float part_weights(const sp_honest_row *row, size_t lo, size_t hi, float *x) {
  float m = -INFINITY, l = 0;
  for (size_t j = lo; j < hi; j++) {
    x[j] = row->present[j] ? sp_honest_logit(row, j) : -INFINITY;
    m = fmaxf(m, x[j]);
  }
  for (size_t j = lo; m != -INFINITY && j < hi; j++) l += x[j] = expf(x[j] - m);
  for (size_t j = lo; m != -INFINITY && j < hi; j++) x[j] /= l;
  return m == -INFINITY ? m : m + logf(l);
}

static void add_part(const sp_honest_row *row, const float *p, size_t lo, size_t hi, float weight,
                     float *value) {
  for (size_t j = lo; j < hi; j++) {
    if (!row->present[j]) continue;
    if (row->logits) value[j] = p[j] * weight;
    for (size_t c = 0; !row->logits && c < row->d_value; c++)
      value[c] += p[j] * weight * row->v[j * row->d_value + c];
  }
}

void sp_honest_split_lse(const sp_honest_row *row, sp_honest_result *result) {
  float *p = row->scratch;
  float keys = -INFINITY;
  for (size_t c = 0; c < (row->logits ? row->n : row->d_value); c++) result->value[c] = 0;
  for (size_t lo = 0; lo < row->n; lo += PART)
    keys = add_logs(keys, part_weights(row, lo, row->n - lo < PART ? row->n : lo + PART, p));
  float total = add_logs(keys, row->sink_logit);
  for (size_t lo = 0; lo < row->n; lo += PART) {
    size_t hi = row->n - lo < PART ? row->n : lo + PART;
    float lse = part_weights(row, lo, hi, p);
    if (lse != -INFINITY) add_part(row, p, lo, hi, expf(lse - total), result->value);
  }
  result->lse_keys = keys;
  result->lse_total = total;
}
