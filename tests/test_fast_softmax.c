/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax rows of each variant against the definition, with w-deep's bound. */
#include "tests/test_fast_naive.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_softmax(void);

static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};

typedef struct fixture {
  tensor logits, key_bias, sink, weights, lse_keys, lse_total;
  sp_softmax_call call;
} fixture;

static tensor rows_of(sp_dtype dtype, size_t rows, size_t n, size_t pad) {
  return tensor_new(dtype, rows, 1, 1, n, PACKED, pad);
}

/* Normal logits of the given deviation; sink logits around them; all three outputs wanted. */
static fixture fixture_new(rng *r, sp_dtype dtype, size_t rows, size_t n, double deviation) {
  size_t pad = rng_below(r, 4);
  fixture f = {.logits = rows_of(dtype, rows, n, pad),
               .key_bias = rows_of(SP_F32, rows, n, pad),
               .sink = rows_of(rng_below(r, 2) ? SP_F32 : SP_BF16, rows, 1, pad),
               .weights = rows_of(dtype, rows, n, pad),
               .lse_keys = rows_of(SP_F32, rows, 1, pad),
               .lse_total = rows_of(SP_F32, rows, 1, pad)};
  tensor_normal(&f.logits, r, 0.0, deviation);
  tensor_normal(&f.key_bias, r, 0.0, 1.0);
  tensor_normal(&f.sink, r, deviation, 2.0);
  f.call = (sp_softmax_call){.size = sizeof f.call,
                             .n_threads = 1,
                             .n_rows = rows,
                             .n = n,
                             .logits = as_in(&f.logits),
                             .weights = as_out(&f.weights),
                             .lse_keys = as_out(&f.lse_keys),
                             .lse_total = as_out(&f.lse_total),
                             .scale = 1.0F};
  return f;
}

static void fixture_free(fixture *f) {
  tensor_free(&f->logits);
  tensor_free(&f->key_bias);
  tensor_free(&f->sink);
  tensor_free(&f->weights);
  tensor_free(&f->lse_keys);
  tensor_free(&f->lse_total);
}

/* Run, compare every result with the definition, and look at the gaps between rows. */
static void run_and_check(const sp_kernel *kernel, fixture *f, const char *what, uint64_t seed) {
  ck_assert_int_eq(kernel->softmax(&f->call), SP_OK);
  int64_t wrong = naive_wrong_softmax(&f->call);
  ck_assert_msg(wrong < 0, "%s, seed %llu, n %zu, dtype %u: row %lld", what,
                (unsigned long long)seed, f->logits.length, f->logits.dtype, (long long)wrong);
  ck_assert(gaps_untouched(&f->weights) && gaps_untouched(&f->lse_keys));
  ck_assert(gaps_untouched(&f->lse_total));
}

/* tests: SM-2, SM-3, AL-2, AL-5, AL-7, KC-4 */
START_TEST(every_tail) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t n = 1; n <= 4 * 16 + 3; n++)
    for (size_t d = 0; d < 3; d++) {
      uint64_t seed = n * 3 + d;
      rng r = {seed};
      fixture f = fixture_new(&r, dtypes[d], 3, n, 4.0);
      if (n % 2 == 1) f.call.sink_logit = as_in(&f.sink);
      if (n % 3 == 1) f.call.key_bias = as_in(&f.key_bias);
      if (n % 5 == 1) f.call.scale = 0.37F;
      run_and_check(kernel, &f, "tail", seed);
      fixture_free(&f);
    }
}
END_TEST

START_TEST(long_rows) {
  const size_t lengths[] = {255, 256, 257, 511, 513, 1000, 2047, 2305};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    for (size_t d = 0; d < 3; d++) {
      uint64_t seed = 1000 + i * 3 + d;
      rng r = {seed};
      fixture f = fixture_new(&r, dtypes[d], 2, lengths[i], i % 2 ? 0.1 : 9.0);
      if (i % 3 != 0) f.call.sink_logit = as_in(&f.sink);
      run_and_check(kernel, &f, "long", seed);
      fixture_free(&f);
    }
}
END_TEST

/* All logits far from 0: a finite stand-in for -inf, or a forgotten maximum, shows here. The sink
 * logit is near them, far above, far below. tests: SM-2, AL-3 */
