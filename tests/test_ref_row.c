/* SPDX-License-Identifier: Apache-2.0 */
/* What a row of the oracle is in every edge that the clauses decide: which kind it is, what is
 * exact, what NaN and infinities do. Values of ordinary rows are the business of test_cross and
 * test_ref_vectors. */
#include "tests/asserts.h"
#include <math.h>

#include "ref/check.h"
#include "ref/ref.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_row(void);

enum { PREC = 96 };

static sp_ref_row row;

static void setup(void) {
  ck_assert(sp_ref_row_init(&row, 64, 8));
}

static void teardown(void) {
  sp_ref_row_clear(&row);
}

/* A softmax row of three keys with one-component values, to be spoiled by the tests. */
typedef struct sample {
  sp_ref_row_input in;
  double logits[3], q[2], k[6], v[3], key_bias[3], bias_k[2], bias_v[1];
} sample;

static void softmax_sample(sample *s) {
  *s = (sample){.logits = {1, 2, 3}, .v = {1, -1, 0.5}, .bias_k = {1, 1}, .bias_v = {4}};
  s->in = (sp_ref_row_input){.n_kv = 3,
                             .d_value = 1,
                             .logits = s->logits,
                             .v = s->v,
                             .v_stride = 1,
                             .scale = 1,
                             .sink_logit = -INFINITY};
}

static void attention_sample(sample *s) {
  softmax_sample(s);
  for (size_t i = 0; i < 6; i++) s->k[i] = (double)i / 4;
  s->q[0] = 1;
  s->q[1] = -2;
  s->in.logits = NULL;
  s->in.d_head = 2;
  s->in.q = s->q;
  s->in.k = s->k;
  s->in.k_stride = 2;
}

static sp_ref_kind kind_of(const sp_ref_row_input *in) {
  REQUIRE(sp_ref_row_eval(&row, in, PREC));
  REQUIRE(sp_ref_row_holds(&row, in));
  return row.kind;
}

static bool is_point(mpfi_srcptr x, double value) {
  return mpfr_cmp_d(&x->left, value) == 0 && mpfr_cmp_d(&x->right, value) == 0;
}

static bool all_nan(void) {
  bool nan = mpfi_nan_p(row.lse_keys) && mpfi_nan_p(row.lse_total);
  for (size_t j = 0; j < row.n_keys; j++) nan = nan && mpfi_nan_p(row.weight[j]);
  for (size_t c = 0; c < row.d_value; c++) nan = nan && row.out_nan[c] && mpfi_nan_p(row.out[c]);
  return nan;
}

static void invalid(const sp_ref_row_input *in) {
  ck_assert_int_eq(kind_of(in), SP_REF_INVALID);
  ck_assert(all_nan());
}

static void empty(const sp_ref_row_input *in) {
  ck_assert_int_eq(kind_of(in), SP_REF_EMPTY);
  for (size_t j = 0; j < row.n_keys; j++) ck_assert(is_point(row.weight[j], 0));
  for (size_t c = 0; c < row.d_value; c++) ck_assert(is_point(row.out[c], 0) && !row.out_nan[c]);
  ck_assert(is_point(row.lse_keys, -INFINITY));
  ck_assert(is_point(row.lse_total, in->sink_logit));
}

/* tests: SM-5 */
START_TEST(poison_makes_the_row_invalid) {
  static const double bad[] = {NAN, INFINITY};
  for (size_t i = 0; i < 2; i++) {
    sample s;
    softmax_sample(&s);
    s.logits[1] = bad[i];
    invalid(&s.in);
    softmax_sample(&s);
    s.key_bias[2] = bad[i];
    s.in.key_bias = s.key_bias;
    invalid(&s.in);
    attention_sample(&s);
    s.q[1] = bad[i];
    invalid(&s.in);
    attention_sample(&s);
    s.k[3] = -bad[i];
    invalid(&s.in);
    attention_sample(&s);
    s.in.scale = 0; /* a scale of 0 does not make an infinity disappear */
    s.k[0] = bad[i];
    invalid(&s.in);
    attention_sample(&s);
    s.in.scale = bad[i];
    invalid(&s.in);
    attention_sample(&s);
    s.in.alibi_slope = -bad[i]; /* at distance 0 too */
    s.in.n_kv = 1;
    invalid(&s.in);
  }
}
END_TEST

/* tests: SM-5 (poison wins over a value outside the domain, and over an infinite sink logit) */
START_TEST(poison_comes_first) {
  sample s;
  softmax_sample(&s);
  s.logits[0] = NAN;
  s.v[1] = INFINITY;
  s.in.sink_logit = INFINITY;
  invalid(&s.in);
}
END_TEST

