/* SPDX-License-Identifier: Apache-2.0 */
/* Is the hazard really there? The generators about which keys and heads a row sees.
 * tests: AT-3, AT-4, AT-5, AT-7, AT-8, AT-9, SM-5 */
#include <math.h>

#include "tests/gen_made.h"

Suite *suite_gen_visible(void);

/* A run of hidden keys that would win, then (or before) visible ones. */
static void check_run(const char *name, bool first, size_t *runs_met) {
  for (int op = SP_OP_SOFTMAX; op <= SP_OP_ATTENTION; op++)
    for (uint64_t i = 0; i < standard(name); i++) {
      made m = make(name, (sp_op)op, i);
      row_double row = last_row(&m);
      ck_assert(row.n_visible >= 1 && row.n_visible < row.n);
      size_t run = row.n - row.n_visible;
      for (size_t j = 0; j < row.n; j++)
        ck_assert(row.visible[j] == (first ? j >= run : j < row.n_visible));
      /* A logit of -inf has no size left to look at; a bias and a window have. */
      if (isfinite(row.logit[first ? 0 : row.n - 1])) ck_assert(!row.visible[row.largest]);
      for (size_t t = 0; t < 7; t++) runs_met[t] += run == (size_t)16 << t;
      row_double_free(&row);
      drop(&m);
    }
}

/* tests: AT-3 */
START_TEST(test_masked_tiles) {
  size_t first[7] = {0};
  size_t last[7] = {0};
  check_run("first-tile-masked", true, first);
  check_run("last-tile-masked", false, last);
  for (size_t t = 0; t < 7; t++) ck_assert(first[t] > 0 && last[t] > 0);
}
END_TEST

/* tests: AT-9 */
START_TEST(test_empty_rows) {
  size_t leading = 0;
  size_t with_sink = 0;
  size_t without = 0;
  size_t no_keys = 0;
  for (int op = SP_OP_SOFTMAX; op <= SP_OP_ATTENTION; op++)
    for (uint64_t i = 0; i < standard("empty-rows"); i++) {
      made m = make("empty-rows", (sp_op)op, i);
      size_t empty = 0;
      bool first_empty = false;
      for (size_t r = 0; r < m.c.n_q; r++) {
        row_double row = row_of(&m, 0, r, 0);
        empty += row.n_visible == 0;
        first_empty |= r == 0 && row.n_visible == 0;
        row_double_free(&row);
      }
      ck_assert_msg(empty > 0, "op %d index %d has no empty row", op, (int)i);
      leading += first_empty && empty < m.c.n_q;
      no_keys += m.c.n_kv == 0;
      if (m.c.sink_logit.bits != NULL) with_sink++;
      if (m.c.sink_logit.bits == NULL) without++;
      drop(&m);
    }
  ck_assert(leading >= 6 && with_sink >= 12 && without >= 12 && no_keys >= 6);
}
END_TEST

static bool holds_poison(const sp_array *array) {
  for (size_t e = 0; e < array->count; e++) {
    double x = sp_ref_load(array->dtype, array->bits, e);
    if (!isfinite(x) || fabs(x) > 60000.0) return true;
  }
  return false;
}

/* tests: AT-3 */
START_TEST(test_masked_poison) {
  for (int op = 0; op < SP_N_OPS; op++)
    for (uint64_t i = 0; i < standard("masked-poison"); i++) {
      made m = make("masked-poison", (sp_op)op, i);
      bool softmax = op == SP_OP_SOFTMAX;
      ck_assert_uint_eq(sp_case_options(&m.c) & SP_OPT_NONFINITE, 0);
      if (softmax) ck_assert(holds_poison(&m.c.logits));
      if (!softmax) ck_assert(holds_poison(&m.c.k) && holds_poison(&m.c.v));
      drop(&m);
    }
}
END_TEST

/* tests: SM-5 */
START_TEST(test_visible_nan) {
  size_t visible = 0;
  size_t total = 0;
  for (int op = 0; op < SP_N_OPS; op++)
    for (uint64_t i = 0; i < standard("visible-nan"); i++, total++) {
      made m = make("visible-nan", (sp_op)op, i);
      visible += (sp_case_options(&m.c) & SP_OPT_NONFINITE) != 0;
      drop(&m);
    }
  ck_assert_msg(visible * 10 >= total * 9, "%zu of %zu", visible, total);
}
END_TEST