START_TEST(shifted_rows) {
  const double shifts[] = {50.0, 3000.0, -20000.0, -60000.0, -3e5, 3e5, -1e30, 1e30, 0x1p100};
  const double sinks[] = {0.0, 90.0, -90.0, 1000.0, -1000.0, 3e38, -3e38};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++)
    for (size_t k = 0; k < sizeof sinks / sizeof *sinks; k++) {
      rng r = {2000 + i * 16 + k};
      fixture f = fixture_new(&r, SP_F32, 2, 70, 3.0);
      for (size_t j = 0; j < 70; j++)
        for (size_t row = 0; row < 2; row++)
          tensor_set(&f.logits, row, 0, 0, j, shifts[i] + tensor_get(&f.logits, row, 0, 0, j));
      tensor_set(&f.sink, 0, 0, 0, 0, rounded(f.sink.dtype, shifts[i] + sinks[k]));
      tensor_set(&f.sink, 1, 0, 0, 0, rounded(f.sink.dtype, sinks[k]));
      f.call.sink_logit = as_in(&f.sink);
      run_and_check(kernel, &f, "shifted", 2000 + i * 16 + k);
      fixture_free(&f);
    }
}
END_TEST

/* Weights down to the least subnormal and below. tests: NU-10 */
START_TEST(wide_rows) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t d = 0; d < 3; d++) {
    rng r = {3000 + d};
    fixture f = fixture_new(&r, dtypes[d], 2, 220, 1.0);
    for (size_t j = 0; j < 220; j++) tensor_set(&f.logits, 0, 0, 0, j, -0.5 * (double)j);
    run_and_check(kernel, &f, "wide", 3000 + d);
    fixture_free(&f);
  }
}
END_TEST

/* Absent keys, by logit or by bias, whatever the other holds and whatever the scale.
 * tests: SM-1, AT-3 */
START_TEST(absent_keys) {
  const float scales[] = {1.0F, -2.0F, 0.0F};
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t seed = 4000; seed < 4090; seed++) {
    rng r = {seed};
    size_t n = 1 + rng_below(&r, 300);
    size_t first = rng_below(&r, 2) ? rng_below(&r, n) : 0; /* all masked before this one */
    fixture f = fixture_new(&r, dtypes[seed % 3], 2, n, 3.0);
    for (size_t j = 0; j < n; j++) {
      if (j < first || rng_below(&r, 4) == 0) tensor_set(&f.logits, 0, 0, 0, j, -INFINITY);
      if (j >= first && rng_below(&r, 4) != 0) continue;
      tensor_set(&f.key_bias, 1, 0, 0, j, -INFINITY);
      tensor_set(&f.logits, 1, 0, 0, j, rng_below(&r, 2) ? NAN : INFINITY);
    }
    f.call.key_bias = as_in(&f.key_bias);
    f.call.scale = scales[seed / 3 % 3];
    if (seed % 2) f.call.sink_logit = as_in(&f.sink);
    run_and_check(kernel, &f, "absent", seed);
    fixture_free(&f);
  }
}
END_TEST

/* tests: AT-9, AL-4 */
START_TEST(empty_rows) {
  const double sinks[] = {-INFINITY, -3.0, 0.0, INFINITY, NAN};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t n = 0; n <= 40; n += 20)
    for (size_t k = 0; k < 6; k++) {
      rng r = {5000};
      fixture f = fixture_new(&r, SP_F32, 1, n, 1.0);
      for (size_t j = 0; j < n; j++) tensor_set(&f.logits, 0, 0, 0, j, -INFINITY);
      if (k < 5) tensor_set(&f.sink, 0, 0, 0, 0, sinks[k]);
      if (k < 5) f.call.sink_logit = as_in(&f.sink);
      run_and_check(kernel, &f, "empty", k);
      if (k == 1) ck_assert(tensor_get(&f.lse_total, 0, 0, 0, 0) == -3.0);
      if (k == 5) ck_assert(tensor_get(&f.lse_total, 0, 0, 0, 0) == -INFINITY);
      fixture_free(&f);
    }
}
END_TEST

