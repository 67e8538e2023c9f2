/* SPDX-License-Identifier: Apache-2.0 */
/* Hook replacements that more than one exhibit uses. */
#include "certify/museum/exhibit.h"

const sp_hooks sp_no_hooks = {0};

void sp_hook_no_fold(const sp_row *row, sp_state *state) {
  (void)row, (void)state;
}

/* Kernels with a finite mask usually clear what they do not mean to read; without this every such
 * fault would already show as 0 * NaN and hide what it is really about. */
double sp_hook_clean_value(const sp_row *row, uint64_t j, uint64_t c) {
  double v = sp_base_value(row, j, c);
  return isfinite(v) || SP_HOOK(row, visible)(row, j) ? v : 0;
}

void sp_hook_fold_unshifted(const sp_row *row, sp_state *state, double logit) {
  if (logit == -INFINITY) return;
  state->l = sp_fl(row, state->l + sp_fl(row, exp(sp_fl(row, logit - state->m))));
}

void sp_row_set_sink(sp_row *row, uint64_t index) {
  if (!row->has_sink) return;
  row->sink_logit = row->softmax ? sp_row_load(row, &row->softmax->sink_logit, index, 0, 0, 0)
                                 : sp_row_load(row, &row->attention->sink_logit, 0, 0, index, 0);
}

unsigned sp_row_violations(const sp_row *row, uint64_t j) {
  unsigned n = sp_row_bias(row, j) == -INFINITY;
  if (row->softmax) return n;
  int64_t pos = sp_row_pos(row, j);
  n += row->causal && pos > row->pos_q;
  n += pos <= row->pos_q && (uint64_t)row->pos_q - (uint64_t)pos >= row->window &&
       (uint64_t)pos >= row->n_sink_tokens;
  return n;
}

sp_dtype sp_row_dtype(const sp_row *row) {
  return row->softmax ? row->softmax->logits.dtype : row->attention->q.dtype;
}
