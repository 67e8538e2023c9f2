/* SPDX-License-Identifier: Apache-2.0 */
/* What a shape demands of any kernel: operations and bytes that no algorithm avoids. Roofs are
 * computed from these, so they count the visible pairs only, each byte once, and nothing that a
 * particular kernel does besides. */
#include "certify/bench/bench.h"

/* Vector operations on one logit when nothing is wasted: maximum; reduction (2), polynomial (3),
 * table or scale (1), exponent (2), mask of absent keys (1), sum (1); scaling (1). */
static const double softmax_operations = 12;

size_t sp_bench_visible(const sp_bench_shape *shape, size_t i) {
  if (shape->op == SP_OP_SOFTMAX) return shape->n_kv;
  size_t keys = shape->n_kv - shape->n_q + i + 1; /* causal, the newest tokens ask */
  uint64_t most = shape->window;
  if (most > UINT64_MAX - shape->n_sink_tokens) return keys;
  most += shape->n_sink_tokens;
  return keys < most ? keys : (size_t)most;
}

/* Keys that some query sees. */
static double keys_seen(const sp_bench_shape *shape) {
  size_t span = shape->n_q - 1 + sp_bench_visible(shape, shape->n_q - 1);
  return (double)(span < shape->n_kv ? span : shape->n_kv);
}

void sp_bench_work_of(const sp_bench_shape *s, sp_bench_work *work) {
  double size_q = (double)sp_ref_format_bytes(s->dtype_q);
  double size_kv = (double)sp_ref_format_bytes(s->dtype_kv);
  *work = (sp_bench_work){0};
  if (s->op == SP_OP_SOFTMAX) {
    work->elements = (double)s->n_q * (double)s->n_kv;
    work->operations = softmax_operations * work->elements;
    work->bytes = 2 * size_q * work->elements;
    return;
  }
  double pairs = 0;
  for (size_t i = 0; i < s->n_q; i++) pairs += (double)sp_bench_visible(s, i);
  double batch = (double)s->n_batch, d = (double)(s->d_head + s->d_value);
  work->elements = pairs * batch * (double)s->n_heads;
  work->flops = 2 * d * work->elements;
  work->bytes = batch * d *
                (size_q * (double)s->n_q * (double)s->n_heads +
                 size_kv * keys_seen(s) * (double)s->n_kv_heads);
}

/* The level that holds this many bytes on each of the cores at work. */
static sp_limit level(double bytes, uint32_t n_threads, const sp_limit levels[4]) {
  sp_cache_sizes cache = sp_cache_sizes_get();
  double each = bytes / n_threads;
  if (each <= (double)cache.l1) return levels[0];
  if (each <= (double)cache.l2) return levels[1];
  return bytes <= (double)cache.l3 ? levels[2] : levels[3];
}

static void raise_roof(sp_roof *roof, const sp_limits *limits, sp_limit limit, double amount) {
  double seconds = limits->value[limit] > 0 ? amount / limits->value[limit] : 0;
  if (seconds > roof->seconds) *roof = (sp_roof){seconds, limit};
}

/* A class that rounds both q and the weights to bf16 may use the bf16 dot product for all of the
 * work; one that rounds only one of them, for half. */
static double share_in_bf16(const sp_class *cls) {
  if (cls == NULL || cls->kind != SP_CLASS_MODEL) return 0;
  return (cls->u_qk >= 0x1p-8 ? 0.5 : 0) + (cls->u_p >= 0x1p-8 ? 0.5 : 0);
}

sp_roof sp_bench_roof(const sp_bench_shape *s, const sp_limits *limits, const sp_class *cls) {
  static const sp_limit read[] = {SP_LIMIT_READ_L1, SP_LIMIT_READ_L2, SP_LIMIT_READ_L3,
                                  SP_LIMIT_READ_DRAM};
  static const sp_limit copy[] = {SP_LIMIT_COPY_L2, SP_LIMIT_COPY_L2, SP_LIMIT_COPY_L3,
                                  SP_LIMIT_COPY_NT};
  sp_bench_work work;
  sp_roof roof = {0};
  sp_bench_work_of(s, &work);
  if (s->op == SP_OP_SOFTMAX) {
    raise_roof(&roof, limits, SP_LIMIT_VECTOR, work.operations);
    raise_roof(&roof, limits, level(work.bytes, limits->n_threads, copy), work.bytes);
    return roof;
  }
  double dot =
      limits->value[SP_LIMIT_DOT_BF16] > 0 && s->dtype_kv == SP_BF16 ? share_in_bf16(cls) : 0;
  sp_roof arithmetic = {0};
  raise_roof(&arithmetic, limits, SP_LIMIT_FMA, work.flops);
  if (dot > 0) {
    double fma = limits->value[SP_LIMIT_FMA], bf16 = limits->value[SP_LIMIT_DOT_BF16];
    arithmetic.seconds = work.flops * (dot / bf16 + (1 - dot) / fma);
    arithmetic.limit = SP_LIMIT_DOT_BF16;
  }
  raise_roof(&roof, limits, level(work.bytes, limits->n_threads, read), work.bytes);
  return arithmetic.seconds > roof.seconds ? arithmetic : roof;
}
