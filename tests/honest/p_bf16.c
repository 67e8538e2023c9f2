/* SPDX-License-Identifier: Apache-2.0 */
/* As tensor cores are fed: weights relative to the maximum are rounded to bf16 before they multiply
 * values, the denominator takes them unrounded. w-seq:p=bf16. tests: NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

void sp_honest_p_bf16(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->scratch, *out = result->value;
  float m = -INFINITY, keys = 0;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) m = fmaxf(m, x[j] = sp_honest_logit(row, j));
  float all = fmaxf(m, row->sink_logit), l = expf(row->sink_logit - all);
  for (size_t c = 0; c < row->d_value; c++) out[c] = 0;
  for (size_t j = 0; j < row->n; j++) {
    if (!row->present[j]) continue;
    keys += expf(x[j] - m);
    float p = expf(x[j] - all);
    l += p;
    for (size_t c = 0; c < row->d_value; c++)
      out[c] += sp_honest_to_bf16(p) * row->v[j * row->d_value + c];
  }
  for (size_t c = 0; c < row->d_value; c++) out[c] /= l;
  result->lse_keys = m + logf(keys);
  result->lse_total = all + logf(l);
}
