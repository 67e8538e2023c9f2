/* SPDX-License-Identifier: Apache-2.0 */
/* Is the hazard really there? Each test looks at the cases of one generator, in doubles, and checks
 * what its description promises: that the needle lies at the edge of the window, that the sink
 * logit takes the stated mass, that the first tile is hidden. A generator that lost its point would
 * still run, and nothing else would notice. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/case_bits.h"
#include "tests/row_double.h"

Suite *suite_gen_hazards(void);

typedef struct made {
  sp_case c;
  sp_case_values values;
} made;

static made make(const char *name, sp_op op, uint64_t index) {
  made m;
  const sp_generator *generator = sp_generator_find(name);
  ck_assert_ptr_nonnull(generator);
  sp_generator_request request = request_all(generator, op, index);
  ck_assert_msg(sp_case_make(&m.c, &request), "%s/%d/%llu: no case", name, op,
                (unsigned long long)index);
  ck_assert(sp_case_values_init(&m.values, &m.c));
  return m;
}

static void drop(made *m) {
  sp_case_values_clear(&m->values);
  sp_case_clear(&m->c);
}

static size_t standard(const char *name) {
  return sp_generator_find(name)->n_cases[SP_LEVEL_STANDARD];
}

/* The values keep a pointer to the case they were made from, which `make` has moved. */
static row_double row_of(made *m, size_t b, size_t i, size_t h) {
  m->values.source = &m->c;
  return row_double_of(&m->values, b, i, h);
}

static row_double last_row(made *m) {
  return row_of(m, 0, m->values.n_out - 1, m->c.n_heads - 1);
}

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

/* tests: CT-6 */
START_TEST(test_sink_mass) {
  static const double mass[] = {0.7, 0.3, 0.99, 0.01};
  size_t met[4] = {0};
  for (int op = 0; op < SP_N_OPS; op++)
    for (uint64_t i = 0; i < standard("sink-mass"); i++) {
      made m = make("sink-mass", (sp_op)op, i);
      bool softmax = op == SP_OP_SOFTMAX;
      size_t heads = softmax ? m.c.n_q : m.c.n_heads;
      for (size_t h = 0; h < heads; h++) {
        row_double row = row_of(&m, 0, softmax ? h : m.values.n_out - 1, softmax ? 0 : h);
        double p = mass[(h + i % 8 + i / 8) % 4];
        ck_assert_msg(fabs(row.weight_sink - p) <= 0.01 * p, "op %d index %d head %zu: %g not %g",
                      op, (int)i, h, row.weight_sink, p);
        met[(h + i % 8 + i / 8) % 4]++;
        row_double_free(&row);
      }
      drop(&m);
    }
  for (int k = 0; k < 4; k++) ck_assert(met[k] > 50);
}
END_TEST

/* Head h of any two different heads has another sink logit, with bits in its low half. */
/* tests: AL-2 */
START_TEST(test_sink_logits_differ) {
  static const char *const name[] = {"sink-heads", "sink-dtype", "sink-mass"};
  size_t low_halves = 0;
  size_t total = 0;
  for (size_t g = 0; g < 3; g++)
    for (int op = 0; op < SP_N_OPS; op++)
      for (uint64_t i = 0; i < 16; i++) {
        made m = make(name[g], (sp_op)op, i);
        const sp_array *sink = &m.c.sink_logit;
        for (size_t h = 0; h < sink->count; h++) {
          for (size_t l = 0; l < h; l++)
            if (sink->dtype == SP_F32) ck_assert(m.values.sink_logit[h] != m.values.sink_logit[l]);
          if (sink->dtype != SP_F32) continue;
          uint32_t bits = 0;
          memcpy(&bits, (const char *)sink->bits + 4 * h, sizeof bits);
          low_halves += (bits & 0xffff) != 0;
          total++;
        }
        drop(&m);
      }
  ck_assert(total > 100 && low_halves > total * 9 / 10);
}
END_TEST

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

/* tests: AL-6 */
START_TEST(test_sink_split) {
  size_t first_part_empty = 0;
  size_t all_empty = 0;
  for (int op = SP_OP_SOFTMAX; op <= SP_OP_ATTENTION; op++)
    for (uint64_t i = 0; i < standard("sink-split"); i++) {
      made m = make("sink-split", (sp_op)op, i);
      row_double row = last_row(&m);
      size_t first = 0;
      while (first < row.n && !row.visible[first]) first++;
      ck_assert(row.n_visible <= row.n / 4);
      first_part_empty += first >= row.n / 4 && first < row.n;
      all_empty += first == row.n;
      if (first < row.n) ck_assert(row.weight_sink > 0.2 && row.weight_sink < 0.8);
      row_double_free(&row);
      drop(&m);
    }
  ck_assert(first_part_empty >= 20 && all_empty >= 8);
}
END_TEST

/* The sink logit is larger than the softcap, and away from 0 where a scale would leave it. */
/* tests: AL-2, AT-2 */
START_TEST(test_sink_order) {
  size_t capped = 0;
  for (int op = 0; op < SP_N_OPS; op++)
    for (uint64_t i = 0; i < standard("sink-order"); i++) {
      made m = make("sink-order", (sp_op)op, i);
      for (size_t h = 0; h < m.c.sink_logit.count; h++) {
        double s = fabs(m.values.sink_logit[h]);
        capped += m.c.softcap > 0.0F && s > 1.2 * (double)m.c.softcap;
      }
      row_double row = last_row(&m);
      ck_assert(row.weight_sink > 0.2 && row.weight_sink < 0.95);
      row_double_free(&row);
      drop(&m);
    }
  ck_assert(capped >= 100);
}
END_TEST

