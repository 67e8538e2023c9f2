/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention: for all rows the logits of the tile's keys (dot.h), then row by row a new
 * maximum, the exponentials and their sum, then for all rows the values (values.h); in binary32
 * inside the tile, added to the row in binary64.
 *
 * Keys come in groups of 16, one per lane, that start at multiples of 16 whatever the tile's first
 * key is: the same keys meet in the same sums in every call that sees them. Rows go together as far
 * as they can share a load, eight at a time, and no row's arithmetic knows of another's.
 *
 * Roofline, d = 64: a row spends on 16 keys 64 multiply-adds for q·k and 64 for p·v, 32 cycles each
 * at two a cycle, and 5 cycles of the same two pipes on the exponential: 64 of 69 cycles, so what
 * dot.h and values.h reach is what decides. A tile of 256 keys (64 KiB of binary32, half of that in
 * 16 bits) comes from the second-level cache or from memory once for all rows. */
#include "fast/avx512/dot.h"
#include "fast/avx512/exp.h"
#include "fast/avx512/values.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

#define GROUPS (SP_FAST_TILE / LANES)
#define ROWS   SP_FAST_STRIP

/* Sixteen keys of one run. */
typedef struct group {
  const sp_fast_keys *keys;
  uint64_t base;    /* the number of lane 0, which may lie before the run's first key */
  uint32_t in_tile; /* lanes whose keys are in the run */
} group;

/* What a strip of rows knows of one tile: 16 logits, later 16 weights, for each row and group. Lanes
 * of absent keys hold -inf, later 0. */
typedef struct strip {
  float x[ROWS][GROUPS][LANES] __attribute__((aligned(64)));
  uint16_t present[ROWS][GROUPS];
  uint16_t bad[ROWS]; /* lanes where some present logit is not finite, or will not be a number */
  const group *groups;
  uint32_t n_groups;
  uint32_t n_rows;
  bool alike; /* every row sees the same keys and only scales: the usual case */
  sp_fast_row *rows;
} strip;

/* Lanes of a group whose keys are in the run. */
static uint32_t lanes_in_run(const sp_fast_keys *keys, uint64_t base) {
  uint32_t before_end = first_lanes(keys->first + keys->n - base);
  uint32_t before_begin = base < keys->first ? first_lanes(keys->first - base) : 0u;
  return before_end & ~before_begin;
}

static uint32_t cut_groups(const sp_fast_keys *keys, uint32_t n_runs, group groups[GROUPS]) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < n_runs; i++) {
    uint64_t end = keys[i].first + keys[i].n;
    for (uint64_t base = keys[i].first / LANES * LANES; base < end; base += LANES)
      groups[n++] = (group){&keys[i], base, lanes_in_run(&keys[i], base)};
  }
  return n;
}

/* spec: AT-3 */
static uint32_t present_lanes(const sp_fast_logit_rule *rule, uint64_t base, uint32_t in_tile) {
  if (sp_fast_all_present(rule)) return in_tile;
  uint32_t present = 0;
  for (uint32_t lane = 0; lane < LANES; lane++)
    if ((in_tile >> lane & 1u) != 0 && sp_fast_present(rule, base + lane)) present |= 1u << lane;
  return present;
}

/* Rows of k for 16 lanes. Lanes outside the run repeat one inside: what they read is thrown away,
 * but it must be memory that may be read. spec: KC-4 */
