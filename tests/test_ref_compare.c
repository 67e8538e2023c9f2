/* SPDX-License-Identifier: Apache-2.0 */
/* The one question behind every hard rounding: on which side of a rational number is a result? Asked
 * around the results of random rows, where the second oracle knows the answer, and where no
 * enclosure could answer: on ties, and beside them by a class that is e^-1e30 as heavy. */
#include "tests/asserts.h"
#include <math.h>

#include "ref/compare.h"
#include "tests/cross.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_compare(void);

enum { MAX_PREC = 4096, CROSS_PREC = 256 };

static int side(const sp_ref_row_input *in, sp_ref_quantity quantity, size_t index,
                mpq_srcptr threshold) {
  sp_ref_classes classes;
  sp_ref_decision decision = SP_REF_UNDECIDED;
  int sign = 99;
  REQUIRE(sp_ref_classes_init(&classes, in));
  REQUIRE(sp_ref_compare(&classes, quantity, index, threshold, MAX_PREC, &decision, &sign));
  REQUIRE(decision == SP_REF_DECIDED);
  sp_ref_classes_clear(&classes);
  return sign;
}

static int side_of(const sp_ref_row_input *in, sp_ref_quantity quantity, size_t index,
                   double threshold) {
  mpq_t t;
  mpq_init(t);
  mpq_set_d(t, threshold);
  const int sign = side(in, quantity, index, t);
  mpq_clear(t);
  return sign;
}

/* Thresholds at 1, and at relative distance 2^-60 on either side of the ball's centre; the ball is
 * far narrower. A result that is itself a double is left to the ties below. */
static void check_around(const sp_ref_row_input *in, sp_ref_quantity quantity, size_t index,
                         const arb_t ball) {
  MPFR_DECL_INIT(centre, CROSS_PREC);
  mpq_t t, nudge;
  mpq_inits(t, nudge, NULL);
  arf_get_mpfr(centre, arb_midref(ball), MPFR_RNDN);
  const bool usable = mpfr_number_p(centre) && !mpfr_zero_p(centre) &&
                      mpfr_get_exp(centre) > -1000 && arb_rel_accuracy_bits(ball) > 100;
  for (int direction = -1; direction <= 1 && usable; direction += 2) {
    mpfr_get_q(t, centre);
    mpq_set_si(nudge, direction, 1);
    mpq_div_2exp(nudge, nudge, 60);
    mpq_mul(nudge, nudge, t);
    mpq_add(t, t, nudge);
    const int expected = mpfr_sgn(centre) > 0 ? -direction : direction;
    REQUIRE(side(in, quantity, index, t) == expected);
  }
  mpq_clears(t, nudge, NULL);
}

/* tests: NU-3 */
START_TEST(sides_of_random_results) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    sp_random_row r;
    sp_cross_row cross;
    sp_random_row_make(&r, (sp_row_family)_i, 70000 + seed);
    sp_cross_init(&cross, &r.in, CROSS_PREC);
    const bool ordinary = cross.kind == SP_CROSS_ORDINARY && cross.in_domain;
    for (size_t j = 0; j < cross.n_keys && ordinary; j++)
      if (cross.visible[j]) check_around(&r.in, SP_REF_WEIGHT, j, cross.weight + j);
    for (size_t c = 0; c < cross.d_value && ordinary; c++)
      if (!cross.out_nan[c]) check_around(&r.in, SP_REF_OUT, c, cross.out + c);
    if (ordinary) {
      check_around(&r.in, SP_REF_LSE_KEYS, 0, cross.lse_keys);
      check_around(&r.in, SP_REF_LSE_TOTAL, 0, cross.lse_total);
    }
    sp_cross_clear(&cross);
  }
}
END_TEST

/* tests: NU-3, AL-5 (a sink logit counts in lse_total and not in lse_keys, in whichever class) */
START_TEST(sink_logit_is_in_one_of_two) {
  static const double logits[] = {2, -1e30};
  static const double sinks[] = {2, -1e30, -3e30, 1};
  for (size_t i = 0; i < 4; i++) {
    const sp_ref_row_input one = {.n_kv = 1, .logits = logits, .scale = 1, .sink_logit = sinks[i]};
    ck_assert_int_eq(side_of(&one, SP_REF_LSE_KEYS, 0, 2), 0);
    ck_assert_int_eq(side_of(&one, SP_REF_LSE_TOTAL, 0, 2), 1);
    sp_ref_row_input two = one;
    two.n_kv = 2;
    ck_assert_int_eq(side_of(&two, SP_REF_LSE_KEYS, 0, 2), 1);
    ck_assert_int_eq(side_of(&two, SP_REF_LSE_KEYS, 0, nextafter(2, 3)), -1);
  }
}
END_TEST

