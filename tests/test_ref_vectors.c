/* SPDX-License-Identifier: Apache-2.0 */
/* The golden vectors against both oracles, and against what is known about them without any. One
 * test case per record, under the clause that the record witnesses. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cross.h"
#include "tests/vector.h"

Suite *suite_ref_vectors(void);

#define VECTORS "tests/vectors/rows.txt"
enum { MAX_VECTORS = 128, CROSS_PREC = 2048 };

static sp_vector vectors[MAX_VECTORS];
static int n_vectors;
static char read_error[128];

static void read_vectors(void) {
  FILE *file = fopen(VECTORS, "r");
  n_vectors = 0;
  if (file == NULL) return;
  while (n_vectors < MAX_VECTORS &&
         sp_vector_read(file, &vectors[n_vectors], read_error, sizeof read_error))
    n_vectors++;
  fclose(file);
}

static bool same(double a, double b) {
  return a == b || (isnan(a) && isnan(b));
}

static void same_array(const char *name, const char *what, const sp_vector_array *got,
                       const sp_vector_array *expected) {
  ck_assert_msg(got->n == expected->n, "%s: %s: %zu numbers", name, what, expected->n);
  for (size_t i = 0; i < got->n; i++)
    ck_assert_msg(same(got->x[i], expected->x[i]), "%s: %s[%zu] is %a, the file has %a", name, what,
                  i, got->x[i], expected->x[i]);
}

START_TEST(first_oracle_gives_the_results) {
  const sp_vector *expected = &vectors[_i];
  sp_vector got = *expected;
  got.weights = got.out = (sp_vector_array){0, NULL};
  ck_assert_msg(sp_vector_fill(&got), "%s: undecided", got.name);
  same_array(got.name, "weights", &got.weights, &expected->weights);
  same_array(got.name, "out", &got.out, &expected->out);
  ck_assert_msg(same(got.lse_keys, expected->lse_keys), "%s: lse_keys", got.name);
  ck_assert_msg(same(got.lse_total, expected->lse_total), "%s: lse_total", got.name);
  free(got.weights.x);
  free(got.out.x);
}
END_TEST

/* The ball rounds to `expected`; or it straddles one midpoint and `expected` is the even side, as
 * with the exact ties that no enclosure decides. MPFR's own conversion to double rounds here. */
static bool ball_rounds_to(const arb_t ball, double expected) {
  mpfr_t low, high;
  mpfr_init2(low, 4 * CROSS_PREC);
  mpfr_init2(high, 4 * CROSS_PREC);
  arb_get_interval_mpfr(low, high, ball);
  const double below = mpfr_get_d(low, MPFR_RNDN), above = mpfr_get_d(high, MPFR_RNDN);
  mpfr_clear(low);
  mpfr_clear(high);
  if (below == above) return below == expected;
  uint64_t bits;
  memcpy(&bits, &expected, sizeof bits);
  return nextafter(below, above) == above && (expected == below || expected == above) &&
         (bits & 1) == 0;
}

static void ball_array(const char *name, const char *what, arb_srcptr balls,
                       const sp_vector_array *expected, const bool *nan) {
  for (size_t i = 0; i < expected->n; i++) {
    const bool holds =
        nan != NULL && nan[i] ? isnan(expected->x[i]) : ball_rounds_to(balls + i, expected->x[i]);
    ck_assert_msg(holds, "%s: %s[%zu] = %a is not what the second oracle gives", name, what, i,
                  expected->x[i]);
  }
}

START_TEST(second_oracle_gives_the_results) {
  const sp_vector *expected = &vectors[_i];
  const sp_ref_row_input in = sp_vector_row(expected);
  sp_cross_row row;
  sp_cross_init(&row, &in, CROSS_PREC);
  if (row.kind == SP_CROSS_INVALID) {
    for (size_t j = 0; j < expected->weights.n; j++) ck_assert(isnan(expected->weights.x[j]));
    for (size_t c = 0; c < expected->out.n; c++) ck_assert(isnan(expected->out.x[c]));
    ck_assert(isnan(expected->lse_keys) && isnan(expected->lse_total));
  } else {
    ball_array(expected->name, "weights", row.weight, &expected->weights, NULL);
    ball_array(expected->name, "out", row.out, &expected->out, row.out_nan);
    ck_assert_msg(ball_rounds_to(row.lse_keys, expected->lse_keys), "%s: lse_keys", expected->name);
    ck_assert_msg(ball_rounds_to(row.lse_total, expected->lse_total), "%s: lse_total",
                  expected->name);
  }
  sp_cross_clear(&row);
}
END_TEST

