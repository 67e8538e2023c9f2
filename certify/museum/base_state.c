/* SPDX-License-Identifier: Apache-2.0 */
/* The state (m, l, acc) of a row: how it grows, merges with another and takes in the sink logit.
 * (0, -inf) is the neutral element: nothing here needs to know whether a tile, a split or a whole
 * row had a key. tests: SM-2, AT-9, AL-2, AL-6 */
#include "certify/museum/base.h"

/* The running maximum after the keys [lo, hi). */
double sp_base_pivot(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  for (uint64_t j = lo; j < hi; j++) m = fmax(m, row->logit[j]);
  return m;
}

double sp_base_exponential(const sp_row *row, double t) {
  return sp_fl(row, exp(t));
}

double sp_exp_gap(const sp_row *row, double x, double m) {
  if (x == m) return 1;
  return SP_HOOK(row, exponential)(row, sp_fl(row, x - m));
}

/* The factor for l and acc when the maximum moves. An empty state stays empty. */
double sp_base_rescale(const sp_row *row, double m_old, double m_new) {
  if (m_old == m_new) return 1;
  if (m_old == -INFINITY) return 0;
  return SP_HOOK(row, exponential)(row, sp_fl(row, m_old - m_new));
}

double sp_base_add(const sp_row *row, double l, double p) {
  return sp_fl(row, l + p);
}

double sp_base_accumulate(const sp_row *row, double acc, double p, double v) {
  return sp_fl(row, acc + sp_fl(row, p * v));
}

void sp_state_scale(const sp_row *row, sp_state *state, double factor) {
  if (factor == 1) return;
  state->l = sp_fl(row, state->l * factor);
  for (uint64_t c = 0; state->acc && c < row->n_value; c++)
    state->acc[c] = sp_fl(row, state->acc[c] * factor);
}

void sp_state_sum(const sp_row *row, sp_state *into, const sp_state *part) {
  into->l = sp_fl(row, into->l + part->l);
  for (uint64_t c = 0; into->acc && c < row->n_value; c++)
    into->acc[c] = sp_fl(row, into->acc[c] + part->acc[c]);
}

void sp_base_merge(const sp_row *row, sp_state *into, sp_state *part) {
  double m = fmax(into->m, part->m);
  sp_state_scale(row, into, SP_HOOK(row, rescale)(row, into->m, m));
  sp_state_scale(row, part, SP_HOOK(row, rescale)(row, part->m, m));
  into->m = m;
  sp_state_sum(row, into, part);
}

/* Once per row, after the merge: into m and l, never into acc. A sink logit of +inf leaves weights
 * of 0, one of -inf changes nothing. (AL-2, AL-4) */
void sp_base_fold(const sp_row *row, sp_state *state) {
  double m = fmax(state->m, row->sink_logit);
  if (row->sink_logit == -INFINITY) return;
  sp_state_scale(row, state, SP_HOOK(row, rescale)(row, state->m, m));
  state->m = m;
  state->l = SP_HOOK(row, add)(row, state->l, sp_exp_gap(row, row->sink_logit, m));
}

double sp_base_normal(const sp_row *row, const sp_state *state, double x) {
  return state->l == 0 ? 0 : sp_fl(row, x / state->l);
}

double sp_base_lse(const sp_row *row, const sp_state *state) {
  if (state->l == 0) return -INFINITY;
  return sp_fl(row, state->m + sp_fl(row, log(state->l)));
}
