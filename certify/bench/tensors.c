/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a shape: one region of private pages, laid out before the timers are forked, so
 * that every contender reads the same pages. Inputs look like those of a model: logits with a
 * deviation of 3, q and k of 1.2, v of 1, sink logits around 2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "certify/bench/bench.h"
#include "certify/case/rng.h"

enum { TABLE = 1 << 14, PAGE = 4096, LINE = 64 };

/* Tensors do not begin at the same place in a page, or their lines would compete for one set of the
 * first cache. */
static size_t place(size_t *end, size_t bytes) {
  size_t at = *end;
  *end += (bytes + PAGE - 1) / PAGE * PAGE + PAGE + 5 * LINE;
  return at;
}

/* A bell curve of the type's values. A table makes filling as fast as copying. */
static void *deviates(sp_dtype dtype, double mean, double deviation, uint64_t seed) {
  void *table = malloc(TABLE * sizeof(double));
  sp_rng rng;
  mpfr_t x;
  if (table == NULL) return NULL;
  sp_rng_init(&rng, seed, "bench", 0, 0);
  mpfr_init2(x, 53);
  for (size_t i = 0; i < TABLE; i++) {
    mpfr_set_d(x, mean + deviation * sp_rng_bell(&rng), MPFR_RNDN);
    sp_ref_store(dtype, table, i, sp_ref_round(dtype, x));
  }
  mpfr_clear(x);
  return table;
}

static bool fill(void *to, sp_dtype dtype, size_t count, double mean, double deviation,
                 uint64_t seed) {
  size_t size = sp_ref_format_bytes(dtype);
  unsigned char *table = deviates(dtype, mean, deviation, seed);
  uint64_t state = seed * 2 + 1;
  if (table == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    memcpy((unsigned char *)to + i * size, table + (state >> 50) * size, size);
  }
  free(table);
  return true;
}

static bool fill_all(sp_bench_memory *m, uint64_t seed) {
  const sp_bench_shape *s = m->shape;
  size_t keys = s->n_batch * s->n_kv * s->n_kv_heads;
  size_t n_sinks = s->op == SP_OP_SOFTMAX ? s->n_q : s->n_heads;
  if (!fill(m->sink_logit, SP_F32, n_sinks, 2, 2, seed)) return false;
  /* Sixteenths are numbers of every type, so that no kernel must decline a shape for its sinks. */
  for (size_t i = 0; i < n_sinks; i++) {
    float *sink_logit = (float *)m->sink_logit + i;
    *sink_logit = rintf(16 * *sink_logit) / 16;
  }
  if (s->op == SP_OP_SOFTMAX) return fill(m->logits, s->dtype_q, s->n_q * s->n_kv, 0, 3, seed + 1);
  return fill(m->q, s->dtype_q, s->n_batch * s->n_q * s->n_heads * s->d_head, 0, 1.2, seed + 2) &&
         fill(m->k, s->dtype_kv, keys * s->d_head, 0, 1.2, seed + 3) &&
         fill(m->v, s->dtype_kv, keys * s->d_value, 0, 1, seed + 4);
}

bool sp_bench_memory_init(sp_bench_memory *m, const sp_bench_shape *s, uint64_t seed) {
  *m = (sp_bench_memory){.shape = s};
  size_t size_q = sp_ref_format_bytes(s->dtype_q), size_kv = sp_ref_format_bytes(s->dtype_kv);
  size_t queries = s->n_batch * s->n_q * s->n_heads, keys = s->n_batch * s->n_kv * s->n_kv_heads;
  bool softmax = s->op == SP_OP_SOFTMAX;
  m->out_bytes = queries * (softmax ? s->n_kv : s->d_value) * size_q;
  size_t logits = place(&m->bytes, softmax ? queries * s->n_kv * size_q : 0);
  size_t q = place(&m->bytes, queries * s->d_head * size_q);
  size_t k = place(&m->bytes, keys * s->d_head * size_kv);
  size_t v = place(&m->bytes, keys * s->d_value * size_kv);
  size_t sink = place(&m->bytes, (queries + 1) * sizeof(float));
  m->bytes = (m->bytes + PAGE - 1) / PAGE * PAGE;
  size_t out = place(&m->bytes, m->out_bytes + PAGE);
  m->base = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m->base == MAP_FAILED) {
    m->base = NULL;
    return false;
  }
  madvise(m->base, m->bytes, MADV_HUGEPAGE);
  m->logits = m->base + logits;
  m->q = m->base + q;
  m->k = m->base + k;
  m->v = m->base + v;
  m->sink_logit = m->base + sink;
  m->out = m->base + out;
  if (fill_all(m, seed)) return true;
  sp_bench_memory_clear(m);
  return false;
}