static void key_rows(const group *g, const char *row[LANES]) {
  const sp_fast_keys *keys = g->keys;
  int64_t step = keys->k_stride * (int64_t)sp_fast_bytes(keys->k_dtype);
  int64_t last = (int64_t)keys->n - 1;
  int64_t t = (int64_t)(g->base - keys->first);
  if (g->in_tile == 0xffff) {
    for (uint32_t lane = 0; lane < LANES; lane++)
      row[lane] = (const char *)keys->k + (t + (int64_t)lane) * step;
    return;
  }
  for (uint32_t lane = 0; lane < LANES; lane++, t++) {
    int64_t inside = t < 0 ? 0 : t < last ? t : last;
    row[lane] = (const char *)keys->k + inside * step;
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

/* A group and the one after it on their way past the rows of a strip. */
typedef struct pass {
  uint64_t d;
  const float *spread, *packed;
  packing next;
} pass;

/* The usual case of a logit. */
static inline void put_scaled(strip *s, uint32_t r, uint32_t g, __m512 dots) {
  __mmask16 in_tile = (__mmask16)s->groups[g].in_tile;
  __m512 x = _mm512_mul_ps(_mm512_set1_ps(s->rows[r].rule.scale), dots);
  s->bad[r] |= (uint16_t)_mm512_mask_fpclass_ps_mask(in_tile, dots, NOT_FINITE);
  s->present[r][g] = (uint16_t)in_tile;
  _mm512_store_ps(s->x[r][g], _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), in_tile, x));
}

/* spec: AT-2; SM-5 a dot product that is not finite has a q or a k that is not. A logit of +inf is
 * found as the row's maximum. */
static __attribute__((noinline)) void put_general(strip *s, uint32_t r, uint32_t g, __m512 dots) {
  const sp_fast_logit_rule *rule = &s->rows[r].rule;
  uint64_t base = s->groups[g].base;
  uint32_t present = present_lanes(rule, base, s->groups[g].in_tile);
  __m512 x = sp_fast_only_scaled(rule) ? _mm512_mul_ps(_mm512_set1_ps(rule->scale), dots)
                                       : general_logits(rule, dots, base, present);
  s->bad[r] |= (uint16_t)_mm512_mask_fpclass_ps_mask((__mmask16)present, dots, NOT_FINITE);
  s->bad[r] |= (uint16_t)_mm512_mask_cmp_ps_mask((__mmask16)present, x, x, _CMP_UNORD_Q);
  s->present[r][g] = (uint16_t)present;
  _mm512_store_ps(s->x[r][g], _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), (__mmask16)present, x));
}

/* n_rows rows from r on; `unit` and `n_units` of the next group are packed meanwhile. */
SPECIALISED void score_rows(uint32_t n_rows, sp_dtype dtype, bool ragged, strip *s, uint32_t r,
                            uint32_t g, const pass *p, uint32_t unit, uint32_t n_units) {
  __m512 dots[4];
  dot_rows(n_rows, dtype, ragged, p->d, p->spread + r * LANES, p->packed, &p->next, unit, n_units,
           dots);
#pragma GCC unroll 4
  for (uint32_t i = 0; i < n_rows; i++) {
    if (s->alike) {
      put_scaled(s, r + i, g, dots[i]);
    } else {
      put_general(s, r + i, g, dots[i]);
    }
  }
}

/* All rows meet group g. Packing goes with the first of them, or with all when they are eight. */
SPECIALISED void score_group(sp_dtype dtype, bool ragged, strip *s, uint32_t g, const pass *p) {
  if (s->n_rows == 8) {
    score_rows(4, dtype, ragged, s, 0, g, p, 0, 2);
    score_rows(4, dtype, ragged, s, 4, g, p, 2, 2);
    return;
  }
  uint32_t r = 0;
  if (s->n_rows >= 4) {
    score_rows(4, dtype, ragged, s, 0, g, p, 0, 4);
    r = 4;
  } else {
    score_rows(1, dtype, ragged, s, 0, g, p, 0, 4);
    r = 1;
  }
  for (; r + 2 <= s->n_rows; r += 2) score_rows(2, dtype, ragged, s, r, g, p, 0, 0);
  if (r < s->n_rows) score_rows(1, dtype, ragged, s, r, g, p, 0, 0);
}

