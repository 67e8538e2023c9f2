/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention: for all rows the logits of the tile's keys (dot.h), then row by row a new
 * maximum, the exponentials and their sum, then for all rows the values (values.h); in binary32
 * inside the tile, added to the row in binary64.
 *
 * Keys come in groups of 16, one per lane, that start at multiples of 16 whatever the tile's first
 * key is: the same keys meet in the same sums in every call that sees them. Rows go together as far
 * as they can share a load, four at a time, and no row's arithmetic knows of another's.
 *
 * Roofline, d = 64: a row spends on 16 keys 64 multiply-adds for q·k and 64 for p·v, 32 cycles each
 * at two a cycle, and about 6 cycles on the exponential: 64 of 70 cycles, so what dot.h and values.h
 * reach is what decides. A tile of 256 keys (64 KiB of binary32, half of that in 16 bits) comes from
 * the second-level cache or from memory once for all rows. */
#include "fast/avx512/dot.h"
#include "fast/avx512/exp.h"
#include "fast/avx512/values.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

#define GROUPS (SP_FAST_TILE / LANES)
#define ROWS   SP_FAST_STRIP

/* What a strip of rows knows of one tile: 16 logits, later 16 weights, for each row and group. Lanes
 * of absent keys hold -inf, later 0. */
typedef struct strip {
  float x[ROWS][GROUPS][LANES] __attribute__((aligned(64)));
  uint16_t present[ROWS][GROUPS];
  uint32_t n_groups;
  uint32_t n_rows;
  bool alike; /* every row sees the same keys and only scales: the usual case */
  const sp_fast_keys *keys;
  sp_fast_row *rows;
} strip;

/* The index of lane 0 of a group; the first group's may be before the tile's first key. */
static uint64_t group_base(const sp_fast_keys *keys, uint32_t group) {
  return (keys->first / LANES + group) * LANES;
}

/* Lanes of a group whose keys are in the tile. */
static uint32_t lanes_in_tile(const sp_fast_keys *keys, uint64_t base) {
  uint32_t before_end = first_lanes(keys->first + keys->n - base);
  uint32_t before_begin = base < keys->first ? first_lanes(keys->first - base) : 0u;
  return before_end & ~before_begin;
}

/* spec: AT-3 */
static uint32_t present_lanes(const sp_fast_logit_rule *rule, uint64_t base, uint32_t in_tile) {
  if (sp_fast_all_present(rule)) return in_tile;
  uint32_t present = 0;
  for (uint32_t lane = 0; lane < LANES; lane++)
    if ((in_tile >> lane & 1u) != 0 && sp_fast_present(rule, base + lane)) present |= 1u << lane;
  return present;
}

/* Rows of k for 16 lanes. Lanes outside the tile repeat one inside: what they read is thrown away,
 * but it must be memory that may be read. spec: KC-4 */
static void key_rows(const sp_fast_keys *keys, uint64_t base, const void *row[LANES]) {
  uint64_t last = keys->first + keys->n - 1;
  for (uint32_t lane = 0; lane < LANES; lane++) {
    uint64_t j = base + lane < keys->first ? keys->first : base + lane;
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

/* The usual case of put_logits. */
static inline void put_scaled(strip *s, uint32_t r, uint32_t g, __m512 dots, uint32_t in_tile) {
  __m512 x = _mm512_mul_ps(_mm512_set1_ps(s->rows[r].rule.scale), dots);
  if (_mm512_mask_fpclass_ps_mask((__mmask16)in_tile, dots, NOT_FINITE) != 0)
    s->rows[r].sum.invalid = true;
  s->present[r][g] = (uint16_t)in_tile;
  _mm512_store_ps(s->x[r][g], _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), (__mmask16)in_tile, x));
}

/* spec: AT-2; SM-5 a dot product that is not finite has a q or a k that is not. A logit of +inf is
 * found as the row's maximum. */
static __attribute__((noinline)) void put_general(strip *s, uint32_t r, uint32_t g, __m512 dots,
                                                  uint32_t in_tile) {
  sp_fast_row *row = &s->rows[r];
  uint64_t base = group_base(s->keys, g);
  uint32_t present = present_lanes(&row->rule, base, in_tile);
  __m512 x = sp_fast_only_scaled(&row->rule) ? _mm512_mul_ps(_mm512_set1_ps(row->rule.scale), dots)
                                             : general_logits(&row->rule, dots, base, present);
  __mmask16 bad = _mm512_mask_fpclass_ps_mask((__mmask16)present, dots, NOT_FINITE);
  if (bad != 0 || _mm512_mask_cmp_ps_mask((__mmask16)present, x, x, _CMP_UNORD_Q) != 0)
    row->sum.invalid = true;
  s->present[r][g] = (uint16_t)present;
  _mm512_store_ps(s->x[r][g], _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), (__mmask16)present, x));
}

