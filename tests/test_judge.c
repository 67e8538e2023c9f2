/* SPDX-License-Identifier: Apache-2.0 */
/* The judge, with faults of the judge's own kind: what has let wrong kernels through elsewhere (a
 * NaN swallowed by a maximum, a tolerance larger than the signal, a log-sum-exp that nobody
 * compared), and honest kernels in every style, which must pass. */
#include "tests/asserts.h"
#include <immintrin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/judge/judge.h"
#include "tests/judge_kernels.h"

Suite *suite_judge(void);

static sp_judgement judge_style(const sim_style *style, const char *cls_text, const sp_case *c,
                                double *resolution) {
  sp_class cls = sim_class(cls_text);
  sp_truth truth;
  sp_outputs outputs;
  sp_judgement judgement;
  char error[200];
  bool ok = sp_truth_init(&truth, c, &cls, 1024, error, sizeof error);
  ck_assert_msg(ok, "%s", error);
  ck_assert(sp_outputs_init(&outputs, c));
  sim_run(style, c, &outputs);
  sp_judge(&truth, &outputs, &judgement);
  if (resolution) *resolution = truth.resolution;
  sp_outputs_clear(&outputs);
  sp_truth_clear(&truth);
  return judgement;
}

/* ---- honest kernels ---- */

static const size_t row_lengths[] = {1, 2, 3, 15, 16, 17, 64, 65, 130, 511};

static double honest_on(const sim_style *s, sim_rows rows, size_t n, bool attention, bool sink) {
  sp_case c;
  uint64_t seed = 11;
  if (attention)
    sim_attention_case(&c, rows, 2, n, SP_F32, sink, seed);
  else
    sim_softmax_case(&c, rows, 2, n, SP_F32, sink, seed);
  sp_judgement j = judge_style(s, s->accuracy_class, &c, NULL);
  ck_assert_msg(
      j.verdict == SP_PASS,
      "%s (%s), rows %d, n %zu, attention %d, sink %d: output %d row %zu element %zu: %a, "
      "exact %a, accepted [%a, %a], budget %g",
      s->name, s->accuracy_class, (int)rows, n, attention, sink, (int)j.output, j.row, j.element,
      j.got, j.accept.exact, j.accept.in_lo, j.accept.in_hi, j.budget);
  sp_case_clear(&c);
  return j.budget;
}

/* tests: NU-7, AT-8 */
START_TEST(honest_kernels_pass) {
  const sim_style *s = &sim_honest[_i];
  double most = 0;
  for (int rows = 0; rows < SIM_N_ROWS; rows++)
    for (size_t i = 0; i < sizeof row_lengths / sizeof row_lengths[0]; i++)
      for (int k = 0; k < 4; k++) {
        double budget = honest_on(s, (sim_rows)rows, row_lengths[i], k & 1, k & 2);
        if (budget > most) most = budget;
      }
  if (s->acc_bits == 0) /* … which has no bound there */
    most = fmax(most, honest_on(s, SIM_ASCENDING, 2048, false, true));
  printf("    %-24s %-24s uses %.3f of its bound\n", s->name, s->accuracy_class, most);
}
END_TEST

/* ---- dishonest kernels ---- */

typedef struct lie {
  sim_style style;
  const char *claim;
  sim_rows rows;
  size_t n;
  bool attention;
} lie;