/* The last group packs itself once more, into the half that nobody reads. */
SPECIALISED void score(sp_dtype dtype, bool ragged, const sp_fast_shape *shape, uint32_t first_row,
                       strip *s) {
  uint64_t half = sp_fast_padded(shape->d_head) * LANES;
  pass p = {.spread = shape->spread + first_row * sp_fast_padded(shape->d_head) * 4,
            .d = shape->d_head,
            .next = {.to = shape->packed}};
  key_rows(&s->groups[0], p.next.row);
  pack_group(dtype, ragged, p.d, &p.next);
  for (uint32_t g = 0; g < s->n_groups; g++) {
    p.packed = p.next.to;
    p.next.to = shape->packed + (g % 2 == 0 ? half : 0);
    if (g + 1 < s->n_groups) key_rows(&s->groups[g + 1], p.next.row);
    score_group(dtype, ragged, s, g, &p);
  }
}

static float largest(const strip *s, uint32_t r) {
  __m512 max[4];
  for (uint32_t i = 0; i < 4; i++) max[i] = _mm512_load_ps(s->x[r][i]);
  for (uint32_t g = 4; g < s->n_groups; g += 4)
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) max[i] = _mm512_max_ps(_mm512_load_ps(s->x[r][g + i]), max[i]);
  return _mm512_reduce_max_ps(
      _mm512_max_ps(_mm512_max_ps(max[0], max[1]), _mm512_max_ps(max[2], max[3])));
}

/* Logits become exponentials; their sum: 128 or 64 keys at a time in each lane, then the lanes. What
 * is past the last group holds -inf. spec: SM-2 */
static float exponentiate(strip *s, uint32_t r, float max) {
  __m512 sum = _mm512_setzero_ps();
  uint32_t g = 0;
  for (; g + 8 <= s->n_groups; g += 8) {
    __m512 x[8];
#pragma GCC unroll 8
    for (uint32_t i = 0; i < 8; i++) x[i] = _mm512_load_ps(s->x[r][g + i]);
    sum = exp128_sum(x, _mm512_set1_ps(max), sum);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < 8; i++) _mm512_store_ps(s->x[r][g + i], x[i]);
  }
  for (; g < s->n_groups; g += 4) {
    __m512 x[4];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) x[i] = _mm512_load_ps(s->x[r][g + i]);
    sum = exp64_sum(x, _mm512_set1_ps(max), sum);
#pragma GCC unroll 4
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
static double add_weights(strip *s, uint32_t r, float max) {
  sp_fast_sum *sum = &s->rows[r].sum;
  if (max == INFINITY || s->bad[r] != 0) sum->invalid = true;
  if (max == -INFINITY || sum->invalid) return -1.0;
  double factor = raise_max(sum, max);
  float more = exponentiate(s, r, (float)sum->max);
  sum->sum = sum->sum * factor + (double)more;
  return factor;
}

/* For each row, what add_weights returns; false if no row gets anything. */
static bool weigh_keys(strip *s, double factor[ROWS]) {
  bool any = false;
  float max[ROWS];
  for (uint32_t r = 0; r < s->n_rows; r++) {
    for (uint32_t g = s->n_groups; g % 4 != 0; g++)
      _mm512_store_ps(s->x[r][g], _mm512_set1_ps(-INFINITY));
    max[r] = largest(s, r);
  }
  for (uint32_t r = 0; r < s->n_rows; r++) {
    factor[r] = add_weights(s, r, max[r]);
    any = any || factor[r] >= 0.0;
  }
  return any;
}

SPECIALISED void weigh_group(sp_dtype dtype, const sp_fast_shape *shape, const strip *s,
                             uint32_t g) {
  const sp_fast_keys *keys = s->groups[g].keys;
  int64_t t = (int64_t)(s->groups[g].base - keys->first);
  int64_t step = keys->v_stride * (int64_t)sp_fast_bytes(dtype);
  weighing w = {.lane0 = (const char *)keys->v + t * step,
                .step = step,
                .p = s->x[0][g],
                .out = shape->partial,
                .present = s->present[0][g],
                .first = g == 0};
  uint32_t r = 0;
  if (s->alike && s->n_rows == 8) {
    weigh_rows(8, dtype, &w, shape->d_value);
    return;
  }
  if (s->alike && s->n_rows >= 4) {
    weigh_rows(4, dtype, &w, shape->d_value);
    r = 4;
  }
  for (; r < s->n_rows; r++) {
    w.p = s->x[r][g];
    w.out = shape->partial + r * LANES;
    w.present = s->present[r][g];
    weigh_rows(1, dtype, &w, shape->d_value);
  }
}

