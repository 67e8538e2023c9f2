/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of each variant against the definition of what a token sees: the whole stream is kept
 * aside, and every output of the cache is compared with attention over Vis(t) of that. */
#include "fast/cache.h"
#include "tests/test_fast_naive.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_cache(void);

static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};

typedef struct stream {
  sp_cache_config config;
  size_t n_tokens; /* of the whole stream */
  sp_dtype dtype_q;
  tensor q, k, v, sink, out, lse_keys, lse_total;
  sp_cache *cache;
  const sp_kernel *kernel;
  const sp_cache_ops *ops;
  size_t n_seen;
} stream;

static stream stream_new(const sp_kernel *kernel, rng *r, size_t n_tokens, uint64_t n_sink_tokens,
                         uint64_t window) {
  layout order = (layout)rng_below(r, N_LAYOUTS);
  size_t pad = rng_below(r, 3);
  size_t n_kv_heads = 1 + rng_below(r, 2);
  size_t n_heads = n_kv_heads * (1 + rng_below(r, 3));
  size_t d_head = 1 + rng_below(r, 20);
  size_t d_value = 1 + rng_below(r, 20);
  sp_dtype dtype_q = offered(kernel->dtypes_q, dtypes[rng_below(r, 3)]);
  sp_dtype dtype_kv = offered(kernel->dtypes_kv, dtypes[rng_below(r, 3)]);
  stream s = {.n_tokens = n_tokens, .dtype_q = dtype_q, .kernel = kernel, .ops = kernel->cache};
  s.config = (sp_cache_config){.size = sizeof s.config,
                               .dtype_kv = dtype_kv,
                               .n_sink_tokens = n_sink_tokens,
                               .window = window,
                               .n_heads = n_heads,
                               .n_kv_heads = n_kv_heads,
                               .d_head = d_head,
                               .d_value = d_value};
  s.q = tensor_new(dtype_q, 1, n_tokens, n_heads, d_head, order, pad);
  s.k = tensor_new(dtype_kv, 1, n_tokens, n_kv_heads, d_head, order, pad);
  s.v = tensor_new(dtype_kv, 1, n_tokens, n_kv_heads, d_value, order, pad);
  s.sink = tensor_new(SP_BF16, 1, 1, n_heads, 1, order, pad);
  s.out = tensor_new(dtype_q, 1, n_tokens, n_heads, d_value, order, pad);
  s.lse_keys = tensor_new(SP_F32, 1, n_tokens, n_heads, 1, order, pad);
  s.lse_total = tensor_new(SP_F32, 1, n_tokens, n_heads, 1, order, pad);
  tensor_normal(&s.q, r, 0.0, 2.0);
  tensor_normal(&s.k, r, 0.0, 1.0);
  tensor_normal(&s.v, r, 0.5, 1.0);
  tensor_normal(&s.sink, r, 1.0, 2.0);
  ck_assert_int_eq(s.ops->open(&s.cache, &s.config), SP_OK);
  return s;
}

static void stream_free(stream *s) {
  tensor *all[] = {&s->q, &s->k, &s->v, &s->sink, &s->out, &s->lse_keys, &s->lse_total};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) tensor_free(all[i]);
  s->ops->close(s->cache);
}

static sp_in in_at(const tensor *t, size_t token) {
  sp_in in = as_in(t);
  in.data = t->data + (size_t)tensor_index(t, 0, token, 0, 0) * bytes_of(t->dtype);
  return in;
}

static sp_out out_at(const tensor *t, size_t token) {
  sp_out out = as_out(t);
  out.data = t->data + (size_t)tensor_index(t, 0, token, 0, 0) * bytes_of(t->dtype);
  return out;
}

static sp_cache_call block(const stream *s, size_t first, size_t n_tokens) {
  return (sp_cache_call){.size = sizeof(sp_cache_call),
                         .n_threads = 1,
                         .n_tokens = n_tokens,
                         .k = in_at(&s->k, first),
                         .v = in_at(&s->v, first),
                         .scale = 0.4F};
}

