/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention: for all rows the dot products with the tile's keys (dot.h), then row by row
 * logits, a new maximum, the exponentials and their sum (strip.h), then for all rows the values
 * (values.h); in binary32 inside the tile, added to the row in binary64.
 *
 * Keys come in groups of 16, one per lane (group.h). Rows go together as far as they can share a
 * load, eight at a time, and no row's arithmetic knows of another's.
 *
 * Roofline, d = 64: a row spends on 16 keys 64 multiply-adds for q·k, 64 for p·v and 7 multiplications
 * on the exponential, in the same pipes: 128 of 135 cycles where these start one in a cycle, so what
 * dot.h and values.h reach is what decides. A tile of 256 keys (64 KiB of binary32, half of that in 16 bits)
 * comes from the second-level cache or from memory once for all rows.
 *
 * What keeps a row from that roof: what is not multiply-adds at all, the maximum, the exponentials and
 * their sums, which stand between the two loops, since every weight waits for the row's maximum; and
 * a query's own start and end (q, the sink logit in binary64, the outputs), which 128 keys do not make
 * small. The shares of the time, and the command that shows them, are in certify/bench/results. */
#include "fast/avx512/dot.h"
#include "fast/avx512/group.h"
#include "fast/avx512/strip.h"
#include "fast/avx512/values.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

/* The keys of a tile on their way past a strip. */
typedef struct scoring {
  uint64_t d;
  const float *spread;
  const char *const *key; /* their rows */
  int64_t ahead;          /* how far from them, in bytes, is what comes near meanwhile */
} scoring;

/* Eight rows at a time; a run's last ones reach into the next run's, and the tile's into the room that
 * follows. Lanes without a key repeat the last one: what they read is thrown away, but it must be
 * memory that may be read. spec: KC-4 */
static void find_rows(const tile *t, const char *row[SP_FAST_TILE + 8]) {
  const char **to = row;
  for (uint32_t i = 0; i < t->n_runs; i++) {
    const sp_fast_keys *run = t->run + i;
    const int64_t step = run->n > 1 ? row_of(run, false, 1) - row_of(run, false, 0) : 0;
    const __m512i further = _mm512_set1_epi64(8 * step);
    __m512i at = _mm512_set1_epi64((int64_t)(intptr_t)row_of(run, false, 0));
    at = _mm512_add_epi64(
        at, _mm512_set_epi64(7 * step, 6 * step, 5 * step, 4 * step, 3 * step, 2 * step, step, 0));
    for (uint32_t k = 0; k < run->n; k += 8, at = _mm512_add_epi64(at, further))
      _mm512_storeu_si512(to + k, at);
    to += run->n;
  }
  const char *last = to[-1];
  for (; to < row + t->n_groups * LANES; to++) *to = last;
}

/* n_rows rows from r on, at most 4. */
SPECIALISED void score_rows(uint32_t n_rows, sp_dtype dtype, bool ragged, const scoring *at,
                            strip *s, uint32_t r) {
  for (uint32_t g = 0; g < s->n_groups; g++) {
    __m512 dots[4];
    dot_rows(n_rows, dtype, ragged, at->d, at->spread + r * LANES, at->key + g * LANES, dots);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < n_rows; i++) _mm512_store_ps(s->x[r + i][g], dots[i]);
  }
}

SPECIALISED void score_few(sp_dtype dtype, bool ragged, const scoring *at, strip *s, uint32_t r) {
  if (ragged)
    for (; r + 4 <= s->n_rows; r += 4) score_rows(4, dtype, ragged, at, s, r);
  for (; r + 2 <= s->n_rows; r += 2) score_rows(2, dtype, ragged, at, s, r);
  if (r < s->n_rows) score_rows(1, dtype, ragged, at, s, r);
}

/* The leaves take 16 elements at least. */
SPECIALISED void score_as(sp_dtype dtype, const scoring *at, strip *s) {
  if (at->d == 0 || at->d % LANES != 0) {
    score_few(dtype, true, at, s, 0);
    return;
  }
  const uint32_t by_leaf = s->n_rows == 8 ? 8 : s->n_rows >= 4 ? 4 : 0;
  if (by_leaf > 0)
    leaf_of(by_leaf, dtype)(at->key, (s->keys->n + 7) / 8, at->spread, at->d * sp_fast_bytes(dtype),
                            s->x[0][0], at->ahead);
  score_few(dtype, false, at, s, by_leaf);
}

/* Bytes from a key to the one that is fetched while it is read. */
static int64_t bytes_ahead(const sp_fast_keys *run) {
  return run->n > 1 ? AHEAD * (row_of(run, false, 1) - row_of(run, false, 0)) : 0;
}

