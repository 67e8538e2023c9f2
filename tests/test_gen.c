/* SPDX-License-Identifier: Apache-2.0 */
/* Generators as a whole: pure functions of the request, shaped to the offer, inside the domain.
 * tests: CT-4, KC-2, NU-4 */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/case/rng.h"
#include "tests/case_bits.h"

Suite *suite_gen(void);

static const sp_generator *generators(size_t *n) {
  return sp_generators(n);
}

/* Calls visit for the first `per_generator` cases of each generator and operation. */
typedef void visit(const sp_generator *generator, sp_op op, uint64_t index, void *context);

static void for_each(size_t per_generator, visit *v, void *context) {
  size_t n = 0;
  const sp_generator *list = generators(&n);
  for (size_t g = 0; g < n; g++)
    for (int op = 0; op < SP_N_OPS; op++) {
      if ((list[g].ops >> op & 1) == 0) continue;
      size_t count = list[g].n_cases[SP_LEVEL_STANDARD];
      if (per_generator < count) count = per_generator;
      for (size_t i = 0; i < count; i++) v(&list[g], (sp_op)op, i, context);
    }
}

/* ---- the random numbers ---- */

START_TEST(test_rng) {
  sp_rng a;
  sp_rng b;
  sp_rng_init(&a, 1, "name", 2, 3);
  sp_rng_init(&b, 1, "name", 2, 3);
  for (int i = 0; i < 100; i++) ck_assert_uint_eq(sp_rng_next(&a), sp_rng_next(&b));
  /* A change of any of the four numbers, or an exchange of two, gives another stream. */
  static const struct {
    uint64_t seed;
    const char *name;
    uint64_t stream, index;
  } other[] = {{2, "name", 2, 3}, {1, "nam", 2, 3}, {1, "name", 3, 2}, {1, "name", 2, 4}};
  for (size_t i = 0; i < 4; i++) {
    sp_rng_init(&a, 1, "name", 2, 3);
    sp_rng_init(&b, other[i].seed, other[i].name, other[i].stream, other[i].index);
    ck_assert_uint_ne(sp_rng_next(&a), sp_rng_next(&b));
  }
  double sum = 0.0;
  double squares = 0.0;
  for (int i = 0; i < 20000; i++) {
    double x = sp_rng_bell(&a);
    ck_assert(fabs(x) <= 6.0);
    sum += x;
    squares += x * x;
    ck_assert(sp_rng_below(&a, 7) < 7);
    uint64_t y = sp_rng_between(&a, 3, 5);
    ck_assert(y >= 3 && y <= 5);
  }
  ck_assert(fabs(sum / 20000) < 0.05 && fabs(squares / 20000 - 1.0) < 0.05);
}
END_TEST

/* The stream is part of every replay line that was ever printed: it must not change by accident.
 * The first number below is what this code gave when it was written. */
START_TEST(test_rng_is_frozen) {
  sp_rng rng;
  sp_rng_init(&rng, 0x9a77, "mixed", SP_OP_ATTENTION, 41);
  ck_assert_uint_eq(sp_rng_next(&rng), 0xc4ec70b33624b0dbu);
}
END_TEST

/* ---- determinism ---- */

#define STANDARD_CASES 0x1d7c444c1e288f1cu

static void same_twice(const sp_generator *generator, sp_op op, uint64_t index, void *context) {
  uint64_t *digests = context;
  sp_generator_request request = request_all(generator, op, index);
  sp_case a;
  sp_case b;
  bool made = sp_case_make(&a, &request);
  ck_assert_msg(made, "%s/%d/%llu: no case", generator->name, op, (unsigned long long)index);
  ck_assert(sp_case_make(&b, &request));
  ck_assert_msg(case_digest(&a) == case_digest(&b), "%s/%d/%llu differs from itself",
                generator->name, op, (unsigned long long)index);
  *digests += case_digest(&a); /* a sum: the order of the cases does not enter */
  sp_case_clear(&a);
  sp_case_clear(&b);
}

static void add_digest(const sp_generator *generator, sp_op op, uint64_t index, void *context) {
  uint64_t *digests = context;
  sp_generator_request request = request_all(generator, op, index);
  sp_case c;
  if (!sp_case_make(&c, &request)) return;
  *digests += case_digest(&c);
  sp_case_clear(&c);
}

