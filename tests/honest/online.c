/* SPDX-License-Identifier: Apache-2.0 */
/* One pass with a running maximum, rescaling per tile: of 1 key, of 64 keys, and of 16 keys from
 * the last to the first. w-seq:tile=…. The sink logit is the start of the state: m = s, l = 1.
 * tests: SM-2 AT-8 NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

typedef struct state {
  float m, l;
  float *acc; /* NULL: softmax */
} state;

static void take_tile(const sp_honest_row *row, state *s, const float *x, size_t lo, size_t hi) {
  float m = s->m;
  for (size_t j = lo; j < hi; j++)
    if (row->present[j]) m = fmaxf(m, x[j]);
  if (m == -INFINITY) return;
  float factor = expf(s->m - m);
  s->m = m;
  s->l *= factor;
  for (size_t c = 0; s->acc && c < row->d_value; c++) s->acc[c] *= factor;
  for (size_t j = lo; j < hi; j++) {
    if (!row->present[j]) continue;
    float p = expf(x[j] - m);
    s->l += p;
    for (size_t c = 0; s->acc && c < row->d_value; c++)
      s->acc[c] += p * row->v[j * row->d_value + c];
  }
}

static void take_row(const sp_honest_row *row, state *s, const float *x, size_t tile,
                     bool backwards) {
  size_t n_tiles = (row->n + tile - 1) / tile;
  for (size_t c = 0; s->acc && c < row->d_value; c++) s->acc[c] = 0;
  for (size_t t = 0; t < n_tiles; t++) {
    size_t lo = (backwards ? n_tiles - 1 - t : t) * tile;
    take_tile(row, s, x, lo, row->n - lo < tile ? row->n : lo + tile);
  }
}

static void online(const sp_honest_row *row, sp_honest_result *result, size_t tile,
                   bool backwards) {
  float *x = row->scratch;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) x[j] = sp_honest_logit(row, j);
  state keys = {.m = -INFINITY};
  take_row(row, &keys, x, tile, backwards);
  result->lse_keys = keys.m + logf(keys.l);
  state all = {.m = row->sink_logit,
               .l = row->sink_logit == -INFINITY ? 0.0F : 1.0F,
               .acc = row->logits ? NULL : result->value};
  take_row(row, &all, x, tile, backwards);
  result->lse_total = all.m + logf(all.l);
  for (size_t j = 0; row->logits && j < row->n; j++)
    result->value[j] = row->present[j] ? expf(x[j] - all.m) / all.l : 0;
  for (size_t c = 0; !row->logits && c < row->d_value; c++) result->value[c] /= all.l;
}

void sp_honest_online_key(const sp_honest_row *row, sp_honest_result *result) {
  online(row, result, 1, false);
}

void sp_honest_online_64(const sp_honest_row *row, sp_honest_result *result) {
  online(row, result, 64, false);
}

void sp_honest_backwards(const sp_honest_row *row, sp_honest_result *result) {
  online(row, result, 16, true);
}
