/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that travel together, in blocks, in tasks, in threads, past the caches, must come out as if
 * each were alone: the same bits. And a row of any length must be as accurate as a short one. */
#include <stdlib.h>
#include <string.h>

#include "tests/test_fast_arena.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_rows(void);

static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};

/* A call over plain arrays; what is not wanted is NULL. */
typedef struct rows {
  sp_dtype dtype;
  size_t n_rows, n;
  char *logits, *weights;
  float *key_bias, *sink_logit, *lse_keys, *lse_total;
  sp_softmax_call call;
} rows;

/* Some rows are absent, invalid, or have an absent key; their neighbours must not notice. */
static void spoil(rows *a, rng *r, size_t row) {
  static const double values[] = {NAN, INFINITY, -INFINITY};
  int64_t first = (int64_t)(row * a->n);
  size_t kind = rng_below(r, 12);
  if (kind < 3) store(a->dtype, a->logits, first + (int64_t)rng_below(r, a->n), values[kind]);
  for (size_t j = 0; kind == 3 && j < a->n; j++)
    store(a->dtype, a->logits, first + (int64_t)j, -INFINITY);
}

static rows rows_new(rng *r, sp_dtype dtype, size_t n_rows, size_t n, size_t offset) {
  rows a = {.dtype = dtype, .n_rows = n_rows, .n = n};
  size_t size = bytes_of(dtype);
  a.logits = calloc(n_rows * n + offset, size);
  a.weights = calloc(n_rows * n + offset, size);
  a.key_bias = calloc(n_rows * n, sizeof(float));
  a.sink_logit = calloc(n_rows, sizeof(float));
  a.lse_keys = calloc(n_rows, sizeof(float));
  a.lse_total = calloc(n_rows, sizeof(float));
  ck_assert(a.logits && a.weights && a.key_bias && a.sink_logit && a.lse_keys && a.lse_total);
  for (size_t i = 0; i < n_rows * n; i++) {
    store(dtype, a.logits, (int64_t)i, 4.0 * rng_normal(r));
    a.key_bias[i] = (float)rng_normal(r);
  }
  for (size_t i = 0; i < n_rows; i++) {
    a.sink_logit[i] = (float)(12.0 * rng_normal(r));
    if (n > 0) spoil(&a, r, i);
  }
  a.call = (sp_softmax_call){.size = sizeof a.call,
                             .n_threads = 1,
                             .n_rows = n_rows,
                             .n = n,
                             .logits = {.data = a.logits, .stride = {(int64_t)n}, .dtype = dtype},
                             .sink_logit = {.data = a.sink_logit, .stride = {1}, .dtype = SP_F32},
                             .lse_keys = {.data = a.lse_keys, .stride = {1}, .dtype = SP_F32},
                             .lse_total = {.data = a.lse_total, .stride = {1}, .dtype = SP_F32},
                             .scale = 1.0F};
  a.call.weights =
      (sp_out){.data = a.weights + offset * size, .stride = {(int64_t)n}, .dtype = dtype};
  return a;
}

static void rows_free(rows *a) {
  free(a->logits);
  free(a->weights);
  free(a->key_bias);
  free(a->sink_logit);
  free(a->lse_keys);
  free(a->lse_total);
}

/* Row i of the call, alone, to `weights`. */
static void run_alone(const sp_kernel *kernel, const rows *a, size_t i, void *weights,
                      float lse[2]) {
  sp_softmax_call call = a->call;
  size_t size = bytes_of(a->dtype);
  call.n_rows = 1;
  call.n_threads = 1;
  call.logits.data = a->logits + i * a->n * size;
  if (call.key_bias.data != NULL) call.key_bias.data = a->key_bias + i * a->n;
  if (call.sink_logit.data != NULL) call.sink_logit.data = a->sink_logit + i;
  call.weights.data = weights;
  call.lse_keys.data = lse;
  call.lse_total.data = lse + 1;
  ck_assert_int_eq(kernel->softmax(&call), SP_OK);
}

/* NaNs are equal here whatever their bits: payloads are free. */
static bool same_row(const rows *a, size_t i, const char *alone, const float lse[2]) {
  size_t size = bytes_of(a->dtype);
  const char *row = (const char *)a->call.weights.data + i * a->n * size;
  if (memcmp(&a->lse_keys[i], &lse[0], 4) != 0 && !(isnan(a->lse_keys[i]) && isnan(lse[0])))
    return false;
  if (memcmp(&a->lse_total[i], &lse[1], 4) != 0 && !(isnan(a->lse_total[i]) && isnan(lse[1])))
    return false;
  for (size_t j = 0; j < a->n; j++) {
    if (memcmp(row + j * size, alone + j * size, size) == 0) continue;
    double x = load(a->dtype, row, (int64_t)j);
    double y = load(a->dtype, alone, (int64_t)j);
    if (!isnan(x) || !isnan(y)) return false;
  }
  return true;
}