START_TEST(test_determinism) {
  uint64_t forward = 0;
  for_each(SIZE_MAX, same_twice, &forward);
  /* Backwards: generators, operations and indices in reverse order. */
  uint64_t backward = 0;
  size_t n = 0;
  const sp_generator *list = generators(&n);
  for (size_t g = n; g-- > 0;)
    for (int op = SP_N_OPS; op-- > 0;) {
      if ((list[g].ops >> op & 1) == 0) continue;
      for (size_t i = list[g].n_cases[SP_LEVEL_STANDARD]; i-- > 0;)
        add_digest(&list[g], (sp_op)op, i, &backward);
    }
  ck_assert_uint_eq(forward, backward);
  /* The cases of every compiler and machine, as a sum of digests. When a generator is changed on
   * purpose, this changes too, and replay lines printed before no longer name the same cases. */
  ck_assert_msg(forward == STANDARD_CASES, "the standard cases changed: their digest is 0x%llx",
                (unsigned long long)forward);
}
END_TEST

/* The digest that the tests above rest on notices one changed bit, in whatever field. */
START_TEST(test_digest_notices) {
  sp_generator_request request = request_all(sp_generator_find("mixed"), SP_OP_CACHE, 3);
  sp_case c;
  ck_assert(sp_case_make(&c, &request));
  uint64_t before = case_digest(&c);
  ((unsigned char *)c.v.bits)[1] ^= 1;
  ck_assert_uint_ne(case_digest(&c), before);
  ((unsigned char *)c.v.bits)[1] ^= 1;
  c.script[0].with_queries = !c.script[0].with_queries;
  ck_assert_uint_ne(case_digest(&c), before);
  c.script[0].with_queries = !c.script[0].with_queries;
  c.layout.misalign ^= 1;
  ck_assert_uint_ne(case_digest(&c), before);
  c.layout.misalign ^= 1;
  ck_assert_uint_eq(case_digest(&c), before);
  sp_case_clear(&c);
}
END_TEST

static void seed_matters(const sp_generator *generator, sp_op op, uint64_t index, void *context) {
  size_t *equal = context;
  sp_generator_request request = request_all(generator, op, index);
  sp_case a;
  sp_case b;
  ck_assert(sp_case_make(&a, &request));
  request.seed++;
  ck_assert(sp_case_make(&b, &request));
  b.seed = a.seed;
  *equal += case_digest(&a) == case_digest(&b);
  sp_case_clear(&a);
  sp_case_clear(&b);
}

START_TEST(test_seed) {
  size_t equal = 0;
  for_each(4, seed_matters, &equal);
  /* Only where a case is small and its numbers are the point (a known answer). */
  ck_assert_msg(equal < 8, "%zu cases do not depend on the seed", equal);
}
END_TEST

/* ---- the offer ---- */

/* "generator/op/index" and what is wrong, or NULL. */
static const char *complaint(const sp_case *c, const sp_generator_request *request) {
  const char *error = sp_case_error(c);
  if (error != NULL) return error;
  if ((sp_case_options(c) & ~request->options) != 0) return "uses options that are not offered";
  const sp_kernel everything = {.options = ~(uint64_t)0,
                                .dtypes_softmax = request->dtypes_softmax,
                                .dtypes_q = request->dtypes_q,
                                .dtypes_kv = request->dtypes_kv,
                                .max_n = request->max_n,
                                .softmax = (sp_status(*)(const sp_softmax_call *))abort,
                                .attention = (sp_status(*)(const sp_attention_call *))abort,
                                .cache = (const sp_cache_ops *)request};
  return sp_case_offered(c, &everything) ? NULL : "uses types or lengths that are not offered";
}

static bool checked(const sp_generator_request *request) {
  sp_case c;
  if (!sp_case_make(&c, request)) return false;
  const char *what = complaint(&c, request);
  ck_assert_msg(what == NULL, "%s op %d index %llu options %llx types %x max_n %llu: %s",
                request->generator, request->op, (unsigned long long)request->index,
                (unsigned long long)request->options, request->dtypes_q,
                (unsigned long long)request->max_n, what);
  sp_case_clear(&c);
  return true;
}

