/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen accumulators, one per vector lane. `blend` fills masked keys with logits of -inf and
 * values of 0 and runs over all of them, as branch-free code does; `lanes` goes online in tiles
 * of 64. w-lane16. tests: AT-3 NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

enum { LANES = 16 };

static float fold(const float lane[LANES]) {
  float pair[LANES];
  for (int i = 0; i < LANES; i++) pair[i] = lane[i];
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) pair[i] += pair[i + half];
  return pair[0];
}

/* Sum of e^(x - m) [times v] over [lo, hi); -inf - -inf is avoided by the pivot, not by a branch.
 */
static float shifted_sum(const sp_honest_row *row, const float *x, float m, size_t lo, size_t hi,
                         size_t component, bool times_value) {
  float lane[LANES] = {0};
  for (size_t j = lo; j < hi; j++) {
    float v = times_value && row->present[j] ? row->v[j * row->d_value + component] : 0;
    lane[j % LANES] += expf(x[j] - m) * (times_value ? v : 1);
  }
  return fold(lane);
}

static void fill(const sp_honest_row *row, float *x) {
  for (size_t j = 0; j < row->n; j++) x[j] = row->present[j] ? sp_honest_logit(row, j) : -INFINITY;
}

void sp_honest_blend(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->scratch;
  float m = -INFINITY;
  fill(row, x);
  for (size_t j = 0; j < row->n; j++) m = fmaxf(m, x[j]);
  float all = fmaxf(m, row->sink_logit);
  float l = shifted_sum(row, x, all, 0, row->n, 0, false) + expf(row->sink_logit - all);
  result->lse_keys = m + logf(shifted_sum(row, x, m, 0, row->n, 0, false));
  result->lse_total = all + logf(l);
  for (size_t j = 0; row->logits && j < row->n; j++) result->value[j] = expf(x[j] - all) / l;
  for (size_t c = 0; !row->logits && c < row->d_value; c++)
    result->value[c] = shifted_sum(row, x, all, 0, row->n, c, true) / l;
}

void sp_honest_lanes(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->scratch, *acc = row->scratch + row->n;
  float m = -INFINITY, l = 0;
  fill(row, x);
  for (size_t c = 0; c < row->d_value; c++) acc[c] = 0;
  for (size_t lo = 0; lo < row->n; lo += 64) {
    size_t hi = row->n - lo < 64 ? row->n : lo + 64;
    float next = m;
    for (size_t j = lo; j < hi; j++) next = fmaxf(next, x[j]);
    if (next == -INFINITY) continue;
    float factor = expf(m - next);
    l = l * factor + shifted_sum(row, x, next, lo, hi, 0, false);
    for (size_t c = 0; !row->logits && c < row->d_value; c++)
      acc[c] = acc[c] * factor + shifted_sum(row, x, next, lo, hi, c, true);
    m = next;
  }
  float all = fmaxf(m, row->sink_logit), back = expf(m - all);
  float total = l * back + expf(row->sink_logit - all);
  result->lse_keys = m + logf(l);
  result->lse_total = all + logf(total);
  for (size_t j = 0; row->logits && j < row->n; j++) result->value[j] = expf(x[j] - all) / total;
  for (size_t c = 0; !row->logits && c < row->d_value; c++)
    result->value[c] = acc[c] * back / total;
}
