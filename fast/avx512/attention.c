/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention: for each row the logits of the tile's keys, a new maximum, the
 * exponentials and their sum, then the values; in binary32 inside the tile, added to the row in
 * binary64.
 *
 * Keys come in groups of 16, one per lane, that start at multiples of 16 whatever the tile's first
 * key is: the same keys meet in the same sums in every call that sees them. */
#include "fast/avx512/dot.h"
#include "fast/avx512/exp.h"
#include "fast/avx512/lanes.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

#define GROUPS (SP_FAST_TILE / LANES)

/* One row's view of one tile: 16 logits, later 16 weights, for each group. Lanes of absent keys
 * hold -inf, later 0. */
typedef struct scores {
  float x[GROUPS][LANES] __attribute__((aligned(64)));
  __mmask16 present[GROUPS];
  uint32_t n_groups;
} scores;

/* The index of lane 0 of a group; the first group's may be before the tile's first key. */
static uint64_t group_base(const sp_fast_keys *keys, uint32_t group) {
  return (keys->first / LANES + group) * LANES;
}

/* Lanes of a group whose keys are in the tile. */
static __mmask16 lanes_in_tile(const sp_fast_keys *keys, uint64_t base) {
  __mmask16 before_end = first_lanes(keys->first + keys->n - base);
  __mmask16 before_begin = base < keys->first ? first_lanes(keys->first - base) : (__mmask16)0;
  return (__mmask16)(before_end & ~before_begin);
}

/* spec: AT-3 */
static __mmask16 present_lanes(const sp_fast_logit_rule *rule, uint64_t base, uint32_t in_tile) {
  if (sp_fast_all_present(rule)) return (__mmask16)in_tile;
  uint32_t present = 0;
  for (uint32_t lane = 0; lane < LANES; lane++)
    if ((in_tile >> lane & 1u) != 0 && sp_fast_present(rule, base + lane)) present |= 1u << lane;
  return (__mmask16)present;
}

/* Rows of k for 16 lanes. Lanes outside the tile repeat one inside: what they read is thrown away,
 * but it must be memory that may be read. spec: KC-4 */
static void key_rows(const sp_fast_keys *keys, uint64_t base, const void *row[LANES]) {
  for (uint32_t lane = 0; lane < LANES; lane++) {
    uint64_t j = base + lane < keys->first ? keys->first : base + lane;
    uint64_t last = keys->first + keys->n - 1;
    int64_t t = (int64_t)((j < last ? j : last) - keys->first);
    row[lane] = sp_fast_step(keys->k, keys->k_dtype, t * keys->k_stride);
  }
}

/* From dot products to logits, by the general rule, lane by lane in binary64. */
static __m512 general_logits(const sp_fast_logit_rule *rule, __m512 dots, uint64_t base,
                             uint32_t present) {
  float x[LANES];
  _mm512_storeu_ps(x, dots);
  for (uint32_t lane = 0; lane < LANES; lane++)
    if ((present >> lane & 1u) != 0)
      x[lane] = (float)sp_fast_logit(rule, (double)x[lane], base + lane);
  return _mm512_loadu_ps(x);
}

/* spec: AT-2; SM-5 a dot product that is not finite has a q or a k that is not */
static __m512 logits_of_dots(sp_fast_row *row, __m512 dots, uint64_t base, __mmask16 present) {
  const __m512 infinity = _mm512_set1_ps(INFINITY);
  __m512 x = sp_fast_only_scaled(&row->rule) ? _mm512_mul_ps(_mm512_set1_ps(row->rule.scale), dots)
                                             : general_logits(&row->rule, dots, base, present);
  __mmask16 bad = _mm512_mask_fpclass_ps_mask(present, dots, NOT_FINITE);
  if (bad != 0 || _mm512_mask_cmp_ps_mask(present, x, infinity, _CMP_NLT_UQ) != 0)
    row->sum.invalid = true;
  return _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), present, x);
}

/* Logits of the whole tile, and the largest. */
SPECIALISED float score(sp_dtype dtype, const sp_fast_shape *shape, const sp_fast_keys *keys,
                        sp_fast_row *row, scores *s) {
  __m512 max = _mm512_set1_ps(-INFINITY);
  s->n_groups = (uint32_t)((keys->first % LANES + keys->n + LANES - 1) / LANES);
  for (uint32_t g = 0; g < s->n_groups; g++) {
    const void *k[LANES];
    uint64_t base = group_base(keys, g);
    s->present[g] = present_lanes(&row->rule, base, lanes_in_tile(keys, base));
    key_rows(keys, base, k);
    __m512 dots = dot16(dtype, row->q, k, shape->d_head);
    __m512 x = logits_of_dots(row, dots, base, s->present[g]);
    _mm512_store_ps(s->x[g], x);
    max = _mm512_max_ps(x, max);
  }
  return _mm512_reduce_max_ps(max);
}