static void full_offer(const sp_generator *generator, sp_op op, uint64_t index, void *context) {
  (void)context;
  sp_generator_request request = request_all(generator, op, index);
  ck_assert(checked(&request));
}

START_TEST(test_full_offer) {
  for_each(SIZE_MAX, full_offer, NULL);
}
END_TEST

static void no_options(const sp_generator *generator, sp_op op, uint64_t index, void *context) {
  size_t *made = context;
  sp_generator_request request = request_of(generator, op, index, 0, SP_DTYPE_BIT(SP_F32));
  bool ok = checked(&request);
  if (ok) made[op]++;
  /* Only a generator that needs something may have nothing to say to a plain kernel. */
  ck_assert(!ok || generator->needs == 0);
}

START_TEST(test_no_options) {
  size_t made[SP_N_OPS] = {0};
  for_each(SIZE_MAX, no_options, made);
  for (int op = 0; op < SP_N_OPS; op++)
    ck_assert_msg(made[op] > 500, "op %d: only %zu cases for a kernel without options", op,
                  made[op]);
}
END_TEST

static void random_offer(const sp_generator *generator, sp_op op, uint64_t index, void *context) {
  sp_rng *rng = context;
  static const uint64_t lengths[] = {0, 0, 0, 1, 2, 3, 7, 16, 64, 1000};
  uint64_t options = sp_rng_next(rng) & ALL_OPTIONS;
  if (sp_rng_one_in(rng, 2)) options |= sp_rng_next(rng) & ALL_OPTIONS;
  sp_generator_request request = request_of(generator, op, index, options | generator->needs, 0);
  request.seed = sp_rng_next(rng);
  request.index = sp_rng_below(rng, 1000);
  request.dtypes_softmax = (uint32_t)sp_rng_next(rng) & ALL_TYPES;
  request.dtypes_q = (uint32_t)sp_rng_next(rng) & ALL_TYPES;
  request.dtypes_kv = (uint32_t)sp_rng_next(rng) & ALL_TYPES;
  request.max_n = lengths[sp_rng_below(rng, 10)];
  (void)checked(&request);
}

static void random_offer_unless_long(const sp_generator *generator, sp_op op, uint64_t index,
                                     void *context) {
  if (strstr(generator->name, "long") == NULL && strcmp(generator->name, "large-n") != 0)
    random_offer(generator, op, index, context);
}

/* 200 random offers, each to every generator; the longest rows to a few of them. */
START_TEST(test_random_offers) {
  sp_rng rng;
  sp_rng_init(&rng, 0x0ffe4, "offers", 0, 0);
  for (int i = 0; i < 200; i++)
    for_each(1, i % 20 == 0 ? random_offer : random_offer_unless_long, &rng);
}
END_TEST

/* The check that the last three tests rest on rejects what it should. */
START_TEST(test_complaint_notices) {
  sp_generator_request request = request_all(sp_generator_find("sink-mass"), SP_OP_ATTENTION, 0);
  sp_case c;
  ck_assert(sp_case_make(&c, &request));
  ck_assert_ptr_null(complaint(&c, &request));
  request.options &= ~(uint64_t)SP_OPT_SINK_LOGIT;
  ck_assert_ptr_nonnull(complaint(&c, &request));
  request.options |= SP_OPT_SINK_LOGIT;
  request.max_n = c.n_kv - 1;
  ck_assert_ptr_nonnull(complaint(&c, &request));
  request.max_n = 0;
  request.dtypes_q &= ~SP_DTYPE_BIT(c.dtype_q);
  ck_assert_ptr_nonnull(complaint(&c, &request));
  sp_case_clear(&c);
}
END_TEST

START_TEST(test_refusals) {
  sp_generator_request request = request_all(sp_generator_find("sink-mass"), SP_OP_ATTENTION, 0);
  sp_case c;
  request.options &= ~(uint64_t)SP_OPT_SINK_LOGIT;
  ck_assert(!sp_case_make(&c, &request));
  request = request_all(sp_generator_find("cache-wrap"), SP_OP_ATTENTION, 0);
  ck_assert(!sp_case_make(&c, &request));
  request = request_all(sp_generator_find("mixed"), SP_OP_ATTENTION, 0);
  request.dtypes_kv = 0;
  ck_assert(!sp_case_make(&c, &request));
  request.generator = "no such generator";
  ck_assert(!sp_case_make(&c, &request));
  ck_assert_ptr_null(sp_generator_find("no such generator"));
}
END_TEST

