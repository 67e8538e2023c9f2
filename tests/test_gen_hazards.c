/* SPDX-License-Identifier: Apache-2.0 */
/* Is the hazard really there? Each test looks at the cases of one generator, in doubles, and checks
 * what its description promises. A generator that lost its point would still run, and nothing else
 * would notice. Here: lengths, ranges and strides. tests: SM-2, SM-4, NU-8, NU-10, AT-8, KC-4 */
#include <math.h>

#include "tests/gen_made.h"

Suite *suite_gen_hazards(void);

/* tests: SM-2 */
START_TEST(test_tails) {
  for (uint64_t i = 0; i < 259; i++)
    for (int op = SP_OP_SOFTMAX; op <= SP_OP_ATTENTION; op++) {
      made m = make("tails", (sp_op)op, i);
      ck_assert_uint_eq(m.c.n_kv, i + 1);
      row_double row = last_row(&m);
      for (size_t j = 0; j < row.n; j++) ck_assert(row.logit[j] < -150.0);
      if (row.n > 1) {
        ck_assert_uint_eq(row.largest, row.n - 1);
        ck_assert(row.weight[row.n - 1] / (1.0 - row.weight_sink) > 0.5);
      }
      row_double_free(&row);
      drop(&m);
    }
}
END_TEST

/* tests: NU-8 */
START_TEST(test_equal_scores) {
  bool seen[5] = {false};
  static const size_t wanted[] = {512, 2049, 8192, 8193, 65537};
  for (int op = 0; op < SP_N_OPS; op++)
    for (uint64_t i = 0; i < standard("equal-scores"); i++) {
      made m = make("equal-scores", (sp_op)op, i);
      row_double row = last_row(&m);
      for (size_t j = 1; j < row.n; j++) ck_assert(row.logit[j] == row.logit[0]);
      for (size_t k = 0; k < 5; k++) seen[k] |= op != SP_OP_CACHE && row.n == wanted[k];
      row_double_free(&row);
      drop(&m);
    }
  for (size_t k = 0; k < 5; k++) ck_assert(seen[k]);
}
END_TEST

/* Every popular stand-in for minus infinity is met exactly, by every logit of some row. */
/* tests: SM-2 */
START_TEST(test_sentinels) {
  static const double popular[] = {-10000.0, -50000.0, -65504.0, -100000.0, -1e6};
  size_t met[5] = {0};
  for (int op = SP_OP_SOFTMAX; op <= SP_OP_ATTENTION; op++)
    for (uint64_t i = 0; i < 2 * standard("sentinels"); i++) {
      made m = make("sentinels", (sp_op)op, i);
      row_double row = last_row(&m);
      bool equal = true;
      for (size_t j = 0; j < row.n; j++) {
        ck_assert(row.logit[j] < -150.0);
        equal = equal && (!row.visible[j] || row.logit[j] == row.logit[row.largest]);
      }
      for (size_t k = 0; k < 5; k++) met[k] += equal && row.logit[row.largest] == popular[k];
      row_double_free(&row);
      drop(&m);
    }
  for (size_t k = 0; k < 5; k++) ck_assert_msg(met[k] >= 1, "%g", popular[k]);
}
END_TEST

/* Keys whose weight is below 2^-30 still make a visible part of the output. */
/* tests: SM-4 */
START_TEST(test_weight_floor) {
  size_t deep = 0;
  for (uint64_t i = 0; i < 42; i++) {
    made m = make("weight-floor", SP_OP_ATTENTION, i);
    row_double row = last_row(&m);
    const size_t h_kv = m.c.n_kv_heads - 1;
    double small = 0.0;
    double all = 0.0;
    for (size_t j = 0; j < row.n; j++) {
      double term = row.weight[j] * m.values.v[(j * m.c.n_kv_heads + h_kv) * m.c.d_value];
      all += fabs(term);
      if (row.weight[j] < 0x1p-30) small += fabs(term);
    }
    deep += small > 0.1 * all;
    row_double_free(&row);
    drop(&m);
  }
  ck_assert_msg(deep >= 15, "%zu", deep);
}
END_TEST

/* tests: NU-10 */
START_TEST(test_range) {
  size_t subnormal = 0;
  size_t zero = 0;
  for (uint64_t i = 0; i < standard("range"); i++) {
    made m = make("range", SP_OP_SOFTMAX, i);
    row_double row = last_row(&m);
    for (size_t j = 0; j < row.n; j++) {
      subnormal += row.weight[j] > 0x1p-149 && row.weight[j] < 0x1p-126;
      zero += row.weight[j] < 0x1p-150;
    }
    row_double_free(&row);
    drop(&m);
  }
  ck_assert(subnormal >= 20 && zero >= 20);
}
END_TEST

/* tests: AT-8 */
START_TEST(test_large_n) {
  for (int op = SP_OP_SOFTMAX; op <= SP_OP_ATTENTION; op++)
    for (uint64_t i = 0; i < standard("large-n"); i++) {
      made m = make("large-n", (sp_op)op, i);
      row_double row = last_row(&m);
      double end = 0.0;
      for (size_t j = row.n - 200; j < row.n; j++) end += row.weight[j];
      ck_assert(end / (1.0 - row.weight_sink) > 0.7);
      row_double_free(&row);
      drop(&m);
    }
  made m = make("large-n", SP_OP_ATTENTION, 0);
  ck_assert(m.c.n_kv > 32768);
  drop(&m);
}
END_TEST

/* Offsets pass 2^31 and 2^32 elements, and strides point backwards, each with both orders of the axes.
 * tests: KC-4 */
START_TEST(test_strides) {
  unsigned met = 0;
  for (uint64_t i = 0; i < standard("strides"); i++) {
    made m = make("strides", SP_OP_ATTENTION, i);
    const sp_layout *l = &m.c.layout;
    ck_assert(l->reversed || l->reach >= 31);
    ck_assert(m.c.n_kv * m.c.n_kv_heads > 1);
    met |= 1u << ((l->reach > 0 ? l->reach - 30 : 0) + (l->reversed ? 3 : 0) +
                  (l->head_major ? 8 : 0));
    drop(&m);
  }
  const unsigned far = 1u << 1 | 1u << 2, backwards = 1u << 3, both = 1u << 4;
  const unsigned all = far | backwards | both;
  ck_assert_uint_eq(met & (all | all << 8), all | all << 8);
}
END_TEST

Suite *suite_gen_hazards(void) {
  Suite *suite = suite_create("gen_hazards");
  hazard_add(suite, "SM-2", test_tails);
  hazard_add(suite, "NU-8", test_equal_scores);
  hazard_add(suite, "SM-2", test_sentinels);
  hazard_add(suite, "SM-4", test_weight_floor);
  hazard_add(suite, "NU-10", test_range);
  hazard_add(suite, "AT-8", test_large_n);
  hazard_add(suite, "KC-4", test_strides);
  return suite;
}
