/* SPDX-License-Identifier: Apache-2.0 */
/* Attention in two steps, and with threads: the bits are those of the call in one step on one
 * thread, run after run, and a run reads its queries anew. */
#include "tests/test_fast_call.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_prepared(void);

static void poison(tensor *t) {
  tensor_normal(t, &(rng){99}, 7.0, 1.0);
}

static bool same_bits(const attention *a, const tensor *out) {
  for (size_t b = 0; b < a->s.n_batch; b++)
    for (size_t i = 0; i < a->s.n_q; i++)
      for (size_t h = 0; h < a->s.n_heads; h++)
        for (size_t c = 0; c < a->s.d_value; c++) {
          double x = tensor_get(&a->out, b, i, h, c);
          double y = tensor_get(out, b, i, h, c);
          if (x != y && !(isnan(x) && isnan(y))) return false;
        }
  return true;
}

/* Long enough that one-step calls start threads too, in some of the shapes. */
static attention some_attention(const sp_kernel *kernel, rng *r, uint64_t seed) {
  shape s = random_shape(r);
  s.n_heads = s.n_kv_heads * (1 + seed % 9);
  s.n_q = 1 + seed % 5 * 20;
  s.n_kv = 1 + rng_below(r, 300);
  offer(kernel, &s);
  attention a = attention_new(r, &s);
  a.call.causal = seed % 2;
  if (seed % 3 == 0) a.call.window = 1 + rng_below(r, s.n_kv);
  if (seed % 3 == 0) a.call.n_sink_tokens = rng_below(r, 5);
  a.call.sink_logit = as_in(&a.sink);
  attention_fill(&a, r);
  return a;
}

/* tests: NU-12, AT-8, KC-8 */
START_TEST(threads_and_plans_change_no_bit) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (uint64_t seed = 30000; seed < 30030; seed++) {
    rng r = {seed};
    attention a = some_attention(kernel, &r, seed);
    ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
    tensor one = tensor_new(a.s.dtype_q, a.s.n_batch, a.s.n_q, a.s.n_heads, a.s.d_value, PACKED, 0);
    a.call.out = as_out(&one);
    for (uint32_t threads = 1; threads <= 4; threads++) {
      sp_prepared *prepared = NULL;
      a.call.n_threads = threads;
      poison(&one);
      ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
      ck_assert(same_bits(&a, &one));
      ck_assert_int_eq(kernel->prepare->attention(&prepared, &a.call), SP_OK);
      for (int run = 0; run < 3; run++) {
        poison(&one);
        ck_assert(!same_bits(&a, &one)); /* the comparison can fail */
        ck_assert_int_eq(kernel->prepare->run(prepared), SP_OK);
        ck_assert(same_bits(&a, &one));
      }
      kernel->prepare->release(prepared);
    }
    tensor_free(&one);
    attention_free(&a);
  }
}
END_TEST

START_TEST(a_run_reads_its_queries_anew) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {31000};
  attention a = some_attention(kernel, &r, 3);
  sp_prepared *prepared = NULL;
  a.call.n_threads = 2;
  ck_assert_int_eq(kernel->prepare->attention(&prepared, &a.call), SP_OK);
  tensor_normal(&a.q, &r, 0.0, 1.0);
  tensor_normal(&a.sink, &r, 0.0, 1.0);
  ck_assert_int_eq(kernel->prepare->run(prepared), SP_OK);
  ck_assert_int_lt(naive_wrong_attention(kernel, &a.call), 0);
  kernel->prepare->release(prepared);
  attention_free(&a);
}
END_TEST

/* tests: KC-7, KC-3 */
START_TEST(what_is_refused_is_refused_by_the_plan) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {32000};
  attention a = some_attention(kernel, &r, 4);
  sp_prepared *prepared = (sp_prepared *)&a;
  ck_assert_int_eq(kernel->prepare->attention(NULL, &a.call), SP_INVALID);
  a.call.window = 0;
  ck_assert_int_eq(kernel->prepare->attention(&prepared, &a.call), SP_INVALID);
  ck_assert_ptr_eq(prepared, &a);
  attention_free(&a);
}
END_TEST

Suite *suite_fast_prepared(void) {
  Suite *suite = suite_create("fast/prepared");
  ADD_CASE_FOR(needs_nothing, suite, "NU-12", threads_and_plans_change_no_bit);
  ADD_CASE_FOR(needs_nothing, suite, "AT-8", a_run_reads_its_queries_anew);
  ADD_CASE_FOR(needs_nothing, suite, "KC-7", what_is_refused_is_refused_by_the_plan);
  report_missing_variants("prepared");
  return suite;
}