SPECIALISED void put_logits(strip *s, uint32_t r, uint32_t g, __m512 dots, uint32_t in_tile) {
  if (s->alike) {
    put_scaled(s, r, g, dots, in_tile);
  } else {
    put_general(s, r, g, dots, in_tile);
  }
}

/* Logits of one group of keys for all rows of the strip. */
SPECIALISED void score_group(sp_dtype dtype, uint64_t d, strip *s, uint32_t g) {
  const void *key[LANES];
  const float *q[ROWS];
  __m512 dots[4];
  uint64_t base = group_base(s->keys, g);
  uint32_t in_tile = lanes_in_tile(s->keys, base);
  uint32_t r = 0;
  key_rows(s->keys, base, key);
  for (uint32_t i = 0; i < s->n_rows; i++) q[i] = s->rows[i].q;
  for (; r + 4 <= s->n_rows; r += 4) {
    dot4(dtype, q + r, key, d, dots);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) put_logits(s, r + i, g, dots[i], in_tile);
  }
  for (; r + 2 <= s->n_rows; r += 2) {
    dot2(dtype, q + r, key, d, dots);
    put_logits(s, r, g, dots[0], in_tile);
    put_logits(s, r + 1, g, dots[1], in_tile);
  }
  for (; r < s->n_rows; r++) {
    dot1(dtype, q + r, key, d, dots);
    put_logits(s, r, g, dots[0], in_tile);
  }
}

SPECIALISED void score_groups(sp_dtype dtype, uint64_t d, strip *s) {
  for (uint32_t g = 0; g < s->n_groups; g++) score_group(dtype, d, s, g);
}

/* The usual lengths of a head are constants in the loops. */
SPECIALISED void score(sp_dtype dtype, uint64_t d, strip *s) {
  if (d == 64) {
    score_groups(dtype, 64, s);
  } else if (d == 128) {
    score_groups(dtype, 128, s);
  } else {
    score_groups(dtype, d, s);
  }
}

static float largest(const strip *s, uint32_t r) {
  __m512 max = _mm512_load_ps(s->x[r][0]);
  for (uint32_t g = 1; g < s->n_groups; g++) max = _mm512_max_ps(_mm512_load_ps(s->x[r][g]), max);
  return _mm512_reduce_max_ps(max);
}

/* Logits become exponentials; their sum: 64 keys at a time in each lane, then the lanes. Groups past
 * the last one hold nothing. spec: SM-2 */
static float exponentiate(strip *s, uint32_t r, float max) {
  __m512 sum = _mm512_setzero_ps();
  for (uint32_t g = 0; g < s->n_groups; g += 4) {
    __m512 x[4];
    for (uint32_t i = 0; i < 4; i++)
      x[i] = g + i < s->n_groups ? _mm512_load_ps(s->x[r][g + i]) : _mm512_set1_ps(-INFINITY);
    sum = exp64_sum(x, _mm512_set1_ps(max), sum);
    for (uint32_t i = 0; i < 4; i++) _mm512_store_ps(s->x[r][g + i], x[i]);
  }
  return _mm512_reduce_add_ps(sum);
}

/* A larger maximum makes all that was summed before it smaller; 1 when it stays, 0 at the first. */
static double raise_max(sp_fast_sum *sum, float max) {
  if ((double)max <= sum->max) return 1.0;
  double factor = sum->max == -INFINITY ? 0.0 : exp(sum->max - (double)max);
  sum->max = (double)max;
  return factor;
}

/* The sum of a row moves on by the tile. Returns what its outputs so far are to be multiplied by;
 * negative if the tile gives it nothing. spec: SM-5 */
static double add_weights(strip *s, uint32_t r) {
  sp_fast_sum *sum = &s->rows[r].sum;
  float max = largest(s, r);
  if (max == INFINITY) sum->invalid = true;
  if (max == -INFINITY || sum->invalid) return -1.0;
  double factor = raise_max(sum, max);
  float more = exponentiate(s, r, (float)sum->max);
  sum->sum = sum->sum * factor + (double)more;
  return factor;
}