/* One NaN or +inf anywhere, and infinite sink logits on valid rows. tests: SM-5, AL-4 */
START_TEST(rows_that_are_not_finite) {
  const double values[] = {NAN, INFINITY};
  const float scales[] = {1.0F, -1.0F, 0.0F};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t n = 1; n <= 49; n += 16)
    for (size_t at = 0; at < n; at++)
      for (size_t v = 0; v < 6; v++) {
        rng r = {6000};
        fixture f = fixture_new(&r, dtypes[at % 3], 1, n, 1.0);
        tensor_set(&f.logits, 0, 0, 0, at, values[v % 2]);
        f.call.scale = scales[v / 2];
        run_and_check(kernel, &f, "not finite", at);
        ck_assert(isnan(tensor_get(&f.weights, 0, 0, 0, 0)));
        fixture_free(&f);
      }
}
END_TEST

START_TEST(infinite_sink_logits) {
  const double sinks[] = {INFINITY, -INFINITY, NAN};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t k = 0; k < 3; k++) {
    rng r = {7000 + k};
    fixture f = fixture_new(&r, SP_F32, 2, 37, 2.0);
    tensor_set(&f.sink, 0, 0, 0, 0, sinks[k]);
    f.call.sink_logit = as_in(&f.sink);
    run_and_check(kernel, &f, "infinite sink", k);
    fixture_free(&f);
  }
}
END_TEST

/* Any subset of the outputs; what was not asked for is not needed. tests: AL-5 */
START_TEST(any_subset_of_outputs) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (unsigned wanted = 1; wanted < 8; wanted++) {
    rng r = {8000 + wanted};
    fixture f = fixture_new(&r, SP_F16, 2, 33, 2.0);
    f.call.sink_logit = as_in(&f.sink);
    if ((wanted & 1) == 0) f.call.weights.data = NULL;
    if ((wanted & 2) == 0) f.call.lse_keys.data = NULL;
    if ((wanted & 4) == 0) f.call.lse_total.data = NULL;
    run_and_check(kernel, &f, "subset", wanted);
    if ((wanted & 1) == 0) ck_assert(isnan(tensor_get(&f.weights, 0, 0, 0, 0)));
    fixture_free(&f);
  }
}
END_TEST

/* Halfway between two values of the type. */
static bool is_tie(sp_dtype dtype, double x) {
  return x != 0.0 && fabs(x - rounded(dtype, x)) == half_ulp(dtype, x);
}

/* Sixteen-bit weights are the binary32 weights of the same logits, rounded once. Of so many weights
 * some lie halfway, by chance; that they did is checked too. tests: NU-2 */
static size_t compare_with_wide(const sp_kernel *kernel, sp_dtype dtype, size_t rows, size_t n) {
  rng r = {9000};
  size_t n_ties = 0;
  fixture narrow = fixture_new(&r, dtype, rows, n, 3.0);
  fixture wide = fixture_new(&r, SP_F32, rows, n, 3.0);
  for (size_t row = 0; row < rows; row++)
    for (size_t j = 0; j < n; j++)
      tensor_set(&wide.logits, row, 0, 0, j, tensor_get(&narrow.logits, row, 0, 0, j));
  ck_assert_int_eq(kernel->softmax(&narrow.call), SP_OK);
  ck_assert_int_eq(kernel->softmax(&wide.call), SP_OK);
  for (size_t row = 0; row < rows; row++)
    for (size_t j = 0; j < n; j++) {
      double x = tensor_get(&wide.weights, row, 0, 0, j);
      ck_assert(tensor_get(&narrow.weights, row, 0, 0, j) == rounded(dtype, x));
      if (is_tie(dtype, x)) n_ties++;
    }
  fixture_free(&narrow);
  fixture_free(&wide);
  return n_ties;
}

START_TEST(narrow_weights_are_rounded_to_nearest_even) {
  const sp_kernel *kernel = variant_kernel(_i);
  ck_assert_uint_ge(compare_with_wide(kernel, SP_F16, 400, 1000), 4);
  ck_assert_uint_ge(compare_with_wide(kernel, SP_BF16, 500, 2000), 4);
}
END_TEST