/* ---- the domain ---- */

/* |scale|, Σ|q·k|, their product, biases and visible values stay within 2^100. */
static void in_domain(const sp_generator *generator, sp_op op, uint64_t index, void *context) {
  (void)context;
  sp_generator_request request = request_all(generator, op, index);
  sp_case c;
  sp_case_values values;
  ck_assert(sp_case_make(&c, &request));
  if ((sp_case_options(&c) & SP_OPT_NONFINITE) != 0 || c.n_kv > 5000) {
    sp_case_clear(&c);
    return;
  }
  ck_assert(sp_case_values_init(&values, &c));
  for (size_t b = 0; b < c.n_batch; b++)
    for (size_t i = 0; i < values.n_out; i++)
      for (size_t h = 0; h < c.n_heads; h++) {
        sp_ref_row_input row;
        sp_case_row(&values, b, i, h, &row);
        for (size_t j = 0; j < row.n_kv; j++) {
          int64_t pos_k = row.pos_k != NULL ? row.pos_k[j] : (int64_t)j;
          if (row.masked && !sp_ref_visible(&row.mask, row.pos_q, pos_k)) continue;
          if (row.key_bias != NULL && row.key_bias[j] == -INFINITY) continue;
          double sum = row.logits != NULL ? fabs(row.logits[j]) : 0.0;
          if (row.logits != NULL && row.logits[j] == -INFINITY) continue;
          for (size_t e = 0; row.logits == NULL && e < row.d_head; e++)
            sum += fabs(row.q[e] * row.k[j * row.k_stride + e]);
          double bias = row.key_bias != NULL ? fabs(row.key_bias[j]) : 0.0;
          double size = fmax(fmax(sum, sum * fabs(row.scale)), bias);
          for (size_t e = 0; e < row.d_value; e++)
            size = fmax(size, fabs(row.v[j * row.v_stride + e]));
          ck_assert_msg(size <= 0x1p100, "%s/%d/%llu: %g", generator->name, op,
                        (unsigned long long)index, size);
        }
      }
  sp_case_values_clear(&values);
  sp_case_clear(&c);
}

START_TEST(test_domain) {
  for_each(120, in_domain, NULL);
}
END_TEST

/* ---- the table ---- */

START_TEST(test_table) {
  size_t n = 0;
  const sp_generator *list = generators(&n);
  ck_assert(n >= 40);
  size_t total[SP_N_OPS] = {0};
  for (size_t g = 0; g < n; g++) {
    ck_assert(sp_generator_find(list[g].name) == &list[g]);
    ck_assert(list[g].ops != 0 && list[g].hazard[0] != '\0');
    ck_assert_uint_eq(list[g].needs & ~ALL_OPTIONS, 0);
    ck_assert(list[g].n_cases[0] >= 1 && list[g].n_cases[0] <= list[g].n_cases[1] &&
              list[g].n_cases[1] <= list[g].n_cases[2]);
    for (int op = 0; op < SP_N_OPS; op++)
      if ((list[g].ops >> op & 1) != 0) total[op] += list[g].n_cases[SP_LEVEL_STANDARD];
  }
  for (int op = 0; op < SP_N_OPS; op++) ck_assert(total[op] >= 1500);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tc = tcase_create(clause);
  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, test);
  suite_add_tcase(suite, tc);
}

Suite *suite_gen(void) {
  Suite *suite = suite_create("gen");
  add(suite, "CT-4", test_rng);
  add(suite, "CT-4", test_rng_is_frozen);
  add(suite, "CT-4", test_determinism);
  add(suite, "CT-4", test_digest_notices);
  add(suite, "CT-4", test_seed);
  add(suite, "KC-2", test_full_offer);
  add(suite, "KC-2", test_no_options);
  add(suite, "KC-2", test_random_offers);
  add(suite, "KC-2", test_complaint_notices);
  add(suite, "KC-2", test_refusals);
  add(suite, "NU-4", test_domain);
  add(suite, "CT-4", test_table);
  return suite;
}
