/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of each variant against the definition, with w-deep's bound: shapes and options at
 * random, and each option by itself where it can go wrong. */
#include "tests/test_fast_call.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_attention(void);

static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};

/* Options at random, alone and together. tests: AT-1, AT-2, AT-3, AT-4, AT-5, AT-6, AT-7, AL-2,
 * AL-5, AL-7, AL-8, EV-2 */
static void random_options(attention *a, rng *r) {
  sp_attention_call *call = &a->call;
  uint64_t bits = rng_next(r);
  if (bits & 1) call->causal = 1;
  if (bits & 2) call->window = 1 + rng_below(r, a->s.n_kv + 2);
  if (bits & 4) call->n_sink_tokens = rng_below(r, a->s.n_kv + 3);
  if (bits & 8) call->sink_logit = as_in(&a->sink);
  if ((bits & 0x30) == 0) call->softcap = 0x1.8p+1F;
  if ((bits & 0xc0) == 0) call->alibi_slope = as_in(&a->alibi_slope);
  if ((bits & 0x300) == 0) call->bias_k = as_in(&a->bias_k);
  if ((bits & 0x300) == 0) call->bias_v = as_in(&a->bias_v);
  if ((bits & 0xc00) == 0) call->scale = -0.3F;
  if ((bits & 0x3000) == 0) attention_positions(a, r);
  if ((bits & 0xc000) == 0) attention_masks(a, r);
  if ((bits & 0x30000) == 0) call->key_bias = as_in(&a->key_bias);
  if ((bits & 0xc0000) == 0) call->lse_keys.data = NULL;
  if ((bits & 0x300000) == 0) call->lse_total.data = NULL;
}

START_TEST(options_at_random) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t seed = 1; seed <= 500; seed++) {
    rng r = {seed};
    shape s = random_shape(&r);
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    random_options(&a, &r);
    attention_fill(&a, &r);
    attention_check(kernel, &a, "options", seed);
    attention_free(&a);
  }
}
END_TEST

/* tests: KC-4 */
START_TEST(every_tail_of_the_keys) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t n = 1; n <= 4 * 16 + 3; n++) {
    rng r = {10000 + n};
    shape s = plain_shape(n, 24);
    s.dtype_kv = dtypes[n % 3];
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    if (n % 2) a.call.sink_logit = as_in(&a.sink);
    attention_fill(&a, &r);
    attention_check(kernel, &a, "keys", n);
    attention_free(&a);
  }
}
END_TEST

START_TEST(every_tail_of_the_elements) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t d = 1; d <= 4 * 16 + 3; d++)
    for (size_t t = 0; t < 3; t++) {
      rng r = {11000 + d};
      shape s = plain_shape(19, d);
      s.d_value = 4 * 16 + 4 - d;
      s.dtype_kv = dtypes[t];
      s.dtype_q = dtypes[(t + d) % 3];
      offer(kernel, &s);
      attention a = attention_new(&r, &s);
      attention_fill(&a, &r);
      attention_check(kernel, &a, "elements", d);
      attention_free(&a);
    }
}
END_TEST

/* Around the ends of tiles, with windows that begin and end anywhere. tests: EV-2, AT-8 */
START_TEST(long_contexts) {
  const size_t lengths[] = {255, 256, 257, 511, 513, 1030, 2049};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    for (size_t k = 0; k < 4; k++) {
      uint64_t seed = 12000 + i * 4 + k;
      rng r = {seed};
      shape s = plain_shape(lengths[i], 16);
      s.n_q = 2;
      s.n_heads = 3;
      s.dtype_kv = dtypes[seed % 3];
      offer(kernel, &s);
      attention a = attention_new(&r, &s);
      a.call.causal = 1;
      a.call.sink_logit = as_in(&a.sink);
      if (k == 1) a.call.window = 128;
      if (k >= 2) a.call.window = 1 + rng_below(&r, lengths[i]);
      if (k >= 2) a.call.n_sink_tokens = k == 2 ? 4 : rng_below(&r, lengths[i]);
      attention_fill(&a, &r);
      attention_check(kernel, &a, "long", seed);
      attention_free(&a);
    }
}
END_TEST

