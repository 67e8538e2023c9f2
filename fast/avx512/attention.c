/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention: for all rows the logits of the tile's keys (dot.h), then row by row a new
 * maximum, the exponentials and their sum, then for all rows the values (values.h); in binary32
 * inside the tile, added to the row in binary64.
 *
 * Keys come in groups of 16, one per lane (group.h). Rows go together as far as they can share a
 * load, eight at a time, and no row's arithmetic knows of another's.
 *
 * Roofline, d = 64: a row spends on 16 keys 64 multiply-adds for q·k and 64 for p·v, 32 cycles each
 * at two a cycle, and 5 cycles of the same two pipes on the exponential: 64 of 69 cycles, so what
 * dot.h and values.h reach is what decides. A tile of 256 keys (64 KiB of binary32, half of that in
 * 16 bits) comes from the second-level cache or from memory once for all rows.
 *
 * What keeps a row from that roof: packing, whose shuffles and stores get in the way of multiply-
 * adds; what is not multiply-adds at all, the maximum, the exponentials and their sums, which stand
 * between the two loops, since every weight waits for the row's maximum; a query's own start and
 * end (spreading q, the sink logit in binary64, the outputs), which 128 keys do not make small. The
 * shares of the time, and the command that shows them, are in certify/bench/results. */
#include "fast/avx512/dot.h"
#include "fast/avx512/exp.h"
#include "fast/avx512/group.h"
#include "fast/avx512/values.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

#define ROWS SP_FAST_STRIP

/* What a strip of rows knows of one tile: for each row and group 16 dot products, then logits, then
 * weights. Lanes of absent keys hold anything, then -inf, then 0. */
typedef struct strip {
  float x[ROWS][GROUPS][LANES] __attribute__((aligned(64)));
  uint16_t present[ROWS][GROUPS]; /* where rows are not alike */
  const tile *keys;
  uint32_t n_groups;
  uint32_t n_rows;
  bool first; /* strip of the tile */
  bool alike; /* every row sees the same keys and only scales: the usual case */
  sp_fast_row *rows;
} strip;

/* spec: AT-3 */
static uint32_t present_lanes(const sp_fast_logit_rule *rule, const tile *keys, uint32_t g) {
  uint32_t in_tile = group_lanes(keys, g);
  if (sp_fast_all_present(rule)) return in_tile;
  uint32_t present = 0;
  for (uint32_t k = g * LANES; in_tile >> (k % LANES) != 0; k++) {
    if (sp_fast_present(rule, key_number(keys, k))) present |= 1u << k % LANES;
    if (k % LANES == LANES - 1) break;
  }
  return present;
}

/* From dot products to logits, by the general rule, lane by lane in binary64. */
static __m512 general_logits(const sp_fast_logit_rule *rule, __m512 dots, const tile *keys,
                             uint32_t g, uint32_t present) {
  float x[LANES];
  _mm512_storeu_ps(x, dots);
  for (uint32_t rest = present; rest != 0; rest &= rest - 1) {
    uint32_t lane = (uint32_t)__builtin_ctz(rest);
    x[lane] = (float)sp_fast_logit(rule, (double)x[lane], key_number(keys, g * LANES + lane));
  }
  return _mm512_loadu_ps(x);
}

/* A group and the one after it on their way past the rows of a strip. */
typedef struct pass {
  uint64_t d;
  const float *spread, *packed;
  packing next;
} pass;

/* n_rows rows from r on; `unit` and `n_units` of the next group are packed meanwhile. */
SPECIALISED void score_rows(uint32_t n_rows, sp_dtype dtype, bool ragged, strip *s, uint32_t r,
                            uint32_t g, const pass *p, uint32_t unit, uint32_t n_units) {
  __m512 dots[4];
  dot_rows(n_rows, dtype, ragged, p->d, p->spread + r * LANES, p->packed, &p->next, unit, n_units,
           dots);
#pragma GCC unroll 4
  for (uint32_t i = 0; i < n_rows; i++) _mm512_store_ps(s->x[r + i][g], dots[i]);
}

