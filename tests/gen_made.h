/* SPDX-License-Identifier: Apache-2.0 */
/* A case of a generator and its rows in doubles, for tests that look whether its hazard is there. */
#ifndef SINKPROOF_TESTS_GEN_MADE_H
#define SINKPROOF_TESTS_GEN_MADE_H

#include "tests/asserts.h"
#include <string.h>

#include "tests/case_bits.h"
#include "tests/row_double.h"

typedef struct made {
  sp_case c;
  sp_case_values values;
} made;

static inline made make(const char *name, sp_op op, uint64_t index) {
  made m;
  const sp_generator *generator = sp_generator_find(name);
  ck_assert_ptr_nonnull(generator);
  sp_generator_request request = request_all(generator, op, index);
  ck_assert_msg(sp_case_make(&m.c, &request), "%s/%d/%llu: no case", name, op,
                (unsigned long long)index);
  ck_assert(sp_case_values_init(&m.values, &m.c));
  return m;
}

static inline void drop(made *m) {
  sp_case_values_clear(&m->values);
  sp_case_clear(&m->c);
}

static inline size_t standard(const char *name) {
  return sp_generator_find(name)->n_cases[SP_LEVEL_STANDARD];
}

/* The values keep a pointer to the case they were made from, which `make` has moved. */
static inline row_double row_of(made *m, size_t b, size_t i, size_t h) {
  m->values.source = &m->c;
  return row_double_of(&m->values, b, i, h);
}

static inline row_double last_row(made *m) {
  return row_of(m, 0, m->values.n_out - 1, m->c.n_heads - 1);
}

static inline bool same_bits(const sp_array *a, const sp_array *b) {
  if (a->count != b->count || a->dtype != b->dtype) return false;
  if (a->bits == NULL || b->bits == NULL) return a->bits == b->bits;
  return memcmp(a->bits, b->bits, a->count * sp_ref_format_bytes(a->dtype)) == 0;
}

static inline void hazard_add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tc = tcase_create(clause);
  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, test);
  suite_add_tcase(suite, tc);
}

#endif