static void with_queries(const stream *s, sp_cache_call *call, size_t first) {
  call->q = in_at(&s->q, first);
  call->sink_logit = as_in(&s->sink);
  call->out = out_at(&s->out, first);
  call->lse_keys = out_at(&s->lse_keys, first);
  call->lse_total = out_at(&s->lse_total, first);
}

/* What token t's query must give: attention over the stream up to t. tests: EV-2, EV-4 */
static sp_attention_call definition(const stream *s, size_t t) {
  return (sp_attention_call){.size = sizeof(sp_attention_call),
                             .n_threads = 1,
                             .n_batch = 1,
                             .n_q = 1,
                             .n_kv = t + 1,
                             .n_heads = s->config.n_heads,
                             .n_kv_heads = s->config.n_kv_heads,
                             .d_head = s->config.d_head,
                             .d_value = s->config.d_value,
                             .window = s->config.window,
                             .n_sink_tokens = s->config.n_sink_tokens,
                             .causal = 1,
                             .q = in_at(&s->q, t),
                             .k = as_in(&s->k),
                             .v = as_in(&s->v),
                             .sink_logit = as_in(&s->sink),
                             .out = out_at(&s->out, t),
                             .lse_keys = out_at(&s->lse_keys, t),
                             .lse_total = out_at(&s->lse_total, t),
                             .scale = 0.4F};
}

static void check_token(const stream *s, size_t t, uint64_t seed) {
  sp_attention_call call = definition(s, t);
  ck_assert_msg(naive_wrong_attention(s->kernel, &call) < 0, "seed %llu, S %llu, W %llu, token %zu",
                (unsigned long long)seed, (unsigned long long)s->config.n_sink_tokens,
                (unsigned long long)s->config.window, t);
}

static void append(stream *s, size_t n_tokens, bool queries) {
  sp_cache_call call = block(s, s->n_seen, n_tokens);
  if (queries) with_queries(s, &call, s->n_seen);
  ck_assert_int_eq(s->ops->append(s->cache, &call), SP_OK);
  s->n_seen += n_tokens;
}

static void attend(stream *s) {
  sp_cache_call call = {.size = sizeof call, .n_threads = 1, .n_tokens = 1, .scale = 0.4F};
  with_queries(s, &call, s->n_seen - 1);
  ck_assert_int_eq(s->ops->attend(s->cache, &call), SP_OK);
}

/* tests: EV-6 against the definition, with room for all, for some, for none */
static void check_visible(const stream *s) {
  uint64_t expected[64];
  uint64_t n_expected = 0;
  ck_assert_uint_le(s->n_seen, 64);
  for (uint64_t j = 0; j < s->n_seen; j++)
    if (j < s->config.n_sink_tokens || s->n_seen - 1 - j < s->config.window)
      expected[n_expected++] = s->config.first_token + j;
  for (uint64_t capacity = 0; capacity <= n_expected + 1; capacity++) {
    uint64_t token[66];
    uint64_t n = 99;
    memset(token, 0xff, sizeof token);
    ck_assert_int_eq(s->ops->visible(s->cache, 0, capacity > 0 ? token : NULL, capacity, &n),
                     SP_OK);
    ck_assert_uint_eq(n, n_expected);
    uint64_t n_written = capacity < n ? capacity : n;
    ck_assert_mem_eq(token, expected, n_written * sizeof *token);
    for (uint64_t i = n_written; i < 66; i++) ck_assert_uint_eq(token[i], UINT64_MAX);
  }
}

/* Streams cut into blocks at random: with queries, without, attended after. tests: EV-4, EV-5 */
START_TEST(streams_in_blocks) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t seed = 1; seed <= 150; seed++) {
    rng r = {seed};
    stream s = stream_new(kernel, &r, 24, rng_below(&r, 5), 1 + rng_below(&r, 7));
    check_visible(&s);
    while (s.n_seen < s.n_tokens) {
      size_t n = 1 + rng_below(&r, s.n_tokens - s.n_seen < 12 ? s.n_tokens - s.n_seen : 12);
      size_t first = s.n_seen;
      bool queries = rng_below(&r, 2) == 0;
      append(&s, n, queries);
      if (!queries) attend(&s);
      for (size_t t = queries ? first : s.n_seen - 1; t < s.n_seen; t++) check_token(&s, t, seed);
      check_visible(&s);
    }
    ck_assert(gaps_untouched(&s.out) && gaps_untouched(&s.lse_keys));
    stream_free(&s);
  }
}
END_TEST

