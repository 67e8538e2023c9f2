/* SPDX-License-Identifier: Apache-2.0 */
/* Correct rounding: against the second oracle at a precision where it is decided, and on the cases
 * made to defeat a loop over precisions: exact midpoints, exact zeros, and values that lie beside a
 * midpoint by e^-1000, e^-1000000 or e^-1e30. */
#include "tests/asserts.h"
#include <math.h>

#include "ref/dyadic.h"
#include "ref/ref.h"
#include "tests/cross.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_round(void);

enum { MAX_PREC = 4096, CROSS_PREC = 3000 };

static const sp_dtype formats[] = {SP_F32, SP_F64, SP_F16, SP_BF16};

typedef struct results {
  double weights[SP_ROW_KEYS + 1], out[SP_ROW_VALUE], lse_keys, lse_total;
} results;

static sp_ref_decision round_row(const sp_ref_row_input *in, mpfr_prec_t max_prec, sp_dtype format,
                                 results *r) {
  return sp_ref_row_round(in, max_prec, format, r->weights, r->out, format, &r->lse_keys,
                          &r->lse_total);
}

/* Both ends of the ball round to x; an exact tie or zero may lie inside it, so x may also be either
 * of two neighbours. */
static bool agrees(sp_dtype format, const arb_t ball, double x) {
  mpfr_t low, high;
  mpfr_init2(low, 2 * CROSS_PREC);
  mpfr_init2(high, 2 * CROSS_PREC);
  arb_get_interval_mpfr(low, high, ball);
  const double below = sp_ref_round(format, low), above = sp_ref_round(format, high);
  mpfr_clear(low);
  mpfr_clear(high);
  if (below == above) return x == below;
  return (x == below || x == above) && sp_ref_next(format, below, true) == above;
}

/* tests: NU-2, NU-3 */
START_TEST(agrees_with_the_second_oracle) {
  for (uint64_t seed = 0; seed < 60; seed++) {
    sp_random_row r;
    results got;
    sp_cross_row cross;
    const sp_dtype format = formats[seed % 4];
    sp_random_row_make(&r, (sp_row_family)_i, 40000 + seed);
    REQUIRE(round_row(&r.in, MAX_PREC, format, &got) == SP_REF_DECIDED);
    sp_cross_init(&cross, &r.in, CROSS_PREC);
    if (cross.kind == SP_CROSS_INVALID) {
      for (size_t j = 0; j < cross.n_keys; j++) REQUIRE(isnan(got.weights[j]));
      for (size_t c = 0; c < cross.d_value; c++) REQUIRE(isnan(got.out[c]));
      REQUIRE(isnan(got.lse_keys) && isnan(got.lse_total));
    } else {
      for (size_t j = 0; j < cross.n_keys; j++)
        REQUIRE_MSG(agrees(format, cross.weight + j, got.weights[j]), "weight, seed %d", (int)seed);
      for (size_t c = 0; c < cross.d_value; c++)
        REQUIRE_MSG(cross.out_nan[c] ? isnan(got.out[c])
                                     : agrees(format, cross.out + c, got.out[c]),
                    "out, seed %d", (int)seed);
      REQUIRE_MSG(agrees(format, cross.lse_keys, got.lse_keys), "lse_keys, seed %d", (int)seed);
      REQUIRE_MSG(agrees(format, cross.lse_total, got.lse_total), "lse_total, seed %d", (int)seed);
    }
    sp_cross_clear(&cross);
  }
}
END_TEST

/* p significant bits of a format. */
static int precision_of(sp_dtype format) {
  return format == SP_F32 ? 24 : format == SP_F64 ? 53 : format == SP_F16 ? 11 : 8;
}

/* 1 + half a place: the midpoint between 1, which is even, and its neighbour. Needs a format that
 * is narrower than the double that holds it. */
static double midpoint_above_one(sp_dtype format) {
  return 1 + ldexp(1, -precision_of(format));
}

static double above_one(sp_dtype format) {
  return 1 + ldexp(2, -precision_of(format));
}

