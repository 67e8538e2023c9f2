/* SPDX-License-Identifier: Apache-2.0 */
/* f64 from the loads to the stores, rounded once. It claims w-deep, the strongest of the model
 * classes: cancellation in a dot product or an output may lose any number of digits, so that
 * faithful rounding is more than f64 can promise. tests: NU-6 NU-11 */
#include <math.h>

#include "tests/honest/honest.h"

static double logit(const sp_honest_row *row, size_t j) {
  double x = 0;
  if (row->logits) return (double)row->scale * (double)row->logits[j] + (double)row->bias[j];
  for (size_t c = 0; c < row->d_head; c++)
    x += (double)row->q[c] * (double)row->k[j * row->d_head + c];
  x *= (double)row->scale;
  if (row->softcap > 0) x = (double)row->softcap * tanh(x / (double)row->softcap);
  return x + (double)row->bias[j] + (double)row->alibi[j];
}

void sp_honest_inside_f64(const sp_honest_row *row, sp_honest_result *result) {
  double m = -INFINITY, keys = 0;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) m = fmax(m, logit(row, j));
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) keys += exp(logit(row, j) - m);
  double all = fmax(m, (double)row->sink_logit);
  double total = keys * exp(m - all) + exp((double)row->sink_logit - all);
  result->lse_keys = (float)(m + log(keys));
  result->lse_total = (float)(all + log(total));
  for (size_t j = 0; row->logits && j < row->n; j++)
    result->value[j] = row->present[j] ? (float)(exp(logit(row, j) - all) / total) : 0;
  for (size_t c = 0; !row->logits && c < row->d_value; c++) {
    double sum = 0;
    for (size_t j = 0; j < row->n; j++)
      if (row->present[j]) sum += exp(logit(row, j) - all) * (double)row->v[j * row->d_value + c];
    result->value[c] = (float)(sum / total);
  }
}