static weighed weighed_row(const sp_fast_shape *shape, const strip *s, uint32_t r, uint32_t g) {
  uint64_t out_len = (shape->d_value + LANES - 1) / LANES * LANES;
  return (weighed){.p = s->x[r][g], .out = shape->partial + r * out_len};
}

SPECIALISED void weigh_group(sp_dtype dtype, const sp_fast_shape *shape, const strip *s, uint32_t g,
                             values v) {
  weighed row[ROWS];
  uint32_t r = 0;
  for (uint32_t i = 0; i < s->n_rows; i++) row[i] = weighed_row(shape, s, i, g);
  v.present = s->present[0][g];
  if (s->alike) {
    for (; r + 4 <= s->n_rows; r += 4) weigh_rows(4, dtype, &v, row + r, shape->d_value);
    for (; r + 2 <= s->n_rows; r += 2) weigh_rows(2, dtype, &v, row + r, shape->d_value);
  }
  for (; r < s->n_rows; r++) {
    v.present = s->present[r][g];
    weigh_rows(1, dtype, &v, row + r, shape->d_value);
  }
}

SPECIALISED void weigh(sp_dtype dtype, const sp_fast_shape *shape, const strip *s) {
  const sp_fast_keys *keys = s->keys;
  for (uint32_t g = 0; g < s->n_groups; g++) {
    int64_t t = (int64_t)(group_base(keys, g) - keys->first);
    int64_t step = keys->v_stride * (int64_t)sp_fast_bytes(dtype);
    weigh_group(dtype, shape, s, g,
                (values){.lane0 = (const char *)keys->v + t * step, .step = step});
  }
}

/* acc = acc * factor + partial, 8 of binary64 at a time; both are padded to whole registers. */
static void add_partial(const sp_fast_shape *shape, const float *partial, double *acc,
                        double factor) {
  const __m512d f = _mm512_set1_pd(factor);
  for (uint64_t c = 0; c < shape->d_value; c += 8) {
    __m512d more = _mm512_cvtps_pd(_mm256_load_ps(partial + c));
    _mm512_storeu_pd(acc + c, _mm512_fmadd_pd(_mm512_loadu_pd(acc + c), f, more));
  }
}

static void score_strip(const sp_fast_shape *shape, strip *s) {
  switch (s->keys->k_dtype) {
  case SP_F16:
    score(SP_F16, shape->d_head, s);
    return;
  case SP_BF16:
    score(SP_BF16, shape->d_head, s);
    return;
  default:
    score(SP_F32, shape->d_head, s);
  }
}

static void weigh_strip(const sp_fast_shape *shape, const strip *s) {
  switch (s->keys->v_dtype) {
  case SP_F16:
    weigh(SP_F16, shape, s);
    return;
  case SP_BF16:
    weigh(SP_BF16, shape, s);
    return;
  default:
    weigh(SP_F32, shape, s);
  }
}

static bool rows_alike(const sp_fast_row *rows, uint32_t n_rows) {
  for (uint32_t r = 0; r < n_rows; r++)
    if (!sp_fast_all_present(&rows[r].rule) || !sp_fast_only_scaled(&rows[r].rule)) return false;
  return true;
}

static void tile_strip(const sp_fast_shape *shape, const sp_fast_keys *keys, sp_fast_row *rows,
                       uint32_t n_rows) {
  strip s;
  double factor[ROWS];
  bool any = false;
  s.keys = keys;
  s.rows = rows;
  s.n_rows = n_rows;
  s.alike = rows_alike(rows, n_rows);
  s.n_groups = (uint32_t)((keys->first % LANES + keys->n + LANES - 1) / LANES);
  score_strip(shape, &s);
  for (uint32_t r = 0; r < n_rows; r++) {
    factor[r] = add_weights(&s, r);
    any = any || factor[r] >= 0.0;
  }
  if (!any || shape->d_value == 0) return;
  uint64_t out_len = (shape->d_value + LANES - 1) / LANES * LANES;
  memset(shape->partial, 0, n_rows * out_len * sizeof(float));
  weigh_strip(shape, &s);
  for (uint32_t r = 0; r < n_rows; r++)
    if (factor[r] >= 0.0) add_partial(shape, shape->partial + r * out_len, rows[r].acc, factor[r]);
}

void sp_fast_tile_avx512(const sp_fast_shape *shape, const sp_fast_keys *keys, sp_fast_row *rows,
                         uint64_t n_rows) {
  for (uint64_t r = 0; r < n_rows; r += ROWS)
    tile_strip(shape, keys, rows + r, (uint32_t)(n_rows - r < ROWS ? n_rows - r : ROWS));
}
