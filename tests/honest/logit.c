/* SPDX-License-Identifier: Apache-2.0 */
/* The logit of a present key in plain f32. tests: AT-2 */
#include <math.h>

#include "tests/honest/honest.h"

float sp_honest_bend(const sp_honest_row *row, size_t j, float product) {
  float x = row->scale * product;
  if (row->softcap > 0) x = row->softcap * (float)tanh((double)(x / row->softcap));
  return x + row->bias[j] + row->alibi[j];
}

float sp_honest_logit(const sp_honest_row *row, size_t j) {
  if (row->logits) return row->scale * row->logits[j] + row->bias[j];
  float sum = 0;
  for (size_t c = 0; c < row->d_head; c++) sum += row->q[c] * row->k[j * row->d_head + c];
  return sp_honest_bend(row, j, sum);
}
