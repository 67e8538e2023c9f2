/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as every variant does it: the query heads that share a kv head go through that head's
 * visible keys together, tile by tile, so that a key is fetched once for all of them; then the sink
 * logit joins and the row is written. spec: AT-7, AT-8
 *
 * Everything a row goes through depends on that row's own query and keys: no loop here makes one
 * row's arithmetic depend on another's. spec: NU-12 */
#include <string.h>

#include "fast/impl.h"
#include "fast/tensor.h"

/* The heads of one group, in scratch. */
typedef struct group {
  const sp_fast_impl *impl;
  const sp_attention_call *call;
  sp_fast_shape shape;
  uint64_t n_rows;
  uint64_t q_len, acc_len; /* padded */
  sp_fast_row *rows;       /* rows[n_rows] */
  float *q;                /* q[n_rows][q_len] */
  double *acc;             /* acc[n_rows][acc_len] */
} group;

static uint64_t padded(uint64_t n) {
  return (n + SP_FAST_PAD - 1) / SP_FAST_PAD * SP_FAST_PAD;
}

static uint64_t value_len(const sp_attention_call *call) {
  return call->out.data != NULL ? call->d_value : 0;
}

/* bytes += count * size, rounded up to whole cache lines; false when that is absurd. */
static bool grow(size_t *bytes, uint64_t a, uint64_t b, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(a, b, &n) || __builtin_mul_overflow(n, size, &n)) return false;
  if (n > SIZE_MAX / 4 - *bytes) return false;
  *bytes += (n + 63) / 64 * 64;
  return true;
}

size_t sp_fast_scratch_bytes(uint64_t n_rows, uint64_t d_head, uint64_t d_value) {
  uint64_t acc_len = padded(d_value);
  size_t bytes = 64;
  bool fits = grow(&bytes, n_rows, 1, sizeof(sp_fast_row)) &&
              grow(&bytes, n_rows, padded(d_head), sizeof(float)) &&
              grow(&bytes, n_rows, acc_len, sizeof(double)) &&
              grow(&bytes, acc_len, 1, sizeof(float));
  return fits ? bytes : 0;
}

/* The pieces of the scratch, in the order of sp_fast_scratch_bytes. */
static void *take(char **scratch, uint64_t count, size_t size) {
  void *piece = *scratch;
  *scratch += (count * size + 63) / 64 * 64;
  return piece;
}

static group group_init(const sp_fast_impl *impl, const sp_attention_call *call, char *scratch) {
  group g = {.impl = impl, .call = call, .n_rows = call->n_heads / call->n_kv_heads};
  g.q_len = padded(call->d_head);
  g.acc_len = padded(value_len(call));
  g.rows = take(&scratch, g.n_rows, sizeof *g.rows);
  g.q = take(&scratch, g.n_rows * g.q_len, sizeof *g.q);
  g.acc = take(&scratch, g.n_rows * g.acc_len, sizeof *g.acc);
  g.shape = (sp_fast_shape){.d_head = call->d_head, .d_value = value_len(call)};
  g.shape.partial = take(&scratch, g.acc_len, sizeof(float));
  memset(g.q, 0, g.n_rows * g.q_len * sizeof *g.q);
  return g;
}

/* The rows of query i before the first key. spec: NU-1 q is widened exactly */
static void group_start(group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  memset(g->acc, 0, g->n_rows * g->acc_len * sizeof *g->acc);
  for (uint64_t r = 0; r < g->n_rows; r++) {
    uint64_t h = h_kv * g->n_rows + r;
    float *q = g->q + r * g->q_len;
    const void *from = sp_fast_in(&call->q, b, i, h);
    for (uint64_t c = 0; c < call->d_head; c++) q[c] = sp_fast_load(call->q.dtype, from, c);
    g->rows[r] = (sp_fast_row){.q = q,
                               .acc = g->acc + r * g->acc_len,
                               .sum = sp_fast_sum_empty(),
                               .rule = sp_fast_rule(call, b, i, h)};
  }
}

/* One range of keys, cut at the multiples of a tile. */
static void attend_range(group *g, uint64_t b, uint64_t h_kv, sp_fast_range range) {
  const sp_attention_call *call = g->call;
  sp_fast_keys keys = {
      .k_stride = call->k.stride[1], .v_stride = call->v.stride[1], .dtype = call->k.dtype};
  for (uint64_t j = range.begin; j < range.end; j += keys.n) {
    uint64_t end = (j / SP_FAST_TILE + 1) * SP_FAST_TILE;
    keys.first = j;
    keys.n = (uint32_t)((end < range.end ? end : range.end) - j);
    keys.k = sp_fast_in(&call->k, b, j, h_kv);
    keys.v = g->shape.d_value > 0 ? sp_fast_in(&call->v, b, j, h_kv) : NULL;
    g->impl->tile(&g->shape, &keys, g->rows, g->n_rows);
  }
}

/* spec: AL-8 one more key, by another rule */
static void attend_pair(group *g, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  const sp_fast_keys pair = {.k = sp_fast_in(&call->bias_k, 0, 0, h_kv),
                             .v = sp_fast_in(&call->bias_v, 0, 0, h_kv),
                             .dtype = call->k.dtype,
                             .n = 1};
  for (uint64_t r = 0; r < g->n_rows; r++) g->rows[r].rule = sp_fast_pair_rule(call);
  g->impl->tile(&g->shape, &pair, g->rows, g->n_rows);
}

/* spec: SM-4, AL-5, AT-9 (an empty row's acc is 0), SM-5 (an invalid row's inverse is NaN) */
static void finish_row(const group *g, const sp_fast_row *row, uint64_t b, uint64_t i, uint64_t h) {
  const sp_attention_call *call = g->call;
  sp_fast_norm norm = sp_fast_normalise(&row->sum, sp_fast_sink_logit(&call->sink_logit, 0, h));
  sp_fast_put(&call->lse_keys, b, i, h, norm.lse_keys);
  sp_fast_put(&call->lse_total, b, i, h, norm.lse_total);
  if (call->out.data == NULL) return;
  void *out = sp_fast_out(&call->out, b, i, h);
  for (uint64_t c = 0; c < call->d_value; c++)
    sp_fast_store(call->out.dtype, out, c, (float)(row->acc[c] * norm.inverse));
}

static void attend_query(group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  sp_fast_range range[2];
  unsigned n_ranges = sp_fast_ranges(g->call, i, range);
  group_start(g, b, i, h_kv);
  for (unsigned r = 0; r < n_ranges; r++) attend_range(g, b, h_kv, range[r]);
  if (g->call->bias_k.data != NULL) attend_pair(g, h_kv);
  for (uint64_t r = 0; r < g->n_rows; r++) finish_row(g, &g->rows[r], b, i, h_kv * g->n_rows + r);
}

void sp_fast_attend(const sp_fast_impl *impl, const sp_attention_call *call, void *scratch) {
  group g = group_init(impl, call, scratch);
  for (uint64_t b = 0; b < call->n_batch; b++)
    for (uint64_t h_kv = 0; h_kv < call->n_kv_heads; h_kv++)
      for (uint64_t i = 0; i < call->n_q; i++) attend_query(&g, b, i, h_kv);
  sp_fast_set_path(impl);
}