/* 5 to 8 rows meet group g. Packing goes with the first four of them, or with all eight. */
SPECIALISED void score_group(sp_dtype dtype, bool ragged, strip *s, uint32_t g, const pass *p) {
  if (s->n_rows == 8) {
    score_rows(4, dtype, ragged, s, 0, g, p, 0, 2);
    score_rows(4, dtype, ragged, s, 4, g, p, 2, 2);
    return;
  }
  uint32_t r = 4;
  score_rows(4, dtype, ragged, s, 0, g, p, 0, 4);
  for (; r + 2 <= s->n_rows; r += 2) score_rows(2, dtype, ragged, s, r, g, p, 0, 0);
  if (r < s->n_rows) score_rows(1, dtype, ragged, s, r, g, p, 0, 0);
}

/* Rows from which on packing a group pays. */
#define PACK_ROWS 5u

SPECIALISED void score_rows_direct(uint32_t n_rows, sp_dtype dtype, bool ragged, strip *s,
                                   uint32_t r, uint32_t g, const pass *p) {
  __m512 dots[4];
  dot_rows_direct(n_rows, dtype, ragged, p->d, p->spread + r * LANES, &p->next, dots);
#pragma GCC unroll 4
  for (uint32_t i = 0; i < n_rows; i++) _mm512_store_ps(s->x[r + i][g], dots[i]);
}

SPECIALISED void score_few(sp_dtype dtype, bool ragged, const sp_fast_shape *shape, strip *s,
                           pass *p) {
  uint32_t whole = 0;
  int64_t step = 0;
  for (uint32_t g = 0; g < s->n_groups; g++) {
    uint32_t r = 0;
    move_rows(s->keys, g, &whole, &step, p->next.row);
    if (s->first) fetch_values(s->keys, g, shape->d_value);
    for (; r + 4 <= s->n_rows; r += 4) score_rows_direct(4, dtype, ragged, s, r, g, p);
    for (; r + 2 <= s->n_rows; r += 2) score_rows_direct(2, dtype, ragged, s, r, g, p);
    if (r < s->n_rows) score_rows_direct(1, dtype, ragged, s, r, g, p);
  }
}

/* The last group packs itself once more, into the half that nobody reads. */
SPECIALISED void score(sp_dtype dtype, bool ragged, const sp_fast_shape *shape, uint32_t first_row,
                       strip *s) {
  uint64_t half = sp_fast_padded(shape->d_head) * LANES;
  pass p = {.spread = shape->spread + first_row * sp_fast_padded(shape->d_head) * 4,
            .d = shape->d_head,
            .next = {.to = shape->packed}};
  if (s->n_rows < PACK_ROWS) {
    score_few(dtype, ragged, shape, s, &p);
    return;
  }
  uint32_t whole = 0;
  int64_t step = 0;
  move_rows(s->keys, 0, &whole, &step, p.next.row);
  pack_group(dtype, ragged, p.d, &p.next);
  for (uint32_t g = 0; g < s->n_groups; g++) {
    p.packed = p.next.to;
    p.next.to = shape->packed + (g % 2 == 0 ? half : 0);
    if (g + 1 < s->n_groups) move_rows(s->keys, g + 1, &whole, &step, p.next.row);
    if (s->first) fetch_values(s->keys, g, shape->d_value);
    score_group(dtype, ragged, s, g, &p);
  }
}

/* The usual case of a logit. Where some present one is not a number, or is infinite because its q or k
 * is, that lane of `bad` is set. */
static inline __m512 scale_group(strip *s, uint32_t r, uint32_t g, __mmask16 in_tile, __m512 scale,
                                 __mmask16 *bad) {
  __m512 dots = _mm512_load_ps(s->x[r][g]);
  __m512 x = _mm512_mask_mul_ps(_mm512_set1_ps(-INFINITY), in_tile, scale, dots);
  *bad = _kor_mask16(*bad, _mm512_mask_fpclass_ps_mask(in_tile, dots, NOT_FINITE));
  _mm512_store_ps(s->x[r][g], x);
  return x;
}

