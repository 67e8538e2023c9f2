/* SPDX-License-Identifier: Apache-2.0 */
/* One attention row by the textbook, in doubles and with libm. */
#include "tests/row_double.h"

#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>

static double product(const sp_ref_row_input *in, size_t j) {
  double sum = 0.0;
  if (in->logits != NULL) return in->logits[j];
  for (size_t e = 0; e < in->d_head; e++) sum += in->q[e] * in->k[j * in->k_stride + e];
  return sum;
}

static double logit_of(const sp_ref_row_input *in, size_t j, int64_t pos_k) {
  double x = in->scale * product(in, j);
  if (in->softcap > 0.0) x = in->softcap * tanh(x / in->softcap);
  double bias = in->key_bias != NULL ? in->key_bias[j] : 0.0;
  if (isfinite(bias)) x += bias;
  if (in->alibi_slope != 0.0) x -= in->alibi_slope * fabs((double)in->pos_q - (double)pos_k);
  return x;
}

static bool is_visible(const sp_ref_row_input *in, size_t j, int64_t pos_k) {
  if (in->key_bias != NULL && in->key_bias[j] == -INFINITY) return false;
  if (in->logits != NULL) return in->logits[j] != -INFINITY;
  const int64_t distance = in->pos_q - pos_k;
  if (in->mask.causal && distance < 0) return false;
  const bool pinned = (uint64_t)pos_k < in->mask.n_sink_tokens;
  return pinned || distance < 0 || (uint64_t)distance < in->mask.window;
}

row_double row_double_of(const sp_case_values *values, size_t b, size_t i, size_t h) {
  sp_ref_row_input in;
  sp_case_row(values, b, i, h, &in);
  row_double row = {.n = in.n_kv, .sink_logit = in.sink_logit};
  row.visible = calloc(row.n + 1, sizeof *row.visible);
  row.logit = calloc(row.n + 1, sizeof *row.logit);
  row.weight = calloc(row.n + 1, sizeof *row.weight);
  ck_assert(row.visible != NULL && row.logit != NULL && row.weight != NULL);
  double most = row.sink_logit;
  for (size_t j = 0; j < row.n; j++) {
    const int64_t pos_k = in.pos_k != NULL ? in.pos_k[j] : (int64_t)j;
    row.visible[j] = is_visible(&in, j, pos_k);
    row.logit[j] = logit_of(&in, j, pos_k);
    row.n_visible += row.visible[j];
    if (row.logit[j] > row.logit[row.largest]) row.largest = j;
    if (row.visible[j]) most = fmax(most, row.logit[j]);
  }
  double keys = 0.0;
  for (size_t j = 0; j < row.n; j++)
    if (row.visible[j]) keys += row.weight[j] = exp(row.logit[j] - most);
  const double sink = row.sink_logit == -INFINITY ? 0.0 : exp(row.sink_logit - most);
  for (size_t j = 0; j < row.n; j++) row.weight[j] /= keys + sink;
  row.weight_sink = sink / (keys + sink);
  row.lse_keys = most + log(keys);
  return row;
}

void row_double_free(row_double *row) {
  free(row->visible);
  free(row->logit);
  free(row->weight);
}