/* Every small window, pinned prefix, number of queries and of keys; both causalities.
 * tests: AT-4, AT-5, EV-2, AT-9 */
START_TEST(every_small_window) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t code = 0; code < 4 * 4 * 4 * 7 * 2; code++) {
    rng r = {13000 + code};
    shape s = plain_shape(code / 2 % 7, 2);
    s.n_q = 1 + code / 14 % 4;
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.causal = code % 2;
    a.call.window = 1 + code / 56 % 4;
    a.call.n_sink_tokens = code / 224 % 4;
    attention_fill(&a, &r);
    attention_check(kernel, &a, "small window", code);
    attention_free(&a);
  }
}
END_TEST

/* One key that only the wrong window would see, with a value that could not be missed: the key at
 * distance W must count, its neighbour must. tests: EV-2 */
START_TEST(window_counts_its_own_key) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t w = 1; w <= 20; w++) {
    rng r = {14000};
    shape s = plain_shape(40, 1);
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.causal = 1;
    a.call.window = w;
    for (size_t j = 0; j < 40; j++) {
      tensor_set(&a.k, 0, j, 0, 0, 0.0);
      tensor_set(&a.v, 0, j, 0, 0, j == 40 - w ? 1.0 : j == 40 - w - 1 ? 1000.0 : 0.0);
    }
    ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
    ck_assert(tensor_get(&a.out, 0, 0, 0, 0) == (double)(1.0F / (float)w));
    attention_free(&a);
  }
}
END_TEST

/* A window with pinned tokens in a long cache: what neither range holds is not even read, because
 * it is not there. tests: EV-2, KC-4 */
START_TEST(keys_between_the_ranges_are_not_touched) {
  const sp_kernel *kernel = variant_kernel(_i);
  const size_t n_kv = 2300;
  rng r = {15000};
  shape s = plain_shape(n_kv, 64);
  offer(kernel, &s);
  attention a = attention_new(&r, &s);
  a.call.causal = 1;
  a.call.window = 128;
  a.call.n_sink_tokens = 4;
  a.call.sink_logit = as_in(&a.sink);
  attention_fill(&a, &r);
  attention_check(kernel, &a, "whole", 15000);
  double before = tensor_get(&a.out, 0, 0, 0, 0);

  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t row = 64 * bytes_of(s.dtype_kv);
  tensor *tensors[] = {&a.k, &a.v};
  for (size_t i = 0; i < 2; i++) {
    size_t first = ((size_t)tensors[i]->data + 4 * row + page - 1) / page * page;
    size_t last = ((size_t)tensors[i]->data + (n_kv - 128) * row) / page * page;
    ck_assert_int_eq(mprotect((void *)first, last - first, PROT_NONE), 0);
  }
  ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
  ck_assert(tensor_get(&a.out, 0, 0, 0, 0) == before);
  attention_free(&a);
}
END_TEST

/* Each query of a prefill, asked for alone at its position, in a batch of one, with another number
 * of threads: the same bits. tests: NU-12, AT-8 */
START_TEST(rows_do_not_depend_on_each_other) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t seed = 24000; seed < 24060; seed++) {
    rng r = {seed};
    shape s = random_shape(&r);
    s.n_kv += seed % 2 ? 400 : 0;
    s.n_q += 2;
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.causal = 1;
    a.call.window = 1 + rng_below(&r, s.n_kv);
    a.call.n_sink_tokens = rng_below(&r, 5);
    a.call.sink_logit = as_in(&a.sink);
    attention_fill(&a, &r);
    ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
    size_t b = rng_below(&r, s.n_batch);
    for (size_t i = s.n_q > s.n_kv ? s.n_q - s.n_kv : 0; i < s.n_q; i++) {
      tensor one = tensor_new(s.dtype_q, 1, 1, s.n_heads, s.d_value, PACKED, 0);
      int64_t pos_q = (int64_t)s.n_kv - (int64_t)s.n_q + (int64_t)i;
      sp_attention_call call = a.call;
      call.n_batch = call.n_q = 1;
      call.n_threads = 3;
      call.pos_q = &pos_q;
      call.q.data = a.q.data + (size_t)tensor_index(&a.q, b, i, 0, 0) * bytes_of(s.dtype_q);
      call.k.data = a.k.data + (size_t)tensor_index(&a.k, b, 0, 0, 0) * bytes_of(s.dtype_kv);
      call.v.data = a.v.data + (size_t)tensor_index(&a.v, b, 0, 0, 0) * bytes_of(s.dtype_kv);
      call.out = as_out(&one);
      call.lse_keys.data = call.lse_total.data = NULL;
      ck_assert_int_eq(kernel->attention(&call), SP_OK);
      for (size_t h = 0; h < s.n_heads; h++)
        ck_assert_mem_eq(one.data + (size_t)tensor_index(&one, 0, 0, h, 0) * bytes_of(s.dtype_q),
                         a.out.data +
                             (size_t)tensor_index(&a.out, b, i, h, 0) * bytes_of(s.dtype_q),
                         s.d_value * bytes_of(s.dtype_q));
      tensor_free(&one);
    }
    attention_free(&a);
  }
}
END_TEST

