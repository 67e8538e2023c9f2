/* SPDX-License-Identifier: Apache-2.0 */
/* Exponentials in base 2 with one fused multiply-add for the argument, x * log2(e) - m * log2(e).
 * w-seq-b2: c_D = 2 when the maximum is fixed, since the rounding of m * log2(e) is common to all
 * keys; 3 and |x| as well when it moves (tile=32). A rescale takes the difference of the maxima:
 * with the multiply-add it would add a rounding of m * log2(e) for every tile, which no class
 * allows. Beyond 2^13 that rounding is large itself, and all differences are taken first. tests:
 * NU-6 NU-7 */
#include <math.h>

#include "tests/honest/honest.h"

static const float log2_e = 0x1.715476p+0F; /* nearest f32 to 1 / ln 2 */
static const float ln_2 = 0x1.62e43p-1F;    /* nearest f32 to ln 2 */
static const float large = 0x1p13F;

typedef struct pivot {
  float m, minus; /* -(m * log2(e)), rounded once */
} pivot;

static pivot at(float m) {
  return (pivot){m, -(m * log2_e)};
}

static float power(float x, pivot p) {
  if (x == -INFINITY) return 0;
  if (fabsf(p.m) > large) return expf(x - p.m);
  return exp2f(fmaf(x, log2_e, p.minus));
}

/* ln of a sum that was shifted by the pivot. */
static float log_of(float sum, pivot p) {
  if (fabsf(p.m) > large) return p.m + logf(sum);
  return (log2f(sum) - p.minus) * ln_2;
}

static float find_max(const sp_honest_row *row, float *x) {
  float m = -INFINITY;
  for (size_t j = 0; j < row->n; j++) {
    x[j] = row->present[j] ? sp_honest_logit(row, j) : -INFINITY;
    m = fmaxf(m, x[j]);
  }
  return m;
}

void sp_honest_exp2(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->scratch;
  float m = find_max(row, x), sum = 0;
  pivot keys = at(m), all = at(fmaxf(m, row->sink_logit));
  for (size_t j = 0; j < row->n; j++) sum += power(x[j], keys);
  result->lse_keys = log_of(sum, keys);
  sum = power(row->sink_logit, all);
  for (size_t j = 0; j < row->n; j++) sum += power(x[j], all);
  result->lse_total = log_of(sum, all);
  for (size_t j = 0; row->logits && j < row->n; j++) result->value[j] = power(x[j], all) / sum;
  for (size_t c = 0; !row->logits && c < row->d_value; c++) {
    float acc = 0;
    for (size_t j = 0; j < row->n; j++)
      if (row->present[j]) acc = fmaf(power(x[j], all), row->v[j * row->d_value + c], acc);
    result->value[c] = acc / sum;
  }
}

/* Tiles of 32; acc may be NULL. Returns the sum, and the pivot it is relative to. */
static float tiles(const sp_honest_row *row, const float *x, float start, float *acc, pivot *p) {
  float l = start == -INFINITY ? 0 : 1;
  *p = at(start);
  for (size_t c = 0; acc && c < row->d_value; c++) acc[c] = 0;
  for (size_t lo = 0; lo < row->n; lo += 32) {
    size_t hi = row->n - lo < 32 ? row->n : lo + 32;
    float m = p->m;
    for (size_t j = lo; j < hi; j++) m = fmaxf(m, x[j]);
    if (m == -INFINITY) continue;
    pivot next = at(m);
    float factor = exp2f((p->m - m) * log2_e);
    l *= factor;
    for (size_t c = 0; acc && c < row->d_value; c++) acc[c] *= factor;
    for (size_t j = lo; j < hi; j++) {
      if (!row->present[j]) continue;
      float e = power(x[j], next);
      l += e;
      for (size_t c = 0; acc && c < row->d_value; c++)
        acc[c] = fmaf(e, row->v[j * row->d_value + c], acc[c]);
    }
    *p = next;
  }
  return l;
}

void sp_honest_exp2_online(const sp_honest_row *row, sp_honest_result *result) {
  float *x = row->scratch;
  pivot p;
  find_max(row, x);
  float sum = tiles(row, x, -INFINITY, NULL, &p);
  result->lse_keys = log_of(sum, p);
  sum = tiles(row, x, row->sink_logit, row->logits ? NULL : result->value, &p);
  result->lse_total = log_of(sum, p);
  for (size_t j = 0; row->logits && j < row->n; j++) result->value[j] = power(x[j], p) / sum;
  for (size_t c = 0; !row->logits && c < row->d_value; c++) result->value[c] /= sum;
}
