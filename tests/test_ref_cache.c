/* SPDX-License-Identifier: Apache-2.0 */
/* The eviction machine against the definition of visibility, exhaustively on a small world: all
 * S <= 4, all W <= 6, all n_evict <= W, all streams of up to 24 tokens, all ways to cut them into
 * blocks of up to 5, with truncations of any length anywhere between them.
 *
 * There are more such histories than can be run, but the machine is a function of (state,
 * operation). So it is enough to show that each operation, from the one state that belongs to a
 * pair (length, F) of the clauses, leads to the one state of the pair that the clauses name next: by
 * induction every history then ends in the state of the definition. */
#include "tests/asserts.h"
#include <stdlib.h>
#include <string.h>

#include "ref/check.h"
#include "ref/ref.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_cache(void);

enum { MAX_S = 4, MAX_W = 6, MAX_TOKENS = 24, MAX_BLOCK = 5 };

static uint64_t *copied(const uint64_t *list, uint64_t n) {
  uint64_t *copy = malloc((n + 1) * sizeof *copy);
  ck_assert_ptr_nonnull(copy);
  if (n) memcpy(copy, list, n * sizeof *copy);
  return copy;
}

static void copy_state(sp_ref_cache *to, const sp_ref_cache *from) {
  *to = *from;
  to->token = copied(from->token, from->n_retained);
  to->oldest = copied(from->oldest, from->n_retained);
  to->n_allocated = from->n_retained;
}

