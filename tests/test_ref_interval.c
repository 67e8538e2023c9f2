/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential of an interval, against four times the precision: nothing that belongs to it is
 * missing, and it is hardly wider than it must be, whichever way it was taken. */
#include <math.h>

#include "ref/interval.h"
#include "tests/asserts.h"
#include "tests/random_row.h"

Suite *suite_ref_interval(void);

enum { PREC = 64, FINE = 256, N_POINTS = 200 };

/* 0 stands for a point; the others are around the width at which the way changes, and wide. */
static const double widths[] = {0, 0x1p-63, 0x1p-52, 0x1p-41, 0x1p-40, 0x1.8p-40, 0x1p-20, 1};

typedef struct fine_ends {
  mpfr_t low, high;
} fine_ends;

static void check_exp(double left, double width) {
  mpfi_t x;
  fine_ends exact;
  mpfr_t room;
  mpfi_init2(x, PREC);
  mpfr_inits2(FINE, exact.low, exact.high, room, (mpfr_ptr)0);
  sp_ref_interval_set(x, left);
  mpfr_add_d(&x->right, &x->right, width, MPFR_RNDU);
  mpfr_exp(exact.low, &x->left, MPFR_RNDD);
  mpfr_exp(exact.high, &x->right, MPFR_RNDU);
  sp_ref_interval_exp(x);
  ck_assert_msg(mpfr_lessequal_p(&x->left, exact.low), "exp(%a + %a): left", left, width);
  ck_assert_msg(mpfr_lessequal_p(exact.high, &x->right), "exp(%a + %a): right", left, width);
  mpfr_sub(room, exact.low, &x->left, MPFR_RNDU);
  mpfr_sub(exact.high, &x->right, exact.high, MPFR_RNDU);
  mpfr_add(room, room, exact.high, MPFR_RNDU);
  mpfr_div(room, room, exact.low, MPFR_RNDU);
  ck_assert_msg(mpfr_cmp_d(room, 0x1p-61) <= 0, "exp(%a + %a): too wide", left, width);
  mpfr_clears(exact.low, exact.high, room, (mpfr_ptr)0);
  mpfi_clear(x);
}

START_TEST(exponential_encloses) {
  uint64_t state = 1;
  check_exp(0, widths[_i]);
  for (int i = 0; i < N_POINTS; i++)
    check_exp(ldexp(sp_random_unit(&state), (int)sp_random_below(&state, 20) - 10), widths[_i]);
}
END_TEST

START_TEST(infinite_ends_stay_enclosed) {
  mpfi_t x;
  mpfi_init2(x, PREC);
  mpfi_interv_d(x, -INFINITY, 0);
  sp_ref_interval_exp(x);
  ck_assert(mpfr_sgn(&x->left) <= 0 && mpfr_cmp_ui(&x->right, 1) >= 0);
  mpfi_interv_d(x, 0, INFINITY);
  sp_ref_interval_exp(x);
  ck_assert(mpfr_cmp_ui(&x->left, 1) <= 0 && mpfr_inf_p(&x->right));
  mpfi_clear(x);
}
END_TEST

Suite *suite_ref_interval(void) {
  Suite *suite = suite_create("ref_interval");
  TCase *nu3 = tcase_create("NU-3");
  tcase_add_loop_test(nu3, exponential_encloses, 0, sizeof widths / sizeof widths[0]);
  tcase_add_test(nu3, infinite_ends_stay_enclosed);
  suite_add_tcase(suite, nu3);
  return suite;
}
