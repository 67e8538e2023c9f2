/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention: for each row the logits of the tile's keys, a new maximum, the
 * exponentials and their sum, then the values; in binary32 inside the tile, added to the row in
 * binary64.
 *
 * Keys meet in groups of 16 that start at multiples of 16 whatever the tile's first key is: the same
 * keys meet in the same sums in every call that sees them. spec: AT-8
 *
 * Roofline: two multiply-adds per 8 elements, one for q·k and one for p·v, each with one load of
 * what a cache delivers at one to two per cycle: about half of the multiply-add peak, and every key
 * of a tile is met by all heads of its group while it is in the first-level cache. */
#include "fast/avx2/exp.h"
#include "fast/avx2/lanes.h"
#include "fast/avx2/variant.h"

#define GROUP SP_FAST_GROUP

/* One row's view of one tile. The keys of a group are neighbours; slots before the tile's first key
 * and after its last are absent. */
typedef struct scores {
  float x[SP_FAST_TILE + GROUP] __attribute__((aligned(32))); /* logits, later weights */
  bool present[SP_FAST_TILE + GROUP];
  uint32_t lead; /* absent slots before the first key */
  uint32_t n;    /* a multiple of GROUP */
} scores;

/* Two chains along d, in turns of 8 elements, then one tree. q is padded with zeros. */
SPECIALISED float dot(sp_dtype dtype, const float *q, const void *k, uint64_t d) {
  __m256 even = _mm256_setzero_ps();
  __m256 odd = _mm256_setzero_ps();
  uint64_t c = 0;
  for (; d - c >= 2 * LANES; c += 2 * LANES) {
    even = _mm256_fmadd_ps(_mm256_loadu_ps(q + c), read8(dtype, k, c), even);
    odd = _mm256_fmadd_ps(_mm256_loadu_ps(q + c + LANES), read8(dtype, k, c + LANES), odd);
  }
  for (; c < d; c += LANES)
    even = _mm256_fmadd_ps(_mm256_loadu_ps(q + c), load8(dtype, k, c, d, 0.0F), even);
  return sum_of_lanes(_mm256_add_ps(even, odd));
}

/* spec: AT-2; SM-5 a dot product that is not finite has a q or a k that is not */
static float logit_of(sp_fast_row *row, float dots, uint64_t j) {
  const sp_fast_logit_rule *rule = &row->rule;
  float x =
      sp_fast_only_scaled(rule) ? rule->scale * dots : (float)sp_fast_logit(rule, (double)dots, j);
  if (!isfinite(dots) || !(x < INFINITY)) row->sum.invalid = true;
  return x;
}

static void clear(scores *s, uint32_t from, uint32_t to) {
  for (uint32_t t = from; t < to; t++) {
    s->x[t] = -INFINITY;
    s->present[t] = false;
  }
}

/* Logits of the whole tile, and the largest. The k of an absent key is not read. spec: AT-3 */
SPECIALISED float score(sp_dtype dtype, const sp_fast_shape *shape, const sp_fast_keys *keys,
                        sp_fast_row *row, scores *s) {
  float max = -INFINITY;
  s->lead = (uint32_t)(keys->first % GROUP);
  s->n = (s->lead + keys->n + GROUP - 1) / GROUP * GROUP;
  clear(s, 0, s->lead);
  clear(s, s->lead + keys->n, s->n);
  for (uint32_t t = 0; t < keys->n; t++) {
    uint64_t j = keys->first + t;
    clear(s, s->lead + t, s->lead + t + 1);
    if (!sp_fast_present(&row->rule, j)) continue;
    const void *k = sp_fast_step(keys->k, dtype, (int64_t)t * keys->k_stride);
    float x = logit_of(row, dot(dtype, row->q, k, shape->d_head), j);
    s->x[s->lead + t] = x;
    s->present[s->lead + t] = true;
    if (x > max) max = x;
  }
  return max;
}

/* Logits become exponentials; their sum: 8 lanes over the groups, then one tree. spec: SM-2 */
static float exponentiate(scores *s, float max) {
  __m256 sum = _mm256_setzero_ps();
  for (uint32_t t = 0; t < s->n; t += GROUP) {
    __m256 a = exp8(_mm256_sub_ps(_mm256_load_ps(s->x + t), _mm256_set1_ps(max)));
    __m256 b = exp8(_mm256_sub_ps(_mm256_load_ps(s->x + t + LANES), _mm256_set1_ps(max)));
    _mm256_store_ps(s->x + t, a);
    _mm256_store_ps(s->x + t + LANES, b);
    sum = _mm256_add_ps(sum, _mm256_add_ps(a, b));
  }
  return sum_of_lanes(sum);
}