static bool same_list(const uint64_t *a, const uint64_t *b, uint64_t n) {
  return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

/* Everything that the machine's future depends on. */
static bool same_state(const sp_ref_cache *a, const sp_ref_cache *b) {
  return a->n_sink_tokens == b->n_sink_tokens && a->window == b->window &&
         a->first_token == b->first_token && a->n_evict == b->n_evict && a->n_undo == b->n_undo &&
         a->n_seen == b->n_seen && a->n_retained == b->n_retained && a->n_hidden == b->n_hidden &&
         same_list(a->token, b->token, a->n_retained) &&
         same_list(a->oldest, b->oldest, a->n_retained);
}

typedef struct config {
  uint64_t s, w, n_evict, n_undo, first_token;
} config;

static void start(sp_ref_cache *cache, const config *x) {
  ck_assert(sp_ref_cache_init(cache, x->s, x->w, x->first_token));
  cache->n_evict = x->n_evict;
  cache->n_undo = x->n_undo;
}

/* The clauses, word for word: j <= t and (j < S or t - j < W); in batches, of the r = t - S + 1
 * unpinned tokens the newest r, or W - k + 1 + ((r - W - 1) mod k). tests: EV-2, EV-9 */
static bool defined_visible(const config *x, uint64_t t, uint64_t j) {
  if (j > t) return false;
  if (j < x->s) return true;
  if (x->n_evict == 1) return t - j < x->w;
  const uint64_t r = t - x->s + 1, k = x->n_evict;
  return t - j < (r <= x->w ? r : x->w - k + 1 + (r - x->w - 1) % k);
}

/* The machine holds the pinned tokens and those from F on, and sees Vis of the newest. */
static bool is_as_defined(const sp_ref_cache *cache, const config *x, uint64_t f) {
  const uint64_t t = cache->n_seen - 1, n_shown = sp_ref_cache_n_visible(cache);
  const sp_ref_mask mask = {true, sp_ref_window_at(x->s, x->w, x->n_evict, t), x->s};
  uint64_t n_visible = 0, n_held = 0;
  for (uint64_t j = 0; j < cache->n_seen; j++) {
    const bool visible = defined_visible(x, t, j), held = j < x->s || j >= f;
    if (sp_ref_visible(&mask, (int64_t)t, (int64_t)j) != visible) return false;
    if (held && (n_held >= cache->n_retained || cache->token[n_held] != x->first_token + j))
      return false;
    if (visible && (!held || n_visible >= n_shown || sp_ref_cache_held(cache, n_visible) != n_held))
      return false;
    n_held += held;
    n_visible += visible;
  }
  return n_held == cache->n_retained && n_visible == n_shown &&
         (n_visible <= x->s || n_visible - x->s <= x->w) && sp_ref_cache_holds(cache);
}

/* F of EV-15 after the length has become `length`. */
static uint64_t f_after(const config *x, uint64_t f, uint64_t length) {
  const uint64_t most = x->w + x->n_undo;
  return length > most && length - most > f ? length - most : f;
}

/* tests: EV-15 */
static sp_status defined_truncate(const config *x, uint64_t f, uint64_t length, uint64_t n) {
  if (n == 0 || n > length) return SP_INVALID;
  for (uint64_t j = 0; j + n < length; j++)
    if (defined_visible(x, length - n - 1, j) && j >= x->s && j < f) return SP_LOST;
  return SP_OK;
}

/* The one state of each (length, F) that was reached, and those that are still to be left. */
typedef struct world {
  config x;
  bool reached[MAX_TOKENS + 1][MAX_TOKENS + 1];
  sp_ref_cache state[MAX_TOKENS + 1][MAX_TOKENS + 1];
  uint64_t todo[(MAX_TOKENS + 1) * (MAX_TOKENS + 1)][2];
  size_t n_todo;
  bool agrees;
} world;

/* Takes the state over. */
static void arrive(world *w, sp_ref_cache *state, uint64_t f) {
  const uint64_t length = state->n_seen;
  if (w->reached[length][f]) {
    w->agrees &= same_state(state, &w->state[length][f]);
    sp_ref_cache_clear(state);
    return;
  }
  w->agrees &= is_as_defined(state, &w->x, f);
  w->reached[length][f] = true;
  w->state[length][f] = *state;
  w->todo[w->n_todo][0] = length;
  w->todo[w->n_todo++][1] = f;
}

/* Every operation from one state, as long as all is well. */
static void leave(world *w, uint64_t length, uint64_t f) {
  sp_ref_cache next;
  for (uint64_t block = 1; block <= MAX_BLOCK && length + block <= MAX_TOKENS; block++) {
    copy_state(&next, &w->state[length][f]);
    ck_assert(sp_ref_cache_append(&next, block));
    arrive(w, &next, f_after(&w->x, f, length + block));
  }
  for (uint64_t n = 0; n <= length + 1; n++) {
    copy_state(&next, &w->state[length][f]);
    const sp_status status = sp_ref_cache_truncate(&next, n);
    w->agrees &= status == defined_truncate(&w->x, f, length, n);
    w->agrees &= status == SP_OK || same_state(&next, &w->state[length][f]);
    if (status != SP_OK || !w->agrees)
      sp_ref_cache_clear(&next);
    else
      arrive(w, &next, f < length - n ? f : length - n);
  }
}

/* Does a machine with the parameters `machine` do what the clauses say for x, in every history? */
static bool explore(const config *x, const config *machine) {
  world *w = calloc(1, sizeof *w);
  ck_assert_ptr_nonnull(w);
  w->x = *x;
  w->agrees = true;
  sp_ref_cache empty;
  start(&empty, machine);
  arrive(w, &empty, 0);
  for (size_t i = 0; i < w->n_todo && w->agrees; i++) leave(w, w->todo[i][0], w->todo[i][1]);
  const bool every_length = w->n_todo > MAX_TOKENS;
  for (size_t i = 0; i < w->n_todo; i++)
    sp_ref_cache_clear(&w->state[w->todo[i][0]][w->todo[i][1]]);
  const bool agrees = w->agrees && every_length;
  free(w);
  return agrees;
}

static const uint64_t origins[] = {0, (UINT64_C(1) << 31) - 12, (UINT64_C(1) << 32) - 12,
                                   (UINT64_C(1) << 63) - 12, UINT64_MAX - 24};

/* tests: EV-1, EV-2, EV-5, EV-6, EV-7, EV-8, EV-9, EV-15 */
START_TEST(every_history_of_every_stream) {
  static const uint64_t undo[] = {0, 1, 3, 30};
  const uint64_t s = (uint64_t)_i / MAX_W, w = 1 + (uint64_t)_i % MAX_W;
  for (uint64_t n_evict = 1; n_evict <= w; n_evict++)
    for (size_t u = 0; u < 4; u++) {
      const config x = {s, w, n_evict, undo[u], origins[(n_evict + u + (uint64_t)_i) % 5]};
      REQUIRE(explore(&x, &x));
    }
}
END_TEST

/* tests: EV-8, EV-9, EV-15 (the same lists wherever counting starts) */
START_TEST(origins_do_not_matter) {
  for (size_t o = 0; o < 5; o++) {
    const config x = {2, 5, 2, 3, origins[o]};
    REQUIRE(explore(&x, &x));
  }
}
END_TEST

/* tests: EV-1, EV-2, EV-8, EV-9, EV-15 (machines that pin, keep, evict, hold or count one too many
 * or one too few are not as the clauses say) */
START_TEST(planted_machines_are_seen) {
  const config x = {2, 5, 2, 3, 100};
  const config wrong[] = {{3, 5, 2, 3, 100}, {1, 5, 2, 3, 100}, {2, 6, 2, 3, 100},
                          {2, 4, 2, 3, 100}, {2, 5, 3, 3, 100}, {2, 5, 1, 3, 100},
                          {2, 5, 2, 4, 100}, {2, 5, 2, 2, 100}, {2, 5, 2, 3, 101}};
  REQUIRE(explore(&x, &x));
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) REQUIRE(!explore(&x, &wrong[i]));
}
END_TEST

