/* SPDX-License-Identifier: Apache-2.0 */
/* One row from its logits to its answer: splits, tiles, merge, sink logit, division. Softmax and
 * attention differ only in what the values are. tests: SM-4, SM-5, AL-5, AT-8, AT-9 */
#include <stdlib.h>

#include "certify/museum/base.h"

bool sp_scratch_init(sp_scratch *scratch, uint64_t n_keys, uint64_t d_head, uint64_t n_value) {
  scratch->q = calloc(d_head + 1, sizeof(double));
  scratch->logit = calloc(n_keys + 1, sizeof(double));
  scratch->value = calloc(n_value + 1, sizeof(double));
  scratch->acc = calloc(n_value + 1, sizeof(double));
  scratch->part = calloc(n_value + 1, sizeof(double));
  if (scratch->q && scratch->logit && scratch->value && scratch->acc && scratch->part) return true;
  sp_scratch_clear(scratch);
  return false;
}

void sp_scratch_clear(sp_scratch *scratch) {
  free(scratch->q);
  free(scratch->logit);
  free(scratch->value);
  free(scratch->acc);
  free(scratch->part);
}

bool sp_row_none_in(const sp_row *row, uint64_t lo, uint64_t hi) {
  for (uint64_t j = lo; j < hi; j++)
    if (row->logit[j] != -INFINITY) return false;
  return true;
}

bool sp_row_empty(const sp_row *row) {
  return sp_row_none_in(row, 0, row->n_keys);
}

/* Keys [lo, hi) of a split; false past the last. There is always a first one, possibly without
 * keys. */
bool sp_base_range(const sp_row *row, uint64_t split, uint64_t *lo, uint64_t *hi) {
  uint64_t size = row->hooks->split ? row->hooks->split : 32;
  if (split > 0 && split * size >= row->n_keys) return false;
  *lo = split * size;
  *hi = row->n_keys - *lo < size ? row->n_keys : *lo + size;
  return true;
}

static void clear_state(const sp_row *row, sp_state *state) {
  state->m = -INFINITY;
  state->l = 0;
  for (uint64_t c = 0; state->acc && c < row->n_value; c++) state->acc[c] = 0;
}

/* One tile: move the maximum, rescale what there is, add the tile's keys. Absent keys are skipped,
 * so whatever their k and v hold is never read. (AT-3) */
void sp_row_absorb(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi) {
  double m = SP_HOOK(row, pivot)(row, state->m, lo, hi);
  sp_state_scale(row, state, SP_HOOK(row, rescale)(row, state->m, m));
  state->m = m;
  for (uint64_t j = lo; j < hi; j++) {
    if (row->logit[j] == -INFINITY) continue;
    double p = SP_HOOK(row, exponential)(row, sp_fl(row, row->logit[j] - m));
    state->l = SP_HOOK(row, add)(row, state->l, p);
    for (uint64_t c = 0; state->acc && c < row->n_value; c++)
      state->acc[c] =
          SP_HOOK(row, accumulate)(row, state->acc[c], p, SP_HOOK(row, value)(row, j, c));
  }
  if (row->hooks->tile_done) row->hooks->tile_done(row, state, lo, hi);
}

static void absorb_split(const sp_row *row, uint64_t split, sp_state *state, uint64_t lo,
                         uint64_t hi) {
  uint64_t tile = row->hooks->tile ? row->hooks->tile : 16;
  clear_state(row, state);
  for (uint64_t at = lo; at < hi; at += tile)
    sp_row_absorb(row, state, at, hi - at < tile ? hi : at + tile);
  if (row->hooks->split_done) row->hooks->split_done(row, split, state);
}

static void fill_logits(sp_row *row) {
  for (uint64_t j = 0; j < row->n_keys; j++)
    row->logit[j] =
        SP_HOOK(row, visible)(row, j) ? SP_HOOK(row, logit)(row, j) : SP_HOOK(row, masked)(row, j);
}

/* A NaN or +inf among the present logits, or a NaN sink logit. (SM-5, AL-4) */
static bool invalid(const sp_row *row) {
  for (uint64_t j = 0; j < row->n_keys; j++)
    if (isnan(row->logit[j]) || row->logit[j] == INFINITY) return true;
  return isnan(row->sink_logit);
}

static void all_nan(sp_answer *answer) {
  for (uint64_t c = 0; c < answer->n_value; c++) answer->value[c] = (double)NAN;
  answer->lse_keys = answer->lse_total = (double)NAN;
}

static void finish(const sp_row *row, sp_state *state, sp_answer *answer) {
  answer->lse_keys = SP_HOOK(row, lse)(row, state);
  SP_HOOK(row, fold)(row, state);
  answer->lse_total = SP_HOOK(row, lse)(row, state);
  for (uint64_t c = 0; c < row->n_value; c++) {
    double x = state->acc ? state->acc[c] : 0;
    if (row->softmax && row->logit[c] != -INFINITY)
      x = SP_HOOK(row, exponential)(row, sp_fl(row, row->logit[c] - state->m));
    answer->value[c] = SP_HOOK(row, normal)(row, state, x);
  }
}

void sp_row_answer(sp_row *row, const sp_scratch *scratch, sp_answer *answer) {
  row->q = scratch->q;
  row->logit = scratch->logit;
  *answer = (sp_answer){
      .value = scratch->value, .n_value = row->n_value, .n_store = row->n_value, .store_lse = true};
  sp_state total = {.acc = row->softmax ? NULL : scratch->acc};
  sp_state part = {.acc = row->softmax ? NULL : scratch->part};
  if (row->hooks->prepare) row->hooks->prepare(row);
  fill_logits(row);
  if (invalid(row)) {
    all_nan(answer);
  } else {
    uint64_t lo = 0, hi = 0;
    SP_HOOK(row, range)(row, 0, &lo, &hi);
    absorb_split(row, 0, &total, lo, hi);
    for (uint64_t split = 1; SP_HOOK(row, range)(row, split, &lo, &hi); split++) {
      absorb_split(row, split, &part, lo, hi);
      SP_HOOK(row, merge)(row, &total, &part);
    }
    finish(row, &total, answer);
  }
  if (row->hooks->answer) row->hooks->answer(row, answer);
}
