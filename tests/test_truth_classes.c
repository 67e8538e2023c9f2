/* SPDX-License-Identifier: Apache-2.0 */
/* What the classes with an error model accept, against each other and where their bound is extreme:
 * small weights, flushed inputs, a sink logit far above the keys. */
#include "tests/asserts.h"
#include <string.h>

#include "tests/judge_kernels.h"

Suite *suite_truth_classes(void);

/* tests: NU-8 */
START_TEST(refused_without_a_bound) {
  sp_case c;
  sp_truth t;
  char error[200] = "";
  sp_class cls = sim_class("w-seq:acc=f16");
  sim_softmax_case(&c, SIM_UNIFORM, 1, 2046, SP_F32, true, 0);
  ck_assert(!sp_truth_init(&t, &c, &cls, 256, error, sizeof error));
  ck_assert_msg(strstr(error, "w-seq:acc=f16") && strstr(error, "2047"), "%s", error);
  sp_case_clear(&c);
  sim_softmax_case(&c, SIM_UNIFORM, 1, 2045, SP_F32, true, 0);
  ck_assert(sp_truth_init(&t, &c, &cls, 256, error, sizeof error));
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* Stronger classes accept less. tests: NU-5, NU-7 */
START_TEST(classes_nest) {
  static const char *const chain[] = {"cr",    "faithful", "w-deep",
                                      "w-seq", "w-loose",  "w-loose:p=bf16,exp=-13,flush=both"};
  enum { N = sizeof chain / sizeof chain[0] };
  sp_case c;
  sp_truth t[N];
  sim_attention_case(&c, SIM_BELLS, 2, 100, SP_F32, true, 4);
  for (size_t i = 0; i < N; i++) sim_truth(&t[i], &c, chain[i]);
  for (size_t i = 1; i < N; i++) {
    for (size_t e = 0; e < 16; e++) {
      ck_assert(t[i].values[e].in_lo <= t[i - 1].values[e].in_lo);
      ck_assert(t[i].values[e].in_hi >= t[i - 1].values[e].in_hi);
    }
    ck_assert(t[i].resolution >= t[i - 1].resolution);
  }
  for (size_t i = 0; i < N; i++) sp_truth_clear(&t[i]);
  sp_case_clear(&c);
}
END_TEST

/* A weight is not negative and a flushed one may be 0. tests: NU-10 */
START_TEST(small_weights) {
  sp_case c;
  sp_truth t;
  double b;
  sim_softmax_case(&c, SIM_UNIFORM, 1, 4, SP_F32, false, 0);
  sim_put(&c.logits, 1, 0.7 - 86);   /* 2^-124: normal, its bound reaches below 2^-126 with flush */
  sim_put(&c.logits, 2, 0.7 - 95);   /* 2^-137: subnormal */
  sim_put(&c.logits, 3, 0.7 - 2000); /* 0 */
  sim_truth(&t, &c, "w-deep");
  for (size_t e = 0; e < 4; e++) ck_assert(t.values[e].in_lo >= 0);
  ck_assert(sp_judge_element(&t.values[3], 0, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.values[3], -0x1p-149, &b) == SP_FAIL);
  ck_assert(sp_judge_element(&t.values[2], 0, &b) == SP_FAIL);
  ck_assert(sp_judge_element(&t.values[1], 0, &b) == SP_FAIL);
  sp_truth_clear(&t);
  sim_truth(&t, &c, "w-deep:flush=out");
  ck_assert(sp_judge_element(&t.values[2], 0, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.values[0], 0, &b) == SP_FAIL);
  ck_assert(!t.values[0].zero_too);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* In a row without keys a kernel in base 2 converts its sink logit there and back; in base e it is
 * exact. tests: AT-9, NU-7 */
START_TEST(empty_rows_in_base_2) {
  sp_case c;
  sp_truth t;
  double b;
  sim_softmax_case(&c, SIM_BELLS, 1, 4, SP_F32, true, 1);
  for (size_t e = 0; e < 4; e++) sim_put(&c.logits, e, -INFINITY);
  sim_put(&c.sink_logit, 0, 3);
  sim_truth(&t, &c, "w-deep-b2:tile=64");
  ck_assert(sp_judge_element(&t.lse_total[0], 3 - 0x1p-22, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.lse_total[0], 3 + 0x1p-22, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.lse_total[0], 3 + 0x1p-19, &b) == SP_FAIL);
  ck_assert(sp_judge_element(&t.lse_keys[0], -0x1p127, &b) == SP_FAIL);
  sp_truth_clear(&t);
  sim_truth(&t, &c, "w-deep");
  ck_assert(sp_judge_element(&t.lse_total[0], 3 + 0x1p-22, &b) == SP_FAIL);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

static void empty_row_takes(const char *cls, double sink, double got, sp_verdict expected) {
  sp_case c;
  sp_truth t;
  double b;
  sim_softmax_case(&c, SIM_BELLS, 1, 4, SP_F32, true, 1);
  for (size_t e = 0; e < 4; e++) sim_put(&c.logits, e, -INFINITY);
  sim_put(&c.sink_logit, 0, sink);
  sim_truth(&t, &c, cls);
  sp_verdict verdict = sp_judge_element(&t.lse_total[0], got, &b);
  ck_assert_msg(verdict == expected, "%s: %a for a sink logit of %a", cls, got, sink);
  for (size_t e = 0; e < 4 && t.n_outside == 0; e++)
    ck_assert(sp_judge_element(&t.values[e], 0x1p-149, &b) == SP_FAIL);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}

/* … and a kernel whose arithmetic is coarser than its sink logit, or whose machine flushes, answers
 * with what it has read, as in a row with keys. tests: AT-9, NU-4, NU-7, NU-10 */
START_TEST(empty_rows_as_the_sink_logit_is_read) {
  const double tiny = 0x1p-140, pi = 0x1.921fb6p+1, of_bf16 = 0x1.92p+1, of_f16 = 0x1.92p+1;
  empty_row_takes("w-deep", pi, of_bf16, SP_FAIL);
  empty_row_takes("w-deep:u=bf16", pi, of_bf16, SP_PASS);
  empty_row_takes("w-deep:u=bf16", pi, of_bf16 - 0x1p-5, SP_FAIL);
  empty_row_takes("w-deep:u=f16", pi, of_f16, SP_PASS);
  empty_row_takes("w-deep:u=f16", pi, of_f16 - 0x1p-8, SP_FAIL);
  empty_row_takes("w-deep-b2:u=bf16", pi, of_bf16 - 0x1p-5, SP_PASS); /* converted twice */
  empty_row_takes("w-deep:u=f16", 0x1p-30, 0, SP_PASS);               /* below its subnormals */
  empty_row_takes("w-deep", 0x1p-30, 0, SP_FAIL);
  empty_row_takes("w-deep:u=f16", 1e5, INFINITY, SP_PASS); /* outside its domain */
  empty_row_takes("w-deep:u=bf16", 1e5, INFINITY, SP_FAIL);
  empty_row_takes("w-deep", tiny, 0, SP_FAIL);
  empty_row_takes("w-deep:flush=in", tiny, 0, SP_PASS);
  empty_row_takes("w-deep:flush=out", tiny, 0, SP_PASS);
  empty_row_takes("w-deep:flush=out", tiny, 0x1p-126, SP_FAIL);
  empty_row_takes("w-deep:flush=both", 0x1p-126, 0, SP_FAIL);
  empty_row_takes("cr:flush=out", tiny, 0, SP_PASS);
  empty_row_takes("cr:flush=out", tiny, -tiny, SP_FAIL);
}
END_TEST

/* Under flushed inputs a subnormal v may be read as 0. tests: NU-10 */
START_TEST(flushed_inputs) {
  sp_case c;
  sp_truth t;
  double b;
  sim_attention_case(&c, SIM_UNIFORM, 1, 1, SP_F16, false, 0);
  for (size_t e = 0; e < 8; e++) sim_put(&c.v, e, 0x1p-15);
  sim_truth(&t, &c, "w-deep");
  ck_assert(sp_judge_element(&t.values[0], 0, &b) == SP_FAIL);
  ck_assert(sp_judge_element(&t.values[0], 0x1p-15, &b) == SP_PASS);
  sp_truth_clear(&t);
  sim_truth(&t, &c, "w-deep:flush=in");
  ck_assert(sp_judge_element(&t.values[0], 0, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.values[0], 0x1p-15, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.values[0], -0x1p-20, &b) == SP_FAIL);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* A sink logit far above the keys leaves nothing to be tolerant about. tests: AL-2, NU-7 */
START_TEST(overwhelming_sink) {
  sp_case c;
  sp_truth t;
  double b;
  sim_attention_case(&c, SIM_BELLS, 1, 9, SP_F32, true, 0);
  sim_put(&c.sink_logit, 0, 1e30);
  sim_truth(&t, &c, "w-seq");
  for (size_t e = 0; e < 8; e++) {
    ck_assert(sp_judge_element(&t.values[e], 0, &b) == SP_PASS);
    ck_assert(sp_judge_element(&t.values[e], 0x1p-100, &b) == SP_FAIL);
  }
  ck_assert(sp_judge_element(&t.lse_keys[0], 1e30, &b) == SP_FAIL);
  ck_assert(t.lse_keys[0].allowance < 1e-4);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* Huge equal logits differ by nothing, whatever their size. tests: NU-7, CT-1 */
START_TEST(huge_equal_logits) {
  sp_case c;
  sp_truth t;
  sim_softmax_case(&c, SIM_UNIFORM, 1, 8, SP_F32, false, 0);
  for (size_t j = 0; j < 8; j++) sim_put(&c.logits, j, 0x1.fp99);
  sim_truth(&t, &c, "w-deep");
  ck_assert(t.n_outside == 0 && t.n_undecided == 0);
  ck_assert_msg(t.resolution < 0x1p-18, "resolution %g", t.resolution);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int repeat) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test, 0, repeat);
  suite_add_tcase(suite, tcase);
}

Suite *suite_truth_classes(void) {
  Suite *suite = suite_create("truth_classes");
  add(suite, "NU-8", refused_without_a_bound, 1);
  add(suite, "NU-5", classes_nest, 1);
  add(suite, "NU-10", small_weights, 1);
  add(suite, "AT-9", empty_rows_in_base_2, 1);
  add(suite, "AT-9", empty_rows_as_the_sink_logit_is_read, 1);
  add(suite, "NU-10", flushed_inputs, 1);
  add(suite, "NU-7", overwhelming_sink, 1);
  add(suite, "NU-7", huge_equal_logits, 1);
  return suite;
}
