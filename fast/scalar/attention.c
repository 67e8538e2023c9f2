/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention, row by row and key by key: logits of the tile, a new maximum, then what
 * the row has so far is rescaled and the tile is added. All in binary64 but for the exponential. */
#include "fast/scalar/exp.h"
#include "fast/scalar/variant.h"
#include "fast/tensor.h"

/* The product of two binary32 numbers is exact in binary64, and the sum of d of them errs by d
 * roundings of 2^-53: nothing that binary32 would notice. */
static double dot(const float *q, const void *k, sp_dtype dtype, uint64_t d) {
  double sum = 0.0;
  for (uint64_t c = 0; c < d; c++) sum += (double)q[c] * (double)sp_fast_load(dtype, k, c);
  return sum;
}

/* x[t] of every key of the tile, -inf where it is absent; the largest; NaN or +inf sets `invalid`.
 * The k of an absent key is not read. spec: AT-3, SM-5 */
static double logits(const sp_fast_shape *shape, const sp_fast_keys *keys, sp_fast_row *row,
                     double *x) {
  double max = -INFINITY;
  for (uint32_t t = 0; t < keys->n; t++) {
    uint64_t j = keys->first + t;
    x[t] = -INFINITY;
    if (!sp_fast_present(&row->rule, j)) continue;
    const void *k = sp_fast_step(keys->k, keys->k_dtype, (int64_t)t * keys->k_stride);
    x[t] = sp_fast_logit(&row->rule, dot(row->q, k, keys->k_dtype, shape->d_head), j);
    if (isnan(x[t]) || x[t] == INFINITY) row->sum.invalid = true;
    if (x[t] > max) max = x[t];
  }
  return max;
}

/* A larger maximum makes all that was summed before it smaller. */
static void rescale(const sp_fast_shape *shape, sp_fast_row *row, double max) {
  if (max <= row->sum.max) return;
  bool first = row->sum.max == -INFINITY; /* acc holds anything */
  double factor = exp(row->sum.max - max);
  row->sum.max = max;
  row->sum.sum *= factor;
  for (uint64_t c = 0; c < shape->d_value; c++) row->acc[c] = first ? 0.0 : row->acc[c] * factor;
}

/* spec: SM-4; SM-6 the v of a present key is read even if its weight is 0, that of an absent one
 * never is */
static void add_key(const sp_fast_shape *shape, const sp_fast_keys *keys, sp_fast_row *row,
                    uint32_t t, double x) {
  double p = (double)scalar_exp((float)(x - row->sum.max));
  row->sum.sum += p;
  if (shape->d_value == 0) return;
  const void *v = sp_fast_step(keys->v, keys->v_dtype, (int64_t)t * keys->v_stride);
  for (uint64_t c = 0; c < shape->d_value; c++)
    row->acc[c] += p * (double)sp_fast_load(keys->v_dtype, v, c);
}

static void tile_row(const sp_fast_shape *shape, const sp_fast_keys *keys, sp_fast_row *row) {
  double x[SP_FAST_TILE];
  double max = logits(shape, keys, row, x);
  if (max == -INFINITY || row->sum.invalid) return;
  rescale(shape, row, max);
  for (uint32_t t = 0; t < keys->n; t++)
    if (x[t] > -INFINITY) add_key(shape, keys, row, t, x[t]);
}

void sp_fast_tile_scalar(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                         sp_fast_row *rows, uint64_t n_rows) {
  for (uint32_t i = 0; i < n_runs; i++)
    for (uint64_t r = 0; r < n_rows; r++) tile_row(shape, &keys[i], &rows[r]);
}