static const lie lies[] = {
    {{.name = "f16 sum", .acc_bits = 11}, "w-seq", SIM_UNIFORM, 3000, false},
    {{.name = "f16 sum of bells", .acc_bits = 11}, "w-seq", SIM_BELLS, 64, false},
    {{.name = "f16 accumulators", .acc_bits = 11}, "w-deep", SIM_BELLS, 64, true},
    {{.name = "bf16 accumulators", .acc_bits = 8}, "w-lane16:acc=f16", SIM_UNIFORM, 200, true},
    {{.name = "exp to 2^-14", .exp_error = 0x1p-14}, "w-seq", SIM_BELLS, 16, false},
    {{.name = "exp to 2^-14, out", .exp_error = 0x1p-14}, "w-deep", SIM_BELLS, 64, true},
    {{.name = "exp to 2^-11", .exp_error = 0x1p-11}, "w-seq:exp=-14", SIM_BELLS, 64, false},
    {{.name = "P in bf16", .p_bits = 8}, "w-deep", SIM_BELLS, 64, true},
    {{.name = "P in bf16, not f32", .p_bits = 8}, "w-deep:p=f32", SIM_BELLS, 16, true},
    {{.name = "logits in bf16", .logit_bits = 8}, "w-seq", SIM_BELLS, 16, false},
    {{.name = "exp(x - lse)", .form = SIM_FROM_LSE}, "w-deep", SIM_SHIFTED, 64, false},
    {{.name = "base 2, online", .form = SIM_ONLINE, .base2 = true},
     "w-deep:tile=64",
     SIM_SHIFTED,
     200,
     false},
};

/* tests: NU-7, CT-2 */
START_TEST(dishonest_kernels_fail) {
  const lie *l = &lies[_i];
  sp_case c;
  double resolution;
  if (l->attention)
    sim_attention_case(&c, l->rows, 2, l->n, SP_F32, true, 5);
  else
    sim_softmax_case(&c, l->rows, 2, l->n, SP_F32, true, 5);
  sp_judgement j = judge_style(&l->style, l->claim, &c, &resolution);
  ck_assert_msg(j.verdict == SP_FAIL, "%s was accepted as %s, budget %g", l->style.name, l->claim,
                j.budget);
  ck_assert(j.n_failed > 0 && j.budget > 1);
  sp_case_clear(&c);
}
END_TEST

/* ---- whole outputs ---- */

typedef struct trial {
  sp_case c;
  sp_truth truth;
  sp_outputs outputs;
  sp_judgement judgement;
} trial;

static const sim_style honest = {.name = "honest"};

/* A case in t->c, its truth, and the outputs of an honest kernel, which pass. */
static void set_up(trial *t, const char *cls_text) {
  sp_class cls = sim_class(cls_text);
  char error[200];
  ck_assert(sp_truth_init(&t->truth, &t->c, &cls, 1024, error, sizeof error));
  ck_assert(sp_outputs_init(&t->outputs, &t->c));
  sim_run(&honest, &t->c, &t->outputs);
  sp_judge(&t->truth, &t->outputs, &t->judgement);
  ck_assert(t->judgement.verdict == SP_PASS && t->judgement.n_failed == 0);
  ck_assert(t->judgement.n_elements > 0);
}

static void tear_down(trial *t) {
  sp_outputs_clear(&t->outputs);
  sp_truth_clear(&t->truth);
  sp_case_clear(&t->c);
}

static sp_verdict judge_again(trial *t) {
  sp_judge(&t->truth, &t->outputs, &t->judgement);
  return t->judgement.verdict;
}

/* tests: CT-1 */
START_TEST(one_wrong_element) {
  trial t;
  sim_softmax_case(&t.c, SIM_BELLS, 3, 40, SP_F32, true, 2);
  set_up(&t, "w-seq");
  double right = sim_get(&t.outputs.values, 57);
  static const double factors[] = {0, -1, 1.001, 0.999, NAN, INFINITY};
  for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
    sim_put(&t.outputs.values, 57, right * factors[i]);
    ck_assert(judge_again(&t) == SP_FAIL);
    ck_assert(t.judgement.n_failed == 1 && t.judgement.output == SP_OUT_VALUES);
    ck_assert(t.judgement.row == 1 && t.judgement.element == 17);
  }
  sim_put(&t.outputs.values, 57, right);
  sim_put(&t.outputs.values, 119, sim_get(&t.outputs.values, 119) * 2);
  ck_assert(judge_again(&t) == SP_FAIL && t.judgement.element == 39 && t.judgement.row == 2);
  tear_down(&t);
}
END_TEST

