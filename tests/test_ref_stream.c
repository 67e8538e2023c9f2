/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's streaming cache behind the ABI. It evicts; the attention operation only masks. Both
 * round correctly, so over any stream cut into any blocks they must agree to the last bit. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>

#include "ref/ref.h"
#include "tests/random_row.h"
#include "tests/require.h"
#include "tests/tensor.h"

Suite *suite_ref_stream(void);

static const sp_dtype formats[] = {SP_F32, SP_F64, SP_F16, SP_BF16};

typedef struct stream {
  size_t n_tokens, n_heads, n_kv_heads, d_head, d_value, s, w;
  bool has_sink;                                  /* an absent sink logit is -inf, not 0 */
  tensor q, k, v, sink, out, lse_keys, lse_total; /* [0][t][h][c] */
} stream;

static void make_stream(stream *x, sp_dtype dtype_q, sp_dtype dtype_kv, uint64_t *state) {
  x->n_tokens = 1 + sp_random_below(state, 20);
  x->n_kv_heads = 1 + sp_random_below(state, 2);
  x->n_heads = x->n_kv_heads * (1 + sp_random_below(state, 2));
  x->d_head = 1 + sp_random_below(state, 3);
  x->d_value = 1 + sp_random_below(state, 3);
  x->s = sp_random_below(state, 4);
  x->w = 1 + sp_random_below(state, 5);
  x->has_sink = sp_random_below(state, 2) == 0;
  x->q = tensor_input(dtype_q, 1, x->n_tokens, x->n_heads, x->d_head, state);
  x->k = tensor_input(dtype_kv, 1, x->n_tokens, x->n_kv_heads, x->d_head, state);
  x->v = tensor_input(dtype_kv, 1, x->n_tokens, x->n_kv_heads, x->d_value, state);
  x->sink = tensor_input(SP_F32, 1, 1, x->n_heads, 1, state);
  x->out = tensor_output(dtype_q, 1, x->n_tokens, x->n_heads, x->d_value, state);
  x->lse_keys = tensor_output(SP_F32, 1, x->n_tokens, x->n_heads, 1, state);
  x->lse_total = tensor_output(SP_F32, 1, x->n_tokens, x->n_heads, 1, state);
}

static void free_stream(stream *x) {
  tensor *const all[] = {&x->q, &x->k, &x->v, &x->sink, &x->out, &x->lse_keys, &x->lse_total};
  for (size_t i = 0; i < 7; i++) free(all[i]->bits);
}

/* The whole stream as one causal attention call with the same window and pinned tokens. */
static void attend_all(const stream *x, tensor *out, tensor *lse_total) {
  const sp_attention_call call = {.size = sizeof call,
                                  .n_threads = 1,
                                  .n_batch = 1,
                                  .n_q = x->n_tokens,
                                  .n_kv = x->n_tokens,
                                  .n_heads = x->n_heads,
                                  .n_kv_heads = x->n_kv_heads,
                                  .d_head = x->d_head,
                                  .d_value = x->d_value,
                                  .window = x->w,
                                  .n_sink_tokens = x->s,
                                  .q = tensor_in(&x->q, 0),
                                  .k = tensor_in(&x->k, 0),
                                  .v = tensor_in(&x->v, 0),
                                  .sink_logit = x->has_sink ? tensor_in(&x->sink, 0) : (sp_in){0},
                                  .out = tensor_out(out, 0),
                                  .lse_total = tensor_out(lse_total, 0),
                                  .scale = 0.5F,
                                  .causal = 1};
  REQUIRE(sp_ref_kernel()->attention(&call) == SP_OK);
}

static sp_cache_call block_call(stream *x, size_t t, size_t n_tokens) {
  return (sp_cache_call){.size = sizeof(sp_cache_call),
                         .n_threads = 1,
                         .n_tokens = n_tokens,
                         .k = tensor_in(&x->k, t),
                         .v = tensor_in(&x->v, t),
                         .q = tensor_in(&x->q, t),
                         .sink_logit = x->has_sink ? tensor_in(&x->sink, 0) : (sp_in){0},
                         .out = tensor_out(&x->out, t),
                         .lse_keys = tensor_out(&x->lse_keys, t),
                         .lse_total = tensor_out(&x->lse_total, t),
                         .scale = 0.5F};
}

static sp_cache *open_stream(const stream *x, uint64_t first_token) {
  sp_cache *cache = NULL;
  const sp_cache_config config = {.size = sizeof config,
                                  .dtype_kv = x->k.dtype,
                                  .n_sink_tokens = x->s,
                                  .window = x->w,
                                  .first_token = first_token,
                                  .n_heads = x->n_heads,
                                  .n_kv_heads = x->n_kv_heads,
                                  .d_head = x->d_head,
                                  .d_value = x->d_value};
  REQUIRE(sp_ref_kernel()->cache->open(&cache, &config) == SP_OK);
  return cache;
}

static void check_list(sp_cache *cache, const stream *x, size_t n_seen, uint64_t first_token) {
  uint64_t token[64], n = 0, expected = 0;
  const sp_ref_mask mask = {true, x->w, x->s};
  REQUIRE(sp_ref_kernel()->cache->visible(cache, 0, token, 64, &n) == SP_OK);
  for (size_t j = 0; j < n_seen; j++) {
    if (!sp_ref_visible(&mask, (int64_t)n_seen - 1, (int64_t)j)) continue;
    REQUIRE(expected < n && token[expected] == first_token + j);
    expected++;
  }
  REQUIRE(n == expected);
}