static __m512 scale_row(strip *s, uint32_t r) {
  const __m512 scale = _mm512_set1_ps(s->rows[r].rule.scale);
  __m512 even = _mm512_set1_ps(-INFINITY), odd = even;
  __mmask16 bad = 0;
  uint32_t g = 0;
  for (; g + 2 < s->n_groups; g += 2) {
    even = _mm512_max_ps(scale_group(s, r, g, 0xffff, scale, &bad), even);
    odd = _mm512_max_ps(scale_group(s, r, g + 1, 0xffff, scale, &bad), odd);
  }
  for (; g < s->n_groups; g++)
    even = _mm512_max_ps(scale_group(s, r, g, group_lanes(s->keys, g), scale, &bad), even);
  if (bad != 0) s->rows[r].sum.invalid = true;
  return _mm512_max_ps(even, odd);
}

/* spec: AT-2; SM-5 a dot product that is not finite has a q or a k that is not. A logit of +inf is
 * found as the row's maximum. */
static __m512 rule_row(strip *s, uint32_t r) {
  const sp_fast_logit_rule *rule = &s->rows[r].rule;
  __m512 max = _mm512_set1_ps(-INFINITY);
  __mmask16 bad = 0;
  for (uint32_t g = 0; g < s->n_groups; g++) {
    __m512 dots = _mm512_load_ps(s->x[r][g]);
    __mmask16 present = (__mmask16)present_lanes(rule, s->keys, g);
    __m512 x = sp_fast_only_scaled(rule) ? _mm512_mul_ps(_mm512_set1_ps(rule->scale), dots)
                                         : general_logits(rule, dots, s->keys, g, present);
    x = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), present, x);
    bad = _kor_mask16(bad, _mm512_mask_fpclass_ps_mask(present, dots, NOT_FINITE));
    bad = _kor_mask16(bad, _mm512_mask_cmp_ps_mask(present, x, x, _CMP_UNORD_Q));
    max = _mm512_max_ps(x, max);
    _mm512_store_ps(s->x[r][g], x);
    s->present[r][g] = present;
  }
  if (bad != 0) s->rows[r].sum.invalid = true;
  return max;
}

