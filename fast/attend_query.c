/* SPDX-License-Identifier: Apache-2.0 */
/* The queries of a call, one after another: which keys each sees, and where a row over many keys is
 * cut into pieces and joined again. spec: EV-2, AL-6, AL-8 */
#include <math.h>
#include <string.h>

#include "fast/group.h"
#include "fast/tensor.h"

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
    if (sp_fast_value_len(call) > 0)
      segment[r].v = sp_fast_in(&call->v, query->b, first, query->h_kv);
  }
  return n;
}

/* Widened exactly: a rotation of no pairs. spec: NU-1 */
static void load_q(const sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
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

static sp_fast_query query_of(const sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
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
static void attend_piece(sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv, uint64_t piece,
                         uint64_t n_pieces) {
  const sp_fast_query query = query_of(g, b, i, h_kv);
  sp_fast_segment segment[2] = {{.n = 0}, {.n = 0}};
  unsigned n_segments = query_segments(&query, segment);
  if (n_pieces > 1) n_segments = cut_piece(segment, n_segments, piece);
  sp_fast_group_attend(g, &query, segment, n_segments, piece == 0 && g->call->bias_k.data != NULL);
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
static void attend_pieces(sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv,
                          uint64_t n_pieces) {
  sp_fast_group next = *g;
  next.acc = g->acc + g->n_rows * g->acc_len;
  next.rows = g->rows + g->n_rows;
  attend_piece(g, b, i, h_kv, 0, n_pieces);
  for (uint64_t piece = 1; piece < n_pieces; piece++) {
    attend_piece(&next, b, i, h_kv, piece, n_pieces);
    for (uint64_t r = 0; r < g->n_rows; r++)
      join_row(&g->rows[r], g->acc_len, &next.rows[r].sum, next.rows[r].acc);
  }
}

static void attend_query(sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  uint64_t n_pieces = pieces_of_query(g->call, i);
  if (n_pieces > 1) {
    attend_pieces(g, b, i, h_kv, n_pieces);
  } else {
    attend_piece(g, b, i, h_kv, 0, 1);
  }
}

/* The next query's rows and outputs lie a whole token away, where no processor guesses them. They
 * come near before a query meets its keys, and its rows quite near once these have gone by. */
static void prefetch_rows(const sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  for (uint64_t r = 0; r < g->n_rows; r++) {
    const char *q = sp_fast_in(&call->q, b, i, h_kv * g->n_rows + r);
    for (uint64_t byte = 0; byte < call->d_head * sp_fast_bytes(call->q.dtype); byte += 64)
      __builtin_prefetch(q + byte, 0, 3);
  }
}

static void prefetch_query(const sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv) {
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
  sp_fast_group g = sp_fast_group_init(impl, call, scratch);
  for (uint64_t i = queries->begin; i < queries->end; i++) {
    bool more = i + 1 < queries->end;
    if (more) prefetch_query(&g, queries->b, i + 1, queries->h_kv);
    attend_query(&g, queries->b, i, queries->h_kv);
    if (more) prefetch_rows(&g, queries->b, i + 1, queries->h_kv);
    sp_fast_group_finish(&g, queries->b, i, queries->h_kv);
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
  sp_fast_group g = sp_fast_group_init(impl, call, scratch);
  g.acc = pieces->acc + piece * g.n_rows * g.acc_len;
  attend_piece(&g, b, 0, h_kv, piece, pieces->n);
  for (uint64_t r = 0; r < g.n_rows; r++) pieces->sum[piece * g.n_rows + r] = g.rows[r].sum;
}

void sp_fast_join_pieces(const sp_fast_impl *impl, const sp_attention_call *call, uint64_t b,
                         uint64_t h_kv, const sp_fast_pieces *pieces, void *scratch) {
  sp_fast_group g = sp_fast_group_init(impl, call, scratch);
  for (uint64_t r = 0; r < g.n_rows; r++) {
    sp_fast_row *row = &g.rows[r];
    *row = (sp_fast_row){.acc = pieces->acc + r * g.acc_len, .sum = pieces->sum[r]};
    for (uint64_t piece = 1; piece < pieces->n; piece++)
      join_row(row, g.acc_len, &pieces->sum[piece * g.n_rows + r],
               pieces->acc + (piece * g.n_rows + r) * g.acc_len);
  }
  sp_fast_group_finish(&g, b, 0, h_kv);
}
