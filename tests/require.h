/* SPDX-License-Identifier: Apache-2.0 */
/* ck_assert for loops of millions: it tells the runner about each success, which costs a system
 * call; this one speaks only when it fails. */
#ifndef SINKPROOF_TESTS_REQUIRE_H
#define SINKPROOF_TESTS_REQUIRE_H

#include "tests/asserts.h"

#define REQUIRE(condition)                                                                         \
  do {                                                                                             \
    if (!(condition)) ck_abort_msg("%s", #condition);                                              \
  } while (0)

#define REQUIRE_MSG(condition, ...)                                                                \
  do {                                                                                             \
    if (!(condition)) ck_abort_msg(__VA_ARGS__);                                                   \
  } while (0)

#endif