/* tests: AL-4 */
START_TEST(test_sink_extreme) {
  size_t met[5] = {0};
  for (int op = 0; op < SP_N_OPS; op++)
    for (uint64_t i = 0; i < standard("sink-extreme"); i++) {
      made m = make("sink-extreme", (sp_op)op, i);
      for (size_t h = 0; h < m.c.sink_logit.count; h++) {
        double s = m.values.sink_logit[h];
        met[0] += s == INFINITY;
        met[1] += s == -INFINITY;
        met[2] += isfinite(s) && s > 1e29;
        met[3] += isfinite(s) && s < -1e29;
        met[4] += s > 90.0 && s < 101.0;
      }
      drop(&m);
    }
  for (int k = 0; k < 5; k++) ck_assert(met[k] >= 5);
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

static bool same_bits(const sp_array *a, const sp_array *b) {
  if (a->count != b->count || a->dtype != b->dtype) return false;
  if (a->bits == NULL || b->bits == NULL) return a->bits == b->bits;
  return memcmp(a->bits, b->bits, a->count * sp_ref_format_bytes(a->dtype)) == 0;
}

/* One stream, cut in all 32 ways. */
/* tests: EV-5 */
START_TEST(test_cache_blocks) {
  for (uint64_t group = 0; group < 6; group++) {
    uint64_t cuts_met = 0;
    made first = make("cache-blocks", SP_OP_CACHE, group * 32);
    for (uint64_t i = 0; i < 32; i++) {
      made m = make("cache-blocks", SP_OP_CACHE, group * 32 + i);
      ck_assert(same_bits(&m.c.q, &first.c.q) && same_bits(&m.c.k, &first.c.k));
      ck_assert(same_bits(&m.c.v, &first.c.v) && same_bits(&m.c.sink_logit, &first.c.sink_logit));
      uint64_t cuts = 0;
      size_t n = 0;
      for (size_t s = 0; s < m.c.n_steps; s++) {
        if (m.c.script[s].kind == SP_STEP_APPEND) n += m.c.script[s].n_tokens;
        if (n > 0 && n < 6) cuts |= (uint64_t)1 << (n - 1);
      }
      ck_assert_uint_eq(n, 6);
      cuts_met |= (uint64_t)1 << cuts;
      drop(&m);
    }
    ck_assert_uint_eq(cuts_met, 0xffffffffu);
    drop(&first);
  }
}
END_TEST

/* tests: EV-1, EV-2 */
START_TEST(test_cache_needle) {
  bool evicted_seen = false;
  bool pinned_seen = false;
  uint64_t met = 0;
  for (uint64_t i = 0; i < standard("cache-needle"); i++) {
    made m = make("cache-needle", SP_OP_CACHE, i);
    row_double row = last_row(&m);
    met |= (uint64_t)1 << row.largest;
    evicted_seen |= !row.visible[row.largest];
    pinned_seen |= row.visible[row.largest] && row.largest + m.c.window < row.n;
    row_double_free(&row);
    drop(&m);
  }
  ck_assert(evicted_seen && pinned_seen);
  ck_assert_uint_eq(met & 0xfff, 0xfff);
}
END_TEST

/* tests: EV-8 */
START_TEST(test_first_token) {
  static const int bits[] = {31, 32, 53, 63};
  size_t crossed[4] = {0};
  size_t last = 0;
  for (uint64_t i = 0; i < standard("cache-first-token"); i++) {
    made m = make("cache-first-token", SP_OP_CACHE, i);
    for (size_t k = 0; k < 4; k++) {
      uint64_t border = (uint64_t)1 << bits[k];
      crossed[k] += m.c.first_token < border && m.c.first_token + m.c.n_kv > border;
    }
    last += m.c.first_token + m.c.n_kv == UINT64_MAX;
    drop(&m);
  }
  for (size_t k = 0; k < 4; k++) ck_assert(crossed[k] >= 1);
  ck_assert(last >= 1);
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

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tc = tcase_create(clause);
  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, test);
  suite_add_tcase(suite, tc);
}

Suite *suite_gen_hazards(void) {
  Suite *suite = suite_create("gen_hazards");
  add(suite, "SM-2", test_tails);
  add(suite, "NU-8", test_equal_scores);
  add(suite, "CT-6", test_sink_mass);
  add(suite, "AL-2", test_sink_logits_differ);
  add(suite, "AT-3", test_masked_tiles);
  add(suite, "AT-9", test_empty_rows);
  add(suite, "AT-3", test_masked_poison);
  add(suite, "SM-5", test_visible_nan);
  add(suite, "AT-5", test_window_needle);
  add(suite, "AT-4", test_last_key_wins);
  add(suite, "AL-6", test_sink_split);
  add(suite, "AT-2", test_sink_order);
  add(suite, "AL-4", test_sink_extreme);
  add(suite, "SM-2", test_sentinels);
  add(suite, "SM-4", test_weight_floor);
  add(suite, "NU-10", test_range);
  add(suite, "AT-8", test_large_n);
  add(suite, "EV-5", test_cache_blocks);
  add(suite, "EV-1", test_cache_needle);
  add(suite, "EV-8", test_first_token);
  add(suite, "AT-8", test_prefill_decode);
  add(suite, "AT-7", test_gqa);
  return suite;
}
