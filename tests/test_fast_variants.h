/* SPDX-License-Identifier: Apache-2.0 */
/* Every test of fast/'s results runs once for each variant that this machine can run. A variant
 * that it cannot run is not skipped in silence: it is named, loudly, and its tests are not counted.
 */
#ifndef SINKPROOF_TEST_FAST_VARIANTS_H
#define SINKPROOF_TEST_FAST_VARIANTS_H

#include "tests/asserts.h"
#include <stdio.h>

#include "fast/impl.h"
#include "sinkproof/fast.h"

/* In a loop test, _i is the number of the variant. */
static inline const sp_kernel *variant_kernel(int index) {
  const sp_kernel *kernel = NULL;
  const char *name = sp_fast_variant_name((size_t)index);
  ck_assert_msg(sp_fast_select(name, &kernel) == SP_OK, "variant %s cannot be had", name);
  return kernel;
}

/* This type where it is offered, else the one that every kernel here offers. */
static inline sp_dtype offered(uint32_t dtypes, sp_dtype dtype) {
  return (dtypes & SP_DTYPE_BIT(dtype)) != 0 ? dtype : SP_BF16;
}

/* Does a variant offer what a test needs? */
typedef bool offers_needed(const sp_kernel *kernel);

static inline bool needs_nothing(const sp_kernel *kernel) {
  return kernel != NULL;
}

/* Every operation, type and option. */
static inline bool needs_everything(const sp_kernel *kernel) {
  return kernel->options == SP_FAST_OPTIONS && kernel->dtypes_softmax == SP_FAST_DTYPES &&
         kernel->dtypes_q == SP_FAST_DTYPES && kernel->dtypes_kv == SP_FAST_DTYPES;
}

static inline void add_for_each_variant(TCase *tc, const TTest *test, offers_needed *offers) {
  for (size_t i = 0; i < sp_fast_n_variants(); i++)
    if (sp_fast_variant_available(i) && offers(sp_fast_variant(i)->kernel))
      tcase_add_loop_test(tc, test, (int)i, (int)i + 1);
}

static inline void add_case(Suite *suite, const char *clause, offers_needed *offers,
                            const TTest *const *tests, size_t n) {
  TCase *tc = tcase_create(clause);
  for (size_t i = 0; i < n; i++) add_for_each_variant(tc, tests[i], offers);
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
}

/* A test case of the given clause, each test once for each variant that offers what it needs. */
#define ADD_CASE_FOR(offers, suite, clause, ...)                                                   \
  add_case(suite, clause, offers, (const TTest *const[]){__VA_ARGS__},                             \
           sizeof((const TTest *const[]){__VA_ARGS__}) / sizeof(TTest *))
#define ADD_CASE(suite, clause, ...) ADD_CASE_FOR(needs_everything, suite, clause, __VA_ARGS__)

static inline void report_missing_variants(const char *suite) {
  for (size_t i = 0; i < sp_fast_n_variants(); i++)
    if (!sp_fast_variant_available(i))
      printf("NOT TESTED: %s of variant %s, which this machine cannot run\n", suite,
             sp_fast_variant_name(i));
}

#endif
