/* SPDX-License-Identifier: Apache-2.0 */
/* The test runner: one suite per tests/test_NAME.c, as listed by the generated suites.h. Test case
 * names are clauses of SPEC.md, so CK_RUN_CASE=EV-2 runs what witnesses EV-2. */
#include <check.h>
#include <stdlib.h>

#define SUITE(name) Suite *suite_##name(void);
#include <suites.h>
#undef SUITE

int main(void) {
  SRunner *runner = srunner_create(NULL);
#define SUITE(name) srunner_add_suite(runner, suite_##name());
#include <suites.h>
#undef SUITE
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  int ran = srunner_ntests_run(runner);
  srunner_free(runner);
  return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