static const double gaps[] = {0.5, 1000, 1e6, 1e30};
static const sp_dtype narrow_formats[] = {SP_F32, SP_F16, SP_BF16};

/* tests: NU-3 (the dominant value is a midpoint; what decides is a weight of e^-gap) */
START_TEST(beside_a_midpoint) {
  for (size_t f = 0; f < 3; f++)
    for (size_t g = 1; g < 4; g++) {
      const sp_dtype format = narrow_formats[f];
      const double middle = midpoint_above_one(format);
      const double logits[] = {0, 0, -gaps[g]};
      const double v[] = {middle, middle, 0, middle, middle, 2, middle, middle, middle};
      const double by_component[] = {v[0], v[3], v[6], v[1], v[4], v[7], v[2], v[5], v[8]};
      const sp_ref_row_input in = {.n_kv = 3,
                                   .d_value = 3,
                                   .logits = logits,
                                   .v = by_component,
                                   .v_stride = 3,
                                   .scale = 1,
                                   .sink_logit = -INFINITY};
      results r;
      ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
      ck_assert_msg(r.out[0] == 1, "below the midpoint: %a", r.out[0]);
      ck_assert_msg(r.out[1] == above_one(format), "above the midpoint: %a", r.out[1]);
      ck_assert_msg(r.out[2] == 1, "on the midpoint: %a", r.out[2]);
    }
}
END_TEST

/* tests: NU-3 (the only logit is a midpoint; a second key or a sink logit far below it lifts the
 * log-sum-exp above) */
START_TEST(log_sum_beside_a_midpoint) {
  for (size_t f = 0; f < 3; f++)
    for (size_t g = 0; g < 4; g++) {
      const sp_dtype format = narrow_formats[f];
      const double middle = midpoint_above_one(format);
      const double logits[] = {middle, middle - gaps[g]};
      sp_ref_row_input in = {.n_kv = 1, .logits = logits, .scale = 1, .sink_logit = -INFINITY};
      results r;
      ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
      ck_assert(r.lse_keys == 1 && r.lse_total == 1); /* a tie */
      if (gaps[g] < 1000) continue;
      in.sink_logit = -gaps[g];
      ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
      ck_assert(r.lse_keys == 1 && r.lse_total == above_one(format));
      in.n_kv = 2;
      in.sink_logit = -INFINITY;
      ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
      ck_assert(r.lse_keys == above_one(format) && r.lse_total == above_one(format));
    }
}
END_TEST

/* tests: NU-2 (the same at the border to infinity: the midpoint goes to infinity, because the
 * number after the largest would be even, and anything below it does not) */
START_TEST(beside_overflow) {
  for (size_t f = 0; f < 3; f++) {
    const sp_dtype format = narrow_formats[f];
    const double largest = sp_ref_next(format, INFINITY, false);
    const double middle = largest + sp_ref_ulp(format, largest) / 2;
    const double logits[] = {0, -1e6};
    double v[] = {middle, middle};
    const sp_ref_row_input in = {.n_kv = 2,
                                 .d_value = 1,
                                 .logits = logits,
                                 .v = v,
                                 .v_stride = 1,
                                 .scale = 1,
                                 .sink_logit = -INFINITY};
    results r;
    ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == INFINITY);
    v[1] = 0;
    ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == largest);
    v[0] = v[1] = -middle;
    ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == -INFINITY);
    v[1] = 0;
    ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == -largest);
  }
}
END_TEST

/* tests: NU-2 (a subnormal midpoint: half of the least subnormal goes to 0) */
START_TEST(beside_zero) {
  for (size_t f = 0; f < 3; f++) {
    const sp_dtype format = narrow_formats[f];
    const double least = sp_ref_next(format, 0, true);
    const double logits[] = {0, -1e6};
    double v[] = {least / 2, least / 2};
    const sp_ref_row_input in = {.n_kv = 2,
                                 .d_value = 1,
                                 .logits = logits,
                                 .v = v,
                                 .v_stride = 1,
                                 .scale = 1,
                                 .sink_logit = -INFINITY};
    results r;
    ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == 0);
    v[1] = least;
    ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == least);
  }
}
END_TEST

