/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as every variant does it: the query heads that share a kv head go through that head's
 * visible keys together, tile by tile, so that a key is fetched once for all of them; then the sink
 * logit joins and the row is written. spec: AT-7, AT-8
 *
 * Everything a row goes through depends on that row's own query and keys: no loop here makes one
 * row's arithmetic depend on another's. spec: NU-12 */
#include <math.h>
#include <string.h>

#include "fast/group.h"
#include "fast/tensor.h"

/* bytes += count * size, rounded up to whole cache lines; false when that is absurd. */
static bool grow(size_t *bytes, uint64_t a, uint64_t b, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(a, b, &n) || __builtin_mul_overflow(n, size, &n)) return false;
  if (n > SIZE_MAX / 4 - *bytes) return false;
  *bytes += (n + 63) / 64 * 64;
  return true;
}

size_t sp_fast_scratch_bytes(uint64_t n_rows, uint64_t d_head, uint64_t d_value) {
  uint64_t acc_len = sp_fast_padded(d_value);
  uint64_t q_len = sp_fast_padded(d_head);
  uint64_t strips = (n_rows + SP_FAST_STRIP - 1) / SP_FAST_STRIP;
  size_t bytes = 64;
  bool fits = grow(&bytes, n_rows, 2, sizeof(sp_fast_row)) &&
              grow(&bytes, n_rows, q_len, sizeof(float)) &&
              grow(&bytes, n_rows, acc_len, 2 * sizeof(double)) &&
              grow(&bytes, acc_len, SP_FAST_STRIP, sizeof(float)) &&
              grow(&bytes, strips * SP_FAST_STRIP, 4 * q_len, sizeof(float)) &&
              grow(&bytes, 2 * SP_FAST_PAD, q_len, sizeof(float));
  return fits ? bytes : 0;
}

/* The pieces of the scratch, in the order of sp_fast_scratch_bytes. */
static void *take(char **scratch, uint64_t count, size_t size) {
  void *piece = *scratch;
  *scratch += (count * size + 63) / 64 * 64;
  return piece;
}

sp_fast_group sp_fast_group_init(const sp_fast_impl *impl, const sp_attention_call *call,
                                 char *scratch) {
  sp_fast_group g = {.impl = impl, .call = call, .n_rows = call->n_heads / call->n_kv_heads};
  g.q_len = sp_fast_padded(call->d_head);
  g.acc_len = sp_fast_padded(sp_fast_value_len(call));
  g.rows = take(&scratch, 2 * g.n_rows, sizeof *g.rows);
  g.q = take(&scratch, g.n_rows * g.q_len, sizeof *g.q);
  g.acc = take(&scratch, g.n_rows * g.acc_len, 2 * sizeof *g.acc);
  g.shape = (sp_fast_shape){.d_head = call->d_head, .d_value = sp_fast_value_len(call)};
  g.shape.partial = take(&scratch, g.acc_len * SP_FAST_STRIP, sizeof(float));
  uint64_t strips = (g.n_rows + SP_FAST_STRIP - 1) / SP_FAST_STRIP;
  g.shape.spread = take(&scratch, strips * SP_FAST_STRIP * 4 * g.q_len, sizeof(float));
  g.shape.copies = take(&scratch, 2 * SP_FAST_PAD * g.q_len, sizeof(float));
  memset(g.q, 0, g.n_rows * g.q_len * sizeof *g.q);
  return g;
}

/* The rows of a query before the first key. Without ALiBi and bias one rule is that of all heads. */
static void group_start(sp_fast_group *g, const sp_fast_query *query) {
  const sp_attention_call *call = g->call;
  bool own_rules = call->alibi_slope.data != NULL || call->key_bias.data != NULL;
  uint64_t h = query->h_kv * g->n_rows;
  sp_fast_logit_rule rule = sp_fast_rule(call, query->b, query->i, h);
  for (uint64_t r = 0; r < g->n_rows; r++) {
    if (own_rules) rule = sp_fast_rule(call, query->b, query->i, h + r);
    g->rows[r].acc = g->acc + r * g->acc_len;
    g->rows[r].sum = sp_fast_sum_empty();
    g->rows[r].rule = rule;
  }
}

/* The rows' q are those of this set. */
static void use_queries(sp_fast_group *g, const sp_fast_query *query, uint32_t q_set) {
  int64_t step = query->q_step != 0 ? query->q_step : (int64_t)g->q_len;
  for (uint64_t r = 0; r < g->n_rows; r++)
    g->rows[r].q = query->q + (int64_t)(q_set * g->n_rows + r) * step;
  if (g->impl->spread != NULL) g->impl->spread(&g->shape, g->rows, g->n_rows);
}

/* Keys [begin, end) of a segment, by their numbers. */
static sp_fast_keys keys_of(const sp_fast_group *g, const sp_fast_segment *s, uint64_t begin,
                            uint64_t end) {
  sp_fast_keys keys = {.k_stride = s->k_stride,
                       .v_stride = s->v_stride,
                       .k_dtype = s->k_dtype,
                       .v_dtype = s->v_dtype,
                       .first = begin,
                       .n = (uint32_t)(end - begin)};
  int64_t skipped = (int64_t)(begin - s->first);
  keys.k = sp_fast_step(s->k, s->k_dtype, skipped * s->k_stride);
  if (g->shape.d_value > 0) keys.v = sp_fast_step(s->v, s->v_dtype, skipped * s->v_stride);
  return keys;
}

