/* SPDX-License-Identifier: Apache-2.0 */
/* The judge on one element: intervals, what is not a number, what is exact, what was flushed. */
#include "tests/asserts.h"
#include <math.h>

#include "tests/judge_kernels.h"

Suite *suite_judge_element(void);

static const sp_accept interval = {.in_lo = 1.0,
                                   .in_hi = 1.5,
                                   .out_lo = 0.875,
                                   .out_hi = 1.625,
                                   .exact = 1.25,
                                   .allowance = 0.3125,
                                   .rounding = 0.0625,
                                   .kind = SP_ACCEPT_INTERVAL};

/* tests: CT-1 */
START_TEST(an_interval) {
  double b;
  ck_assert(sim_verdict(&interval, 1.25, &b) == SP_PASS && b == 0);
  ck_assert(sim_verdict(&interval, 1.0, &b) == SP_PASS && b == 0.6);
  ck_assert(sim_verdict(&interval, 1.5, &b) == SP_PASS && b == 0.6);
  ck_assert(sim_verdict(&interval, nextafter(1.0, 0), &b) == SP_UNDECIDED);
  ck_assert(sim_verdict(&interval, 1.625, &b) == SP_UNDECIDED && b == 1);
  ck_assert(sim_verdict(&interval, nextafter(1.625, 2), &b) == SP_FAIL);
  ck_assert(sim_verdict(&interval, nextafter(0.875, 0), &b) == SP_FAIL);
  ck_assert(sim_verdict(&interval, -1.25, &b) == SP_FAIL);
  ck_assert(sim_verdict(&interval, 0, &b) == SP_FAIL);
  ck_assert(sim_verdict(&interval, INFINITY, &b) == SP_FAIL && isinf(b));
  ck_assert(sim_verdict(&interval, -INFINITY, &b) == SP_FAIL && isinf(b));
}
END_TEST

/* A maximum of errors that ignores NaN once accepted a kernel that returned nothing else.
 * tests: CT-1, SM-5 */
START_TEST(nan_where_a_number_is_due) {
  double b;
  sp_accept exact = {.kind = SP_ACCEPT_EXACT}, any = {.kind = SP_ACCEPT_ANY};
  ck_assert(sim_verdict(&interval, NAN, &b) == SP_FAIL && isinf(b));
  ck_assert(sim_verdict(&interval, -NAN, &b) == SP_FAIL);
  ck_assert(sim_verdict(&exact, NAN, &b) == SP_FAIL);
  ck_assert(sim_verdict(&any, NAN, &b) == SP_PASS);
}
END_TEST

/* … and NaN in what is expected is no wildcard. tests: SM-5 */
START_TEST(a_number_where_nan_is_due) {
  double b;
  sp_accept nan_only = {.exact = NAN, .kind = SP_ACCEPT_NAN};
  ck_assert(sim_verdict(&nan_only, NAN, &b) == SP_PASS);
  ck_assert(sim_verdict(&nan_only, -NAN, &b) == SP_PASS);
  ck_assert(sim_verdict(&nan_only, 0, &b) == SP_FAIL && isinf(b));
  ck_assert(sim_verdict(&nan_only, INFINITY, &b) == SP_FAIL);
}
END_TEST

/* tests: NU-9, AT-9 */
START_TEST(exact_elements) {
  double b;
  sp_accept zero = {.kind = SP_ACCEPT_EXACT};
  sp_accept minus_inf = {.in_lo = -INFINITY, .exact = -INFINITY, .kind = SP_ACCEPT_EXACT};
  ck_assert(sim_verdict(&zero, 0.0, &b) == SP_PASS && sim_verdict(&zero, -0.0, &b) == SP_PASS);
  ck_assert(sim_verdict(&zero, 0x1p-149, &b) == SP_FAIL);
  ck_assert(sim_verdict(&zero, -0x1p-149, &b) == SP_FAIL);
  ck_assert(sim_verdict(&minus_inf, -INFINITY, &b) == SP_PASS);
  ck_assert(sim_verdict(&minus_inf, INFINITY, &b) == SP_FAIL);
  ck_assert(sim_verdict(&minus_inf, -0x1.fffffep127, &b) == SP_FAIL);
}
END_TEST

/* tests: NU-10 */
START_TEST(flushed_zero) {
  double b;
  sp_accept tiny = {.in_lo = 0x1p-127,
                    .in_hi = 0x1p-126,
                    .out_lo = 0x1p-127,
                    .out_hi = 0x1p-126,
                    .exact = 0x1.8p-127,
                    .allowance = 0x1p-128,
                    .kind = SP_ACCEPT_INTERVAL};
  ck_assert(sim_verdict(&tiny, 0, &b) == SP_FAIL);
  tiny.zero_too = true;
  ck_assert(sim_verdict(&tiny, 0, &b) == SP_PASS && sim_verdict(&tiny, -0.0, &b) == SP_PASS);
  ck_assert(sim_verdict(&tiny, 0x1p-128, &b) == SP_FAIL);
}
END_TEST

Suite *suite_judge_element(void) {
  const TTest *const tests[] = {an_interval, nan_where_a_number_is_due, a_number_where_nan_is_due,
                                exact_elements, flushed_zero};
  Suite *suite = suite_create("judge_element");
  TCase *tcase = tcase_create("CT-1");
  for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) tcase_add_test(tcase, tests[i]);
  suite_add_tcase(suite, tcase);
  return suite;
}