/* Every `step`-th row against itself alone. */
static void compare_with_alone(const sp_kernel *kernel, const rows *a, size_t step,
                               const char *what) {
  char *alone = calloc(a->n + 1, bytes_of(a->dtype));
  float lse[2];
  ck_assert_ptr_nonnull(alone);
  for (size_t i = 0; i < a->n_rows; i += step) {
    run_alone(kernel, a, i, alone, lse);
    ck_assert_msg(same_row(a, i, alone, lse), "%s: %s, dtype %u, n %zu, row %zu of %zu",
                  kernel->name, what, a->dtype, a->n, i, a->n_rows);
  }
  free(alone);
}

/* tests: NU-12, AT-8, SM-5 around the sizes of steps, blocks of keys, and blocks of rows */
START_TEST(rows_of_a_block_do_not_meet) {
  static const size_t lengths[] = {1, 15, 63, 64, 65, 127, 128, 300, 1023, 1024, 1025, 4097};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
    for (size_t d = 0; d < 3; d++) {
      rng r = {100 + k * 3 + d};
      rows a = rows_new(&r, dtypes[d], 1 + rng_below(&r, 40), lengths[k], rng_below(&r, 20));
      if (k % 3 == 1) a.call.scale = -0.75F;
      if (k % 4 == 1)
        a.call.key_bias = (sp_in){.data = a.key_bias, .stride = {(int64_t)a.n}, .dtype = SP_F32};
      ck_assert_int_eq(kernel->softmax(&a.call), SP_OK);
      compare_with_alone(kernel, &a, 1, "block");
      rows_free(&a);
    }
}
END_TEST

/* Enough for several tasks; the number of threads is not a power of two. tests: NU-12 */
START_TEST(threads_change_no_bit) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t d = 0; d < 3; d++)
    for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
      rng r = {200 + d};
      rows a = rows_new(&r, dtypes[d], 150, 700 + d, 0);
      sp_prepared *plan = NULL;
      a.call.n_threads = n_threads;
      ck_assert_int_eq(kernel->prepare->softmax(&plan, &a.call), SP_OK);
      for (int run = 0; run < 20; run++) {
        memset(a.weights, 0xff, 150 * a.n * bytes_of(a.dtype));
        ck_assert_int_eq(kernel->prepare->run(plan), SP_OK);
      }
      kernel->prepare->release(plan);
      compare_with_alone(kernel, &a, 7, "threads");
      rows_free(&a);
    }
}
END_TEST

/* Fewer rows than threads: they share each. Rows end where parts do, and elsewhere; some are invalid
 * or empty; the logits alone, their narrow types, and no weights but log-sum-exps. tests: NU-12 */
START_TEST(a_row_for_all_threads_changes_no_bit) {
  static const size_t lengths[] = {32767, 32768, 33000, 49153, 70001, 131072};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
    for (uint32_t n_threads = 2; n_threads <= 4; n_threads++) {
      rng r = {700 + 10 * k + n_threads};
      rows a = rows_new(&r, dtypes[(k + n_threads) % 3], 1 + k % 2, lengths[k], n_threads);
      sp_prepared *plan = NULL;
      a.call.n_threads = n_threads;
      if (k % 3 == 0) a.call.sink_logit.data = NULL;
      ck_assert_int_eq(kernel->prepare->softmax(&plan, &a.call), SP_OK);
      for (int run = 0; run < 3; run++) ck_assert_int_eq(kernel->prepare->run(plan), SP_OK);
      kernel->prepare->release(plan);
      compare_with_alone(kernel, &a, 1, "a row for all threads");
      a.call.weights.data = NULL;
      float keys = a.lse_keys[0];
      a.lse_keys[0] = 0.0F;
      ck_assert_int_eq(kernel->prepare->softmax(&plan, &a.call), SP_OK);
      ck_assert_int_eq(kernel->prepare->run(plan), SP_OK);
      kernel->prepare->release(plan);
      ck_assert(memcmp(&keys, a.lse_keys, sizeof keys) == 0 || isnan(keys));
      rows_free(&a);
    }
}
END_TEST