/* All S <= 3, W <= 5, lengths <= 14: what is listed, and every output of one block and of single
 * tokens, equal bit for bit. tests: EV-1, EV-5, EV-6, EV-7 */
START_TEST(all_small_streams) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t code = 0; code < 4 * 5 * 14; code++) {
    rng r = {5000 + code};
    stream s = stream_new(kernel, &r, 1 + code % 14, code / 70, 1 + code / 14 % 5);
    size_t bytes = s.out.bytes;
    unsigned char *once = malloc(bytes + 1);
    ck_assert_ptr_nonnull(once);
    append(&s, s.n_tokens, true);
    check_visible(&s);
    for (size_t t = 0; t < s.n_tokens; t++) check_token(&s, t, code);
    memcpy(once, s.out.data, bytes);
    s.ops->close(s.cache);
    ck_assert_int_eq(s.ops->open(&s.cache, &s.config), SP_OK);
    s.n_seen = 0;
    memset(s.out.data, 0xff, bytes);
    while (s.n_seen < s.n_tokens) {
      append(&s, 1, true);
      check_visible(&s);
    }
    ck_assert_mem_eq(once, s.out.data, bytes);
    free(once);
    stream_free(&s);
  }
}
END_TEST

/* Longer than a tile, through several growths and several turns of the ring. */
START_TEST(long_stream) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {6000};
  stream s = stream_new(kernel, &r, 1500, 3, 400);
  while (s.n_seen < s.n_tokens) {
    size_t left = s.n_tokens - s.n_seen;
    append(&s, left < 37 ? left : 37, false);
    attend(&s);
    check_token(&s, s.n_seen - 1, s.n_seen);
  }
  stream_free(&s);
}
END_TEST

/* What a token that has left held does not matter. tests: AT-3, EV-2 */
START_TEST(evicted_tokens_leave_nothing) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {7000};
  stream s = stream_new(kernel, &r, 20, 2, 4);
  for (size_t t = 2; t < 10; t++)
    for (size_t h = 0; h < s.config.n_kv_heads; h++) {
      tensor_set(&s.k, 0, t, h, 0, NAN);
      tensor_set(&s.v, 0, t, h, 0, NAN);
    }
  append(&s, 13, false);
  append(&s, 7, true);
  for (size_t t = 13; t < 20; t++) check_token(&s, t, 7000);
  ck_assert(!isnan(tensor_get(&s.out, 0, 13, 0, 0)));
  stream_free(&s);
}
END_TEST

/* A dedicated sink token, which every query wants and which holds a large value, is kept by its place
 * in the stream and by nothing else: pinned it stays, not pinned it goes. tests: AL-9, EV-1 */
START_TEST(a_dedicated_sink_token_is_an_ordinary_token) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t n_sink_tokens = 0; n_sink_tokens < 2; n_sink_tokens++) {
    rng r = {7500};
    stream s = stream_new(kernel, &r, 8, n_sink_tokens, 3);
    tensor_normal(&s.q, &r, 2.0, 0.0);
    for (size_t h = 0; h < s.config.n_kv_heads; h++) {
      for (size_t c = 0; c < s.config.d_head; c++) tensor_set(&s.k, 0, 0, h, c, 8.0);
      for (size_t c = 0; c < s.config.d_value; c++) tensor_set(&s.v, 0, 0, h, c, 1000.0);
    }
    append(&s, 8, true);
    for (size_t t = 0; t < 8; t++) {
      check_token(&s, t, 7500);
      bool there = t < 3 || n_sink_tokens == 1;
      ck_assert_int_eq(tensor_get(&s.out, 0, t, 0, 0) > 100.0, there);
    }
    stream_free(&s);
  }
}
END_TEST

