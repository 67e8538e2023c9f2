/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as every variant does it: the query heads that share a kv head go through that head's
 * visible keys together, tile by tile, so that a key is fetched once for all of them; then the sink
 * logit joins and the row is written. spec: AT-7, AT-8
 *
 * Everything a row goes through depends on that row's own query and keys: no loop here makes one
 * row's arithmetic depend on another's. spec: NU-12 */
#include <math.h>
#include <string.h>

#include "fast/impl.h"
#include "fast/segment.h"
#include "fast/tensor.h"

/* The heads of one group, in scratch. */
typedef struct group {
  const sp_fast_impl *impl;
  const sp_attention_call *call;
  sp_fast_shape shape;
  uint64_t n_rows;
  uint64_t q_len, acc_len; /* padded */
  sp_fast_row *rows;       /* rows[n_rows], likewise */
  float *q;                /* q[n_rows][q_len] */
  double *acc;             /* acc[n_rows][acc_len], and as much again for a row in pieces */
  bool fetch;              /* keys come from memory */
  uint64_t n_following;    /* keys that lie behind the last segment */
} group;

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

static group group_init(const sp_fast_impl *impl, const sp_attention_call *call, char *scratch) {
  group g = {.impl = impl, .call = call, .n_rows = call->n_heads / call->n_kv_heads};
  g.q_len = sp_fast_padded(call->d_head);
  g.acc_len = sp_fast_padded(value_len(call));
  g.rows = take(&scratch, 2 * g.n_rows, sizeof *g.rows);
  g.q = take(&scratch, g.n_rows * g.q_len, sizeof *g.q);
  g.acc = take(&scratch, g.n_rows * g.acc_len, 2 * sizeof *g.acc);
  g.shape = (sp_fast_shape){.d_head = call->d_head, .d_value = value_len(call)};
  g.shape.partial = take(&scratch, g.acc_len * SP_FAST_STRIP, sizeof(float));
  uint64_t strips = (g.n_rows + SP_FAST_STRIP - 1) / SP_FAST_STRIP;
  g.shape.spread = take(&scratch, strips * SP_FAST_STRIP * 4 * g.q_len, sizeof(float));
  g.shape.copies = take(&scratch, 2 * SP_FAST_PAD * g.q_len, sizeof(float));
  memset(g.q, 0, g.n_rows * g.q_len * sizeof *g.q);
  return g;
}

