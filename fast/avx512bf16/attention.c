/* SPDX-License-Identifier: Apache-2.0 */
/* One tile of attention in bf16 dot products: for all rows q·k (dot.h), then row by row logits, a new
 * maximum, the exponentials and their sum in binary32 and the weights in bf16 (weights.h), then for
 * all rows the values (values.h); added to the row in binary64.
 *
 * Roofline, d = 64: a row spends on 16 keys 32 dot products for q·k and 32 for p·v, one a cycle. The
 * exponentials of 16 keys are 7 multiplications and multiply-adds in the same pipes, which no other
 * work can hide, so that 64 of 71 cycles would be perfect. Stores of whole registers take a place in
 * these pipes on Zen 4, so sums stay in registers over all groups of a tile, and logits are stored
 * once and weights once. `make bench ONLY='*-bf16'` shows what is reached. */
#include "fast/avx512bf16/dot.h"
#include "fast/avx512bf16/values.h"
#include "fast/avx512bf16/variant.h"
#include "fast/avx512bf16/weights.h"
#include "fast/tensor.h"

/* The rows of k of group g, copied one behind the other, with zeros behind each and, for lanes
 * without a key, the last one again. spec: KC-4 */
static key_group copied_group(const sp_fast_shape *shape, const tile *keys, uint32_t g) {
  const uint64_t length = (shape->d_head + WORDS - 1) / WORDS * WORDS;
  uint16_t *to = (uint16_t *)(void *)shape->copies + g % 2 * LANES * length;
  const key_group copy = {(const char *)to, (int64_t)(2 * length)};
  const char *row[LANES];
  group_rows(keys, g, false, row);
  for (uint32_t lane = 0; lane < LANES; lane++, to += length)
    for (uint64_t c = 0; c < length; c += WORDS)
      _mm512_store_si512(to + c, read_words(false, row[lane], c, first_words(shape->d_head - c)));
  return copy;
}

/* Group g as dot products take it: where it lies, or a copy, or zeros for keys of no length. */
static inline key_group group_of_keys(const sp_fast_shape *shape, const tile *keys, uint32_t g) {
  static const uint16_t zeros[WORDS];
  key_group group = {(const char *)zeros, 0};
  if (shape->d_head == 0) return group;
  group.first = group_in_run(keys, g, false, &group.step);
  if (group.first == NULL || shape->d_head % WORDS != 0) group = copied_group(shape, keys, g);
  return group;
}

/* n_rows rows from r on meet group g; see dot_rows. Where scaling makes logits of dot products, it is
 * done here. */
SPECIALISED void score_rows(uint32_t n_rows, uint64_t d, const uint32_t *spread, key_group keys,
                            key_group next, __m512i k[2][4], strip *s, uint32_t r, uint32_t g) {
  const __m512 scale = _mm512_set1_ps(s->alike ? s->rows[0].rule.scale : 1.0F);
  __m512 dots[ROWS];
  dot_rows(n_rows, d, spread + r * LANES, keys, next, k, dots);
#pragma GCC unroll 8
  for (uint32_t i = 0; i < n_rows; i++)
    _mm512_store_ps(s->x[r + i][g], _mm512_mul_ps(scale, dots[i]));
}

/* Eight, four, two rows or one meet all groups. After the last group it comes once more, and nobody
 * waits for it. */
SPECIALISED void score_groups(uint32_t n_rows, const sp_fast_shape *shape, const uint32_t *spread,
                              strip *s, uint32_t r) {
  const uint64_t d = shape->d_head;
  key_group next = group_of_keys(shape, s->keys, 0);
  __m512i k[2][4];
  quarter_eight(next.first, next.step, k);
  for (uint32_t g = 0; g < s->n_groups; g++) {
    const key_group keys = next;
    if (g + 1 < s->n_groups) next = group_of_keys(shape, s->keys, g + 1);
    score_rows(n_rows, d, spread, keys, next, k, s, r, g);
  }
}

static void score_strip(const sp_fast_shape *shape, const uint32_t *spread, strip *s) {
  uint32_t r = 0;
  if (s->n_rows == 8) {
    score_groups(8, shape, spread, s, 0);
    return;
  }
  for (; r + 4 <= s->n_rows; r += 4) score_groups(4, shape, spread, s, r);
  for (; r + 2 <= s->n_rows; r += 2) score_groups(2, shape, spread, s, r);
  if (r < s->n_rows) score_groups(1, shape, spread, s, r);
}

/* Functions of their own: in one there are too many pointers for the registers. */
__attribute__((noinline)) static void weigh_4(const weighing *w, uint64_t d_value) {
  weigh_rows(4, 2, w, d_value);
}

__attribute__((noinline)) static void weigh_2(const weighing *w, uint64_t d_value) {
  weigh_rows(2, 4, w, d_value);
}

__attribute__((noinline)) static void weigh_1(const weighing *w, uint64_t d_value) {
  weigh_rows(1, 4, w, d_value);
}