/* tests: NU-3 (the heavy class has the threshold as its mean and drops out; two light ones pull in
 * opposite directions, and only their difference counts) */
START_TEST(light_classes_decide) {
  static const double gaps[] = {10, 1e5, 1e30};
  for (size_t i = 0; i < 3; i++) {
    const double far_logit = -gaps[i], farther = 1.25 * far_logit;
    const double logits[] = {0, 0, far_logit, farther};
    double v[] = {1, 3, 4, -1e6};
    const sp_ref_row_input in = {.n_kv = 4,
                                 .d_value = 1,
                                 .logits = logits,
                                 .v = v,
                                 .v_stride = 1,
                                 .scale = 1,
                                 .sink_logit = -INFINITY};
    const bool nearer_wins = exp(far_logit - farther) > 1e6;
    ck_assert_int_eq(side_of(&in, SP_REF_OUT, 0, 2), nearer_wins ? 1 : -1);
    v[2] = 2;
    ck_assert_int_eq(side_of(&in, SP_REF_OUT, 0, 2), -1);
    v[3] = 2;
    ck_assert_int_eq(side_of(&in, SP_REF_OUT, 0, 2), 0);
    ck_assert_int_eq(side_of(&in, SP_REF_WEIGHT, 0, 0.5), -1);
    ck_assert_int_eq(side_of(&in, SP_REF_WEIGHT, 2, 0), 1);
  }
}
END_TEST

/* q . k = x after two terms of size `large` have cancelled: exact in rationals at once, in an enclosure only
 * after several doublings. */
typedef struct cancelling {
  sp_ref_row_input in;
  double q[3], k[3];
} cancelling;

static void make_cancelling(cancelling *row, double large, double x) {
  *row = (cancelling){.q = {large, 1, -large}, .k = {1, x, 1}};
  row->in = (sp_ref_row_input){.n_kv = 1,
                               .d_head = 3,
                               .q = row->q,
                               .k = row->k,
                               .k_stride = 3,
                               .scale = 1,
                               .sink_logit = -INFINITY};
}

/* tests: NU-2, NU-3 (ties that go up and down, found exactly while the enclosure straddles them: at
 * 128 bits and 2^120 the last place is 2^-7, the midpoints are odd multiples of 2^-8) */
START_TEST(tie_behind_a_cancellation) {
  static const double up = 1 + 0x3p-8, down = 1 + 0x5p-8;
  cancelling row;
  double lse;
  make_cancelling(&row, 0x1p120, up);
  ck_assert_int_eq(sp_ref_row_round(&row.in, 128, SP_F32, NULL, NULL, SP_BF16, &lse, NULL),
                   SP_REF_DECIDED);
  ck_assert(lse == 1 + 0x4p-8);
  make_cancelling(&row, 0x1p120, down);
  ck_assert_int_eq(sp_ref_row_round(&row.in, 128, SP_F32, NULL, NULL, SP_BF16, &lse, NULL),
                   SP_REF_DECIDED);
  ck_assert(lse == 1 + 0x4p-8);
}
END_TEST

/* tests: NU-3 (an enclosure that spans many numbers of the format waits for more precision) */
START_TEST(wide_enclosures_wait) {
  cancelling row;
  double lse;
  uint64_t state = 21;
  for (int i = 0; i < 100; i++) {
    const double x = 1 + sp_random_unit(&state) * 0x1p-10 + sp_random_unit(&state) * 0x1p-40;
    make_cancelling(&row, 0x1p100, x);
    REQUIRE(sp_ref_row_round(&row.in, MAX_PREC, SP_F64, NULL, NULL, SP_F64, &lse, NULL) ==
            SP_REF_DECIDED);
    REQUIRE(lse == x);
    REQUIRE(sp_ref_row_round(&row.in, 128, SP_F64, NULL, NULL, SP_F64, &lse, NULL) ==
            SP_REF_UNDECIDED);
  }
}
END_TEST

static void add(Suite *suite, const TTest *test, int n) {
  TCase *test_case = tcase_create("NU-3");
  tcase_set_timeout(test_case, 20);
  tcase_add_loop_test(test_case, test, 0, n);
  suite_add_tcase(suite, test_case);
}

Suite *suite_ref_compare(void) {
  Suite *suite = suite_create("ref_compare");
  add(suite, sides_of_random_results, SP_N_ROW_FAMILIES);
  add(suite, sink_logit_is_in_one_of_two, 1);
  add(suite, light_classes_decide, 1);
  add(suite, tie_behind_a_cancellation, 1);
  add(suite, wide_enclosures_wait, 1);
  return suite;
}
