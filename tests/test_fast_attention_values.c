/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of each variant where numbers are special: not finite, far apart, exact, alone. */
#include "tests/test_fast_call.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_attention_values(void);

static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};

/* Logits of any size, whole tiles masked first, sink logits far above and below.
 * tests: SM-2, AL-2, AT-3 */
START_TEST(ranges_and_masked_first_tiles) {
  const double shifts[] = {0.0, -20.0, -120.0, -3e5, 3e5, 4000.0};
  const double sinks[] = {-INFINITY, 0.0, 60.0, -200.0, 1000.0};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t i = 0; i < 6; i++)
    for (size_t k = 0; k < 5; k++)
      for (size_t masked = 0; masked <= 560; masked += 280) {
        rng r = {16000 + i * 5 + k};
        shape s = plain_shape(600, 8);
        offer(kernel, &s);
        attention a = attention_new(&r, &s);
        for (size_t j = 0; j < 600; j++)
          tensor_set(&a.key_bias, 0, 0, 0, j, j < masked ? -INFINITY : shifts[i]);
        if (i > 0 || masked > 0) a.call.key_bias = as_in(&a.key_bias);
        tensor_set(&a.sink, 0, 0, 0, 0, rounded(a.sink.dtype, shifts[i] + sinks[k]));
        a.call.sink_logit = as_in(&a.sink);
        attention_fill(&a, &r);
        attention_check(kernel, &a, "range", i * 100 + k * 10 + masked / 280);
        attention_free(&a);
      }
}
END_TEST

/* The maximum rises in every tile, or never after the first. tests: SM-2, AT-8 */
START_TEST(ascending_and_descending_logits) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (int sign = -1; sign <= 1; sign += 2) {
    rng r = {17000};
    shape s = plain_shape(2000, 1);
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    attention_fill(&a, &r);
    tensor_set(&a.q, 0, 0, 0, 0, 1.0);
    for (size_t j = 0; j < 2000; j++) tensor_set(&a.k, 0, j, 0, 0, sign * 0.05 * (double)j);
    attention_check(kernel, &a, "ascending", (uint64_t)(sign + 1));
    attention_free(&a);
  }
}
END_TEST

/* A NaN or an infinity in q or in a key that is seen; scale and softcap must not hide it.
 * tests: SM-5 */
START_TEST(queries_and_keys_that_are_not_finite) {
  const double values[] = {NAN, INFINITY, -INFINITY};
  const float scales[] = {1.0F, -1.0F, 0.0F};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t code = 0; code < 3 * 3 * 2 * 2 * 3; code++) {
    rng r = {18000 + code};
    shape s = plain_shape(37, 20);
    s.dtype_kv = dtypes[code / 36 % 3];
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.scale = scales[code / 3 % 3];
    if (code / 9 % 2) a.call.softcap = 4.0F;
    attention_fill(&a, &r);
    double bad = values[code % 3];
    if (code / 18 % 2) {
      tensor_set(&a.q, 0, 0, 0, rng_below(&r, 20), bad);
    } else {
      tensor_set(&a.k, 0, rng_below(&r, 37), 0, rng_below(&r, 20), bad);
    }
    attention_check(kernel, &a, "not finite", code);
    ck_assert(isnan(tensor_get(&a.out, 0, 0, 0, 0)));
    attention_free(&a);
  }
}
END_TEST

/* tests: SM-6 a NaN in a present value reaches its component alone, whatever its weight */
START_TEST(values_that_are_nan) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t c = 0; c < 40; c++) {
    rng r = {19000 + c};
    shape s = plain_shape(300, 40);
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    attention_fill(&a, &r);
    size_t j = rng_below(&r, c % 3 == 2 ? 256 : 300);
    tensor_set(&a.v, 0, j, 0, c, NAN);
    for (size_t t = 0; t < 300; t++) tensor_set(&a.key_bias, 0, 0, 0, t, 0.0);
    /* … also where the weight underflows to 0, at once or when a later tile's maximum is larger */
    if (c % 3 == 1) tensor_set(&a.key_bias, 0, 0, 0, j, -500.0);
    for (size_t t = 0; t < 256 && c % 3 == 2; t++) tensor_set(&a.key_bias, 0, 0, 0, t, -3000.0);
    if (c % 3 != 0) a.call.key_bias = as_in(&a.key_bias);
    attention_check(kernel, &a, "NaN value", c);
    for (size_t e = 0; e < 40; e++) ck_assert(isnan(tensor_get(&a.out, 0, 0, 0, e)) == (e == c));
    attention_free(&a);
  }
}
END_TEST

/* tests: AL-4, AT-9 */
START_TEST(infinite_sink_logits_and_empty_rows) {
  const double sinks[] = {INFINITY, -INFINITY, NAN, 1.5};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t k = 0; k < 4; k++) {
    rng r = {20000 + k};
    shape s = plain_shape(3, 5);
    s.n_q = 6; /* the first three see nothing */
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.causal = 1;
    tensor_set(&a.sink, 0, 0, 0, 0, sinks[k]);
    a.call.sink_logit = as_in(&a.sink);
    attention_fill(&a, &r);
    attention_check(kernel, &a, "infinite sink", k);
    attention_free(&a);
  }
}
END_TEST

