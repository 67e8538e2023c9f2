/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that are judged. The oracle takes a second for a row of 65536 keys, so a shape is judged on
 * a few rows, spread over batch, queries and heads, the first and the last among them; each becomes
 * a case of one query and one head with all its keys. spec: CT-3 */
#include <stdlib.h>
#include <string.h>

#include "certify/bench/bench.h"

/* Keys times elements that the rows of a shape may have together. */
static const size_t most_terms = 1U << 20;

size_t sp_bench_rows(const sp_bench_shape *s, sp_bench_row rows[SP_BENCH_ROWS]) {
  size_t total = s->n_batch * s->n_q * s->n_heads;
  size_t each = s->n_kv * (s->op == SP_OP_SOFTMAX ? 16 : s->d_head + s->d_value);
  size_t n = most_terms / each;
  if (n > SP_BENCH_ROWS) n = SP_BENCH_ROWS;
  if (n > total) n = total;
  if (n < 1) n = 1;
  for (size_t r = 0; r < n; r++) {
    /* One of each n-th part, at another place in each, so that not all are first of their group. */
    size_t part = total / n, at = r * total / n + r * 5 % part;
    if (r + 1 == n) at = total - 1;
    rows[r] = (sp_bench_row){at / s->n_heads / s->n_q, at / s->n_heads % s->n_q, at % s->n_heads};
  }
  return n;
}

static size_t row_len(const sp_bench_shape *s) {
  return s->op == SP_OP_SOFTMAX ? s->n_kv : s->d_value;
}

size_t sp_bench_row_bytes(const sp_bench_shape *s) {
  return row_len(s) * sp_ref_format_bytes(s->dtype_q);
}

const void *sp_bench_out_row(const sp_bench_memory *m, size_t out_offset, const sp_bench_row *row) {
  const sp_bench_shape *s = m->shape;
  size_t index = (row->b * s->n_q + row->i) * s->n_heads + row->h;
  return (const unsigned char *)m->out + out_offset + index * sp_bench_row_bytes(s);
}

static bool copy_to(sp_array *array, sp_dtype dtype, size_t count, const void *from) {
  if (!sp_array_alloc(array, dtype, count)) return false;
  memcpy(array->bits, from, count * sp_ref_format_bytes(dtype));
  return true;
}

/* The keys or values of one head, token after token. */
static bool copy_head(sp_array *array, const sp_in *tensor, size_t n, size_t d, size_t b,
                      size_t h) {
  size_t size = sp_ref_format_bytes(tensor->dtype);
  if (!sp_array_alloc(array, tensor->dtype, n * d)) return false;
  for (size_t j = 0; j < n; j++) {
    int64_t at = (int64_t)b * tensor->stride[0] + (int64_t)j * tensor->stride[1] +
                 (int64_t)h * tensor->stride[2];
    memcpy((unsigned char *)array->bits + j * d * size,
           (const unsigned char *)tensor->data + at * (int64_t)size, d * size);
  }
  return true;
}

static bool softmax_case(const sp_bench_memory *m, const sp_bench_row *row, sp_case *c) {
  const sp_bench_shape *s = m->shape;
  size_t bytes = sp_bench_row_bytes(s);
  sp_case_init(c, SP_OP_SOFTMAX);
  c->n_kv = s->n_kv;
  c->dtype_q = c->dtype_kv = s->dtype_q;
  c->want_weights = true;
  if (!copy_to(&c->logits, s->dtype_q, s->n_kv, (unsigned char *)m->logits + row->i * bytes))
    return false;
  return !s->sink_logit ||
         copy_to(&c->sink_logit, SP_F32, 1, (const float *)m->sink_logit + row->i);
}

static bool attention_case(const sp_bench_memory *m, const sp_bench_row *row, sp_case *c) {
  const sp_bench_shape *s = m->shape;
  sp_bench_call call;
  sp_bench_call_fill(m, 1, 0, &call);
  size_t index = (row->b * s->n_q + row->i) * s->n_heads + row->h;
  size_t h_kv = row->h / (s->n_heads / s->n_kv_heads);
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_kv = s->n_kv;
  c->d_head = s->d_head;
  c->d_value = s->d_value;
  c->dtype_q = s->dtype_q;
  c->dtype_kv = s->dtype_kv;
  c->scale = call.attention.scale;
  c->causal = true;
  c->window = s->window;
  c->n_sink_tokens = s->n_sink_tokens;
  c->pos_q = malloc(sizeof *c->pos_q);
  if (c->pos_q == NULL) return false;
  c->pos_q[0] = (int64_t)(s->n_kv - s->n_q + row->i);
  const unsigned char *q = m->q;
  return copy_to(&c->q, s->dtype_q, s->d_head,
                 q + index * s->d_head * sp_ref_format_bytes(s->dtype_q)) &&
         copy_head(&c->k, &call.attention.k, s->n_kv, s->d_head, row->b, h_kv) &&
         copy_head(&c->v, &call.attention.v, s->n_kv, s->d_value, row->b, h_kv) &&
         (!s->sink_logit ||
          copy_to(&c->sink_logit, SP_F32, 1, (const float *)m->sink_logit + row->h));
}

bool sp_bench_row_case(const sp_bench_memory *m, const sp_bench_row *row, sp_case *c) {
  bool ok = m->shape->op == SP_OP_SOFTMAX ? softmax_case(m, row, c) : attention_case(m, row, c);
  c->generator = "bench";
  c->clause = "NU-7";
  if (ok) return true;
  sp_case_clear(c);
  return false;
}