/* tests: AT-5, EV-2 */
START_TEST(test_window_needle) {
  size_t inside = 0;
  size_t outside = 0;
  size_t beyond = 0;
  size_t pinned = 0;
  for (uint64_t i = 0; i < standard("window-needle"); i++) {
    made m = make("window-needle", SP_OP_ATTENTION, i);
    row_double row = last_row(&m);
    size_t distance = row.n - 1 - row.largest;
    inside += distance + 1 == m.c.window;
    outside += distance == m.c.window && !row.visible[row.largest];
    beyond += distance == m.c.window + 1 && !row.visible[row.largest];
    pinned += distance >= m.c.window && row.visible[row.largest];
    /* Seen or not, it decides: among all keys it would hold nearly everything. */
    double others = 0.0;
    for (size_t j = 0; j < row.n; j++)
      if (j != row.largest) others += exp(row.logit[j] - row.logit[row.largest]);
    ck_assert(others < 0.05);
    row_double_free(&row);
    drop(&m);
  }
  ck_assert(inside >= 20 && outside >= 10 && beyond >= 10 && pinned >= 20);
}
END_TEST

static void check_last_key_wins(const char *name, uint64_t step) {
  for (uint64_t i = 0; i < standard(name); i += step) {
    made m = make(name, SP_OP_ATTENTION, i);
    for (size_t r = 0; r < m.c.n_q; r++) {
      row_double row = row_of(&m, 0, r, 0);
      int64_t newest = -1;
      size_t winner = 0;
      for (size_t j = 0; j < row.n; j++) {
        int64_t at = m.c.pos_k != NULL ? m.c.pos_k[j] : (int64_t)j;
        if (!row.visible[j] || at <= newest) continue;
        newest = at;
        winner = j;
      }
      if (newest >= 0) ck_assert(row.weight[winner] > 0.7);
      row_double_free(&row);
    }
    drop(&m);
  }
}

/* tests: AT-4 */
START_TEST(test_last_key_wins) {
  check_last_key_wins("causal-align", 1);
  check_last_key_wins("positions", 1);
}
END_TEST

/* tests: AT-8 */
START_TEST(test_prefill_decode) {
  for (uint64_t pair = 0; pair < 12; pair++) {
    made all = make("prefill-decode", SP_OP_ATTENTION, 2 * pair);
    made one = make("prefill-decode", SP_OP_ATTENTION, 2 * pair + 1);
    ck_assert(all.c.n_q > 1 && one.c.n_q == 1);
    ck_assert(same_bits(&all.c.k, &one.c.k) && same_bits(&all.c.v, &one.c.v));
    ck_assert(same_bits(&all.c.sink_logit, &one.c.sink_logit));
    size_t row = all.c.n_heads * all.c.d_head;
    for (size_t e = 0; e < row; e++)
      ck_assert(all.values.q[(all.c.n_q - 1) * row + e] == one.values.q[e]);
    drop(&all);
    drop(&one);
  }
}
END_TEST

/* tests: AT-7 */
START_TEST(test_gqa) {
  size_t telling = 0;
  for (uint64_t i = 0; i < 9; i++) {
    made m = make("gqa", SP_OP_ATTENTION, i);
    ck_assert(m.c.n_kv_heads < m.c.n_heads);
    telling += m.c.n_kv_heads > 1 && m.c.n_heads / m.c.n_kv_heads != m.c.n_kv_heads;
    drop(&m);
  }
  ck_assert(telling >= 4);
}
END_TEST

Suite *suite_gen_visible(void) {
  Suite *suite = suite_create("gen_visible");
  hazard_add(suite, "AT-3", test_masked_tiles);
  hazard_add(suite, "AT-9", test_empty_rows);
  hazard_add(suite, "AT-3", test_masked_poison);
  hazard_add(suite, "SM-5", test_visible_nan);
  hazard_add(suite, "AT-5", test_window_needle);
  hazard_add(suite, "AT-4", test_last_key_wins);
  hazard_add(suite, "AT-8", test_prefill_decode);
  hazard_add(suite, "AT-7", test_gqa);
  return suite;
}
