/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted for a case: the exact clauses stay exact under every class, correct rounding
 * agrees with the oracle's own, ties and rational values are decided, what is outside the domain is
 * not scored, and what cannot be decided is counted. */
#include <check.h>
#include <fenv.h>
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/gen/gen.h"
#include "tests/judge_kernels.h"

Suite *suite_truth(void);

static void truth_of(sp_truth *truth, const sp_case *c, const char *cls_text) {
  char error[200];
  sp_class cls = sim_class(cls_text);
  bool ok = sp_truth_init(truth, c, &cls, 2048, error, sizeof error);
  ck_assert_msg(ok, "%s", error);
}

static void check_exact(const sp_accept *a, double value) {
  ck_assert_int_eq(a->kind, SP_ACCEPT_EXACT);
  ck_assert_double_eq(a->in_lo, value);
}

static const char *const any_class[] = {"cr", "faithful", "w-deep", "w-loose:u=f16,flush=both"};
enum { N_CLASSES = sizeof any_class / sizeof any_class[0] };

/* tests: SM-1, SM-2, AT-3 */
START_TEST(absent_keys) {
  sp_case c;
  sp_truth t;
  sim_softmax_case(&c, SIM_BELLS, 2, 6, SP_F32, true, 1);
  sim_put(&c.logits, 1, -INFINITY);
  sim_put(&c.logits, 9, -INFINITY);
  truth_of(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 12; e++) {
    if (e == 1 || e == 9)
      check_exact(&t.values[e], 0);
    else
      ck_assert_int_eq(t.values[e].kind, SP_ACCEPT_INTERVAL);
  }
  ck_assert(t.n_undecided == 0 && t.n_outside == 0);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* tests: AT-9, AL-4 */
START_TEST(empty_rows) {
  static const double sinks[] = {-2.25, -INFINITY, INFINITY};
  sp_case c;
  sp_truth t;
  sim_softmax_case(&c, SIM_BELLS, 3, 4, SP_F32, true, 1);
  for (size_t e = 0; e < 12; e++) sim_put(&c.logits, e, -INFINITY);
  for (size_t r = 0; r < 3; r++) sim_put(&c.sink_logit, r, sinks[r]);
  truth_of(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 12; e++) check_exact(&t.values[e], 0);
  for (size_t r = 0; r < 3; r++) {
    check_exact(&t.lse_keys[r], -INFINITY);
    check_exact(&t.lse_total[r], sinks[r]);
  }
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* A leading query row of n_q > n_kv sees no key. tests: AT-4, AT-9 */
START_TEST(empty_attention_row) {
  sp_case c;
  sp_truth t;
  sim_attention_case(&c, SIM_BELLS, 1, 2, SP_BF16, true, 1);
  sp_array two = c.q;
  c.q = (sp_array){0};
  c.n_q = 3;
  ck_assert(sp_array_alloc(&c.q, SP_BF16, 24));
  free(two.bits);
  truth_of(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 8; e++) check_exact(&t.values[e], 0);
  check_exact(&t.lse_keys[0], -INFINITY);
  check_exact(&t.lse_total[0], sim_get(&c.sink_logit, 0));
  for (size_t e = 8; e < 24; e++) ck_assert_int_eq(t.values[e].kind, SP_ACCEPT_INTERVAL);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* tests: AL-4 */
START_TEST(infinite_sink_logit) {
  sp_case c;
  sp_truth t, without;
  sim_softmax_case(&c, SIM_BELLS, 1, 6, SP_F32, true, 1);
  sim_put(&c.sink_logit, 0, -INFINITY);
  truth_of(&without, &c, any_class[_i]);
  sim_put(&c.sink_logit, 0, INFINITY);
  truth_of(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 6; e++) check_exact(&t.values[e], 0);
  check_exact(&t.lse_total[0], INFINITY);
  ck_assert_int_eq(t.lse_keys[0].kind, SP_ACCEPT_INTERVAL);
  ck_assert(t.lse_keys[0].exact == without.lse_keys[0].exact);
  ck_assert(t.lse_keys[0].allowance <= 1.5 * without.lse_keys[0].allowance);
  sp_truth_clear(&t);
  sp_truth_clear(&without);
  sp_case_clear(&c);
}
END_TEST

/* tests: SM-5, AL-4 */
START_TEST(invalid_rows) {
  sp_case c;
  sp_truth t;
  sim_softmax_case(&c, SIM_BELLS, 3, 4, SP_F32, true, 1);
  sim_put(&c.logits, 0, NAN);
  sim_put(&c.logits, 1, -INFINITY);
  sim_put(&c.logits, 6, INFINITY);
  sim_put(&c.sink_logit, 2, NAN);
  truth_of(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 12; e++) ck_assert_int_eq(t.values[e].kind, SP_ACCEPT_NAN);
  for (size_t r = 0; r < 3; r++) {
    ck_assert_int_eq(t.lse_keys[r].kind, SP_ACCEPT_NAN);
    ck_assert_int_eq(t.lse_total[r].kind, SP_ACCEPT_NAN);
  }
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* tests: SM-6, NU-4 */
START_TEST(values_that_are_not_finite) {
  sp_case c;
  sp_truth t;
  sim_attention_case(&c, SIM_BELLS, 1, 5, SP_F32, false, 1);
  sim_put(&c.v, 3 * 8 + 2, NAN);
  sim_put(&c.v, 1 * 8 + 5, -INFINITY);
  truth_of(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 8; e++)
    ck_assert_int_eq(t.values[e].kind, e == 2   ? SP_ACCEPT_NAN
                                       : e == 5 ? SP_ACCEPT_ANY
                                                : SP_ACCEPT_INTERVAL);
  ck_assert_int_eq(t.lse_keys[0].kind, SP_ACCEPT_INTERVAL);
  ck_assert(t.n_outside == 1);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* tests: NU-4 */
START_TEST(outside_the_domain) {
  static const struct {
    const char *cls;
    double key, value;
    bool outside;
  } probes[] = {{"w-deep", 0x1p98, 1, false},       {"w-deep", 0x1p101, 1, true},
                {"w-deep", 1, 0x1p101, true},       {"cr", 0x1p101, 1, true},
                {"w-deep:u=f16", 0x1p12, 1, false}, {"w-deep:u=f16", 0x1p15, 1, true},
                {"w-deep:acc=f16", 1, 0x1p15, true}};
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    sp_case c;
    sp_truth t;
    sim_attention_case(&c, SIM_BELLS, 1, 5, SP_F32, false, 1);
    for (size_t e = 0; e < 8; e++) sim_put(&c.q, e, e == 0);
    sim_put(&c.k, 8, probes[i].key);
    sim_put(&c.v, 9, probes[i].value);
    truth_of(&t, &c, probes[i].cls);
    ck_assert_msg(t.n_outside == probes[i].outside, "probe %zu", i);
    for (size_t e = 0; e < 8; e++)
      ck_assert((t.values[e].kind == SP_ACCEPT_ANY) == probes[i].outside);
    ck_assert((t.lse_total[0].kind == SP_ACCEPT_ANY) == probes[i].outside);
    sp_truth_clear(&t);
    sp_case_clear(&c);
  }
}
END_TEST

/* ---- correct rounding ---- */

/* Every generated case: class cr accepts exactly what the oracle rounds to. tests: NU-3, NU-11 */
START_TEST(cr_is_the_rounded_oracle) {
  static const sp_dtype formats[] = {SP_F32, SP_F64, SP_BF16, SP_F16};
  for (size_t f = 0; f < 4; f++) {
    sp_case c;
    sp_truth t;
    sp_case_values values;
    sp_ref_row_input in;
    double out[8], lse_keys, lse_total;
    sim_attention_case(&c, SIM_BELLS, 3, 20, formats[f], true, f);
    c.softcap = f == 1 ? 5.0F : 0;
    truth_of(&t, &c, "cr");
    ck_assert(t.n_undecided == 0 && sp_case_values_init(&values, &c));
    for (size_t h = 0; h < 3; h++) {
      sp_case_row(&values, 0, 0, h, &in);
      sp_dtype lse = formats[f] == SP_F64 ? SP_F64 : SP_F32;
      ck_assert(sp_ref_row_round(&in, 2048, formats[f], NULL, out, lse, &lse_keys, &lse_total) ==
                SP_REF_DECIDED);
      for (size_t e = 0; e < 8; e++) {
        ck_assert(t.values[h * 8 + e].in_lo == out[e] && t.values[h * 8 + e].out_hi == out[e]);
        ck_assert(t.values[h * 8 + e].out_lo == out[e] && t.values[h * 8 + e].in_hi == out[e]);
      }
      ck_assert(t.lse_keys[h].in_lo == lse_keys && t.lse_keys[h].out_hi == lse_keys);
      ck_assert(t.lse_total[h].in_lo == lse_total && t.lse_total[h].out_hi == lse_total);
    }
    sp_case_values_clear(&values);
    sp_truth_clear(&t);
    sp_case_clear(&c);
  }
}
END_TEST

/* Rational results, ties among them, are decided: no precision would. tests: NU-3, NU-11 */
START_TEST(rational_values) {
  for (size_t n = 1; n <= 12; n++) {
    sp_case c;
    sp_truth t;
    sim_softmax_case(&c, SIM_UNIFORM, 1, n, SP_F32, false, 0);
    truth_of(&t, &c, "cr");
    ck_assert(t.n_undecided == 0);
    for (size_t j = 0; j < n; j++) /* a division of floats is correctly rounded */
      ck_assert(t.values[j].in_lo == (double)(1.0F / (float)n) &&
                t.values[j].out_hi == t.values[j].in_lo);
    sp_truth_clear(&t);
    truth_of(&t, &c, "faithful");
    double b;
    bool representable = (n & (n - 1)) == 0;
    double p = (double)(1.0F / (float)n), up = sp_ref_next(SP_F32, p, true);
    double down = sp_ref_next(SP_F32, p, false), far = sp_ref_next(SP_F32, up, true);
    ck_assert(t.n_undecided == 0 && sp_judge_element(&t.values[0], p, &b) == SP_PASS);
    int neighbours = (sp_judge_element(&t.values[0], up, &b) == SP_PASS) +
                     (sp_judge_element(&t.values[0], down, &b) == SP_PASS);
    ck_assert_int_eq(neighbours, representable ? 0 : 1);
    ck_assert(sp_judge_element(&t.values[0], far, &b) == SP_FAIL);
    sp_truth_clear(&t);
    sp_case_clear(&c);
  }
}
END_TEST

/* Two equal logits, and values whose mean lies half way between two floats. tests: NU-2, NU-3 */
START_TEST(a_tie) {
  sp_case c;
  sp_truth t;
  sim_attention_case(&c, SIM_UNIFORM, 1, 2, SP_F32, false, 0);
  for (size_t e = 0; e < 8; e++) {
    sim_put(&c.v, e, 1 + (double)e * 0x1p-23);
    sim_put(&c.v, 8 + e, 1 + (double)(e + 1) * 0x1p-23);
  }
  truth_of(&t, &c, "cr");
  ck_assert(t.n_undecided == 0);
  for (size_t e = 0; e < 8; e++) {
    double even = 1 + (double)(e + e % 2) * 0x1p-23;
    ck_assert(t.values[e].in_lo == even && t.values[e].out_hi == even);
    ck_assert(t.values[e].in_hi == even && t.values[e].out_lo == even);
  }
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* At a precision that cannot decide, the verdict says so. tests: CT-1, NU-3 */
START_TEST(undecided_is_said) {
  sp_case c;
  sp_truth t;
  char error[200];
  sp_class cls = sim_class("cr");
  sim_attention_case(&c, SIM_BELLS, 2, 30, SP_F64, false, 0);
  ck_assert(sp_truth_init(&t, &c, &cls, 40, error, sizeof error));
  ck_assert(t.n_undecided > 0);
  double b;
  sp_judgement j;
  sp_outputs outputs;
  ck_assert(sp_judge_element(&t.values[0], t.values[0].out_lo, &b) == SP_UNDECIDED);
  ck_assert(sp_outputs_init(&outputs, &c));
  for (size_t e = 0; e < 16; e++) sim_put(&outputs.values, e, t.values[e].out_lo);
  for (size_t r = 0; r < 2; r++) {
    sim_put(&outputs.lse_keys, r, t.lse_keys[r].out_lo);
    sim_put(&outputs.lse_total, r, t.lse_total[r].out_lo);
  }
  sp_judge(&t, &outputs, &j);
  ck_assert(j.verdict == SP_UNDECIDED && j.n_undecided > 0 && j.n_failed == 0);
  sim_put(&outputs.values, 3, 77);
  sp_judge(&t, &outputs, &j);
  ck_assert(j.verdict == SP_FAIL);
  sp_outputs_clear(&outputs);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* ---- model classes ---- */

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
  for (size_t i = 0; i < N; i++) truth_of(&t[i], &c, chain[i]);
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
  truth_of(&t, &c, "w-deep");
  for (size_t e = 0; e < 4; e++) ck_assert(t.values[e].in_lo >= 0);
  ck_assert(sp_judge_element(&t.values[3], 0, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.values[3], -0x1p-149, &b) == SP_FAIL);
  ck_assert(sp_judge_element(&t.values[2], 0, &b) == SP_FAIL);
  ck_assert(sp_judge_element(&t.values[1], 0, &b) == SP_FAIL);
  sp_truth_clear(&t);
  truth_of(&t, &c, "w-deep:flush=out");
  ck_assert(sp_judge_element(&t.values[2], 0, &b) == SP_PASS);
  ck_assert(sp_judge_element(&t.values[0], 0, &b) == SP_FAIL);
  ck_assert(!t.values[0].zero_too);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* Under flushed inputs a subnormal v may be read as 0. tests: NU-10 */
START_TEST(flushed_inputs) {
  sp_case c;
  sp_truth t;
  double b;
  sim_attention_case(&c, SIM_UNIFORM, 1, 1, SP_F16, false, 0);
  for (size_t e = 0; e < 8; e++) sim_put(&c.v, e, 0x1p-15);
  truth_of(&t, &c, "w-deep");
  ck_assert(sp_judge_element(&t.values[0], 0, &b) == SP_FAIL);
  ck_assert(sp_judge_element(&t.values[0], 0x1p-15, &b) == SP_PASS);
  sp_truth_clear(&t);
  truth_of(&t, &c, "w-deep:flush=in");
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
  truth_of(&t, &c, "w-seq");
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
  truth_of(&t, &c, "w-deep");
  ck_assert(t.n_outside == 0 && t.n_undecided == 0);
  ck_assert_msg(t.resolution < 0x1p-18, "resolution %g", t.resolution);
  sp_truth_clear(&t);
  sp_case_clear(&c);
}
END_TEST

/* ---- all generators ---- */

/* For a kernel that offers everything, no generated case is refused, accepts nothing, or stays
 * open; inner sets lie inside outer ones. tests: CT-1, CT-3 */
START_TEST(every_generated_case) {
  size_t n_generators, n_cases = 0;
  const sp_generator *generators = sp_generators(&n_generators);
  for (size_t g = 0; g < n_generators; g++) {
    for (int op = 0; op < SP_N_OPS; op++) {
      if (!(generators[g].ops >> op & 1u)) continue;
      sp_generator_request request = {.generator = generators[g].name,
                                      .op = (sp_op)op,
                                      .seed = 5,
                                      .index = (uint64_t)op + 3,
                                      .options = ~UINT64_C(0),
                                      .dtypes_softmax = 30,
                                      .dtypes_q = 30,
                                      .dtypes_kv = 30,
                                      .max_n = 200};
      sp_case c;
      sp_truth t;
      if (!sp_case_make(&c, &request)) continue;
      truth_of(&t, &c, n_cases % 2 ? "w-lane16" : "w-seq-b2:tile=64,p=bf16");
      size_t n = t.values ? t.n_rows * t.row_len : 0;
      for (size_t e = 0; e < n; e++) {
        const sp_accept *a = &t.values[e];
        if (a->kind != SP_ACCEPT_INTERVAL) continue;
        ck_assert_msg(a->out_lo <= a->in_lo && a->in_lo <= a->in_hi && a->in_hi <= a->out_hi,
                      "%s op %d element %zu", generators[g].name, op, e);
        ck_assert(a->allowance >= 0);
      }
      ck_assert_msg(t.n_undecided == 0, "%s op %d", generators[g].name, op);
      n_cases++;
      sp_truth_clear(&t);
      sp_case_clear(&c);
    }
  }
  ck_assert(n_cases > 20);
}
END_TEST

/* The truth does not depend on the mode that it is asked in, and leaves it alone. tests: KC-6 */
START_TEST(environment) {
  sp_case c;
  sp_truth plain, strange;
  sim_attention_case(&c, SIM_SPREAD, 2, 40, SP_F32, true, 4);
  truth_of(&plain, &c, "w-lane16");
  unsigned before = _mm_getcsr();
  fesetround(FE_DOWNWARD);
  _mm_setcsr(_mm_getcsr() | 0x8040);
  unsigned mode = _mm_getcsr() & 0xffc0;
  truth_of(&strange, &c, "w-lane16");
  unsigned after = _mm_getcsr() & 0xffc0;
  int rounding = fegetround();
  fesetround(FE_TONEAREST);
  _mm_setcsr(before);
  ck_assert(mode == after && rounding == FE_DOWNWARD);
  ck_assert(memcmp(plain.values, strange.values, 16 * sizeof *plain.values) == 0);
  ck_assert(memcmp(plain.lse_total, strange.lse_total, 2 * sizeof *plain.values) == 0);
  sp_truth_clear(&plain);
  sp_truth_clear(&strange);
  sp_case_clear(&c);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int repeat) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test, 0, repeat);
  suite_add_tcase(suite, tcase);
}

Suite *suite_truth(void) {
  Suite *suite = suite_create("truth");
  add(suite, "AT-3", absent_keys, N_CLASSES);
  add(suite, "AT-9", empty_rows, N_CLASSES);
  add(suite, "AT-9", empty_attention_row, N_CLASSES);
  add(suite, "AL-4", infinite_sink_logit, N_CLASSES);
  add(suite, "SM-5", invalid_rows, N_CLASSES);
  add(suite, "SM-6", values_that_are_not_finite, N_CLASSES);
  add(suite, "NU-4", outside_the_domain, 1);
  add(suite, "NU-11", cr_is_the_rounded_oracle, 1);
  add(suite, "NU-3", rational_values, 1);
  add(suite, "NU-3", a_tie, 1);
  add(suite, "CT-1", undecided_is_said, 1);
  add(suite, "NU-8", refused_without_a_bound, 1);
  add(suite, "NU-5", classes_nest, 1);
  add(suite, "NU-10", small_weights, 1);
  add(suite, "NU-10", flushed_inputs, 1);
  add(suite, "NU-7", overwhelming_sink, 1);
  add(suite, "NU-7", huge_equal_logits, 1);
  add(suite, "CT-3", every_generated_case, 1);
  add(suite, "KC-6", environment, 1);
  return suite;
}