/* Rows so long that they are computed in pieces: right, and the same bits whether the pieces are shared
 * among threads, as for a query alone, or not, as in a prefill. A large logit stands in the first
 * piece, in the last, or in none. tests: NU-12, AL-6, SM-6 */
START_TEST(rows_in_pieces) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t code = 0; code < 12; code++) {
    rng r = {26000 + code};
    shape s = plain_shape(9000, 20);
    s.n_q = 2;
    s.n_heads = 3;
    s.dtype_kv = dtypes[code % 3];
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.causal = 1;
    a.call.window = code % 2 ? 5000 : SP_WINDOW_ALL;
    a.call.n_sink_tokens = 4;
    a.call.sink_logit = as_in(&a.sink);
    attention_fill(&a, &r);
    size_t peak = code / 3 == 1 ? 1 : 8990;
    if (code >= 3) tensor_set(&a.key_bias, 0, 0, 0, peak, 2000.0);
    for (size_t j = 0; j < 9000 && code >= 3; j++)
      if (j != peak) tensor_set(&a.key_bias, 0, 0, 0, j, 0.0);
    if (code >= 3) a.call.key_bias = as_in(&a.key_bias);
    for (int t = 0; t < 3; t++) a.call.key_bias.stride[t] = 0; /* one for all rows */
    if (code >= 9) tensor_set(&a.v, 0, 2, 0, 7, NAN);
    attention_check(kernel, &a, "pieces", code);
    for (uint32_t threads = 1; threads <= 4; threads++) {
      tensor one = tensor_new(s.dtype_q, 1, 1, s.n_heads, s.d_value, PACKED, 0);
      sp_attention_call call = a.call;
      call.n_q = 1;
      call.n_threads = threads;
      call.q.data = a.q.data + (size_t)tensor_index(&a.q, 0, 1, 0, 0) * bytes_of(s.dtype_q);
      call.out = as_out(&one);
      call.lse_keys.data = call.lse_total.data = NULL;
      ck_assert_int_eq(kernel->attention(&call), SP_OK);
      for (size_t h = 0; h < s.n_heads; h++)
        ck_assert_mem_eq(one.data + (size_t)tensor_index(&one, 0, 0, h, 0) * bytes_of(s.dtype_q),
                         a.out.data +
                             (size_t)tensor_index(&a.out, 0, 1, h, 0) * bytes_of(s.dtype_q),
                         s.d_value * bytes_of(s.dtype_q));
      tensor_free(&one);
    }
    attention_free(&a);
  }
}
END_TEST