SPECIALISED void weigh(sp_dtype dtype, const sp_fast_shape *shape, const strip *s) {
  for (uint32_t g = 0; g < s->n_groups; g++) weigh_group(dtype, shape, s, g);
}

/* acc = acc * factor + partial, 8 of binary64 at a time; both are padded to whole registers. */
static void add_partial(const sp_fast_shape *shape, uint32_t r, double *acc, double factor) {
  const __m512d f = _mm512_set1_pd(factor);
  const float *partial = shape->partial + r * LANES;
  for (uint64_t c = 0; c < shape->d_value; c += LANES, partial += OUT_STEP) {
    __m512d low = _mm512_cvtps_pd(_mm256_load_ps(partial));
    __m512d high = _mm512_cvtps_pd(_mm256_load_ps(partial + 8));
    _mm512_storeu_pd(acc + c, _mm512_fmadd_pd(_mm512_loadu_pd(acc + c), f, low));
    _mm512_storeu_pd(acc + c + 8, _mm512_fmadd_pd(_mm512_loadu_pd(acc + c + 8), f, high));
  }
}

SPECIALISED void score_as(sp_dtype dtype, const sp_fast_shape *shape, uint32_t first_row,
                          strip *s) {
  if (shape->d_head % LANES == 0) {
    score(dtype, false, shape, first_row, s);
  } else {
    score(dtype, true, shape, first_row, s);
  }
}

static void score_strip(const sp_fast_shape *shape, uint32_t first_row, strip *s) {
  switch (s->groups[0].keys->k_dtype) {
  case SP_F16:
    score_as(SP_F16, shape, first_row, s);
    return;
  case SP_BF16:
    score_as(SP_BF16, shape, first_row, s);
    return;
  default:
    score_as(SP_F32, shape, first_row, s);
  }
}

static void weigh_strip(const sp_fast_shape *shape, const strip *s) {
  switch (s->groups[0].keys->v_dtype) {
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

/* spec: SM-6 a row that gets nothing keeps its outputs, whatever the values hold */
static void tile_strip(const sp_fast_shape *shape, uint32_t first_row, strip *s) {
  double factor[ROWS];
  memset(s->bad, 0, sizeof s->bad);
  score_strip(shape, first_row, s);
  if (!weigh_keys(s, factor) || shape->d_value == 0) return;
  weigh_strip(shape, s);
  for (uint32_t r = 0; r < s->n_rows; r++)
    if (factor[r] >= 0.0) add_partial(shape, r, s->rows[r].acc, factor[r]);
}

void sp_fast_tile_avx512(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                         sp_fast_row *rows, uint64_t n_rows) {
  group groups[GROUPS];
  strip s;
  s.groups = groups;
  s.n_groups = cut_groups(keys, n_runs, groups);
  for (uint32_t r = 0; r < n_rows; r += ROWS) {
    s.rows = rows + r;
    s.n_rows = (uint32_t)(n_rows - r < ROWS ? n_rows - r : ROWS);
    s.alike = rows_alike(s.rows, s.n_rows);
    tile_strip(shape, r, &s);
  }
}

void sp_fast_spread_avx512(const sp_fast_shape *shape, const sp_fast_row *rows, uint64_t n_rows) {
  uint64_t strip_length = sp_fast_padded(shape->d_head) * 4 * ROWS;
  for (uint64_t r = 0; r < n_rows; r++)
    spread_row(rows[r].q, shape->d_head, (uint32_t)(r % ROWS),
               shape->spread + r / ROWS * strip_length);
}
