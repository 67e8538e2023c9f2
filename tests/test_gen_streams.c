/* SPDX-License-Identifier: Apache-2.0 */
/* Is the hazard really there? The generators of streams. tests: EV-1, EV-5, EV-8 */
#include <string.h>

#include "tests/gen_made.h"

Suite *suite_gen_streams(void);
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

Suite *suite_gen_streams(void) {
  Suite *suite = suite_create("gen_streams");
  hazard_add(suite, "EV-5", test_cache_blocks);
  hazard_add(suite, "EV-1", test_cache_needle);
  hazard_add(suite, "EV-8", test_first_token);
  return suite;
}