/* Dot products become logits; returns the largest. Groups are made up to a multiple of 4. */
static float find_logits(strip *s, uint32_t r) {
  for (uint32_t g = s->n_groups; g % 4 != 0; g++)
    _mm512_store_ps(s->x[r][g], _mm512_set1_ps(-INFINITY));
  return _mm512_reduce_max_ps(s->alike ? scale_row(s, r) : rule_row(s, r));
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

/* A larger maximum makes all that was summed before it smaller; 1 when it stays, 0 at the first. Later
 * it is never 0, so that a NaN among what was summed is not lost. spec: SM-6 */
static double raise_max(sp_fast_sum *sum, float max) {
  if ((double)max <= sum->max) return 1.0;
  double factor = sum->max == -INFINITY ? 0.0 : fmax(exp(sum->max - (double)max), 0x1p-1074);
  sum->max = (double)max;
  return factor;
}

/* The sum of a row moves on by the tile. Returns what its outputs so far are to be multiplied by;
 * negative if the tile gives it nothing. spec: SM-5 */
static double add_weights(strip *s, uint32_t r, float max) {
  sp_fast_sum *sum = &s->rows[r].sum;
  if (max == INFINITY) sum->invalid = true;
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
  for (uint32_t r = 0; r < s->n_rows; r++) max[r] = find_logits(s, r);
  for (uint32_t r = 0; r < s->n_rows; r++) {
    factor[r] = add_weights(s, r, max[r]);
    any = any || factor[r] >= 0.0;
  }
  return any;
}

/* Groups [g, g + w->n_groups) of all rows. */
SPECIALISED void weigh_groups(sp_dtype dtype, const sp_fast_shape *shape, const strip *s,
                              uint32_t g, weighing *w) {
  w->p = s->x[0][g];
  w->out = shape->partial;
  w->present = s->alike ? group_lanes(s->keys, g) : s->present[0][g];
  w->fresh = g == 0;
  uint32_t r = 0;
  if (s->alike && s->n_rows == 8) {
    weigh_rows(8, dtype, w, shape->d_value);
    return;
  }
  if (s->alike && s->n_rows >= 4) {
    weigh_rows(4, dtype, w, shape->d_value);
    r = 4;
  }
  for (; r < s->n_rows; r++) {
    w->p = s->x[r][g];
    w->out = shape->partial + r * LANES;
    if (!s->alike) w->present = s->present[r][g];
    weigh_rows(1, dtype, w, shape->d_value);
  }
}

/* Where the next keys are fetched meanwhile, it is after each group. */
SPECIALISED void weigh(sp_dtype dtype, const sp_fast_shape *shape, const strip *s) {
  const uint32_t at_once = s->keys->run->fetch ? 1 : GROUPS;
  for (uint32_t g = 0; g < s->n_groups;) {
    weighing w = {.first = NULL, .n_groups = 0};
    if (s->first) fetch_next_keys(s->keys, g, shape->d_head);
    if (s->alike) w.n_groups = whole_groups(s->keys, g, true, &w.first, &w.step);
    if (w.n_groups == 0) {
      w.n_groups = 1;
      group_rows(s->keys, g, true, w.row);
    }
    if (w.n_groups > at_once) w.n_groups = at_once;
    weigh_groups(dtype, shape, s, g, &w);
    g += w.n_groups;
  }
}

/* acc = acc * factor + partial, 8 of binary64 at a time; both are padded to whole registers. Where the
 * factor is 0 acc may hold anything. */
static void add_partial(const sp_fast_shape *shape, uint32_t r, double *acc, double factor) {
  const __m512d f = _mm512_set1_pd(factor);
  const __mmask8 keep = factor > 0.0 ? 0xff : 0;
  const float *partial = shape->partial + r * LANES;
  for (uint64_t c = 0; c < shape->d_value; c += LANES, partial += OUT_STEP) {
    __m512d low = _mm512_cvtps_pd(_mm256_load_ps(partial));
    __m512d high = _mm512_cvtps_pd(_mm256_load_ps(partial + 8));
    __m512d acc_low = _mm512_maskz_loadu_pd(keep, acc + c);
    __m512d acc_high = _mm512_maskz_loadu_pd(keep, acc + c + 8);
    _mm512_storeu_pd(acc + c, _mm512_fmadd_pd(acc_low, f, low));
    _mm512_storeu_pd(acc + c + 8, _mm512_fmadd_pd(acc_high, f, high));
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
  switch (s->keys->run->k_dtype) {
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
  switch (s->keys->run->v_dtype) {
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
  score_strip(shape, first_row, s);
  if (!weigh_keys(s, factor) || shape->d_value == 0) return;
  weigh_strip(shape, s);
  for (uint32_t r = 0; r < s->n_rows; r++)
    if (factor[r] >= 0.0) add_partial(shape, r, s->rows[r].acc, factor[r]);
}

void sp_fast_tile_avx512(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                         sp_fast_row *rows, uint64_t n_rows) {
  const tile t = tile_of(keys, n_runs);
  strip s;
  s.keys = &t;
  s.n_groups = t.n_groups;
  for (uint32_t r = 0; r < n_rows; r += ROWS) {
    s.first = r == 0;
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

/* spec: SM-4, NU-2 */
SPECIALISED void store_as(sp_dtype dtype, void *out, const double *acc, double inverse,
                          uint64_t n) {
  const __m512d f = _mm512_set1_pd(inverse);
  for (uint64_t c = 0; c < n; c += LANES) {
    __m256 low = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_loadu_pd(acc + c), f));
    __m256 high = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_loadu_pd(acc + c + 8), f));
    __m512 x = _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
    store16(dtype, out, c, first_lanes(n - c), x);
  }
}

void sp_fast_store_avx512(sp_dtype dtype, void *out, const double *acc, double inverse,
                          uint64_t n) {
  switch (dtype) {
  case SP_F16:
    store_as(SP_F16, out, acc, inverse, n);
    return;
  case SP_BF16:
    store_as(SP_BF16, out, acc, inverse, n);
    return;
  default:
    store_as(SP_F32, out, acc, inverse, n);
  }
}