/* partial[c] = the sum of p * v over the tile: the keys of a group in a chain, then the groups. Only
 * present keys are touched, and all of them, also where p is 0. spec: SM-4, SM-6, AT-3 */
SPECIALISED void weigh_values(sp_dtype dtype, const sp_fast_shape *shape, const sp_fast_keys *keys,
                              const scores *s) {
  for (uint64_t c = 0; c < shape->d_value; c += LANES) {
    __m256 total = _mm256_setzero_ps();
    for (uint32_t group = 0; group < s->n; group += GROUP) {
      __m256 sum = _mm256_setzero_ps();
      for (uint32_t t = group; t < group + GROUP; t++) {
        if (!s->present[t]) continue;
        int64_t step = ((int64_t)t - (int64_t)s->lead) * keys->v_stride;
        __m256 v = load8(dtype, sp_fast_step(keys->v, dtype, step), c, shape->d_value, 0.0F);
        sum = _mm256_fmadd_ps(_mm256_set1_ps(s->x[t]), v, sum);
      }
      total = _mm256_add_ps(total, sum);
    }
    _mm256_storeu_ps(shape->partial + c, total);
  }
}

/* acc = acc * factor + partial, 4 of binary64 at a time; both are padded to whole registers. Where the
 * factor is 0 acc may hold anything. */
static void add_partial(const sp_fast_shape *shape, double *acc, double factor) {
  const __m256d f = _mm256_set1_pd(factor);
  for (uint64_t c = 0; c < shape->d_value; c += 4) {
    __m256d more = _mm256_cvtps_pd(_mm_loadu_ps(shape->partial + c));
    __m256d before = factor > 0.0 ? _mm256_loadu_pd(acc + c) : _mm256_setzero_pd();
    _mm256_storeu_pd(acc + c, _mm256_fmadd_pd(before, f, more));
  }
}

/* A larger maximum makes all that was summed before it smaller; 1 when it stays, 0 at the first. Later
 * it is never 0, so that a NaN among what was summed is not lost. spec: SM-6 */
static double raise_max(sp_fast_sum *sum, float max) {
  if ((double)max <= sum->max) return 1.0;
  double factor = sum->max == -INFINITY ? 0.0 : fmax(exp(sum->max - (double)max), 0x1p-1074);
  sum->max = (double)max;
  return factor;
}

SPECIALISED void tile_row(sp_dtype k_dtype, sp_dtype v_dtype, const sp_fast_shape *shape,
                          const sp_fast_keys *keys, sp_fast_row *row) {
  scores s;
  float max = score(k_dtype, shape, keys, row, &s);
  if (max == -INFINITY || row->sum.invalid) return;
  double factor = raise_max(&row->sum, max);
  float sum = exponentiate(&s, (float)row->sum.max);
  row->sum.sum = row->sum.sum * factor + (double)sum;
  weigh_values(v_dtype, shape, keys, &s);
  add_partial(shape, row->acc, factor);
}

/* Keys and values of one type are the usual case; rotated keys are binary32 beside any values. */
static void tile_run(const sp_fast_shape *shape, const sp_fast_keys *keys, sp_fast_row *rows,
                     uint64_t n_rows) {
  bool same = keys->k_dtype == keys->v_dtype || shape->d_value == 0;
  for (uint64_t r = 0; r < n_rows; r++) {
    if (!same) {
      tile_row(keys->k_dtype, keys->v_dtype, shape, keys, &rows[r]);
    } else if (keys->k_dtype == SP_F16) {
      tile_row(SP_F16, SP_F16, shape, keys, &rows[r]);
    } else if (keys->k_dtype == SP_BF16) {
      tile_row(SP_BF16, SP_BF16, shape, keys, &rows[r]);
    } else {
      tile_row(SP_F32, SP_F32, shape, keys, &rows[r]);
    }
  }
}

void sp_fast_tile_avx2(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                       sp_fast_row *rows, uint64_t n_rows) {
  for (uint32_t i = 0; i < n_runs; i++) tile_run(shape, &keys[i], rows, n_rows);
}