/* tests: SM-1 (a logit of -inf is absent whatever the scale; its value is not looked at) */
START_TEST(minus_infinity_is_absence) {
  static const double scales[] = {1, 0, -1, 0.25};
  for (size_t i = 0; i < 4; i++) {
    sample s;
    softmax_sample(&s);
    s.in.scale = scales[i];
    s.logits[1] = -INFINITY;
    s.v[1] = NAN;
    ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
    ck_assert(!row.visible[1] && is_point(row.weight[1], 0) && !row.out_nan[0]);
    s.in.softcap = 2; /* not -2: absence is settled before the cap */
    ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
    ck_assert(!row.visible[1]);
  }
  sample s;
  softmax_sample(&s);
  s.in.scale = -1;
  s.logits[1] = INFINITY; /* not absent by being scaled */
  invalid(&s.in);
}
END_TEST

/* tests: AT-3 */
START_TEST(masking_hides_anything) {
  sample s;
  attention_sample(&s);
  s.in.key_bias = s.key_bias;
  s.key_bias[1] = -INFINITY;
  s.k[2] = s.k[3] = NAN;
  s.v[1] = INFINITY;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(!row.visible[1] && is_point(row.weight[1], 0));

  attention_sample(&s); /* by position; the bias of the masked key is not looked at either */
  s.in.masked = true;
  s.in.mask = (sp_ref_mask){true, SP_WINDOW_ALL, 0};
  s.in.pos_q = 1;
  s.in.key_bias = s.key_bias;
  s.key_bias[2] = NAN;
  s.k[4] = INFINITY;
  s.v[2] = NAN;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(row.visible[1] && !row.visible[2]);

  attention_sample(&s); /* a NaN in q has no logit to poison when nothing is visible */
  s.in.masked = true;
  s.in.mask = (sp_ref_mask){true, SP_WINDOW_ALL, 0};
  s.in.pos_q = -1;
  s.q[0] = NAN;
  empty(&s.in);
}
END_TEST

/* tests: AT-9 */
START_TEST(empty_rows) {
  static const double sinks[] = {-INFINITY, -3, 0, 200, INFINITY};
  for (size_t i = 0; i < 5; i++) {
    sample s;
    softmax_sample(&s);
    s.in.sink_logit = sinks[i];
    s.logits[0] = s.logits[1] = s.logits[2] = -INFINITY;
    empty(&s.in);
    ck_assert(is_point(row.weight_sink, sinks[i] == -INFINITY ? 0 : 1));
    s.in.n_kv = 0;
    s.in.logits = s.in.v = NULL;
    empty(&s.in);
    s.in.sink_logit = NAN; /* spec'd for every row */
    invalid(&s.in);
  }
}
END_TEST

/* tests: AL-4 */
START_TEST(infinite_sink_logit_takes_everything) {
  sample s;
  softmax_sample(&s);
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  MPFR_DECL_INIT(lse, PREC);
  mpfr_set(lse, &row.lse_keys->left, MPFR_RNDN);
  s.in.sink_logit = INFINITY;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_SINK_INF);
  for (size_t j = 0; j < 3; j++) ck_assert(row.visible[j] && is_point(row.weight[j], 0));
  ck_assert(is_point(row.out[0], 0) && is_point(row.weight_sink, 1));
  ck_assert(is_point(row.lse_total, INFINITY));
  ck_assert(mpfr_equal_p(lse, &row.lse_keys->left));
  s.v[1] = NAN;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_SINK_INF);
  ck_assert(row.out_nan[0]);
}
END_TEST

/* tests: SM-6 */
START_TEST(values_that_are_not_numbers) {
  double v[6] = {1, 2, NAN, 3, -1, 4};
  sample s;
  softmax_sample(&s);
  s.in.v = v;
  s.in.v_stride = s.in.d_value = 2;
  s.logits[0] = 1e6; /* the weight of the NaN is far below every format: it poisons all the same */
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(row.out_nan[0] && mpfi_nan_p(row.out[0]) && !row.out_nan[1]);
  v[2] = -INFINITY;
  ck_assert(!sp_ref_row_eval(&row, &s.in, PREC));
  ck_assert(row.out_nan[0] && !row.out_nan[1] && !mpfi_nan_p(row.lse_total));
}
END_TEST

/* tests: AT-10 */
START_TEST(one_key_is_exact) {
  sample s;
  softmax_sample(&s);
  s.in.n_kv = 1;
  s.logits[0] = -0x1.23456789abcdep+9;
  s.v[0] = 0x1.fedcba9876543p-3;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(is_point(row.weight[0], 1) && is_point(row.out[0], s.v[0]));
  ck_assert(is_point(row.lse_keys, s.logits[0]) && is_point(row.lse_total, s.logits[0]));
}
END_TEST

