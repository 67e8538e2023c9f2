/* SPDX-License-Identifier: Apache-2.0 */
/* The test runner: one suite per tests/test_NAME.c, as listed by the generated suites.h; all of them,
 * or those named on the command line. Test case names are clauses of SPEC.md, so CK_RUN_CASE=EV-2
 * runs what witnesses EV-2. */
#include "tests/asserts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE(name) Suite *suite_##name(void);
#include <suites.h>
#undef SUITE

static const struct {
  const char *name;
  Suite *(*make)(void);
} SUITES[] = {
#define SUITE(name) {#name, suite_##name},
#include <suites.h>
#undef SUITE
};
enum { N_SUITES = sizeof SUITES / sizeof *SUITES };

static int find(const char *name) {
  int s = 0;
  while (s < N_SUITES && strcmp(SUITES[s].name, name) != 0) s++;
  return s;
}

int main(int argc, char **argv) {
  SRunner *runner = srunner_create(NULL);
  for (int s = 0; argc == 1 && s < N_SUITES; s++) srunner_add_suite(runner, SUITES[s].make());
  for (int a = 1; a < argc; a++) {
    const int s = find(argv[a]);
    if (s == N_SUITES) {
      fprintf(stderr, "check: there is no suite '%s': tests/test_NAME.c gives the names\n",
              argv[a]);
      srunner_free(runner);
      return EXIT_FAILURE;
    }
    srunner_add_suite(runner, SUITES[s].make());
  }
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  const int ran = srunner_ntests_run(runner);
  srunner_free(runner);
  return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