/* Logits become exponentials; their sum. spec: SM-2 */
static float exponentiate(scores *s, float max) {
  __m512 sum = _mm512_setzero_ps();
  for (uint32_t g = 0; g < s->n_groups; g++) {
    __m512 p = exp16(_mm512_sub_ps(_mm512_load_ps(s->x[g]), _mm512_set1_ps(max)));
    _mm512_store_ps(s->x[g], p);
    sum = _mm512_add_ps(sum, p);
  }
  return _mm512_reduce_add_ps(sum);
}

/* 16 elements of the sum of p * v over one group. Only present keys are touched, and all of them,
 * also where p is 0. spec: SM-4, SM-6, AT-3 */
SPECIALISED __m512 group_values(sp_dtype dtype, const sp_fast_keys *keys, const float *p,
                                uint64_t base, uint32_t present, uint64_t c, __mmask16 lanes) {
  __m512 sum = _mm512_setzero_ps();
  for (; present != 0; present &= present - 1) {
    uint32_t lane = (uint32_t)__builtin_ctz(present);
    int64_t t = (int64_t)(base + lane - keys->first);
    const void *v = sp_fast_step(keys->v, dtype, t * keys->v_stride);
    sum = _mm512_fmadd_ps(_mm512_set1_ps(p[lane]), load16(dtype, v, c, lanes), sum);
  }
  return sum;
}

/* partial[c] = the sum of p * v over the tile: 16 keys in a chain, then the groups. */
SPECIALISED void weigh_values(sp_dtype dtype, const sp_fast_shape *shape, const sp_fast_keys *keys,
                              const scores *s) {
  for (uint32_t g = 0; g < s->n_groups; g++) {
    uint64_t base = group_base(keys, g);
    for (uint64_t c = 0; c < shape->d_value; c += LANES) {
      __mmask16 lanes = first_lanes(shape->d_value - c);
      __m512 sum = group_values(dtype, keys, s->x[g], base, s->present[g], c, lanes);
      if (g > 0) sum = _mm512_add_ps(_mm512_load_ps(shape->partial + c), sum);
      _mm512_store_ps(shape->partial + c, sum);
    }
  }
}

/* acc = acc * factor + partial, 8 of binary64 at a time; both are padded to whole registers. */
static void add_partial(const sp_fast_shape *shape, double *acc, double factor) {
  const __m512d f = _mm512_set1_pd(factor);
  for (uint64_t c = 0; c < shape->d_value; c += 8) {
    __m512d more = _mm512_cvtps_pd(_mm256_loadu_ps(shape->partial + c));
    _mm512_storeu_pd(acc + c, _mm512_fmadd_pd(_mm512_loadu_pd(acc + c), f, more));
  }
}

/* A larger maximum makes all that was summed before it smaller; 1 when it stays, 0 at the first. */
static double raise_max(sp_fast_sum *sum, float max) {
  if ((double)max <= sum->max) return 1.0;
  double factor = exp(sum->max - (double)max);
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

SPECIALISED void tile_rows(sp_dtype k_dtype, const sp_fast_shape *shape, const sp_fast_keys *keys,
                           sp_fast_row *rows, uint64_t n_rows) {
  for (uint64_t r = 0; r < n_rows; r++) switch (keys->v_dtype) {
    case SP_F16:
      tile_row(k_dtype, SP_F16, shape, keys, &rows[r]);
      break;
    case SP_BF16:
      tile_row(k_dtype, SP_BF16, shape, keys, &rows[r]);
      break;
    default:
      tile_row(k_dtype, SP_F32, shape, keys, &rows[r]);
    }
}

void sp_fast_tile_avx512(const sp_fast_shape *shape, const sp_fast_keys *keys, sp_fast_row *rows,
                         uint64_t n_rows) {
  switch (keys->k_dtype) {
  case SP_F16:
    tile_rows(SP_F16, shape, keys, rows, n_rows);
    return;
  case SP_BF16:
    tile_rows(SP_BF16, shape, keys, rows, n_rows);
    return;
  default:
    tile_rows(SP_F32, shape, keys, rows, n_rows);
  }
}