/* Correct weights beside a wrong log-sum-exp. tests: AL-5, CT-1 */
START_TEST(lse_is_compared) {
  trial t;
  sim_softmax_case(&t.c, SIM_BELLS, 2, 40, SP_F32, true, 2);
  set_up(&t, "w-seq");
  double keys = sim_get(&t.outputs.lse_keys, 1), total = sim_get(&t.outputs.lse_total, 1);
  sim_put(&t.outputs.lse_keys, 1, total);
  ck_assert(judge_again(&t) == SP_FAIL && t.judgement.output == SP_OUT_LSE_KEYS);
  ck_assert(t.judgement.row == 1 && t.judgement.n_failed == 1);
  sim_put(&t.outputs.lse_keys, 1, keys);
  sim_put(&t.outputs.lse_total, 1, total * 0x1.62e43p-1);
  ck_assert(judge_again(&t) == SP_FAIL && t.judgement.output == SP_OUT_LSE_TOTAL);
  sim_put(&t.outputs.lse_total, 1, NAN);
  ck_assert(judge_again(&t) == SP_FAIL);
  tear_down(&t);
}
END_TEST

/* Every element of a long row is smaller than the absolute tolerances in use elsewhere.
 * tests: CT-2 */
START_TEST(zeros_for_a_long_row) {
  trial t;
  sim_softmax_case(&t.c, SIM_UNIFORM, 1, 20000, SP_F32, false, 2);
  t.c.want_lse_keys = t.c.want_lse_total = false;
  set_up(&t, "w-seq");
  for (size_t j = 0; j < t.c.n_kv; j++) sim_put(&t.outputs.values, j, 0);
  ck_assert(judge_again(&t) == SP_FAIL && t.judgement.n_failed == t.c.n_kv);
  ck_assert_msg(t.truth.resolution < 0x1p-8, "resolution %g", t.truth.resolution);
  tear_down(&t);
}
END_TEST

/* No accepted set reaches from a signal to 0, and what it could notice is reported.
 * tests: CT-2 */
START_TEST(no_tolerance_larger_than_the_signal) {
  for (size_t i = 0; i < sim_n_honest; i++) {
    if (sim_honest[i].acc_bits || sim_honest[i].logit_bits || sim_honest[i].p_bits) continue;
    sp_case c;
    sp_truth truth;
    char error[200];
    sp_class cls = sim_class(sim_honest[i].accuracy_class);
    sim_softmax_case(&c, SIM_SPREAD, 2, 200, SP_F32, true, i);
    ck_assert(sp_truth_init(&truth, &c, &cls, 1024, error, sizeof error));
    for (size_t e = 0; e < 400; e++)
      if (truth.values[e].exact > 0x1p-120)
        ck_assert_msg(truth.values[e].in_lo > 0.9 * truth.values[e].exact, "%s accepts 0",
                      cls.text);
    ck_assert(truth.resolution > 0 && truth.resolution < 0x1p-8);
    sp_truth_clear(&truth);
    sp_case_clear(&c);
  }
}
END_TEST

/* An output that was not delivered is no output that passed. tests: CT-8 */
START_TEST(missing_outputs) {
  trial t;
  sim_softmax_case(&t.c, SIM_BELLS, 2, 8, SP_F32, true, 2);
  set_up(&t, "w-seq");
  sp_outputs none = {0};
  sp_judge(&t.truth, &none, &t.judgement);
  ck_assert(t.judgement.verdict == SP_FAIL);
  ck_assert(t.judgement.n_elements == 20 && t.judgement.n_failed == 20);
  tear_down(&t);
}
END_TEST

/* Correctly rounded means this value and no neighbour. tests: NU-11 */
START_TEST(off_by_one_ulp) {
  trial t;
  sim_softmax_case(&t.c, SIM_BELLS, 1, 30, SP_F32, true, 9);
  sp_class cls = sim_class("cr");
  char error[200];
  ck_assert(sp_truth_init(&t.truth, &t.c, &cls, 1024, error, sizeof error));
  ck_assert(sp_outputs_init(&t.outputs, &t.c));
  for (size_t j = 0; j < 30; j++) sim_put(&t.outputs.values, j, t.truth.values[j].in_lo);
  sim_put(&t.outputs.lse_keys, 0, t.truth.lse_keys[0].in_lo);
  sim_put(&t.outputs.lse_total, 0, t.truth.lse_total[0].in_lo);
  ck_assert(judge_again(&t) == SP_PASS && t.judgement.budget == 0);
  for (size_t j = 0; j < 30; j++) {
    double right = t.truth.values[j].in_lo;
    for (int up = 0; up < 2; up++) {
      sim_put(&t.outputs.values, j, sp_ref_next(SP_F32, right, up));
      ck_assert(judge_again(&t) == SP_FAIL && t.judgement.n_failed == 1);
    }
    sim_put(&t.outputs.values, j, right);
  }
  tear_down(&t);
}
END_TEST