/* tests: AL-8 */
START_TEST(bias_pair_is_one_more_key) {
  sample s;
  attention_sample(&s);
  s.in.bias_k = s.bias_k;
  s.in.bias_v = s.bias_v;
  s.in.masked = true;
  s.in.mask = (sp_ref_mask){true, SP_WINDOW_ALL, 0};
  s.in.pos_q = -1;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY); /* visible where no key is */
  ck_assert_uint_eq(row.n_keys, 4);
  ck_assert(is_point(row.weight[3], 1) && is_point(row.out[0], 4));
  s.bias_v[0] = NAN;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(row.out_nan[0]);
  s.q[0] = NAN;
  invalid(&s.in);
  s.q[0] = 1;
  s.bias_k[1] = INFINITY;
  invalid(&s.in);
}
END_TEST

/* tests: AT-2 (no head dimension, scale 0: every logit is 0) */
START_TEST(degenerate_products) {
  sample s;
  attention_sample(&s);
  s.in.scale = 0;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  for (size_t j = 0; j < 3; j++) ck_assert(is_point(row.logit[j], 0));
  s.in.scale = 1;
  s.in.d_head = 0;
  s.in.q = s.in.k = NULL;
  s.in.d_value = 0;
  s.in.v = NULL;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  for (size_t j = 0; j < 3; j++) ck_assert(is_point(row.logit[j], 0));
}
END_TEST

/* Relative width at most 2^-bits. */
static bool narrow(mpfi_srcptr x, long bits) {
  mpfr_t width;
  mpfr_init2(width, 64);
  mpfi_diam_rel(width, x);
  const bool is_narrow = mpfr_cmp_ui_2exp(width, 1, -bits) <= 0;
  mpfr_clear(width);
  return is_narrow;
}

/* tests: AL-3 (ln(1 + e^-100) keeps its leading bits: nothing is added to 1 and lost) */
START_TEST(small_log_sums_are_narrow) {
  sample s;
  softmax_sample(&s);
  s.in.n_kv = 1;
  s.in.sink_logit = 0;
  for (int i = 1; i <= 1000; i++) {
    s.logits[0] = -7.25 * i;
    ck_assert(sp_ref_row_eval(&row, &s.in, 64));
    REQUIRE(narrow(row.lse_total, 48) && mpfr_sgn(&row.lse_total->left) > 0);
  }
}
END_TEST

/* tests: SM-3 (logits at the ends of binary64 overflow nothing) */
START_TEST(extreme_logits) {
  sample s;
  softmax_sample(&s);
  s.logits[0] = 0x1.fffffffffffffp+1023;
  s.logits[1] = -0x1.fffffffffffffp+1023;
  s.in.scale = 0x1.fffffep+127;
  s.in.sink_logit = -1e300;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(is_point(row.weight[0], 1) || narrow(row.weight[0], 60));
  ck_assert(mpfr_cmp_d(&row.weight[1]->right, 0x1p-1074) < 0);
  ck_assert(narrow(row.lse_total, 60));
  s.in.sink_logit = 0x1.fffffffffffffp+1023;
  s.in.scale = 1;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(narrow(row.weight[0], 60) && mpfr_cmp_d(&row.weight[0]->left, 0.5) <= 0);
  s.logits[0] = s.logits[2] = -0x1.fffffffffffffp+1023;
  ck_assert_int_eq(kind_of(&s.in), SP_REF_ORDINARY);
  ck_assert(mpfr_cmp_d(&row.weight[0]->right, 0x1p-1074) < 0);
}
END_TEST

/* tests: NU-3 (one row struct for rows of all sizes and precisions: no trace of the one before) */
START_TEST(storage_is_reused_without_trace) {
  sp_ref_row fresh;
  static const mpfr_prec_t precisions[] = {64, 1024, 64, 53, 128};
  for (uint64_t seed = 0; seed < 400; seed++) {
    sp_random_row r;
    sp_random_row_make(&r, (sp_row_family)(seed % SP_N_ROW_FAMILIES), seed);
    const mpfr_prec_t prec = precisions[seed % 5];
    REQUIRE(sp_ref_row_init(&fresh, SP_ROW_KEYS + 1, SP_ROW_VALUE));
    REQUIRE(sp_ref_row_eval(&fresh, &r.in, prec) == sp_ref_row_eval(&row, &r.in, prec));
    REQUIRE(fresh.kind == row.kind && fresh.n_keys == row.n_keys);
    for (size_t j = 0; j < row.n_keys && row.kind != SP_REF_INVALID; j++) {
      REQUIRE(mpfr_equal_p(&fresh.weight[j]->left, &row.weight[j]->left));
      REQUIRE(mpfr_equal_p(&fresh.weight[j]->right, &row.weight[j]->right));
    }
    for (size_t c = 0; c < row.d_value; c++) {
      REQUIRE(fresh.out_nan[c] == row.out_nan[c]);
      REQUIRE(row.out_nan[c] || mpfr_equal_p(&fresh.out[c]->left, &row.out[c]->left));
    }
    sp_ref_row_clear(&fresh);
  }
}
END_TEST