static void score_strip(const sp_fast_shape *shape, uint32_t first_row, const char *const *key,
                        strip *s) {
  const sp_fast_keys *last = s->keys->run + s->keys->n_runs - 1;
  const scoring at = {.d = shape->d_head,
                      .spread = shape->spread + first_row * 2 * sp_fast_padded(shape->d_head),
                      .key = key,
                      .ahead = bytes_ahead(last)};
  switch (last->k_dtype) {
  case SP_F16:
    score_as(SP_F16, &at, s);
    return;
  case SP_BF16:
    score_as(SP_BF16, &at, s);
    return;
  default:
    score_as(SP_F32, &at, s);
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

/* Groups that go past the values together: what they read twice stays in the first-level cache. */
#define AT_ONCE 4u

SPECIALISED void weigh(sp_dtype dtype, const sp_fast_shape *shape, const strip *s) {
  for (uint32_t g = 0; g < s->n_groups;) {
    weighing w = {.first = NULL, .n_groups = 0};
    if (s->alike) w.n_groups = whole_groups(s->keys, g, true, &w.first, &w.step);
    if (w.n_groups == 0) {
      w.n_groups = 1;
      group_rows(s->keys, g, true, w.row);
    }
    if (w.n_groups > AT_ONCE) w.n_groups = AT_ONCE;
    weigh_groups(dtype, shape, s, g, &w);
    g += w.n_groups;
  }
}

/* acc = partial, 8 of binary64 at a time; both are padded to whole registers, and acc may hold
 * anything. Nothing becomes a negative zero. */
static void take_partial(const sp_fast_shape *shape, const float *partial, double *acc) {
  const __m512d zero = _mm512_setzero_pd();
  for (uint64_t c = 0; c < shape->d_value; c += LANES, partial += OUT_STEP) {
    __m512d low = _mm512_cvtps_pd(_mm256_load_ps(partial));
    __m512d high = _mm512_cvtps_pd(_mm256_load_ps(partial + 8));
    _mm512_storeu_pd(acc + c, _mm512_add_pd(low, zero));
    _mm512_storeu_pd(acc + c + 8, _mm512_add_pd(high, zero));
  }
}

/* acc = acc * factor + partial. */
static void add_partial(const sp_fast_shape *shape, const float *partial, double *acc,
                        double factor) {
  const __m512d f = _mm512_set1_pd(factor);
  for (uint64_t c = 0; c < shape->d_value; c += LANES, partial += OUT_STEP) {
    __m512d low = _mm512_cvtps_pd(_mm256_load_ps(partial));
    __m512d high = _mm512_cvtps_pd(_mm256_load_ps(partial + 8));
    _mm512_storeu_pd(acc + c, _mm512_fmadd_pd(_mm512_loadu_pd(acc + c), f, low));
    _mm512_storeu_pd(acc + c + 8, _mm512_fmadd_pd(_mm512_loadu_pd(acc + c + 8), f, high));
  }
}

/* Where the factor is 0 there were no keys before. spec: SM-6 a row that gets nothing keeps its
 * outputs, whatever the values hold */
static void move_outputs(const sp_fast_shape *shape, const strip *s, const double factor[ROWS]) {
  for (uint32_t r = 0; r < s->n_rows; r++) {
    const float *partial = shape->partial + r * LANES;
    if (factor[r] == 0.0)
      take_partial(shape, partial, s->rows[r].acc);
    else if (factor[r] > 0.0)
      add_partial(shape, partial, s->rows[r].acc, factor[r]);
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

static void tile_strip(const sp_fast_shape *shape, uint32_t first_row, const char *const *key,
                       strip *s) {
  double factor[ROWS];
  score_strip(shape, first_row, key, s);
  if (!weigh_keys(s, factor) || shape->d_value == 0) return;
  weigh_strip(shape, s);
  move_outputs(shape, s, factor);
}

void sp_fast_tile_avx512(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                         sp_fast_row *rows, uint64_t n_rows) {
  const tile t = tile_of(keys, n_runs);
  const char *key[SP_FAST_TILE + 8];
  strip s;
  find_rows(&t, key);
  UNSEEN(s.x);
  s.keys = &t;
  s.n_groups = t.n_groups;
  for (uint32_t r = 0; r < n_rows; r += ROWS) {
    s.rows = rows + r;
    s.n_rows = (uint32_t)(n_rows - r < ROWS ? n_rows - r : ROWS);
    s.alike = rows_alike(s.rows, s.n_rows);
    tile_strip(shape, r, key, &s);
  }
}

void sp_fast_spread_avx512(const sp_fast_shape *shape, const sp_fast_row *rows, uint64_t n_rows) {
  uint64_t strip_length = sp_fast_padded(shape->d_head) * 2 * ROWS;
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