/* n_rows rows from r on, which see the same keys of groups [g, g + w->n_groups). */
static void weigh_together(uint32_t n_rows, const sp_fast_shape *shape, strip *s, uint32_t r,
                           uint32_t g, weighing *w) {
  w->p = weights_at(s, r, 0) + g * LANES / 2;
  w->out = shape->partial + r * LANES;
  w->present = s->alike ? group_lanes(s->keys, g) : s->present[r][g];
  w->fresh = g == 0;
  if (n_rows == 4) weigh_4(w, shape->d_value);
  if (n_rows == 2) weigh_2(w, shape->d_value);
  if (n_rows == 1) weigh_1(w, shape->d_value);
}

static void weigh_groups(const sp_fast_shape *shape, strip *s, uint32_t g, weighing *w) {
  const uint32_t together = s->alike ? s->n_rows : 0;
  uint32_t r = 0;
  for (; r + 4 <= together; r += 4) weigh_together(4, shape, s, r, g, w);
  for (; r + 2 <= together; r += 2) weigh_together(2, shape, s, r, g, w);
  for (; r < s->n_rows; r++) weigh_together(1, shape, s, r, g, w);
}

static void weigh(const sp_fast_shape *shape, strip *s) {
  for (uint32_t g = 0; g < s->n_groups;) {
    weighing w = {.first = NULL, .n_groups = 0};
    if (s->alike) w.n_groups = whole_groups(s->keys, g, true, &w.first, &w.step);
    if (w.n_groups == 0) {
      w.n_groups = 1;
      group_rows(s->keys, g, true, w.row);
    }
    weigh_groups(shape, s, g, &w);
    g += w.n_groups;
  }
}

/* acc = acc * factor + more. Where the factor is 0 acc may hold anything. */
static void add_vector(double *acc, double factor, __m512 more) {
  const __m512d f = _mm512_set1_pd(factor);
  const __mmask8 keep = factor > 0.0 ? 0xff : 0;
  __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(more));
  __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(more, 1));
  low = _mm512_fmadd_pd(_mm512_maskz_loadu_pd(keep, acc), f, low);
  high = _mm512_fmadd_pd(_mm512_maskz_loadu_pd(keep, acc + 8), f, high);
  _mm512_storeu_pd(acc, low);
  _mm512_storeu_pd(acc + 8, high);
}

/* Outputs are padded to whole vectors; up to 16 at the end are one that is in order. */
static void add_partial(const sp_fast_shape *shape, uint32_t r, double *acc, double factor) {
  const float *partial = shape->partial + r * LANES;
  uint64_t c = 0;
  for (; c + LANES < shape->d_value; c += WORDS, partial += 2 * OUT_STEP) {
    __m512 out[2];
    ordered_columns(partial, out);
    add_vector(acc + c, factor, out[0]);
    add_vector(acc + c + LANES, factor, out[1]);
  }
  if (c < shape->d_value) add_vector(acc + c, factor, _mm512_load_ps(partial));
}

/* spec: SM-6 a row that gets nothing keeps its outputs, whatever the values hold */
static void tile_strip(const sp_fast_shape *shape, uint32_t first_row, strip *s) {
  const uint32_t *spread = (const uint32_t *)(const void *)shape->spread;
  uint64_t strip_length = (shape->d_head + WORDS - 1) / WORDS * SPREAD;
  double factor[ROWS];
  score_strip(shape, spread + first_row / ROWS * strip_length, s);
  if (!weigh_keys_by(s, factor, largest_logit, sum_and_round) || shape->d_value == 0) return;
  weigh(shape, s);
  for (uint32_t r = 0; r < s->n_rows; r++)
    if (factor[r] >= 0.0) add_partial(shape, r, s->rows[r].acc, factor[r]);
}

void sp_fast_tile_avx512bf16(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                             sp_fast_row *rows, uint64_t n_rows) {
  const tile t = tile_of(keys, n_runs);
  strip s;
  s.keys = &t;
  s.n_groups = t.n_groups;
  for (uint32_t r = 0; r < n_rows; r += ROWS) {
    s.rows = rows + r;
    s.n_rows = (uint32_t)(n_rows - r < ROWS ? n_rows - r : ROWS);
    s.alike = rows_alike(s.rows, s.n_rows);
    tile_strip(shape, r, &s);
  }
}

void sp_fast_spread_avx512bf16(const sp_fast_shape *shape, const sp_fast_row *rows,
                               uint64_t n_rows) {
  uint32_t *spread = (uint32_t *)(void *)shape->spread;
  uint64_t strip_length = (shape->d_head + WORDS - 1) / WORDS * SPREAD;
  for (uint64_t r = 0; r < n_rows; r++)
    spread_row(rows[r].q, shape->d_head, (uint32_t)(r % ROWS), spread + r / ROWS * strip_length);
}