static void same_rows(const tensor *a, const tensor *b, const stream *x, size_t n) {
  for (size_t t = 0; t < x->n_tokens; t++)
    for (size_t h = 0; h < x->n_heads; h++)
      for (size_t c = 0; c < n; c++)
        REQUIRE(tensor_get(a, 0, t, h, c) == tensor_get(b, 0, t, h, c));
}

/* tests: EV-2, EV-4, EV-5, EV-6, EV-8 (any blocks, with and without queries: the outputs of one
 * attention call over the whole stream, bit for bit) */
START_TEST(streams_equal_attention) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    uint64_t state = 600 + seed;
    stream x;
    make_stream(&x, formats[seed % 3], formats[seed % 4], &state);
    tensor out = tensor_output(x.q.dtype, 1, x.n_tokens, x.n_heads, x.d_value, &state);
    tensor lse = tensor_output(tensor_lse_type(x.q.dtype), 1, x.n_tokens, x.n_heads, 1, &state);
    attend_all(&x, &out, &lse);
    const uint64_t first_token = seed % 2 ? 1000 : 0;
    sp_cache *cache = open_stream(&x, first_token);
    check_list(cache, &x, 0, first_token);
    for (size_t t = 0, block; t < x.n_tokens; t += block) {
      block = 1 + sp_random_below(&state, 7);
      if (block > x.n_tokens - t) block = x.n_tokens - t;
      sp_cache_call call = block_call(&x, t, block);
      REQUIRE(sp_ref_kernel()->cache->append(cache, &call) == SP_OK);
      check_list(cache, &x, t + block, first_token);
      call = block_call(&x, t + block - 1, 1); /* the newest query once more */
      call.k.data = call.v.data = NULL;
      REQUIRE(sp_ref_kernel()->cache->attend(cache, &call) == SP_OK);
    }
    same_rows(&x.out, &out, &x, x.d_value);
    if (x.q.dtype != SP_F64) same_rows(&x.lse_total, &lse, &x, 1);
    sp_ref_kernel()->cache->close(cache);
    free(out.bits);
    free(lse.bits);
    free_stream(&x);
  }
}
END_TEST

/* tests: KC-3, KC-7, EV-3 */
START_TEST(illegal_cache_calls_are_refused) {
  const sp_cache_ops *ops = sp_ref_kernel()->cache;
  uint64_t state = 9, n = 5;
  stream x;
  make_stream(&x, SP_F32, SP_F32, &state);
  sp_cache *cache = NULL;
  const sp_cache_config good = {.size = sizeof good,
                                .dtype_kv = SP_F32,
                                .window = 1,
                                .n_heads = 4,
                                .n_kv_heads = 2,
                                .d_head = 1,
                                .d_value = 1};
  sp_cache_config config = good;
  config.window = 0;
  ck_assert_int_eq(ops->open(&cache, &config), SP_INVALID);
  config = good;
  config.n_kv_heads = 3;
  ck_assert_int_eq(ops->open(&cache, &config), SP_INVALID);
  config.n_kv_heads = 0;
  ck_assert_int_eq(ops->open(&cache, &config), SP_INVALID);
  config = good;
  config.dtype_kv = 77;
  ck_assert_int_eq(ops->open(&cache, &config), SP_UNSUPPORTED);
  ck_assert_ptr_null(cache);

  cache = open_stream(&x, 0);
  sp_cache_call call = block_call(&x, 0, 1);
  call.k.data = call.v.data = NULL;
  ck_assert_int_eq(ops->attend(cache, &call), SP_INVALID); /* no token yet */
  call = block_call(&x, 0, 0);
  ck_assert_int_eq(ops->append(cache, &call), SP_INVALID);
  call = block_call(&x, 0, 1);
  call.k.dtype = SP_F16;
  ck_assert_int_eq(ops->append(cache, &call), SP_INVALID);
  call = block_call(&x, 0, 1);
  call.out.data = NULL;
  ck_assert_int_eq(ops->append(cache, &call), SP_INVALID);
  call = block_call(&x, 0, 1);
  call.scale = NAN;
  ck_assert_int_eq(ops->append(cache, &call), SP_INVALID);
  ck_assert(tensor_untouched(&x.out) && tensor_untouched(&x.lse_keys) &&
            tensor_untouched(&x.lse_total));
  ck_assert_int_eq(ops->visible(cache, 0, NULL, 0, &n), SP_OK);
  ck_assert_uint_eq(n, 0);
  call = block_call(&x, 0, 1);
  ck_assert_int_eq(ops->append(cache, &call), SP_OK);
  call.k.data = call.v.data = call.q.data = NULL;
  ck_assert_int_eq(ops->attend(cache, &call), SP_INVALID);
  ck_assert_int_eq(ops->visible(cache, 0, NULL, 0, &n), SP_OK);
  ck_assert_uint_eq(n, 1);
  ops->close(cache);
  ops->close(NULL);
  free_stream(&x);
}
END_TEST

Suite *suite_ref_stream(void) {
  Suite *suite = suite_create("ref_stream");
  TCase *blocks = tcase_create("EV-5");
  tcase_set_timeout(blocks, 20);
  tcase_add_test(blocks, streams_equal_attention);
  suite_add_tcase(suite, blocks);
  TCase *illegal = tcase_create("KC-7");
  tcase_add_test(illegal, illegal_cache_calls_are_refused);
  suite_add_tcase(suite, illegal);
  return suite;
}