static const sp_vector *named(const char *name) {
  for (int i = 0; i < n_vectors; i++)
    if (strcmp(vectors[i].name, name) == 0) return &vectors[i];
  ck_abort_msg("no vector %s", name);
  return NULL;
}

/* tests: SM-2 (the weights of the article's row, to the twelve decimals of a hand calculation in
 * 60-digit decimal arithmetic) */
START_TEST(article_by_hand) {
  static const char *const decimals[5] = {"0.339085880348", "0.112871884458", "0.152361107364",
                                          "0.168385064904", "0.227296062925"};
  const sp_vector *article = named("article");
  char text[32];
  for (size_t j = 0; j < 5; j++) {
    snprintf(text, sizeof text, "%.12f", article->weights.x[j]);
    ck_assert_str_eq(text, decimals[j]);
  }
  snprintf(text, sizeof text, "%.12f", article->lse_keys);
  ck_assert_str_eq(text, "0.981501869324");
}
END_TEST

/* tests: SM-8 (the printed numbers of the article fail a test that needs no oracle) */
START_TEST(article_as_printed_is_not_monotone) {
  static const double printed[5] = {0.45, 0.10, 0.15, 0.16, 0.14};
  const sp_vector *article = named("article");
  bool printed_is_monotone = true;
  for (size_t i = 0; i < 5; i++)
    for (size_t j = 0; j < 5; j++) {
      if (article->logits.x[i] < article->logits.x[j]) continue;
      printed_is_monotone = printed_is_monotone && printed[i] >= printed[j];
      ck_assert(article->weights.x[i] >= article->weights.x[j]);
    }
  ck_assert(!printed_is_monotone);
}
END_TEST

/* tests: AL-7 */
START_TEST(uniform_bias_is_a_shift) {
  same_array("uniform bias", "weights", &named("article-uniform-bias")->weights,
             &named("article")->weights);
  same_array("uniform bias, sink logit", "weights", &named("article-uniform-bias-sink")->weights,
             &named("article-off-by-one")->weights);
  same_array("offset 50", "weights", &named("offset-50")->weights, &named("offset-0")->weights);
  same_array("offset 3000", "weights", &named("offset-3000")->weights, &named("offset-0")->weights);
  same_array("offset -20000", "weights", &named("offset--20000")->weights,
             &named("offset-0")->weights);
}
END_TEST

/* tests: NU-3 (the comparison with the second oracle notices the last bit) */
START_TEST(planted_fault_is_seen) {
  const sp_vector *article = named("article");
  const sp_ref_row_input in = sp_vector_row(article);
  sp_cross_row row;
  sp_cross_init(&row, &in, CROSS_PREC);
  for (size_t j = 0; j < article->weights.n; j++) {
    ck_assert(ball_rounds_to(row.weight + j, article->weights.x[j]));
    ck_assert(!ball_rounds_to(row.weight + j, nextafter(article->weights.x[j], 1)));
    ck_assert(!ball_rounds_to(row.weight + j, nextafter(article->weights.x[j], 0)));
  }
  sp_cross_clear(&row);
}
END_TEST

START_TEST(file_is_there) {
  ck_assert_msg(read_error[0] == '\0', "%s: %s", VECTORS, read_error);
  ck_assert_msg(n_vectors >= 40, "%s: %d records", VECTORS, n_vectors);
  ck_assert_msg(n_vectors < MAX_VECTORS, "%s: too many records", VECTORS);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int from, int to) {
  TCase *test_case = tcase_create(clause);
  tcase_add_loop_test(test_case, test, from, to);
  suite_add_tcase(suite, test_case);
}

Suite *suite_ref_vectors(void) {
  Suite *suite = suite_create("ref_vectors");
  read_vectors();
  add(suite, "NU-3", file_is_there, 0, 1);
  for (int i = 0; i < n_vectors; i++) {
    add(suite, vectors[i].clause, first_oracle_gives_the_results, i, i + 1);
    add(suite, vectors[i].clause, second_oracle_gives_the_results, i, i + 1);
  }
  add(suite, "SM-2", article_by_hand, 0, 1);
  add(suite, "SM-8", article_as_printed_is_not_monotone, 0, 1);
  add(suite, "AL-7", uniform_bias_is_a_shift, 0, 1);
  add(suite, "NU-3", planted_fault_is_seen, 0, 1);
  return suite;
}