/* One segment, cut at the multiples of a tile. */
static void attend_segment(sp_fast_group *g, const sp_fast_segment *s) {
  uint64_t last = s->first + s->n;
  for (uint64_t j = s->first; j < last;) {
    uint64_t end = (j / SP_FAST_TILE + 1) * SP_FAST_TILE;
    if (end > last) end = last;
    sp_fast_keys keys = keys_of(g, s, j, end);
    g->impl->tile(&g->shape, &keys, 1, g->rows, g->n_rows);
    j = end;
  }
}

/* All segments have at most one tile's keys together, and meet the same queries. */
static bool fit_one_tile(const sp_fast_segment *segment, uint32_t n_segments) {
  uint64_t n = 0;
  for (uint32_t i = 0; i < n_segments; i++) {
    if (segment[i].q_set != segment[0].q_set || segment[i].n > SP_FAST_TILE) return false;
    n += segment[i].n;
  }
  return n_segments > 0 && n_segments <= SP_FAST_RUNS && n <= SP_FAST_TILE;
}

static void attend_one_tile(sp_fast_group *g, const sp_fast_segment *segment, uint32_t n_segments) {
  sp_fast_keys run[SP_FAST_RUNS];
  uint32_t n = 0;
  for (uint32_t i = 0; i < n_segments; i++)
    if (segment[i].n > 0)
      run[n++] = keys_of(g, &segment[i], segment[i].first, segment[i].first + segment[i].n);
  if (n > 0) g->impl->tile(&g->shape, run, n, g->rows, g->n_rows);
}

static void attend_segments(sp_fast_group *g, const sp_fast_query *query,
                            const sp_fast_segment *segment, uint32_t n_segments) {
  bool one_tile = fit_one_tile(segment, n_segments);
  for (uint32_t i = 0; i < n_segments; i++) {
    if (i == 0 || segment[i].q_set != segment[i - 1].q_set) use_queries(g, query, segment[i].q_set);
    if (!one_tile) attend_segment(g, &segment[i]);
  }
  if (one_tile) attend_one_tile(g, segment, n_segments);
}

/* spec: AL-8 one more key, by another rule */
static void attend_pair(sp_fast_group *g, const sp_fast_query *query) {
  const sp_attention_call *call = g->call;
  const sp_fast_segment pair = {.k = sp_fast_in(&call->bias_k, 0, 0, query->h_kv),
                                .v = sp_fast_in(&call->bias_v, 0, 0, query->h_kv),
                                .k_dtype = call->k.dtype,
                                .v_dtype = call->k.dtype,
                                .n = 1};
  for (uint64_t r = 0; r < g->n_rows; r++) g->rows[r].rule = sp_fast_pair_rule(call);
  attend_segments(g, query, &pair, 1);
}

/* spec: AL-5, AT-9 (an empty row's acc is 0), SM-5 (an invalid row's inverse is NaN) */
static void finish_row(const sp_fast_group *g, const sp_fast_row *row, uint64_t b, uint64_t i,
                       uint64_t h) {
  const sp_attention_call *call = g->call;
  float sink_logit = sp_fast_sink_logit(&call->sink_logit, 0, h);
  if (call->lse_keys.data != NULL)
    sp_fast_put(&call->lse_keys, b, i, h, sp_fast_lse_keys(&row->sum, sink_logit));
  if (call->lse_total.data != NULL)
    sp_fast_put(&call->lse_total, b, i, h, sp_fast_lse_total(&row->sum, sink_logit));
  if (row->sum.max == -INFINITY) memset(row->acc, 0, g->acc_len * sizeof *row->acc);
  if (call->out.data != NULL)
    g->impl->store(call->out.dtype, sp_fast_out(&call->out, b, i, h), row->acc,
                   sp_fast_inverse(&row->sum, sink_logit), call->d_value);
}

void sp_fast_group_attend(sp_fast_group *g, const sp_fast_query *query,
                          const sp_fast_segment *segment, uint32_t n_segments, bool with_pair) {
  group_start(g, query);
  attend_segments(g, query, segment, n_segments);
  if (with_pair) attend_pair(g, query);
}

void sp_fast_group_finish(const sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  for (uint64_t r = 0; r < g->n_rows; r++) finish_row(g, &g->rows[r], b, i, h_kv * g->n_rows + r);
}

void sp_fast_attend_segments(const sp_fast_impl *impl, const sp_fast_query *query,
                             const sp_fast_segment *segment, uint32_t n_segments, void *scratch) {
  sp_fast_group g = sp_fast_group_init(impl, query->call, scratch);
  sp_fast_group_attend(&g, query, segment, n_segments, false);
  sp_fast_group_finish(&g, query->b, query->i, query->h_kv);
  sp_fast_set_path(impl);
}
