/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted for a case: the exact clauses stay exact under every class, what is outside the
 * domain is not scored, and every generated case can be judged. */
#include "tests/asserts.h"
#include <fenv.h>
#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/gen/gen.h"
#include "tests/judge_kernels.h"

Suite *suite_truth(void);

static void check_exact(const sp_accept *a, double value) {
  ck_assert_int_eq(a->kind, SP_ACCEPT_EXACT);
  ck_assert_double_eq(a->in_lo, value);
}

static const char *const any_class[] = {"cr", "faithful", "w-deep", "w-loose:u=f16,flush=both"};
enum { N_CLASSES = sizeof any_class / sizeof any_class[0] };

/* lse_total of a row without keys: the sink logit, which the last of these classes rounds. */
static void check_sink(const sp_accept *a, double value, int which) {
  if (which < N_CLASSES - 1 || isinf(value)) {
    check_exact(a, value);
    return;
  }
  ck_assert_int_eq(a->kind, SP_ACCEPT_INTERVAL);
  ck_assert(a->in_lo < value && value < a->in_hi && a->in_hi - a->in_lo < 0x1p-8);
}

/* tests: SM-1, SM-2, AT-3 */
START_TEST(absent_keys) {
  sp_case c;
  sp_truth t;
  sim_softmax_case(&c, SIM_BELLS, 2, 6, SP_F32, true, 1);
  sim_put(&c.logits, 1, -INFINITY);
  sim_put(&c.logits, 9, -INFINITY);
  sim_truth(&t, &c, any_class[_i]);
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
  sim_truth(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 12; e++) check_exact(&t.values[e], 0);
  for (size_t r = 0; r < 3; r++) {
    check_exact(&t.lse_keys[r], -INFINITY);
    check_sink(&t.lse_total[r], sinks[r], _i);
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
  sim_truth(&t, &c, any_class[_i]);
  for (size_t e = 0; e < 8; e++) check_exact(&t.values[e], 0);
  check_exact(&t.lse_keys[0], -INFINITY);
  check_sink(&t.lse_total[0], sim_get(&c.sink_logit, 0), _i);
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
  sim_truth(&without, &c, any_class[_i]);
  sim_put(&c.sink_logit, 0, INFINITY);
  sim_truth(&t, &c, any_class[_i]);
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
  sim_truth(&t, &c, any_class[_i]);
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
  sim_truth(&t, &c, any_class[_i]);
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
    double key, value, query; /* this one meets zeros */
    bool outside;
  } probes[] = {{"w-deep", 0x1p98, 1, 0, false},         {"w-deep", 0x1p101, 1, 0, true},
                {"w-deep", 1, 0x1p101, 0, true},         {"cr", 0x1p101, 1, 0, true},
                {"w-deep:u=f16", 0x1p12, 1, 0, false},   {"w-deep:u=f16", 0x1p15, 1, 0, true},
                {"w-deep:acc=f16", 1, 0x1p15, 0, true},  {"w-deep", 1, 1, FLT_MAX, false},
                {"w-deep:qk=bf16", 1, 1, FLT_MAX, true}, {"w-deep:qk=bf16", 1, 1, 0x1p99, false},
                {"w-deep:qk=f16", 1, 1, 0x1p17, true}};
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    sp_case c;
    sp_truth t;
    sim_attention_case(&c, SIM_BELLS, 1, 5, SP_F32, false, 1);
    for (size_t e = 0; e < 8; e++) sim_put(&c.q, e, e == 0);
    sim_put(&c.q, 7, probes[i].query);
    for (size_t j = 0; j < 5; j++) sim_put(&c.k, 8 * j + 7, 0);
    sim_put(&c.k, 8, probes[i].key);
    sim_put(&c.v, 9, probes[i].value);
    sim_truth(&t, &c, probes[i].cls);
    ck_assert_msg(t.n_outside == probes[i].outside, "probe %zu", i);
    for (size_t e = 0; e < 8; e++)
      ck_assert((t.values[e].kind == SP_ACCEPT_ANY) == probes[i].outside);
    ck_assert((t.lse_total[0].kind == SP_ACCEPT_ANY) == probes[i].outside);
    sp_truth_clear(&t);
    sp_case_clear(&c);
  }
}
END_TEST

/* A sink logit that binary16 cannot hold is beyond a class of binary16 arithmetic, and only of it;
 * infinite ones are the limits of AL-4 under every class. tests: NU-4, AL-4 */
START_TEST(sink_logits_outside_the_domain) {
  static const struct {
    const char *cls;
    double sink_logit;
    bool outside;
  } probes[] = {{"w-deep:u=f16", 0x1p14, false},     {"w-deep:u=f16", 0x1p15, true},
                {"w-deep:logit=f16", -0x1p15, true}, {"w-deep:u=f16", -INFINITY, false},
                {"w-deep:u=f16", INFINITY, false},   {"w-deep:u=bf16", 0x1p15, false},
                {"w-deep", 0x1p101, false}};
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    sp_case c;
    sp_truth t;
    sim_softmax_case(&c, SIM_BELLS, 1, 5, SP_F32, true, 1);
    sim_put(&c.sink_logit, 0, probes[i].sink_logit);
    sim_truth(&t, &c, probes[i].cls);
    ck_assert_msg(t.n_outside == probes[i].outside, "probe %zu", i);
    ck_assert_msg((t.lse_total[0].kind == SP_ACCEPT_ANY) == probes[i].outside, "probe %zu", i);
    sp_truth_clear(&t);
    sp_case_clear(&c);
  }
}
END_TEST

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
      sim_truth(&t, &c, n_cases % 2 ? "w-lane16" : "w-seq-b2:tile=64,p=bf16");
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
  sim_truth(&plain, &c, "w-lane16");
  unsigned before = _mm_getcsr();
  fesetround(FE_DOWNWARD);
  _mm_setcsr(_mm_getcsr() | 0x8040);
  unsigned mode = _mm_getcsr() & 0xffc0;
  sim_truth(&strange, &c, "w-lane16");
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
  add(suite, "NU-4", sink_logits_outside_the_domain, 1);
  add(suite, "CT-3", every_generated_case, 1);
  add(suite, "KC-6", environment, 1);
  return suite;
}
