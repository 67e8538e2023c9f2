/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's cache driven by random histories: blocks, further queries, truncations and lists,
 * interleaved over several sequences, at all positions. Every output is asked of the oracle's row
 * with the keys that the clauses name, listed here by the closed form, and at positions that are
 * counted here. */
#include "tests/asserts.h"
#include <math.h>

#include "ref/ref.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_sequences(void);

enum { D = 4, DV = 2, HEADS = 2, MAX_TOKENS = 64, MAX_SEQUENCES = 3, MAX_BLOCK = 9 };

/* What the clauses say about one sequence. */
typedef struct model {
  uint64_t length, f;
  float k[MAX_TOKENS][D], v[MAX_TOKENS][DV];
} model;

typedef struct world {
  sp_cache_config config;
  sp_cache *cache;
  const sp_cache_ops *ops;
  model sequence[MAX_SEQUENCES];
  uint64_t random;
} world;

static float number(world *w) {
  return (float)((double)sp_random_below(&w->random, 2001) / 512.0 - 2.0);
}

static void open_world(world *w, uint64_t seed) {
  static const uint64_t origins[] = {0, (UINT64_C(1) << 31) - 9, (UINT64_C(1) << 32) - 9,
                                     UINT64_C(1) << 63};
  *w = (world){.ops = sp_ref_kernel()->cache, .random = seed};
  sp_cache_config *c = &w->config;
  *c = (sp_cache_config){.size = sizeof *c,
                         .dtype_kv = SP_F32,
                         .n_heads = HEADS,
                         .n_kv_heads = 1,
                         .d_head = D,
                         .d_value = DV};
  c->n_sink_tokens = sp_random_below(&w->random, 4);
  c->window = 1 + sp_random_below(&w->random, 6);
  c->n_evict = sp_random_below(&w->random, c->window + 1);
  c->n_undo = sp_random_below(&w->random, 5);
  c->first_token = origins[seed % 4];
  c->n_sequences = sp_random_below(&w->random, MAX_SEQUENCES + 1);
  c->position = (uint32_t)(seed % 3);
  if (c->position != SP_POSITION_NONE) {
    c->rope_pairing = (uint32_t)(seed / 3 % 2);
    c->rope_dims = seed / 6 % 2 ? 4 : 2;
    c->rope_base = seed % 5 ? 10000.0 : 1.5;
  }
  REQUIRE(w->ops->open(&w->cache, c) == SP_OK);
}

static uint64_t n_evict(const world *w) {
  return w->config.n_evict ? w->config.n_evict : 1;
}

/* Vis(t), ascending. */
static uint64_t list_visible(const world *w, uint64_t t, uint64_t *list) {
  const uint64_t s = w->config.n_sink_tokens, k = n_evict(w), window = w->config.window;
  const uint64_t r = t < s ? 0 : t - s + 1;
  const uint64_t recent = r <= window ? r : window - k + 1 + (r - window - 1) % k;
  uint64_t n = 0;
  for (uint64_t j = 0; j <= t; j++)
    if (j < s || t - j < recent) list[n++] = j;
  return n;
}

/* spec EV-10 to the letter: a position for each token of the list, the last is the query's. */
static void check_row(const world *w, const model *m, uint64_t t, const float *q, const float *out,
                      float lse) {
  uint64_t list[MAX_TOKENS];
  int64_t position[MAX_TOKENS];
  double k[MAX_TOKENS][D], v[MAX_TOKENS][DV], query[D], expected[DV], keys, total;
  const uint64_t n = list_visible(w, t, list);
  const bool absolute = w->config.position == SP_POSITION_ABS;
  for (uint64_t i = 0; i < n; i++) {
    position[i] = (int64_t)(absolute ? list[i] : i);
    for (int c = 0; c < D; c++) k[i][c] = (double)m->k[list[i]][c];
    for (int c = 0; c < DV; c++) v[i][c] = (double)m->v[list[i]][c];
  }
  for (int c = 0; c < D; c++) query[c] = (double)q[c];
  const sp_ref_row_input in = {.n_kv = n,
                               .d_head = D,
                               .d_value = DV,
                               .q = query,
                               .k = k[0],
                               .k_stride = D,
                               .v = v[0],
                               .v_stride = DV,
                               .scale = 0.5,
                               .sink_logit = -INFINITY,
                               .masked = true,
                               .mask = {true, SP_WINDOW_ALL, 0},
                               .pos_q = position[n - 1],
                               .pos_k = position,
                               .rope = {.dims = (size_t)w->config.rope_dims,
                                        .interleaved = w->config.rope_pairing != 0,
                                        .base = w->config.rope_base}};
  (void)sp_ref_row_round(&in, 4096, SP_F32, NULL, expected, SP_F32, &keys, &total);
  for (int c = 0; c < DV; c++) REQUIRE((double)out[c] == expected[c]);
  REQUIRE((double)lse == total);
}

