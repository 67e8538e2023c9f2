/* SPDX-License-Identifier: Apache-2.0 */
/* Online with tiles of 16 that rescales only when the maximum has risen by more than 8 ln 2, so
 * terms may reach 256. w-seq:tile=16: the argument of an exponential is at most 5.6 beyond the
 * class's D, and only after the first tile, where a rescale that was skipped pays for it. tests:
 * NU-6 */
#include <math.h>

#include "tests/honest/honest.h"

typedef struct state {
  float m, l;
  float *acc;
} state;

static void raise_max(const sp_honest_row *row, state *s, float m) {
  const float threshold = 0x1.62e43p+2F; /* 8 ln 2 */
  if (s->m != -INFINITY && m - s->m <= threshold) return;
  float factor = s->m == -INFINITY ? 0 : expf(s->m - m);
  s->m = m;
  s->l *= factor;
  for (size_t c = 0; s->acc && c < row->d_value; c++) s->acc[c] *= factor;
}

static void take(const sp_honest_row *row, state *s, const float *x) {
  for (size_t c = 0; s->acc && c < row->d_value; c++) s->acc[c] = 0;
  for (size_t lo = 0; lo < row->n; lo += 16) {
    size_t hi = row->n - lo < 16 ? row->n : lo + 16;
    float m = s->m;
    for (size_t j = lo; j < hi; j++)
      if (row->present[j]) m = fmaxf(m, x[j]);
    if (m > s->m) raise_max(row, s, m);
    for (size_t j = lo; j < hi; j++) {
      if (!row->present[j]) continue;
      float p = expf(x[j] - s->m);
      s->l += p;
      for (size_t c = 0; s->acc && c < row->d_value; c++)
        s->acc[c] += p * row->v[j * row->d_value + c];
    }
  }
}

static void take_sink(const sp_honest_row *row, state *s) {
  if (row->sink_logit > s->m) raise_max(row, s, row->sink_logit);
  s->l += expf(row->sink_logit - s->m);
}

void sp_honest_lazy(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->scratch;
  for (size_t j = 0; j < row->n; j++)
    if (row->present[j]) x[j] = sp_honest_logit(row, j);
  state s = {.m = -INFINITY, .acc = row->logits ? NULL : result->value};
  take(row, &s, x);
  result->lse_keys = s.m + logf(s.l);
  take_sink(row, &s);
  result->lse_total = s.m + logf(s.l);
  for (size_t j = 0; row->logits && j < row->n; j++)
    result->value[j] = row->present[j] ? expf(x[j] - s.m) / s.l : 0;
  for (size_t c = 0; !row->logits && c < row->d_value; c++) result->value[c] /= s.l;
}