/* tests: EV-8 */
START_TEST(tokens_may_be_numbered_from_anywhere) {
  const uint64_t firsts[] = {1, UINT32_MAX - 3, INT64_MAX - UINT64_C(3), UINT64_MAX - 7};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
    rng r = {8000 + i};
    stream s = stream_new(kernel, &r, 9, 2, 3);
    s.ops->close(s.cache);
    s.config.first_token = firsts[i];
    ck_assert_int_eq(s.ops->open(&s.cache, &s.config), SP_OK);
    append(&s, 7, true);
    check_token(&s, 6, i);
    append(&s, 1, false);
    check_visible(&s);
    sp_cache_call call = block(&s, 8, 1);
    bool last = firsts[i] == UINT64_MAX - 7; /* the next token would have number 2^64 */
    ck_assert_int_eq(s.ops->append(s.cache, &call), last ? SP_INVALID : SP_OK);
    stream_free(&s);
  }
}
END_TEST

/* The ring's arithmetic at counts that no test could reach by appending. tests: EV-1, EV-2, EV-8 */
START_TEST(ring_arithmetic_at_large_counts) {
  const uint64_t counts[] = {UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 63,
                             UINT64_MAX - 20};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    for (uint64_t n_sink = 0; n_sink < 4; n_sink++)
      for (uint64_t window = 1; window < 6; window++)
        for (uint64_t n_seen = counts[i] - 8; n_seen < counts[i] + 16; n_seen++) {
          sp_fast_ring ring = sp_fast_ring_new(n_sink, window, 1, 0);
          ring.n_seen = n_seen;
          ck_assert_uint_eq(sp_fast_ring_oldest(&ring), n_seen - window);
          ck_assert_uint_eq(sp_fast_ring_used(&ring, n_seen), n_sink + window);
          uint64_t used = 0; /* the W recent tokens have W different slots of the ring */
          for (uint64_t t = n_seen - window; t < n_seen; t++) {
            uint64_t slot = sp_fast_ring_slot(&ring, t);
            ck_assert(slot >= n_sink && slot < n_sink + window);
            ck_assert_uint_eq(used & UINT64_C(1) << slot, 0);
            used |= UINT64_C(1) << slot;
          }
          for (uint64_t t = 0; t < n_sink; t++) ck_assert_uint_eq(sp_fast_ring_slot(&ring, t), t);
        }
}
END_TEST

START_TEST(ring_capacity_does_not_wrap) {
  const sp_fast_ring huge = sp_fast_ring_new(UINT64_MAX - 5, 100, 1, 0);
  ck_assert_uint_eq(sp_fast_ring_capacity(&huge), UINT64_MAX);
  ck_assert_uint_eq(sp_fast_ring_used(&huge, 7), 7);
  const sp_fast_ring exact = sp_fast_ring_new(UINT64_MAX - 5, 5, 1, 0);
  ck_assert_uint_eq(sp_fast_ring_capacity(&exact), UINT64_MAX);
}
END_TEST

/* A window that will never be reached costs nothing; memory that cannot be had is said so, and the
 * cache goes on. tests: KC-3 */
START_TEST(windows_larger_than_memory) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {9000};
  stream s = stream_new(kernel, &r, 30, UINT64_MAX - 10, UINT64_MAX - 1);
  append(&s, 10, true);
  append(&s, 20, true);
  check_token(&s, 9, 9000);
  check_token(&s, 29, 9000);
  sp_cache_call call = block(&s, 0, UINT64_MAX / 4);
  ck_assert_int_eq(s.ops->append(s.cache, &call), SP_NOMEM);
  uint64_t n = 0;
  ck_assert_int_eq(s.ops->visible(s.cache, 0, NULL, 0, &n), SP_OK);
  ck_assert_uint_eq(n, 30);
  attend(&s);
  check_token(&s, 29, 9001);
  s.config.d_head = UINT64_C(1) << 61;
  sp_cache *none = NULL;
  ck_assert_int_eq(s.ops->open(&none, &s.config), SP_NOMEM);
  ck_assert_ptr_null(none);
  stream_free(&s);
}
END_TEST

/* Heads of a long window go to threads, as many as each call allows, and the bits are those of one.
 * tests: NU-12, AT-8 */