static void append(world *w, uint64_t s, uint64_t n, bool with_queries) {
  float q[MAX_BLOCK][HEADS][D], out[MAX_BLOCK][HEADS][DV], lse[MAX_BLOCK][HEADS];
  model *m = &w->sequence[s];
  for (uint64_t t = 0; t < n; t++) {
    for (int c = 0; c < HEADS * D; c++) q[t][c / D][c % D] = number(w);
    for (int c = 0; c < D; c++) m->k[m->length + t][c] = number(w);
    for (int c = 0; c < DV; c++) m->v[m->length + t][c] = number(w);
  }
  sp_cache_call call = {.size = sizeof call,
                        .n_threads = 1,
                        .sequence = s,
                        .n_tokens = n,
                        .k = {m->k[m->length], {0, D, D}, SP_F32, 0},
                        .v = {m->v[m->length], {0, DV, DV}, SP_F32, 0},
                        .scale = 0.5F};
  if (with_queries) {
    call.q = (sp_in){q, {0, HEADS * D, D}, SP_F32, 0};
    call.out = (sp_out){out, {0, HEADS * DV, DV}, SP_F32, 0};
    call.lse_total = (sp_out){lse, {0, HEADS, 1}, SP_F32, 0};
  }
  REQUIRE(w->ops->append(w->cache, &call) == SP_OK);
  for (uint64_t t = 0; t < n && with_queries; t++)
    for (int h = 0; h < HEADS; h++) check_row(w, m, m->length + t, q[t][h], out[t][h], lse[t][h]);
  m->length += n;
  const uint64_t most = w->config.window + w->config.n_undo;
  if (m->length > most && m->length - most > m->f) m->f = m->length - most;
}

static void attend(world *w, uint64_t s) {
  float q[HEADS][D], out[HEADS][DV], lse[HEADS];
  const model *m = &w->sequence[s];
  for (int c = 0; c < HEADS * D; c++) q[c / D][c % D] = number(w);
  const sp_cache_call call = {.size = sizeof call,
                              .n_threads = 1,
                              .sequence = s,
                              .n_tokens = 1,
                              .q = {q, {0, 0, D}, SP_F32, 0},
                              .out = {out, {0, 0, DV}, SP_F32, 0},
                              .lse_total = {lse, {0, 0, 1}, SP_F32, 0},
                              .scale = 0.5F};
  const sp_status status = w->ops->attend(w->cache, &call);
  REQUIRE(status == (m->length > 0 ? SP_OK : SP_INVALID));
  for (int h = 0; h < HEADS && status == SP_OK; h++)
    check_row(w, m, m->length - 1, q[h], out[h], lse[h]);
}

static void list(world *w, uint64_t s) {
  uint64_t expected[MAX_TOKENS], token[MAX_TOKENS], n = 0;
  const model *m = &w->sequence[s];
  const uint64_t n_expected = m->length > 0 ? list_visible(w, m->length - 1, expected) : 0;
  REQUIRE(w->ops->visible(w->cache, s, token, MAX_TOKENS, &n) == SP_OK && n == n_expected);
  for (uint64_t i = 0; i < n; i++) REQUIRE(token[i] == w->config.first_token + expected[i]);
}

