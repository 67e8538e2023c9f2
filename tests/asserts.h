/* SPDX-License-Identifier: Apache-2.0 */
/* Check, but for one thing: it notes the place of every assertion that holds, in a file, so that a crash
 * can be told from there; a loop of millions spends its time on that. Here each place is noted once. */
#ifndef SINKPROOF_TESTS_ASSERTS_H
#define SINKPROOF_TESTS_ASSERTS_H

#include <check.h>
#include <stdbool.h>

#undef ck_assert
#undef ck_assert_msg

#define ck_assert_msg(condition, ...)                                                              \
  do {                                                                                             \
    static bool noted;                                                                             \
    if (!(condition)) ck_abort_msg(__VA_ARGS__);                                                   \
    if (!noted) mark_point();                                                                      \
    noted = true;                                                                                  \
  } while (false)

#define ck_assert(condition) ck_assert_msg(condition, "%s", "Assertion '" #condition "' failed")

#endif