/* The ends of every accepted interval are accepted, the next values of the format are not.
 * tests: CT-1, NU-2 */
START_TEST(ends_of_intervals) {
  static const sp_dtype formats[] = {SP_F32, SP_BF16, SP_F16, SP_F64};
  for (size_t f = 0; f < 4; f++) {
    sp_case c;
    sp_truth truth;
    char error[200];
    sp_class cls = sim_class("w-lane16");
    sim_attention_case(&c, SIM_BELLS, 4, 50, formats[f], true, 3);
    ck_assert(sp_truth_init(&truth, &c, &cls, 1024, error, sizeof error));
    for (size_t e = 0; e < truth.n_rows * truth.row_len; e++) {
      double b;
      const sp_accept *a = &truth.values[e];
      ck_assert(a->kind == SP_ACCEPT_INTERVAL && a->in_lo == a->out_lo && a->in_hi == a->out_hi);
      ck_assert(sim_verdict(a, a->in_lo, &b) == SP_PASS && sim_verdict(a, a->in_hi, &b) == SP_PASS);
      ck_assert(sim_verdict(a, sp_ref_next(formats[f], a->in_lo, false), &b) == SP_FAIL);
      ck_assert(sim_verdict(a, sp_ref_next(formats[f], a->in_hi, true), &b) == SP_FAIL);
    }
    sp_truth_clear(&truth);
    sp_case_clear(&c);
  }
}
END_TEST

/* ---- an environment left behind by strangers ---- */

/* Under DAZ a subnormal compares equal to 0. tests: KC-6, CT-1 */
START_TEST(judging_under_daz) {
  trial t;
  sim_softmax_case(&t.c, SIM_BELLS, 1, 4, SP_F32, false, 2);
  sim_put(&t.c.logits, 2, -INFINITY);
  set_up(&t, "w-seq");
  sim_put(&t.outputs.values, 2, 0x1p-149);
  unsigned before = _mm_getcsr(), strange = before | 0x8040 | 0x6000; /* FTZ, DAZ, towards 0 */
  _mm_setcsr(strange);
  sp_verdict v = judge_again(&t);
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  ck_assert(v == SP_FAIL && t.judgement.element == 2);
  ck_assert((after & 0xffc0) == (strange & 0xffc0)); /* restored, flags aside */
  tear_down(&t);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *const *tests, size_t n) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 60);
  for (size_t i = 0; i < n; i++) tcase_add_test(tcase, tests[i]);
  suite_add_tcase(suite, tcase);
}

Suite *suite_judge(void) {
  Suite *suite = suite_create("judge");
  TCase *nu7 = tcase_create("NU-7");
  tcase_set_timeout(nu7, 60);
  tcase_add_loop_test(nu7, honest_kernels_pass, 0, (int)sim_n_honest);
  tcase_add_loop_test(nu7, dishonest_kernels_fail, 0, (int)(sizeof lies / sizeof lies[0]));
  suite_add_tcase(suite, nu7);
  const TTest *const ct1[] = {one_wrong_element, lse_is_compared, ends_of_intervals,
                              judging_under_daz};
  add(suite, "CT-1", ct1, sizeof ct1 / sizeof ct1[0]);
  const TTest *const ct2[] = {zeros_for_a_long_row, no_tolerance_larger_than_the_signal,
                              missing_outputs};
  add(suite, "CT-2", ct2, sizeof ct2 / sizeof ct2[0]);
  const TTest *const nu11[] = {off_by_one_ulp};
  add(suite, "NU-11", nu11, 1);
  return suite;
}