START_TEST(threads_change_no_bit) {
  static const uint32_t threads[] = {1, 3, 2, 8, 1, 3};
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {9500};
  stream s = stream_new(kernel, &r, 40, 2, 30);
  s.ops->close(s.cache);
  s.config.n_heads = 1024; /* logits enough with few keys */
  s.config.n_kv_heads = 4;
  s.config.d_head = s.config.d_value = 2;
  s.config.position = SP_POSITION_CACHE;
  s.config.rope_dims = 2;
  s.config.rope_base = 100.0;
  s.config.dtype_kv = SP_F32;
  float *out = calloc(2 * 1024 * 2, sizeof *out);
  float q[2] = {0.5F, -0.25F};
  ck_assert_ptr_nonnull(out);
  sp_cache *alone = NULL;
  ck_assert_int_eq(s.ops->open(&s.cache, &s.config), SP_OK);
  ck_assert_int_eq(s.ops->open(&alone, &s.config), SP_OK);
  for (uint64_t t = 0; t < 60; t++) {
    float k[4][2], v[4][2];
    for (int i = 0; i < 8; i++)
      k[i / 2][i % 2] = v[i / 2][i % 2] = (float)rng_below(&r, 64) - 31.5F;
    sp_cache_call call = {.size = sizeof call,
                          .n_threads = threads[t % 6],
                          .n_tokens = 1,
                          .k = {.data = k, .stride = {0, 0, 2}, .dtype = SP_F32},
                          .v = {.data = v, .stride = {0, 0, 2}, .dtype = SP_F32},
                          .q = {.data = q, .dtype = SP_F32},
                          .out = {.data = out, .stride = {0, 0, 2}, .dtype = SP_F32},
                          .scale = 0.03F};
    ck_assert_int_eq(s.ops->append(s.cache, &call), SP_OK);
    call.n_threads = 1;
    call.out.data = out + 1024 * 2;
    ck_assert_int_eq(s.ops->append(alone, &call), SP_OK);
    ck_assert_mem_eq(out, out + 1024 * 2, 1024 * 2 * sizeof *out);
  }
  ck_assert_uint_gt(s.cache->n_workers, 1);
  ck_assert_uint_eq(alone->n_workers, 1);
  s.ops->close(alone);
  free(out);
  stream_free(&s);
}
END_TEST

/* The yardstick can fail: a cache of another size is refused. */
START_TEST(planted_faults_are_noticed) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (int fault = 0; fault < 3; fault++) {
    rng r = {10000};
    stream s = stream_new(kernel, &r, 12, 2, 4);
    sp_cache_config config = s.config;
    if (fault == 1) config.window = 5;
    if (fault == 2) config.n_sink_tokens = 1;
    s.ops->close(s.cache);
    ck_assert_int_eq(s.ops->open(&s.cache, &config), SP_OK);
    append(&s, 12, true);
    sp_attention_call call = definition(&s, 11);
    ck_assert_int_eq(naive_wrong_attention(kernel, &call) >= 0, fault > 0);
    stream_free(&s);
  }
}
END_TEST

Suite *suite_fast_cache(void) {
  Suite *suite = suite_create("fast/cache");
  ADD_CASE_FOR(needs_nothing, suite, "EV-2", long_stream, evicted_tokens_leave_nothing,
               planted_faults_are_noticed);
  ADD_CASE_FOR(needs_nothing, suite, "EV-5", streams_in_blocks, all_small_streams);
  ADD_CASE(suite, "NU-12", threads_change_no_bit);
  ADD_CASE_FOR(needs_nothing, suite, "AL-9", a_dedicated_sink_token_is_an_ordinary_token);
  ADD_CASE_FOR(needs_nothing, suite, "EV-8", tokens_may_be_numbered_from_anywhere);
  ADD_CASE(suite, "KC-3", windows_larger_than_memory);
  TCase *ring = tcase_create("EV-1");
  tcase_add_test(ring, ring_arithmetic_at_large_counts);
  tcase_add_test(ring, ring_capacity_does_not_wrap);
  suite_add_tcase(suite, ring);
  report_missing_variants("cache");
  return suite;
}