/* tests: NU-3 (an enclosure of few bits contains the one of many) */
START_TEST(precision_only_narrows) {
  sp_ref_row fine;
  REQUIRE(sp_ref_row_init(&fine, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  for (uint64_t seed = 0; seed < 800; seed++) {
    sp_random_row r;
    sp_random_row_make(&r, (sp_row_family)(seed % SP_N_ROW_FAMILIES), 7000 + seed);
    (void)sp_ref_row_eval(&row, &r.in, 53);
    (void)sp_ref_row_eval(&fine, &r.in, 512);
    if (row.kind == SP_REF_INVALID) continue;
    for (size_t j = 0; j < row.n_keys; j++) REQUIRE(mpfi_is_inside(fine.weight[j], row.weight[j]));
    for (size_t c = 0; c < row.d_value; c++)
      REQUIRE(row.out_nan[c] || mpfi_is_inside(fine.out[c], row.out[c]));
    if (row.kind != SP_REF_ORDINARY) continue;
    REQUIRE(mpfi_is_inside(fine.lse_keys, row.lse_keys));
    REQUIRE(mpfi_is_inside(fine.lse_total, row.lse_total));
  }
  sp_ref_row_clear(&fine);
}
END_TEST

/* tests: AL-9, SM-2 (a key is a key wherever it stands: reversed rows have the same results) */
START_TEST(order_of_keys_is_not_observable) {
  for (uint64_t seed = 0; seed < 300; seed++) {
    sp_random_row r;
    double x[SP_ROW_KEYS], v[SP_ROW_KEYS * SP_ROW_VALUE];
    double out[2][SP_ROW_VALUE], lse[2][2];
    sp_random_row_make(&r, seed % 2 ? SP_ROW_TIES : SP_ROW_PLAIN, 5000 + seed);
    const size_t n = r.in.n_kv, d_value = r.in.d_value;
    for (size_t j = 0; j < n; j++) {
      x[j] = r.in.logits[n - 1 - j];
      for (size_t c = 0; c < d_value; c++) v[j * d_value + c] = r.v[(n - 1 - j) * d_value + c];
    }
    for (int side = 0; side < 2; side++) {
      REQUIRE(sp_ref_row_round(&r.in, 4096, SP_F64, NULL, out[side], SP_F64, &lse[side][0],
                               &lse[side][1]) == SP_REF_DECIDED);
      r.in.logits = x;
      r.in.v = v;
    }
    REQUIRE(lse[0][0] == lse[1][0] && lse[0][1] == lse[1][1]);
    for (size_t c = 0; c < d_value; c++) REQUIRE(out[0][c] == out[1][c]);
  }
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *test_case = tcase_create(clause);
  tcase_add_checked_fixture(test_case, setup, teardown);
  tcase_add_test(test_case, test);
  suite_add_tcase(suite, test_case);
}

Suite *suite_ref_row(void) {
  Suite *suite = suite_create("ref_row");
  add(suite, "SM-5", poison_makes_the_row_invalid);
  add(suite, "SM-5", poison_comes_first);
  add(suite, "SM-1", minus_infinity_is_absence);
  add(suite, "AT-3", masking_hides_anything);
  add(suite, "AT-9", empty_rows);
  add(suite, "AL-4", infinite_sink_logit_takes_everything);
  add(suite, "SM-6", values_that_are_not_numbers);
  add(suite, "AT-10", one_key_is_exact);
  add(suite, "AL-8", bias_pair_is_one_more_key);
  add(suite, "AT-2", degenerate_products);
  add(suite, "AL-3", small_log_sums_are_narrow);
  add(suite, "SM-3", extreme_logits);
  add(suite, "AL-9", order_of_keys_is_not_observable);
  add(suite, "NU-3", storage_is_reused_without_trace);
  add(suite, "NU-3", precision_only_narrows);
  return suite;
}
