/* SPDX-License-Identifier: Apache-2.0 */
/* What correct rounding accepts: it agrees with the oracle's own, ties and rational values are
 * decided, and what cannot be decided is counted. */
#include "tests/asserts.h"

#include "tests/judge_kernels.h"

Suite *suite_truth_round(void);

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
    sim_truth(&t, &c, "cr");
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
    sim_truth(&t, &c, "cr");
    ck_assert(t.n_undecided == 0);
    for (size_t j = 0; j < n; j++) /* a division of floats is correctly rounded */
      ck_assert(t.values[j].in_lo == (double)(1.0F / (float)n) &&
                t.values[j].out_hi == t.values[j].in_lo);
    sp_truth_clear(&t);
    sim_truth(&t, &c, "faithful");
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
  sim_truth(&t, &c, "cr");
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

static void add(Suite *suite, const char *clause, const TTest *test, int repeat) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test, 0, repeat);
  suite_add_tcase(suite, tcase);
}

Suite *suite_truth_round(void) {
  Suite *suite = suite_create("truth_round");
  add(suite, "NU-11", cr_is_the_rounded_oracle, 1);
  add(suite, "NU-3", rational_values, 1);
  add(suite, "NU-3", a_tie, 1);
  add(suite, "CT-1", undecided_is_said, 1);
  return suite;
}
