/* SPDX-License-Identifier: Apache-2.0 */
/* The eviction machine against the definition of visibility, exhaustively on a small world: all
 * S <= 4, all W <= 6, all streams of up to 24 tokens, all ways to cut them into blocks of up to 5.
 *
 * There are millions of such cuts, but the machine is a function of (state, block). So it is enough
 * to show that from the one state reached after t tokens every block leads to the one state after
 * t + block tokens: by induction every cut of every stream then ends in the state of the
 * definition. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ref/check.h"
#include "ref/ref.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_cache(void);

enum { MAX_S = 4, MAX_W = 6, MAX_TOKENS = 24, MAX_BLOCK = 5, CAPACITY = MAX_S + MAX_W };

static void copy_state(sp_ref_cache *to, const sp_ref_cache *from) {
  *to = *from;
  to->token = malloc(CAPACITY * sizeof *to->token);
  ck_assert_ptr_nonnull(to->token);
  if (from->n_retained) memcpy(to->token, from->token, from->n_retained * sizeof *to->token);
  to->n_allocated = from->n_retained;
  to->token = realloc(to->token, (to->n_allocated + 1) * sizeof *to->token);
}

/* Everything that the machine's future depends on. */
static bool same_state(const sp_ref_cache *a, const sp_ref_cache *b) {
  return a->n_sink_tokens == b->n_sink_tokens && a->window == b->window &&
         a->first_token == b->first_token && a->n_seen == b->n_seen &&
         a->n_retained == b->n_retained &&
         (a->n_retained == 0 || memcmp(a->token, b->token, a->n_retained * sizeof *a->token) == 0);
}

/* The clause, word for word: j <= t and (j < S or t - j < W). tests: EV-2 */
static bool defined_visible(uint64_t t, uint64_t j, uint64_t s, uint64_t w) {
  return j <= t && (j < s || t - j < w);
}

static void retains_what_is_visible(const sp_ref_cache *cache) {
  const sp_ref_mask mask = {true, cache->window, cache->n_sink_tokens};
  uint64_t n = 0;
  for (uint64_t j = 0; j < cache->n_seen; j++) {
    const uint64_t t = cache->n_seen - 1;
    const bool visible = defined_visible(t, j, cache->n_sink_tokens, cache->window);
    REQUIRE(sp_ref_visible(&mask, (int64_t)t, (int64_t)j) == visible);
    if (!visible) continue;
    REQUIRE_MSG(n < cache->n_retained && cache->token[n] == cache->first_token + j,
                "S %llu W %llu t %llu: token %llu is missing",
                (unsigned long long)cache->n_sink_tokens, (unsigned long long)cache->window,
                (unsigned long long)t, (unsigned long long)j);
    n++;
  }
  ck_assert_uint_eq(n, cache->n_retained);
  REQUIRE(n <= cache->n_sink_tokens || n - cache->n_sink_tokens <= cache->window);
  REQUIRE(sp_ref_cache_holds(cache));
}

/* tests: EV-1, EV-2, EV-5, EV-6, EV-7 */
START_TEST(every_cut_of_every_stream) {
  const uint64_t s = (uint64_t)_i / MAX_W, w = 1 + (uint64_t)_i % MAX_W;
  sp_ref_cache state[MAX_TOKENS + 1];
  for (uint64_t t = 0; t <= MAX_TOKENS; t++) {
    ck_assert(sp_ref_cache_init(&state[t], s, w, 0));
    for (uint64_t i = 0; i < t; i++) ck_assert(sp_ref_cache_append(&state[t], 1));
    retains_what_is_visible(&state[t]);
    ck_assert_uint_eq(state[t].n_retained, t < s + w ? t : s + w);
  }
  for (uint64_t t = 0; t <= MAX_TOKENS; t++)
    for (uint64_t block = 1; block <= MAX_BLOCK && t + block <= MAX_TOKENS; block++) {
      sp_ref_cache next;
      copy_state(&next, &state[t]);
      ck_assert(sp_ref_cache_append(&next, block));
      ck_assert_msg(same_state(&next, &state[t + block]), "S %llu W %llu: %llu + %llu",
                    (unsigned long long)s, (unsigned long long)w, (unsigned long long)t,
                    (unsigned long long)block);
      sp_ref_cache_clear(&next);
    }
  for (uint64_t t = 0; t <= MAX_TOKENS; t++) sp_ref_cache_clear(&state[t]);
}
END_TEST

/* tests: EV-5 (the induction once more without the induction: random cuts, end to end) */
START_TEST(random_cuts) {
  uint64_t random = 3;
  for (int i = 0; i < 2000; i++) {
    const uint64_t s = sp_random_below(&random, 20), w = 1 + sp_random_below(&random, 40);
    sp_ref_cache cache;
    ck_assert(sp_ref_cache_init(&cache, s, w, 0));
    for (int block = 0; block < 6; block++)
      ck_assert(sp_ref_cache_append(&cache, sp_random_below(&random, 60)));
    retains_what_is_visible(&cache);
    sp_ref_cache_clear(&cache);
  }
}
END_TEST