/* 2^k equal logits: every weight is exactly 2^-k, in every variant. */
START_TEST(equal_logits_are_exact) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (int k = 0; k <= 11; k++) {
    rng r = {10000};
    fixture f = fixture_new(&r, SP_F32, 1, (size_t)1 << k, 0.0);
    ck_assert_int_eq(kernel->softmax(&f.call), SP_OK);
    for (size_t j = 0; j < (size_t)1 << k; j++)
      ck_assert(tensor_get(&f.weights, 0, 0, 0, j) == ldexp(1.0, -k));
    fixture_free(&f);
  }
}
END_TEST

/* tests: NU-12, AT-8 a row alone, among others, and again: the same bits. */
START_TEST(rows_do_not_depend_on_each_other) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t n = 1; n <= 601; n += 50) {
    rng r = {11000 + n};
    fixture f = fixture_new(&r, SP_F32, 5, n, 4.0);
    f.call.sink_logit = as_in(&f.sink);
    ck_assert_int_eq(kernel->softmax(&f.call), SP_OK);
    for (size_t row = 0; row < 5; row++) {
      tensor alone = rows_of(SP_F32, 1, n, 0);
      sp_softmax_call call = f.call;
      call.n_rows = 1;
      call.n_threads = 2;
      call.logits.data = f.logits.data + tensor_index(&f.logits, row, 0, 0, 0) * 4;
      call.sink_logit.data =
          f.sink.data + (size_t)tensor_index(&f.sink, row, 0, 0, 0) * bytes_of(f.sink.dtype);
      call.weights = as_out(&alone);
      ck_assert_int_eq(kernel->softmax(&call), SP_OK);
      ck_assert_mem_eq(alone.data, f.weights.data + tensor_index(&f.weights, row, 0, 0, 0) * 4,
                       n * 4);
      tensor_free(&alone);
    }
    fixture_free(&f);
  }
}
END_TEST

/* The yardstick can fail: results of calls that differ by one fault are refused. */
START_TEST(planted_faults_are_noticed) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {12000};
  fixture f = fixture_new(&r, SP_F32, 1, 45, 1.0);
  f.call.sink_logit = as_in(&f.sink);
  run_and_check(kernel, &f, "no fault", 12000);

  sp_softmax_call faulty = f.call; /* the sink logit dropped */
  faulty.sink_logit.data = NULL;
  ck_assert_int_eq(kernel->softmax(&faulty), SP_OK);
  ck_assert_int_ge(naive_wrong_softmax(&f.call), 0);

  faulty = f.call; /* the tail lost from the sum */
  faulty.n = 44;
  ck_assert_int_eq(kernel->softmax(&faulty), SP_OK);
  ck_assert_int_ge(naive_wrong_softmax(&f.call), 0);

  ck_assert_int_eq(kernel->softmax(&f.call), SP_OK); /* one weight wrong by 2^-17 */
  double weight = tensor_get(&f.weights, 0, 0, 0, 44);
  tensor_set(&f.weights, 0, 0, 0, 44, weight * (1.0 + 0x1p-17));
  ck_assert_int_ge(naive_wrong_softmax(&f.call), 0);
  tensor_set(&f.weights, 0, 0, 0, 44, weight);
  ck_assert_int_lt(naive_wrong_softmax(&f.call), 0);
  fixture_free(&f);
}
END_TEST

Suite *suite_fast_softmax(void) {
  Suite *suite = suite_create("fast/softmax");
  ADD_CASE(suite, "SM-2", every_tail, long_rows, shifted_rows, equal_logits_are_exact,
           planted_faults_are_noticed);
  ADD_CASE(suite, "SM-1", absent_keys);
  ADD_CASE(suite, "SM-5", rows_that_are_not_finite);
  ADD_CASE(suite, "AT-9", empty_rows);
  ADD_CASE(suite, "AL-4", infinite_sink_logits);
  ADD_CASE(suite, "AL-5", any_subset_of_outputs);
  ADD_CASE(suite, "NU-2", narrow_weights_are_rounded_to_nearest_even);
  ADD_CASE(suite, "NU-10", wide_rows);
  ADD_CASE(suite, "NU-12", rows_do_not_depend_on_each_other);
  report_missing_variants("softmax");
  return suite;
}
