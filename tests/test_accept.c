/* SPDX-License-Identifier: Apache-2.0 */
/* The four ends of what is accepted, where they differ: an exact value that is only enclosed, and
 * ends that lie on a midpoint of the format but for less than any precision here shows.
 * tests: CT-1, CT-2 */
#include "tests/asserts.h"

#include "certify/judge/accept.h"

Suite *suite_accept(void);

static sp_class cls;
static sp_acceptor acceptor;

static void set_up(void) {
  char why[160] = "";
  ck_assert(sp_class_parse("w-seq", &cls, why, sizeof why));
  acceptor = (sp_acceptor){.cls = &cls, .format = SP_F32};
  mpfr_init2(acceptor.t, 128);
}

static void tear_down(void) {
  mpfr_clear(acceptor.t);
}

static bool accept_around(sp_accept *accept, double lo, double hi, double margin) {
  const sp_margin m = {.shrink = 1, .grow = 1, .down = margin, .up = margin};
  mpfi_t y;
  mpfi_init2(y, 53);
  mpfi_interv_d(y, lo, hi);
  bool decided = sp_accept_interval(accept, &acceptor, y, &m);
  mpfi_clear(y);
  return decided;
}

/* Inside for both ends of the enclosure is accepted, outside for both is not. */
START_TEST(a_wide_enclosure_leaves_a_question) {
  sp_accept accept;
  ck_assert(!accept_around(&accept, 1, 1 + 0x1p-12, 0x1p-10));
  ck_assert(accept.out_lo == 1 - 0x1p-10);
  ck_assert(accept.in_lo == 1 + 0x1p-12 - 0x1p-10);
  ck_assert(accept.in_hi == 1 + 0x1p-10);
  ck_assert(accept.out_hi == 1 + 0x1p-12 + 0x1p-10);
  ck_assert(accept_around(&accept, 1, 1, 0x1p-10));
}
END_TEST

/* A midpoint goes to the even neighbour; what lies below it by 2^-200 goes down, if it is kept. */
START_TEST(ends_are_rounded_outwards) {
  sp_accept accept;
  ck_assert(!accept_around(&accept, 1 + 0x3p-24, 1 + 0x3p-24, 0x1p-200));
  ck_assert(accept.out_lo == 1 + 0x1p-23 && accept.in_lo == 1 + 0x1p-22);
  ck_assert(!accept_around(&accept, 1 + 0x1p-24, 1 + 0x1p-24, 0x1p-200));
  ck_assert(accept.in_hi == 1 && accept.out_hi == 1 + 0x1p-23);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tcase = tcase_create(clause);
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_add_test(tcase, test);
  suite_add_tcase(suite, tcase);
}

Suite *suite_accept(void) {
  Suite *suite = suite_create("accept");
  add(suite, "CT-1", a_wide_enclosure_leaves_a_question);
  add(suite, "CT-1", ends_are_rounded_outwards);
  return suite;
}