/* Two variants may differ by what both may be wrong; here they are compared with each other. */
START_TEST(variants_agree) {
  const sp_kernel *kernel = variant_kernel(_i);
  const sp_kernel *scalar = sp_fast_pick(0)->kernel;
  for (uint64_t seed = 26000; seed < 26100; seed++) {
    rng r = {seed};
    shape s = random_shape(&r);
    s.dtype_q = SP_F32;
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    random_options(&a, &r);
    a.call.softcap = 0.0F;
    attention_fill(&a, &r);
    ck_assert_int_eq(scalar->attention(&a.call), SP_OK);
    tensor first = a.out;
    a.out = tensor_new(s.dtype_q, s.n_batch, s.n_q, s.n_heads, s.d_value, s.order, s.pad);
    a.call.out = as_out(&a.out);
    ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
    static naive_attention work;
    const naive_class cls = naive_class_of(kernel);
    for (size_t i = 0; i < s.n_q; i++) {
      naive_attention_row(&a.call, &cls, 0, i, 0, &work);
      for (size_t c = 0; c < s.d_value; c++) {
        double x = tensor_get(&first, 0, i, 0, c);
        double y = tensor_get(&a.out, 0, i, 0, c);
        for (size_t j = 0; j < s.n_kv; j++) work.v[j] = naive_in(&a.call.v, 0, j, 0, c);
        if (a.call.bias_v.data) work.v[s.n_kv] = naive_in(&a.call.bias_v, 0, 0, 0, c);
        ck_assert_msg(naive_outputs_close(&work.row, work.v, x, y), "seed %llu: %a, %a",
                      (unsigned long long)seed, x, y);
      }
    }
    tensor_free(&first);
    attention_free(&a);
  }
}
END_TEST

/* The yardstick can fail: a call with one fault is refused by the check of the call without it. */
static void plant(const sp_kernel *kernel, attention *a, const sp_attention_call *faulty,
                  const char *what) {
  ck_assert_int_eq(kernel->attention(faulty), SP_OK);
  ck_assert_msg(naive_wrong_attention(kernel, &a->call) >= 0, "not noticed: %s", what);
}

START_TEST(planted_faults_are_noticed) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {27000};
  shape s = plain_shape(60, 16);
  s.n_heads = 6;
  s.n_kv_heads = 2;
  s.n_q = 3;
  offer(kernel, &s);
  attention a = attention_new(&r, &s);
  a.call.causal = 1;
  a.call.window = 20;
  a.call.n_sink_tokens = 3;
  a.call.softcap = 5.0F;
  a.call.sink_logit = as_in(&a.sink);
  a.call.alibi_slope = as_in(&a.alibi_slope);
  tensor_normal(&a.k, &r, 0.0, 1.0);
  tensor_normal(&a.v, &r, 0.5, 1.0);
  attention_check(kernel, &a, "no fault", 27000);
  sp_attention_call faulty[8];
  for (size_t i = 0; i < 8; i++) faulty[i] = a.call;
  faulty[0].sink_logit.data = NULL;
  faulty[1].window = 21;
  faulty[2].window = 19;
  faulty[3].n_sink_tokens = 2;
  faulty[4].softcap = 0.0F;
  faulty[5].alibi_slope.data = NULL;
  faulty[6].scale *= 1.0F + (naive_class_of(kernel).u_qk > 0.0L ? 0x1p-3F : 0x1p-14F);
  faulty[7].sink_logit.stride[2] = 0; /* the sink logit of head 0 for all */
  const char *const names[] = {"no sink logit", "window + 1", "window - 1", "one pinned less",
                               "no softcap",    "no ALiBi",   "scale",      "sink of head 0"};
  for (size_t i = 0; i < 8; i++) plant(kernel, &a, &faulty[i], names[i]);
  attention_free(&a);
}
END_TEST

Suite *suite_fast_attention(void) {
  Suite *suite = suite_create("fast/attention");
  ADD_CASE_FOR(needs_nothing, suite, "AT-2", options_at_random, planted_faults_are_noticed);
  ADD_CASE_FOR(needs_nothing, suite, "KC-4", every_tail_of_the_keys, every_tail_of_the_elements,
               keys_between_the_ranges_are_not_touched);
  ADD_CASE_FOR(needs_nothing, suite, "EV-2", every_small_window, window_counts_its_own_key,
               long_contexts);
  ADD_CASE_FOR(needs_nothing, suite, "AT-8", variants_agree);
  ADD_CASE_FOR(needs_nothing, suite, "NU-12", rows_do_not_depend_on_each_other, rows_in_pieces);
  report_missing_variants("attention");
  return suite;
}