/* tests: EV-8 */
START_TEST(counting_may_start_anywhere) {
  static const uint64_t first[] = {1, 1000, UINT64_C(1) << 63, UINT64_MAX - 30};
  for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
    sp_ref_cache cache;
    ck_assert(sp_ref_cache_init(&cache, 2, 3, first[i]));
    for (int t = 0; t < 12; t++) {
      ck_assert(sp_ref_cache_append(&cache, 1));
      retains_what_is_visible(&cache);
    }
    ck_assert_uint_eq(cache.token[0], first[i]);
    ck_assert_uint_eq(cache.token[4], first[i] + 11);
    sp_ref_cache_clear(&cache);
  }
}
END_TEST

/* tests: EV-1 (a capacity that does not fit into 64 bits, and memory that follows the stream) */
START_TEST(huge_capacities) {
  static const uint64_t pinned[] = {0, 5, UINT64_MAX}, windows[] = {UINT64_MAX - 1, UINT64_MAX - 4};
  for (int i = 0; i < 6; i++) {
    sp_ref_cache cache;
    ck_assert(sp_ref_cache_init(&cache, pinned[i / 2], windows[i % 2], 0));
    ck_assert(sp_ref_cache_append(&cache, 100));
    ck_assert_uint_eq(cache.n_retained, 100);
    retains_what_is_visible(&cache);
    ck_assert(!sp_ref_cache_append(&cache, UINT64_MAX / 4));
    ck_assert_uint_eq(cache.n_seen, 100);
    sp_ref_cache_clear(&cache);
  }
}
END_TEST

/* tests: EV-1 (the invariant notices a machine that evicts a pinned token, forgets to evict, or
 * drops the wrong one) */
START_TEST(planted_fault_is_seen) {
  sp_ref_cache cache;
  ck_assert(sp_ref_cache_init(&cache, 2, 3, 10));
  ck_assert(sp_ref_cache_append(&cache, 9));
  ck_assert(sp_ref_cache_holds(&cache));
  for (uint64_t slot = 0; slot < cache.n_retained; slot++) {
    cache.token[slot]--;
    ck_assert(!sp_ref_cache_holds(&cache));
    cache.token[slot]++;
  }
  cache.n_retained--;
  ck_assert(!sp_ref_cache_holds(&cache));
  cache.n_retained++;
  cache.n_seen++;
  ck_assert(!sp_ref_cache_holds(&cache));
  cache.n_seen--;
  ck_assert(sp_ref_cache_holds(&cache));
  sp_ref_cache_clear(&cache);
}
END_TEST

/* tests: AT-4, AT-5 (against the clause in wider integers) */
START_TEST(visibility_at_the_ends_of_int64) {
  static const int64_t positions[] = {INT64_MIN, INT64_MIN + 1, -3,       -1, 0, 1, 2,
                                      7,         INT64_MAX - 1, INT64_MAX};
  static const uint64_t windows[] = {1, 2, 3, UINT64_C(1) << 63, UINT64_MAX - 1, SP_WINDOW_ALL};
  static const uint64_t pinned[] = {0, 1, 2, UINT64_MAX};
  const size_t n = sizeof positions / sizeof positions[0];
  for (size_t i = 0; i < n * n; i++)
    for (size_t w = 0; w < 6; w++)
      for (size_t s = 0; s < 4; s++) {
        /* binary80 holds every 64-bit integer and every difference of two of them exactly. */
        const int64_t q = positions[i / n], k = positions[i % n];
        const long double distance = (long double)q - (long double)k;
        const bool near = windows[w] == SP_WINDOW_ALL || distance < (long double)windows[w] ||
                          (long double)k < (long double)pinned[s];
        const sp_ref_mask causal = {true, windows[w], pinned[s]};
        const sp_ref_mask both_ways = {false, windows[w], pinned[s]};
        REQUIRE(sp_ref_visible(&causal, q, k) == (near && distance >= 0));
        REQUIRE(sp_ref_visible(&both_ways, q, k) == near);
      }
}
END_TEST

Suite *suite_ref_cache(void) {
  Suite *suite = suite_create("ref_cache");
  TCase *exhaustive = tcase_create("EV-2");
  tcase_add_loop_test(exhaustive, every_cut_of_every_stream, 0, (MAX_S + 1) * MAX_W);
  suite_add_tcase(suite, exhaustive);
  TCase *blocks = tcase_create("EV-5");
  tcase_add_test(blocks, random_cuts);
  suite_add_tcase(suite, blocks);
  TCase *counting = tcase_create("EV-8");
  tcase_add_test(counting, counting_may_start_anywhere);
  suite_add_tcase(suite, counting);
  TCase *capacity = tcase_create("EV-1");
  tcase_add_test(capacity, huge_capacities);
  tcase_add_test(capacity, planted_fault_is_seen);
  suite_add_tcase(suite, capacity);
  TCase *window = tcase_create("AT-5");
  tcase_add_test(window, visibility_at_the_ends_of_int64);
  suite_add_tcase(suite, window);
  return suite;
}