/* tests: EV-5 (the induction once more without the induction: random cuts, end to end) */
START_TEST(random_cuts) {
  uint64_t random = 3;
  for (int i = 0; i < 2000; i++) {
    const uint64_t s = sp_random_below(&random, 20), w = 1 + sp_random_below(&random, 40);
    const config x = {s, w, 1 + sp_random_below(&random, w), sp_random_below(&random, 9), 0};
    sp_ref_cache cache;
    uint64_t f = 0;
    start(&cache, &x);
    for (int block = 0; block < 12; block++) {
      const bool back = sp_random_below(&random, 3) == 0;
      const uint64_t n = sp_random_below(&random, back ? 9 : 60), length = cache.n_seen;
      if (back)
        ck_assert_int_eq(sp_ref_cache_truncate(&cache, n), defined_truncate(&x, f, length, n));
      else
        ck_assert(sp_ref_cache_append(&cache, n));
      f = cache.n_seen < f ? cache.n_seen : f_after(&x, f, cache.n_seen);
      REQUIRE(is_as_defined(&cache, &x, f));
    }
    sp_ref_cache_clear(&cache);
  }
}
END_TEST

/* tests: EV-8 */
START_TEST(counting_may_start_anywhere) {
  static const uint64_t first[] = {1, 1000, UINT64_C(1) << 63, UINT64_MAX - 30};
  for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
    sp_ref_cache cache;
    const config x = {2, 3, 1, 0, first[i]};
    start(&cache, &x);
    for (uint64_t t = 0; t < 12; t++) {
      ck_assert(sp_ref_cache_append(&cache, 1));
      REQUIRE(is_as_defined(&cache, &x, f_after(&x, 0, t + 1)));
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
    const config x = {pinned[i / 2], windows[i % 2], 1, 0, 0};
    REQUIRE(is_as_defined(&cache, &x, 0));
    ck_assert(!sp_ref_cache_append(&cache, UINT64_MAX / 4));
    ck_assert_uint_eq(cache.n_seen, 100);
    sp_ref_cache_clear(&cache);
  }
}
END_TEST

/* tests: EV-1, EV-9, EV-15 (the invariant notices a machine that evicts a pinned token, forgets to
 * evict, drops the wrong one, hides one too many, or notes wrongly what a token saw) */
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
  cache.n_hidden++;
  ck_assert(!sp_ref_cache_holds(&cache));
  cache.n_hidden--;
  for (uint64_t slot = 2; slot < cache.n_retained; slot++) {
    cache.oldest[slot]++;
    ck_assert(!sp_ref_cache_holds(&cache));
    cache.oldest[slot]--;
  }
  cache.n_evict = 2;
  ck_assert(!sp_ref_cache_holds(&cache));
  cache.n_evict = 1;
  ck_assert(sp_ref_cache_holds(&cache));
  sp_ref_cache_clear(&cache);
}
END_TEST

/* tests: EV-15 (at the edge: what the new newest token saw is just there, or just not) */
START_TEST(truncation_at_the_edge) {
  sp_ref_cache cache;
  ck_assert(sp_ref_cache_init(&cache, 1, 4, 0));
  cache.n_undo = 2;
  ck_assert(sp_ref_cache_append(&cache, 20));
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 3), SP_LOST);
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 2), SP_OK);
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 1), SP_LOST); /* they stay lost */
  ck_assert(sp_ref_cache_append(&cache, 1));
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 1), SP_OK);
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 17), SP_OK); /* to the pinned one */
  ck_assert(sp_ref_cache_append(&cache, 3));
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 1), SP_OK); /* new tokens, none of them lost */
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 4), SP_INVALID);
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 0), SP_INVALID);
  ck_assert_int_eq(sp_ref_cache_truncate(&cache, 3), SP_OK);
  ck_assert_uint_eq(cache.n_retained, 0);
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
  tcase_add_loop_test(exhaustive, every_history_of_every_stream, 0, (MAX_S + 1) * MAX_W);
  suite_add_tcase(suite, exhaustive);
  TCase *blocks = tcase_create("EV-5");
  tcase_add_test(blocks, random_cuts);
  suite_add_tcase(suite, blocks);
  TCase *counting = tcase_create("EV-8");
  tcase_add_test(counting, counting_may_start_anywhere);
  tcase_add_test(counting, origins_do_not_matter);
  suite_add_tcase(suite, counting);
  TCase *capacity = tcase_create("EV-1");
  tcase_add_test(capacity, huge_capacities);
  tcase_add_test(capacity, planted_fault_is_seen);
  tcase_add_test(capacity, planted_machines_are_seen);
  suite_add_tcase(suite, capacity);
  TCase *undo = tcase_create("EV-15");
  tcase_add_test(undo, truncation_at_the_edge);
  suite_add_tcase(suite, undo);
  TCase *window = tcase_create("AT-5");
  tcase_add_test(window, visibility_at_the_ends_of_int64);
  suite_add_tcase(suite, window);
  return suite;
}