void sp_bench_memory_clear(sp_bench_memory *m) {
  if (m->base != NULL) munmap(m->base, m->bytes);
  *m = (sp_bench_memory){0};
}

/* Strides of [b][token][head][c]. */
static void strides(int64_t stride[3], size_t tokens, size_t heads, size_t d, bool token_major) {
  stride[0] = (int64_t)(tokens * heads * d);
  stride[1] = (int64_t)(token_major ? heads * d : d);
  stride[2] = (int64_t)(token_major ? d : tokens * d);
}

static void fill_softmax(const sp_bench_memory *m, void *out, sp_softmax_call *call) {
  const sp_bench_shape *s = m->shape;
  *call = (sp_softmax_call){.size = sizeof *call, .n_rows = s->n_q, .n = s->n_kv, .scale = 1};
  call->logits = (sp_in){.data = m->logits, .stride = {(int64_t)s->n_kv}, .dtype = s->dtype_q};
  call->weights = (sp_out){.data = out, .stride = {(int64_t)s->n_kv}, .dtype = s->dtype_q};
  if (s->sink_logit)
    call->sink_logit = (sp_in){.data = m->sink_logit, .stride = {1}, .dtype = SP_F32};
}

static void fill_attention(const sp_bench_memory *m, void *out, sp_attention_call *call) {
  const sp_bench_shape *s = m->shape;
  *call = (sp_attention_call){.size = sizeof *call,
                              .n_batch = s->n_batch,
                              .n_q = s->n_q,
                              .n_kv = s->n_kv,
                              .n_heads = s->n_heads,
                              .n_kv_heads = s->n_kv_heads,
                              .d_head = s->d_head,
                              .d_value = s->d_value,
                              .window = s->window,
                              .n_sink_tokens = s->n_sink_tokens,
                              .q = {.data = m->q, .dtype = s->dtype_q},
                              .k = {.data = m->k, .dtype = s->dtype_kv},
                              .v = {.data = m->v, .dtype = s->dtype_kv},
                              .out = {.data = out, .dtype = s->dtype_q},
                              .scale = sp_bench_scale(s),
                              .causal = 1};
  strides(call->q.stride, s->n_q, s->n_heads, s->d_head, true);
  strides(call->out.stride, s->n_q, s->n_heads, s->d_value, true);
  strides(call->k.stride, s->n_kv, s->n_kv_heads, s->d_head, s->token_major);
  strides(call->v.stride, s->n_kv, s->n_kv_heads, s->d_value, s->token_major);
  if (s->sink_logit)
    call->sink_logit = (sp_in){.data = m->sink_logit, .stride = {0, 0, 1}, .dtype = SP_F32};
}

float sp_bench_scale(const sp_bench_shape *s) {
  return (float)(1 / sqrt((double)s->d_head));
}

void sp_bench_call_fill(const sp_bench_memory *m, uint32_t n_threads, size_t out_offset,
                        sp_bench_call *call) {
  void *out = (unsigned char *)m->out + out_offset;
  if (m->shape->op == SP_OP_SOFTMAX) {
    fill_softmax(m, out, &call->softmax);
    call->softmax.n_threads = n_threads;
  } else {
    fill_attention(m, out, &call->attention);
    call->attention.n_threads = n_threads;
  }
}
