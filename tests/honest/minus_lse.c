/* SPDX-License-Identifier: Apache-2.0 */
/* No division: weights are e^(x - lse). The rounding of the log-sum-exp is relative to its size, so
 * this is w-loose and visibly worse on shifted rows. tests: NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

void sp_honest_minus_lse(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->scratch;
  float m = -INFINITY, l = 0;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) m = fmaxf(m, x[j] = sp_honest_logit(row, j));
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) l += expf(x[j] - m);
  float keys = m + logf(l), high = fmaxf(keys, row->sink_logit);
  float total = high + logf(expf(keys - high) + expf(row->sink_logit - high));
  result->lse_keys = keys;
  result->lse_total = total;
  for (size_t c = 0; c < (row->logits ? row->n : row->d_value); c++) result->value[c] = 0;
  for (size_t j = 0; j < row->n; j++) {
    if (!row->present[j]) continue;
    float p = expf(x[j] - total);
    if (row->logits) result->value[j] = p;
    for (size_t c = 0; !row->logits && c < row->d_value; c++)
      result->value[c] += p * row->v[j * row->d_value + c];
  }
}