/* The rows of a query before the first key. Without ALiBi and bias one rule is that of all heads. */
static void group_start(group *g, const sp_fast_query *query) {
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
static void use_queries(group *g, const sp_fast_query *query, uint32_t q_set) {
  int64_t step = query->q_step != 0 ? query->q_step : (int64_t)g->q_len;
  for (uint64_t r = 0; r < g->n_rows; r++)
    g->rows[r].q = query->q + (int64_t)(q_set * g->n_rows + r) * step;
  if (g->impl->spread != NULL) g->impl->spread(&g->shape, g->rows, g->n_rows);
}

/* Keys [begin, end) of a segment, by their numbers. */
static sp_fast_keys keys_of(const group *g, const sp_fast_segment *s, uint64_t begin,
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

/* Bytes that are passed over between two uses of a key, from which on it has to come from memory:
 * there, asking for a tile ahead pays; nearer by, it only takes the place of other loads. */
#define FETCH_BYTES ((double)(24u << 20))

/* The keys and values of all heads where there is one query, and of one head where more follow. */
static bool comes_from_memory(const group *g, const sp_fast_segment *segment, uint32_t n_segments) {
  const sp_attention_call *call = g->call;
  double heads = call->n_q == 1 ? (double)call->n_kv_heads * (double)call->n_batch : 1.0;
  double bytes = 0.0;
  for (uint32_t i = 0; i < n_segments; i++)
    bytes +=
        (double)segment[i].n * ((double)(call->d_head * sp_fast_bytes(segment[i].k_dtype)) +
                                (double)(g->shape.d_value * sp_fast_bytes(segment[i].v_dtype)));
  return bytes * heads >= FETCH_BYTES;
}

/* One segment, cut at the multiples of a tile. */
static void attend_segment(group *g, const sp_fast_segment *s) {
  uint64_t last = s->first + s->n;
  for (uint64_t j = s->first; j < last;) {
    uint64_t end = (j / SP_FAST_TILE + 1) * SP_FAST_TILE;
    if (end > last) end = last;
    sp_fast_keys keys = keys_of(g, s, j, end);
    uint64_t rest = last - end + g->n_following;
    keys.ahead = (uint32_t)(rest < SP_FAST_TILE ? rest : SP_FAST_TILE);
    keys.fetch = g->fetch;
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

static void attend_one_tile(group *g, const sp_fast_segment *segment, uint32_t n_segments) {
  sp_fast_keys run[SP_FAST_RUNS];
  uint32_t n = 0;
  for (uint32_t i = 0; i < n_segments; i++)
    if (segment[i].n > 0)
      run[n++] = keys_of(g, &segment[i], segment[i].first, segment[i].first + segment[i].n);
  if (n > 0) g->impl->tile(&g->shape, run, n, g->rows, g->n_rows);
}

static void attend_segments(group *g, const sp_fast_query *query, const sp_fast_segment *segment,
                            uint32_t n_segments) {
  bool one_tile = fit_one_tile(segment, n_segments);
  for (uint32_t i = 0; i < n_segments; i++) {
    if (i == 0 || segment[i].q_set != segment[i - 1].q_set) use_queries(g, query, segment[i].q_set);
    if (!one_tile) attend_segment(g, &segment[i]);
  }
  if (one_tile) attend_one_tile(g, segment, n_segments);
}

/* spec: AL-8 one more key, by another rule */
static void attend_pair(group *g, const sp_fast_query *query) {
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
static void finish_row(const group *g, const sp_fast_row *row, uint64_t b, uint64_t i, uint64_t h) {
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

/* All of a query but its end. */
static void attend(group *g, const sp_fast_query *query, const sp_fast_segment *segment,
                   uint32_t n_segments, bool with_pair) {
  group_start(g, query);
  attend_segments(g, query, segment, n_segments);
  if (with_pair) attend_pair(g, query);
}

static void finish(const group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  for (uint64_t r = 0; r < g->n_rows; r++) finish_row(g, &g->rows[r], b, i, h_kv * g->n_rows + r);
}

void sp_fast_attend_segments(const sp_fast_impl *impl, const sp_fast_query *query,
                             const sp_fast_segment *segment, uint32_t n_segments, void *scratch) {
  group g = group_init(impl, query->call, scratch);
  g.fetch = comes_from_memory(&g, segment, n_segments);
  attend(&g, query, segment, n_segments, false);
  finish(&g, query->b, query->i, query->h_kv);
  sp_fast_set_path(impl);
}

/* The visible ranges of one query, as segments of the call's k and v. */
static unsigned query_segments(const sp_fast_query *query, sp_fast_segment segment[2]) {
  const sp_attention_call *call = query->call;
  sp_fast_range range[2];
  unsigned n = sp_fast_ranges(call, query->i, range);
  for (unsigned r = 0; r < n; r++) {
    uint64_t first = range[r].begin;
    segment[r] = (sp_fast_segment){.k = sp_fast_in(&call->k, query->b, first, query->h_kv),
                                   .k_stride = call->k.stride[1],
                                   .v_stride = call->v.stride[1],
                                   .k_dtype = call->k.dtype,
                                   .v_dtype = call->k.dtype,
                                   .first = first,
                                   .n = range[r].end - first};
    if (value_len(call) > 0) segment[r].v = sp_fast_in(&call->v, query->b, first, query->h_kv);
  }
  return n;
}

/* Widened exactly: a rotation of no pairs. spec: NU-1 */
static void load_q(const group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  const sp_fast_rope none = {.n_pairs = 0};
  const sp_fast_angles no_angles = {NULL, NULL};
  for (uint64_t r = 0; r < g->n_rows; r++)
    g->impl->rotate(&none, &no_angles, call->q.dtype,
                    sp_fast_in(&call->q, b, i, h_kv * g->n_rows + r), call->d_head,
                    g->q + r * g->q_len);
}

/* Rows of q that need no widening and no padding are used where they lie. */
static bool q_is_ready(const sp_attention_call *call) {
  return call->q.dtype == SP_F32 && call->d_head % SP_FAST_PAD == 0 && call->q.stride[2] != 0;
}

static sp_fast_query query_of(const group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  sp_fast_query query = {.call = call, .b = b, .i = i, .h_kv = h_kv, .q = g->q};
  if (q_is_ready(call)) {
    query.q = sp_fast_in(&call->q, b, i, h_kv * g->n_rows);
    query.q_step = call->q.stride[2];
  } else {
    load_q(g, b, i, h_kv);
  }
  return query;
}

/* How many pieces the row of query i has: its last range is cut. */
static uint64_t pieces_of_query(const sp_attention_call *call, uint64_t i) {
  sp_fast_range range[2];
  unsigned n = sp_fast_ranges(call, i, range);
  if (n == 0) return 1;
  return (range[n - 1].end - 1) / SP_FAST_PIECE - range[n - 1].begin / SP_FAST_PIECE + 1;
}

/* What a piece has of the segments: the last one is cut at multiples of a piece, and one before it
 * goes with the first piece. Returns how many are left. */
static unsigned cut_piece(sp_fast_segment *segment, unsigned n, uint64_t piece) {
  sp_fast_segment *s = &segment[n - 1];
  uint64_t begin = (s->first / SP_FAST_PIECE + piece) * SP_FAST_PIECE;
  uint64_t end = begin + SP_FAST_PIECE, last = s->first + s->n;
  if (begin < s->first) begin = s->first;
  if (end > last) end = last;
  s->k = sp_fast_step(s->k, s->k_dtype, (int64_t)(begin - s->first) * s->k_stride);
  if (s->v != NULL)
    s->v = sp_fast_step(s->v, s->v_dtype, (int64_t)(begin - s->first) * s->v_stride);
  s->first = begin;
  s->n = end - begin;
  if (piece == 0 || n == 1) return n;
  segment[0] = *s;
  return 1;
}

/* One piece of the rows of a query; a row of one piece is whole. */
static void attend_piece(group *g, uint64_t b, uint64_t i, uint64_t h_kv, uint64_t piece,
                         uint64_t n_pieces) {
  const sp_fast_query query = query_of(g, b, i, h_kv);
  sp_fast_segment segment[2] = {{.n = 0}, {.n = 0}};
  unsigned n_segments = query_segments(&query, segment);
  g->fetch = comes_from_memory(g, segment, n_segments);
  g->n_following = 0;
  if (n_pieces > 1) {
    uint64_t last = segment[n_segments - 1].first + segment[n_segments - 1].n;
    n_segments = cut_piece(segment, n_segments, piece);
    g->n_following = last - segment[n_segments - 1].first - segment[n_segments - 1].n;
  }
  attend(g, &query, segment, n_segments, piece == 0 && g->call->bias_k.data != NULL);
}

/* What is summed against a smaller maximum is made smaller; a NaN stays one. spec: SM-6 */
static void lower(sp_fast_sum *sum, double *acc, uint64_t n, double max) {
  if (sum->max == max) return;
  double factor = exp(sum->max - max);
  sum->max = max;
  sum->sum *= factor;
  for (uint64_t c = 0; c < n; c++) acc[c] *= factor;
}

/* spec: AL-6 no piece has the sink logit; AT-8 */
static void join_row(sp_fast_row *row, uint64_t acc_len, const sp_fast_sum *sum, double *acc) {
  sp_fast_sum more = *sum;
  if (more.invalid) row->sum.invalid = true;
  if (more.max == -INFINITY) return;
  if (row->sum.max == -INFINITY) {
    more.invalid = row->sum.invalid;
    row->sum = more;
    memcpy(row->acc, acc, acc_len * sizeof *acc);
    return;
  }
  double max = fmax(row->sum.max, more.max);
  lower(&row->sum, row->acc, acc_len, max);
  lower(&more, acc, acc_len, max);
  row->sum.sum += more.sum;
  for (uint64_t c = 0; c < acc_len; c++) row->acc[c] += acc[c];
}

/* Rows in pieces, one after another: the first half of acc holds what is joined. */
static void attend_pieces(group *g, uint64_t b, uint64_t i, uint64_t h_kv, uint64_t n_pieces) {
  group next = *g;
  next.acc = g->acc + g->n_rows * g->acc_len;
  next.rows = g->rows + g->n_rows;
  attend_piece(g, b, i, h_kv, 0, n_pieces);
  for (uint64_t piece = 1; piece < n_pieces; piece++) {
    attend_piece(&next, b, i, h_kv, piece, n_pieces);
    for (uint64_t r = 0; r < g->n_rows; r++)
      join_row(&g->rows[r], g->acc_len, &next.rows[r].sum, next.rows[r].acc);
  }
}

static void attend_query(group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  uint64_t n_pieces = pieces_of_query(g->call, i);
  if (n_pieces > 1) {
    attend_pieces(g, b, i, h_kv, n_pieces);
  } else {
    attend_piece(g, b, i, h_kv, 0, 1);
  }
}

/* The next query's rows and outputs lie a whole token away, where no processor guesses them. They
 * come near before a query meets its keys, and its rows quite near once these have gone by. */
static void prefetch_rows(const group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  for (uint64_t r = 0; r < g->n_rows; r++) {
    const char *q = sp_fast_in(&call->q, b, i, h_kv * g->n_rows + r);
    for (uint64_t byte = 0; byte < call->d_head * sp_fast_bytes(call->q.dtype); byte += 64)
      __builtin_prefetch(q + byte, 0, 3);
  }
}

static void prefetch_query(const group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  for (uint64_t r = 0; r < g->n_rows; r++) {
    uint64_t h = h_kv * g->n_rows + r;
    const char *q = sp_fast_in(&call->q, b, i, h);
    for (uint64_t byte = 0; byte < call->d_head * sp_fast_bytes(call->q.dtype); byte += 64)
      __builtin_prefetch(q + byte, 0, 2);
    if (call->out.data == NULL) continue;
    const char *out = sp_fast_out(&call->out, b, i, h);
    for (uint64_t byte = 0; byte < call->d_value * sp_fast_bytes(call->out.dtype); byte += 64)
      __builtin_prefetch(out + byte, 1, 2);
  }
}

void sp_fast_attend(const sp_fast_impl *impl, const sp_attention_call *call,
                    const sp_fast_queries *queries, void *scratch) {
  group g = group_init(impl, call, scratch);
  for (uint64_t i = queries->begin; i < queries->end; i++) {
    bool more = i + 1 < queries->end;
    if (more) prefetch_query(&g, queries->b, i + 1, queries->h_kv);
    attend_query(&g, queries->b, i, queries->h_kv);
    if (more) prefetch_rows(&g, queries->b, i + 1, queries->h_kv);
    finish(&g, queries->b, i, queries->h_kv);
  }
}

uint64_t sp_fast_pieces_of(const sp_attention_call *call) {
  uint64_t heads = 0;
  if (call->n_q != 1 || __builtin_mul_overflow(call->n_batch, call->n_kv_heads, &heads)) return 1;
  return heads < SP_FAST_SPLIT_HEADS ? pieces_of_query(call, 0) : 1;
}

void sp_fast_attend_piece(const sp_fast_impl *impl, const sp_attention_call *call, uint64_t b,
                          uint64_t h_kv, uint64_t piece, const sp_fast_pieces *pieces,
                          void *scratch) {
  group g = group_init(impl, call, scratch);
  g.acc = pieces->acc + piece * g.n_rows * g.acc_len;
  attend_piece(&g, b, 0, h_kv, piece, pieces->n);
  for (uint64_t r = 0; r < g.n_rows; r++) pieces->sum[piece * g.n_rows + r] = g.rows[r].sum;
}

void sp_fast_join_pieces(const sp_fast_impl *impl, const sp_attention_call *call, uint64_t b,
                         uint64_t h_kv, const sp_fast_pieces *pieces, void *scratch) {
  group g = group_init(impl, call, scratch);
  for (uint64_t r = 0; r < g.n_rows; r++) {
    sp_fast_row *row = &g.rows[r];
    *row = (sp_fast_row){.acc = pieces->acc + r * g.acc_len, .sum = pieces->sum[r]};
    for (uint64_t piece = 1; piece < pieces->n; piece++)
      join_row(row, g.acc_len, &pieces->sum[piece * g.n_rows + r],
               pieces->acc + (piece * g.n_rows + r) * g.acc_len);
  }
  finish(&g, b, 0, h_kv);
}