/* tests: NU-3 (an output of exactly 0, with and without a sink logit, and a cap) */
START_TEST(exact_zero) {
  static const double logits[] = {3, 3, -700, -700}, v[] = {0.1, -0.1, 1e300, -1e300};
  for (size_t f = 0; f < 4; f++)
    for (int sink = 0; sink < 2; sink++)
      for (int cap = 0; cap < 2; cap++) {
        const sp_ref_row_input in = {.n_kv = 4,
                                     .d_value = 1,
                                     .logits = logits,
                                     .v = v,
                                     .v_stride = 1,
                                     .scale = 1,
                                     .softcap = cap ? 30 : 0,
                                     .sink_logit = sink ? 1 : -INFINITY};
        results r;
        ck_assert_int_eq(round_row(&in, 256, formats[f], &r), SP_REF_DECIDED);
        ck_assert(r.out[0] == 0);
      }
}
END_TEST

/* tests: NU-3 (means of classes that coincide at a midpoint, the sink logit in none of them) */
START_TEST(coinciding_means) {
  static const double logits[] = {1, 1, 5, 5, 5};
  for (size_t f = 0; f < 3; f++) {
    const sp_dtype format = narrow_formats[f];
    const double middle = midpoint_above_one(format), d = 0x1p-3;
    const double v[] = {middle - d, middle + d, middle - d, middle, middle + d};
    sp_ref_row_input in = {.n_kv = 5,
                           .d_value = 1,
                           .logits = logits,
                           .v = v,
                           .v_stride = 1,
                           .scale = 1,
                           .sink_logit = -INFINITY};
    results r;
    mpq_t value;
    mpq_init(value);
    ck_assert(sp_ref_exact_out(&in, 0, value));
    ck_assert(mpq_get_d(value) == middle);
    ck_assert_int_eq(round_row(&in, 128, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == 1);
    in.sink_logit = -1e6; /* takes a little away */
    ck_assert(!sp_ref_exact_out(&in, 0, value));
    ck_assert_int_eq(round_row(&in, MAX_PREC, format, &r), SP_REF_DECIDED);
    ck_assert(r.out[0] == 1);
    mpq_clear(value);
  }
}
END_TEST

/* tests: NU-3 (what exact means, class by class) */
START_TEST(exact_results_are_recognised) {
  double logits[] = {2, 2, 2};
  double v[] = {1, 2, 6};
  sp_ref_row_input in = {.n_kv = 3,
                         .d_value = 1,
                         .logits = logits,
                         .v = v,
                         .v_stride = 1,
                         .scale = 1,
                         .sink_logit = -INFINITY};
  mpq_t x;
  mpq_init(x);
  ck_assert(sp_ref_exact_weight(&in, x) && mpq_cmp_ui(x, 1, 3) == 0);
  ck_assert(sp_ref_exact_out(&in, 0, x) && mpq_cmp_ui(x, 3, 1) == 0);
  in.sink_logit = 2; /* a fourth key of value 0 in the same class */
  ck_assert(sp_ref_exact_weight(&in, x) && mpq_cmp_ui(x, 1, 4) == 0);
  ck_assert(sp_ref_exact_out(&in, 0, x) && mpq_cmp_ui(x, 9, 4) == 0);
  in.sink_logit = nextafter(2, 3); /* a class of its own, of mean 0 */
  ck_assert(!sp_ref_exact_weight(&in, x) && !sp_ref_exact_out(&in, 0, x));
  v[0] = -8;
  ck_assert(sp_ref_exact_out(&in, 0, x) && mpq_sgn(x) == 0);
  in.sink_logit = INFINITY;
  v[0] = 1;
  ck_assert(!sp_ref_exact_weight(&in, x));
  ck_assert(sp_ref_exact_out(&in, 0, x) && mpq_sgn(x) == 0);
  in.sink_logit = NAN;
  ck_assert(!sp_ref_exact_weight(&in, x) && !sp_ref_exact_out(&in, 0, x));
  in.sink_logit = -INFINITY;
  logits[1] = INFINITY;
  ck_assert(!sp_ref_exact_weight(&in, x) && !sp_ref_exact_out(&in, 0, x));
  logits[1] = -INFINITY;
  v[0] = -8;
  v[1] = NAN;
  ck_assert(sp_ref_exact_weight(&in, x) && mpq_cmp_ui(x, 1, 2) == 0);
  ck_assert(sp_ref_exact_out(&in, 0, x) && mpq_cmp_si(x, -1, 1) == 0);
  v[2] = INFINITY;
  ck_assert(!sp_ref_exact_out(&in, 0, x));
  in.n_kv = 0;
  ck_assert(!sp_ref_exact_weight(&in, x));
  ck_assert(sp_ref_exact_out(&in, 0, x) && mpq_sgn(x) == 0);
  mpq_clear(x);
}
END_TEST

/* tests: NU-3, AT-2 (equal logits by different sums; and two that differ by less than any format)
 */
START_TEST(equal_logits_are_found_exactly) {
  const double tiny = 0x1p-200;
  const double q[] = {3, 0x1p60, -0x1p60}, v[] = {1, 2};
  double k[] = {1, 1, 1, 0, 0x1p-60, -0x1p-60};
  double bias[] = {0, 1};
  sp_ref_row_input in = {.n_kv = 2,
                         .d_head = 3,
                         .d_value = 1,
                         .q = q,
                         .k = k,
                         .k_stride = 3,
                         .v = v,
                         .v_stride = 1,
                         .key_bias = bias,
                         .scale = 1,
                         .sink_logit = -INFINITY};
  mpq_t x;
  mpq_init(x);
  ck_assert(sp_ref_exact_weight(&in, x) && mpq_cmp_ui(x, 1, 2) == 0); /* 3 = 2 + 1 */
  in.sink_logit = 3;
  ck_assert(sp_ref_exact_weight(&in, x) && mpq_cmp_ui(x, 1, 3) == 0);
  in.softcap = 5; /* cap(3) is not cap(2) + 1 */
  ck_assert(!sp_ref_exact_weight(&in, x));
  in.softcap = 0;
  in.sink_logit = -INFINITY;
  k[0] += tiny; /* 1 + 2^-200 is 1 */
  ck_assert(sp_ref_exact_weight(&in, x));
  k[1] += 0x1p-50; /* two terms of q . k that no longer cancel */
  ck_assert(!sp_ref_exact_weight(&in, x));
  k[1] = 1;
  bias[0] = tiny;
  ck_assert(!sp_ref_exact_weight(&in, x));
  in.alibi_slope = tiny; /* adds -2^-200 to key 0 at distance 1 */
  in.pos_q = 1;
  ck_assert(sp_ref_exact_weight(&in, x) && mpq_cmp_ui(x, 1, 2) == 0);
  mpq_clear(x);
}
END_TEST

/* tests: NU-3 (a softcap may leave a value open: it is said, and the midpoint is rounded. The
 * capped logit is below the midpoint 1 + 3 * 2^-8 by e^-2000000, and the even neighbour is above
 * it) */
START_TEST(undecided_is_said) {
  const double below = 1 + 0x1p-7, middle = 1 + 0x3p-8, logits[] = {1e6};
  sp_ref_row_input in = {
      .n_kv = 1, .logits = logits, .scale = 1, .softcap = middle, .sink_logit = -INFINITY};
  results r;
  ck_assert_int_eq(round_row(&in, 1024, SP_BF16, &r), SP_REF_UNDECIDED);
  ck_assert(r.weights[0] == 1);
  ck_assert(r.lse_keys == below || r.lse_keys == 1 + 0x1p-6);
  in.scale = 0x1p-10; /* e^-2000 below the cap: this one can be decided */
  ck_assert_int_eq(round_row(&in, 8192, SP_BF16, &r), SP_REF_DECIDED);
  ck_assert(r.lse_keys == below);
  in.softcap = 0;
  ck_assert_int_eq(round_row(&in, 64, SP_BF16, &r), SP_REF_DECIDED);
}
END_TEST

/* tests: NU-3 */
START_TEST(enclosures_round) {
  mpfi_t x;
  double rounded;
  mpfi_init2(x, 64);
  mpfi_interv_d(x, 1, 1 + 0x1p-30);
  ck_assert_int_eq(sp_ref_round_enclosure(SP_F32, x, &rounded), SP_REF_DECIDED);
  ck_assert(rounded == 1);
  ck_assert_int_eq(sp_ref_round_enclosure(SP_F64, x, &rounded), SP_REF_UNDECIDED);
  ck_assert(rounded == 1 + 0x1p-31);
  mpfi_interv_d(x, -0x1p-200, 0x1p-200);
  ck_assert_int_eq(sp_ref_round_enclosure(SP_F32, x, &rounded), SP_REF_DECIDED);
  ck_assert(rounded == 0);
  ck_assert_int_eq(sp_ref_round_enclosure(SP_F64, x, &rounded), SP_REF_UNDECIDED);
  mpfr_set_inf(&x->left, 1);
  mpfr_set_inf(&x->right, 1);
  ck_assert_int_eq(sp_ref_round_enclosure(SP_F16, x, &rounded), SP_REF_DECIDED);
  ck_assert(rounded == INFINITY);
  mpfr_set_nan(&x->left);
  mpfr_set_nan(&x->right);
  ck_assert_int_eq(sp_ref_round_enclosure(SP_F16, x, &rounded), SP_REF_DECIDED);
  ck_assert(isnan(rounded));
  mpfi_clear(x);
}
END_TEST

/* tests: AT-1 (sums of products of doubles of all sizes, against rationals) */
START_TEST(dyadic_sums_are_exact) {
  uint64_t state = 11;
  for (int i = 0; i < 500; i++) {
    sp_ref_dyadic sum;
    mpq_t expected, a, b, got;
    mpq_inits(expected, a, b, got, NULL);
    sp_ref_dyadic_init(&sum);
    for (uint64_t n = sp_random_below(&state, 12); n > 0; n--) {
      const double x = ldexp(sp_random_unit(&state), (int)sp_random_below(&state, 2090) - 1070);
      const double y = ldexp(sp_random_unit(&state), (int)sp_random_below(&state, 300) - 150);
      mpq_set_d(a, x);
      mpq_set_d(b, y);
      mpq_mul(a, a, b);
      mpq_add(expected, expected, a);
      sp_ref_dyadic_add_product(&sum, x, y);
    }
    sp_ref_dyadic_get(got, &sum);
    REQUIRE(mpq_equal(got, expected));
    sp_ref_dyadic_clear(&sum);
    mpq_clears(expected, a, b, got, NULL);
  }
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int n) {
  TCase *test_case = tcase_create(clause);
  tcase_set_timeout(test_case, 20);
  tcase_add_loop_test(test_case, test, 0, n);
  suite_add_tcase(suite, test_case);
}

Suite *suite_ref_round(void) {
  Suite *suite = suite_create("ref_round");
  add(suite, "NU-3", agrees_with_the_second_oracle, SP_N_ROW_FAMILIES);
  add(suite, "NU-3", beside_a_midpoint, 1);
  add(suite, "NU-3", log_sum_beside_a_midpoint, 1);
  add(suite, "NU-2", beside_overflow, 1);
  add(suite, "NU-2", beside_zero, 1);
  add(suite, "NU-3", exact_zero, 1);
  add(suite, "NU-3", coinciding_means, 1);
  add(suite, "NU-3", exact_results_are_recognised, 1);
  add(suite, "AT-2", equal_logits_are_found_exactly, 1);
  add(suite, "NU-3", undecided_is_said, 1);
  add(suite, "NU-3", enclosures_round, 1);
  add(suite, "AT-1", dyadic_sums_are_exact, 1);
  return suite;
}
