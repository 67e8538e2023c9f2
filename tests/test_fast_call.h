/* SPDX-License-Identifier: Apache-2.0 */
/* Random attention calls for the tests of fast/: a shape, options, tensors in some layout. What no
 * query can see stays NaN in k and v. */
#ifndef SINKPROOF_TEST_FAST_CALL_H
#define SINKPROOF_TEST_FAST_CALL_H

#include "tests/test_fast_naive.h"
#include "tests/test_fast_variants.h"

typedef struct shape {
  size_t n_batch, n_q, n_kv, n_heads, n_kv_heads, d_head, d_value;
  sp_dtype dtype_q, dtype_kv;
  layout order;
  size_t pad;
} shape;

typedef struct attention {
  shape s;
  tensor q, k, v, key_bias, alibi_slope, sink, bias_k, bias_v, out, lse_keys, lse_total;
  int64_t *pos_q, *pos_k;
  sp_attention_call call;
} attention;

static inline tensor per_head(const shape *s, sp_dtype dtype, size_t n_heads, size_t length) {
  return tensor_new(dtype, 1, 1, n_heads, length, s->order, s->pad);
}

/* All tensors are there; the call uses q, k, v and the three outputs, with scale 1/sqrt(d), and
 * nothing else: a test adds options, then fills in keys by attention_fill. */
static inline attention attention_new(rng *r, const shape *s) {
  sp_dtype sink_dtype = rng_below(r, 2) ? SP_F32 : SP_BF16;
  attention a = {
      .s = *s,
      .q = tensor_new(s->dtype_q, s->n_batch, s->n_q, s->n_heads, s->d_head, s->order, s->pad),
      .k = tensor_new(s->dtype_kv, s->n_batch, s->n_kv, s->n_kv_heads, s->d_head, s->order, s->pad),
      .v =
          tensor_new(s->dtype_kv, s->n_batch, s->n_kv, s->n_kv_heads, s->d_value, s->order, s->pad),
      .key_bias = tensor_new(SP_F32, s->n_batch, s->n_q, s->n_heads, s->n_kv, s->order, s->pad),
      .alibi_slope = per_head(s, SP_F32, s->n_heads, 1),
      .sink = per_head(s, sink_dtype, s->n_heads, 1),
      .bias_k = per_head(s, s->dtype_kv, s->n_kv_heads, s->d_head),
      .bias_v = per_head(s, s->dtype_kv, s->n_kv_heads, s->d_value),
      .out = tensor_new(s->dtype_q, s->n_batch, s->n_q, s->n_heads, s->d_value, s->order, s->pad),
      .lse_keys = tensor_new(SP_F32, s->n_batch, s->n_q, s->n_heads, 1, s->order, s->pad),
      .lse_total = tensor_new(SP_F32, s->n_batch, s->n_q, s->n_heads, 1, s->order, s->pad),
      .pos_q = malloc((s->n_q + 1) * sizeof(int64_t)),
      .pos_k = malloc((s->n_kv + 1) * sizeof(int64_t)),
  };
  ck_assert(a.pos_q != NULL && a.pos_k != NULL);
  tensor_normal(&a.q, r, 0.0, 2.0);
  tensor_normal(&a.key_bias, r, 0.0, 1.0);
  tensor_normal(&a.alibi_slope, r, 0.1, 0.1);
  tensor_normal(&a.sink, r, 2.0, 2.0);
  tensor_normal(&a.bias_k, r, 0.0, 1.0);
  tensor_normal(&a.bias_v, r, 0.5, 1.0);
  a.call = (sp_attention_call){.size = sizeof a.call,
                               .n_threads = 1,
                               .n_batch = s->n_batch,
                               .n_q = s->n_q,
                               .n_kv = s->n_kv,
                               .n_heads = s->n_heads,
                               .n_kv_heads = s->n_kv_heads,
                               .d_head = s->d_head,
                               .d_value = s->d_value,
                               .window = SP_WINDOW_ALL,
                               .q = as_in(&a.q),
                               .k = as_in(&a.k),
                               .v = as_in(&a.v),
                               .out = as_out(&a.out),
                               .lse_keys = as_out(&a.lse_keys),
                               .lse_total = as_out(&a.lse_total),
                               .scale = (float)(1.0 / sqrt((double)s->d_head))};
  return a;
}

static inline void attention_free(attention *a) {
  tensor *all[] = {&a->q,      &a->k,      &a->v,   &a->key_bias, &a->alibi_slope, &a->sink,
                   &a->bias_k, &a->bias_v, &a->out, &a->lse_keys, &a->lse_total};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) tensor_free(all[i]);
  free(a->pos_q);
  free(a->pos_k);
}