static void truncate(world *w, uint64_t s, uint64_t n) {
  model *m = &w->sequence[s];
  uint64_t seen[MAX_TOKENS];
  sp_status expected = n == 0 || n > m->length ? SP_INVALID : SP_OK;
  if (expected == SP_OK && n < m->length) {
    const uint64_t n_seen = list_visible(w, m->length - n - 1, seen);
    for (uint64_t i = 0; i < n_seen; i++)
      if (seen[i] >= w->config.n_sink_tokens && seen[i] < m->f) expected = SP_LOST;
  }
  REQUIRE(w->ops->truncate(w->cache, s, n) == expected);
  if (expected != SP_OK) return;
  m->length -= n;
  if (m->f > m->length) m->f = m->length;
}

static void act(world *w) {
  const uint64_t n_sequences = w->config.n_sequences ? w->config.n_sequences : 1;
  const uint64_t s = sp_random_below(&w->random, n_sequences);
  const uint64_t n = 1 + sp_random_below(&w->random, MAX_BLOCK);
  switch (sp_random_below(&w->random, 6)) {
  case 0:
    attend(w, s);
    break;
  case 1:
    truncate(w, s, n / 2);
    break;
  case 2:
    truncate(w, s, sp_random_below(&w->random, w->sequence[s].length + 2));
    break;
  default:
    if (w->sequence[s].length + n <= MAX_TOKENS) append(w, s, n, n % 3 != 0);
  }
  list(w, s);
}

/* tests: EV-5, EV-6, EV-8, EV-9, EV-10, EV-13, EV-14, EV-15, EV-16 */
START_TEST(random_histories) {
  for (uint64_t seed = 0; seed < 60; seed++) {
    world w;
    open_world(&w, 100 * (uint64_t)_i + seed);
    for (int i = 0; i < 20; i++) act(&w);
    w.ops->close(w.cache);
  }
}
END_TEST

/* tests: KC-7, EV-9, EV-10, EV-11, EV-15, EV-16 */
START_TEST(illegal_configurations_are_refused) {
  world w;
  open_world(&w, 1);
  w.ops->close(w.cache);
  const sp_cache_config good = {.size = sizeof good,
                                .dtype_kv = SP_F32,
                                .window = 4,
                                .n_heads = 1,
                                .n_kv_heads = 1,
                                .d_head = 4,
                                .d_value = 1,
                                .n_evict = 4,
                                .n_sequences = 2,
                                .position = SP_POSITION_ABS,
                                .rope_dims = 4,
                                .rope_base = 1};
  sp_cache_config bad[10];
  for (int i = 0; i < 10; i++) bad[i] = good;
  bad[0].rope_dims = 3;
  bad[1].rope_dims = 6;
  bad[2].rope_dims = 0;
  bad[3].position = SP_POSITION_NONE;
  bad[4].position = 3;
  bad[5].rope_pairing = 2;
  bad[6].rope_base = INFINITY;
  bad[7].rope_base = 0.5;
  bad[8].n_evict = 5;
  bad[9].rope_base = NAN;
  sp_cache *cache = NULL;
  for (int i = 0; i < 10; i++)
    ck_assert_msg(w.ops->open(&cache, &bad[i]) == SP_INVALID && cache == NULL, "error %d", i);
  ck_assert_int_eq(w.ops->open(&cache, &good), SP_OK);
  uint64_t n = 7;
  ck_assert_int_eq(w.ops->visible(cache, 2, NULL, 0, &n), SP_INVALID);
  ck_assert_int_eq(w.ops->truncate(cache, 0, 1), SP_INVALID);
  ck_assert_int_eq(w.ops->truncate(cache, 2, 1), SP_INVALID);
  ck_assert_uint_eq(n, 7);
  w.ops->close(cache);
}
END_TEST

Suite *suite_ref_sequences(void) {
  Suite *suite = suite_create("ref_sequences");
  TCase *histories = tcase_create("EV-5");
  tcase_set_timeout(histories, 60);
  tcase_add_loop_test(histories, random_histories, 0, 4);
  suite_add_tcase(suite, histories);
  TCase *illegal = tcase_create("KC-7");
  tcase_add_test(illegal, illegal_configurations_are_refused);
  suite_add_tcase(suite, illegal);
  return suite;
}