/* Weights of more than 16 MiB, at an address that is no multiple of a line. tests: NU-12 */
START_TEST(stores_past_the_caches_change_no_bit) {
  static const size_t lengths[] = {1000, 4096, 33000};
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t k = 0; k < 3; k++) {
    rng r = {300 + k};
    sp_dtype dtype = dtypes[k];
    size_t n_rows = ((size_t)17 << 20) / bytes_of(dtype) / lengths[k];
    rows a = rows_new(&r, dtype, n_rows, lengths[k], 5);
    a.call.n_threads = 2;
    ck_assert_int_eq(kernel->softmax(&a.call), SP_OK);
    compare_with_alone(kernel, &a, n_rows / 9, "stream");
    rows_free(&a);
  }
}
END_TEST

/* Without weights: the same log-sum-exps. */
START_TEST(weights_may_be_absent) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (size_t d = 0; d < 3; d++) {
    rng r = {400 + d};
    rows a = rows_new(&r, dtypes[d], 21, 333, 0);
    sp_softmax_call call = a.call;
    call.weights.data = NULL;
    ck_assert_int_eq(kernel->softmax(&call), SP_OK);
    float *lse_keys = calloc(a.n_rows, sizeof(float));
    ck_assert_ptr_nonnull(lse_keys);
    memcpy(lse_keys, a.lse_keys, a.n_rows * sizeof(float));
    ck_assert_int_eq(kernel->softmax(&a.call), SP_OK);
    for (size_t i = 0; i < a.n_rows; i++)
      ck_assert(lse_keys[i] == a.lse_keys[i] || isnan(lse_keys[i]));
    free(lse_keys);
    rows_free(&a);
  }
}
END_TEST

/* The sum of a million terms is as good as that of a thousand: 2^k equal logits weigh 2^-k, and of
 * unequal ones the sum of the weights, in long double, is 1 to a few roundings. tests: NU-7 */
START_TEST(long_rows_do_not_drift) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {500};
  size_t n = (size_t)1 << 20;
  rows a = rows_new(&r, SP_F32, 1, n, 0);
  a.call.sink_logit.data = NULL;
  float *x = (float *)(void *)a.logits;
  const float *weights = (const float *)(const void *)a.weights;
  for (size_t j = 0; j < n; j++) x[j] = 3.0F;
  ck_assert_int_eq(kernel->softmax(&a.call), SP_OK);
  for (size_t j = 0; j < n; j++) ck_assert(weights[j] == 0x1p-20F);
  for (size_t j = 0; j < n; j++) x[j] = (float)(0.1 * rng_normal(&r));
  ck_assert_int_eq(kernel->softmax(&a.call), SP_OK);
  long double sum = 0.0L;
  for (size_t j = 0; j < n; j++) sum += (long double)weights[j];
  /* exponentials err alike in sum and weight; what is left are 2 roundings and the sum's own 18 */
  ck_assert_msg(fabsl(sum - 1.0L) < 20.0L * 0x1p-24L, "%s: 1 %+Lg", kernel->name, sum - 1.0L);
  rows_free(&a);
}
END_TEST

/* The comparison can fail: a row that has met its neighbour by one bit is noticed. */
START_TEST(one_wrong_bit_is_noticed) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {600};
  rows a = rows_new(&r, SP_F32, 3, 100, 0);
  char alone[400];
  float lse[2];
  for (size_t j = 0; j < 300; j++) store(SP_F32, a.logits, (int64_t)j, 1.0);
  ck_assert_int_eq(kernel->softmax(&a.call), SP_OK);
  run_alone(kernel, &a, 1, alone, lse);
  ck_assert(same_row(&a, 1, alone, lse));
  a.weights[4 * 150] = (char)(a.weights[4 * 150] ^ 1);
  ck_assert(!same_row(&a, 1, alone, lse));
  rows_free(&a);
}
END_TEST

Suite *suite_fast_rows(void) {
  Suite *suite = suite_create("fast/rows");
  ADD_CASE(suite, "NU-12", rows_of_a_block_do_not_meet, threads_change_no_bit,
           a_row_for_all_threads_changes_no_bit, stores_past_the_caches_change_no_bit,
           weights_may_be_absent, one_wrong_bit_is_noticed);
  ADD_CASE(suite, "NU-7", long_rows_do_not_drift);
  report_missing_variants("rows");
  return suite;
}