/* Some query of batch b, in some head of the group of h_kv, sees key j. */
static inline bool seen(const attention *a, size_t b, size_t j, size_t h_kv) {
  const sp_attention_call *call = &a->call;
  size_t group = a->s.n_heads / a->s.n_kv_heads;
  int64_t pos_k = call->pos_k ? call->pos_k[j] : (int64_t)j;
  for (size_t i = 0; i < a->s.n_q; i++) {
    int64_t pos_q =
        call->pos_q ? call->pos_q[i] : (int64_t)a->s.n_kv - (int64_t)a->s.n_q + (int64_t)i;
    if (!naive_visible(call, pos_q, pos_k)) continue;
    for (size_t h = h_kv * group; h < (h_kv + 1) * group; h++)
      if (call->key_bias.data == NULL || naive_in(&call->key_bias, b, i, h, j) != -INFINITY)
        return true;
  }
  return false;
}

/* Keys and values, for whom it matters. tests: AT-3 the others stay NaN */
static inline void attention_fill(attention *a, rng *r) {
  for (size_t b = 0; b < a->s.n_batch; b++)
    for (size_t j = 0; j < a->s.n_kv; j++)
      for (size_t h = 0; h < a->s.n_kv_heads; h++) {
        if (!seen(a, b, j, h)) continue;
        for (size_t c = 0; c < a->s.d_head; c++) tensor_set(&a->k, b, j, h, c, rng_normal(r));
        for (size_t c = 0; c < a->s.d_value; c++)
          tensor_set(&a->v, b, j, h, c, 0.5 + rng_normal(r));
      }
}

/* Distinct positions of keys, in any order, with gaps; those of queries among them. */
static inline void attention_positions(attention *a, rng *r) {
  int64_t base = rng_below(r, 3) == 0 ? INT64_C(1) << 40 : 0;
  for (size_t j = 0; j < a->s.n_kv; j++) a->pos_k[j] = base + (int64_t)(2 * j);
  for (size_t j = a->s.n_kv; j > 1; j--) {
    size_t other = rng_below(r, j);
    int64_t swapped = a->pos_k[other];
    a->pos_k[other] = a->pos_k[j - 1];
    a->pos_k[j - 1] = swapped;
  }
  for (size_t i = 0; i < a->s.n_q; i++)
    a->pos_q[i] = base + (int64_t)rng_below(r, 2 * a->s.n_kv + 4);
  a->call.pos_q = a->pos_q;
  a->call.pos_k = a->pos_k;
}

/* Every query masks some keys by a bias of -inf, now and then all the first ones. */
static inline void attention_masks(attention *a, rng *r) {
  for (size_t b = 0; b < a->s.n_batch; b++)
    for (size_t i = 0; i < a->s.n_q; i++)
      for (size_t h = 0; h < a->s.n_heads; h++) {
        size_t first = rng_below(r, 3) == 0 ? rng_below(r, a->s.n_kv + 1) : 0;
        for (size_t j = 0; j < a->s.n_kv; j++)
          if (j < first || rng_below(r, 3) == 0) tensor_set(&a->key_bias, b, i, h, j, -INFINITY);
      }
  a->call.key_bias = as_in(&a->key_bias);
}

static inline void attention_check(const sp_kernel *kernel, attention *a, const char *what,
                                   uint64_t seed) {
  ck_assert_int_eq(kernel->attention(&a->call), SP_OK);
  int64_t wrong = naive_wrong_attention(kernel, &a->call);
  ck_assert_msg(wrong < 0, "%s, seed %llu: row [b][i][h] number %lld is wrong", what,
                (unsigned long long)seed, (long long)wrong);
  ck_assert(gaps_untouched(&a->out) && gaps_untouched(&a->lse_keys));
  ck_assert(gaps_untouched(&a->lse_total));
}

/* Types that the kernel offers. */
static inline void offer(const sp_kernel *kernel, shape *s) {
  s->dtype_q = offered(kernel->dtypes_q, s->dtype_q);
  s->dtype_kv = offered(kernel->dtypes_kv, s->dtype_kv);
}

/* A shape with everything small and of every kind. */
static inline shape random_shape(rng *r) {
  static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};
  size_t n_kv_heads = 1 + rng_below(r, 3);
  return (shape){.n_batch = 1 + rng_below(r, 2),
                 .n_q = 1 + rng_below(r, 4),
                 .n_kv = 1 + rng_below(r, 70),
                 .n_heads = n_kv_heads * (1 + rng_below(r, 3)),
                 .n_kv_heads = n_kv_heads,
                 .d_head = 1 + rng_below(r, 40),
                 .d_value = 1 + rng_below(r, 40),
                 .dtype_q = dtypes[rng_below(r, 3)],
                 .dtype_kv = dtypes[rng_below(r, 3)],
                 .order = (layout)rng_below(r, N_LAYOUTS),
                 .pad = rng_below(r, 3)};
}

/* One query, one head, all binary32: the plainest shape. */
static inline shape plain_shape(size_t n_kv, size_t d) {
  return (shape){.n_batch = 1,
                 .n_q = 1,
                 .n_kv = n_kv,
                 .n_heads = 1,
                 .n_kv_heads = 1,
                 .d_head = d,
                 .d_value = d,
                 .dtype_q = SP_F32,
                 .dtype_kv = SP_F32,
                 .order = PACKED,
                 .pad = 0};
}

#endif