/* A bias pair alone, without any key; and with a key masked. tests: AL-8 */
START_TEST(bias_pair_alone) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t n_kv = 0; n_kv <= 3; n_kv++) {
    rng r = {21000 + n_kv};
    shape s = plain_shape(n_kv, 7);
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.bias_k = as_in(&a.bias_k);
    a.call.bias_v = as_in(&a.bias_v);
    if (n_kv == 0) a.call.k.data = a.call.v.data = NULL;
    attention_fill(&a, &r);
    attention_check(kernel, &a, "pair", n_kv);
    if (n_kv == 0)
      for (size_t c = 0; c < 7; c++)
        ck_assert(tensor_get(&a.out, 0, 0, 0, c) == tensor_get(&a.bias_v, 0, 0, 0, c));
    attention_free(&a);
  }
}
END_TEST

/* Every finite value of both 16-bit types passes through unchanged, but for subnormal ones where the
 * class flushes them. tests: AT-10, NU-1, NU-10 */
START_TEST(one_key_returns_its_value) {
  const sp_kernel *kernel = variant_kernel(_i);
  const bool flushes = naive_class_of(kernel).flushes;
  for (size_t t = 1; t < 3; t++)
    for (size_t block = 0; block < 65536; block += 4096) {
      rng r = {22000};
      shape s = plain_shape(1, 3);
      s.d_value = 4096;
      s.dtype_kv = dtypes[t];
      offer(kernel, &s);
      attention a = attention_new(&r, &s);
      attention_fill(&a, &r);
      for (size_t c = 0; c < 4096; c++) ((uint16_t *)a.v.data)[c] = (uint16_t)(block + c);
      ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
      for (size_t c = 0; c < 4096; c++) {
        double v = tensor_get(&a.v, 0, 0, 0, c);
        if (isinf(v)) continue; /* outside the domain */
        if (flushes && fabs(v) < 0x1p-126) v = 0.0;
        double got = tensor_get(&a.out, 0, 0, 0, c);
        ck_assert_msg(isnan(v) ? isnan(got) : got == v, "%a became %a", v, got);
      }
      attention_free(&a);
    }
}
END_TEST

/* Heads of no elements: every logit is 0, whatever lies where keys would be. tests: AT-2, KC-4 */
START_TEST(heads_of_no_elements) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t n_heads = 1; n_heads <= 9; n_heads++) {
    rng r = {22500 + n_heads};
    shape s = plain_shape(40, 16);
    s.n_heads = n_heads;
    s.n_kv_heads = 1;
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    attention_fill(&a, &r);
    for (size_t j = 0; j < s.n_kv; j++)
      for (size_t c = 0; c < s.d_head; c++) tensor_set(&a.k, 0, j, 0, c, NAN);
    a.call.d_head = 0;
    attention_check(kernel, &a, "no elements", n_heads);
    attention_free(&a);
  }
}
END_TEST

/* Softcap far below and far above the logits, infinite, least. tests: AT-2 */
START_TEST(softcaps) {
  const float caps[] = {0x1p-149F, 1e-20F, 1e-3F, 1.0F, 30.0F, 1e10F, 0x1p100F, INFINITY};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
    rng r = {23000 + i};
    shape s = plain_shape(50, 16);
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    a.call.softcap = caps[i];
    a.call.sink_logit = as_in(&a.sink);
    attention_fill(&a, &r);
    ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
    if (isinf(caps[i])) a.call.softcap = 0.0F;
    ck_assert_int_lt(naive_wrong_attention(kernel, &a.call), 0);
    attention_free(&a);
  }
}
END_TEST

/* Where the arithmetic is exact in any order, the variants agree bit for bit with the definition
 * and so with each other: equal logits, a power of two of keys, small integers as values. */
START_TEST(exact_rows) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (int k = 0; k <= 11; k++) {
    rng r = {25000 + (uint64_t)k};
    size_t n = (size_t)1 << k;
    shape s = plain_shape(n, 3);
    offer(kernel, &s);
    attention a = attention_new(&r, &s);
    double sum = 0.0;
    for (size_t j = 0; j < n; j++)
      for (size_t c = 0; c < 3; c++) {
        tensor_set(&a.k, 0, j, 0, c, 1.0);
        tensor_set(&a.v, 0, j, 0, c, (double)rng_below(&r, 64));
        if (c == 2) sum += tensor_get(&a.v, 0, j, 0, c);
      }
    ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
    ck_assert(tensor_get(&a.out, 0, 0, 0, 2) == (double)(float)(sum / (double)n));
    attention_free(&a);
  }
}
END_TEST

Suite *suite_fast_attention_values(void) {
  Suite *suite = suite_create("fast/attention values");
  ADD_CASE_FOR(needs_nothing, suite, "AT-2", softcaps, heads_of_no_elements);
  ADD_CASE_FOR(needs_nothing, suite, "AT-8", ascending_and_descending_logits,
               ranges_and_masked_first_tiles);
  ADD_CASE_FOR(needs_nothing, suite, "SM-5", queries_and_keys_that_are_not_finite);
  ADD_CASE_FOR(needs_nothing, suite, "SM-6", values_that_are_nan);
  ADD_CASE_FOR(needs_nothing, suite, "AL-4", infinite_sink_logits_and_empty_rows);
  ADD_CASE_FOR(needs_nothing, suite, "AL-8", bias_pair_alone);
  ADD_CASE_FOR(needs_nothing, suite, "AT-10", one_key_returns_its_value, exact_rows);
  report_missing_variants("attention values");
  return suite;
}
