/* SPDX-License-Identifier: Apache-2.0 */
/* Is the hazard really there? The generators about sink logits. tests: CT-6, AL-2, AL-4, AL-6, AT-2 */
#include <math.h>
#include <string.h>

#include "tests/gen_made.h"

Suite *suite_gen_sinks(void);

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

Suite *suite_gen_sinks(void) {
  Suite *suite = suite_create("gen_sinks");
  hazard_add(suite, "CT-6", test_sink_mass);
  hazard_add(suite, "AL-2", test_sink_logits_differ);
  hazard_add(suite, "AL-6", test_sink_split);
  hazard_add(suite, "AT-2", test_sink_order);
  hazard_add(suite, "AL-4", test_sink_extreme);
  return suite;
}
