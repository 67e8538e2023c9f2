/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention: for all rows the dot products with the tile's keys (dot.h), then row by row
 * logits, a new maximum, the exponentials and their sum (strip.h), then for all rows the values
 * (values.h); in binary32 inside the tile, added to the row in binary64.
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
#include "fast/avx512/group.h"
#include "fast/avx512/strip.h"
#include "fast/avx512/values.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

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
