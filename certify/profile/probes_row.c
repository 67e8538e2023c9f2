/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of a row: who is seen, and what stands in a row where nobody is. spec: CT-13 */
#include <math.h>

#include "certify/profile/probe.h"

/* ---- a term that nobody asked for ---- */

static bool three_ones(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_keys(asker, c, 3)) return false;
  for (size_t j = 0; j < 3; j++) sp_probe_logit(c, j, 1);
  return true;
}

static void fixed_sink(const sp_asker *asker, unsigned answer, double *e) {
  const double ones[3] = {1, 1, 1};
  const sp_asker plain = {asker->kernel, NULL, asker->d};
  sp_expect_weights(&plain, ones, 3, answer == SP_FIXED_ZERO ? 1 : 0, e);
}

/* ---- windows ---- */

/* Keys that a window parameter shows to the last of n, by what is known or supposed. */
static unsigned recent(size_t n, unsigned counts, unsigned parameter) {
  unsigned w = parameter + (counts == SP_WINDOW_LEFT) - (counts == SP_WINDOW_LESS);
  return ((1u << n) - 1) & ~((1u << (n - w)) - 1);
}

static bool window_3_of_8(const sp_asker *asker, sp_case *c) {
  c->window = 3;
  return sp_probe_keys(asker, c, 8);
}

static unsigned window(const sp_asker *asker, unsigned answer) {
  (void)asker;
  return recent(8, answer, 3);
}

static bool pinned_2_window_4(const sp_asker *asker, sp_case *c) {
  c->window = 4;
  c->n_sink_tokens = 2;
  return sp_probe_keys(asker, c, 8);
}

static unsigned pinned(const sp_asker *asker, unsigned answer) {
  unsigned w = answer == SP_PINNED_INSIDE ? 2 : 4;
  return 3u | recent(8, sp_convention(asker->known, SP_ASK_WINDOW), w);
}

/* ---- the causal diagonal ---- */

static bool two_queries_six_keys(const sp_asker *asker, sp_case *c) {
  return sp_probe_rows(asker, c, 2, 6);
}

static unsigned first_of_two(const sp_asker *asker, unsigned answer) {
  (void)asker;
  return answer == SP_CAUSAL_TOP_LEFT ? 1u : 31u;
}

static bool one_query_six_keys(const sp_asker *asker, sp_case *c) {
  return sp_probe_rows(asker, c, 1, 6);
}

static unsigned only_one(const sp_asker *asker, unsigned answer) {
  (void)asker;
  return answer == SP_CAUSAL_TOP_LEFT ? 1u : 63u;
}

/* ---- rows without keys ---- */

static bool all_hidden(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_keys(asker, c, 4)) return false;
  if (!sp_array_alloc(&c->key_bias, SP_F32, 4)) return false;
  for (size_t j = 0; j < 4; j++) sp_probe_set(&c->key_bias, j, -INFINITY);
  return true;
}

static bool all_absent(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_keys(asker, c, 4)) return false;
  for (size_t j = 0; j < 4; j++) sp_probe_logit(c, j, -INFINITY);
  return true;
}

/* Aligned top-left, no row is empty. */
static bool five_queries_four_keys(const sp_asker *asker, sp_case *c) {
  return sp_convention(asker->known, SP_ASK_CAUSAL) != SP_CAUSAL_TOP_LEFT &&
         sp_probe_rows(asker, c, 5, 4);
}

static void empty_row(const sp_asker *asker, unsigned answer, double *e) {
  (void)asker;
  for (size_t j = 0; j < SP_PROBE_KEYS; j++)
    e[j] = answer == SP_EMPTY_NAN ? NAN : answer == SP_EMPTY_AVERAGE && j < 4 ? 0.25 : 0;
}

/* ---- what hidden slots hold ---- */

static void spoil(sp_case *c, size_t j) {
  for (size_t i = j * c->d_head; i < (j + 1) * c->d_head; i++) {
    sp_probe_set(&c->k, i, NAN);
    sp_probe_set(&c->v, i, NAN);
  }
}

static bool future_is_nan(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_rows(asker, c, 4, 4)) return false;
  spoil(c, 3);
  return true;
}

static bool first_is_masked_nan(const sp_asker *asker, sp_case *c) {
  if (!all_hidden(asker, c)) return false;
  for (size_t j = 1; j < 4; j++) sp_probe_set(&c->key_bias, j, 0);
  spoil(c, 0);
  return true;
}

static bool outside_is_nan(const sp_asker *asker, sp_case *c) {
  c->window = 2;
  if (!sp_probe_keys(asker, c, 6)) return false;
  spoil(c, 0);
  return true;
}

static void three_seen(const sp_asker *asker, unsigned answer, double *e, unsigned first) {
  double x[SP_PROBE_KEYS];
  for (size_t j = 0; j < 4; j++) x[j] = j >= first && j < first + 3 ? 0 : -INFINITY;
  sp_expect_weights(asker, x, 4, 0, e);
  for (size_t j = 0; answer == SP_MASKED_POISONS && j < SP_PROBE_KEYS; j++) e[j] = NAN;
}

static void but_the_last(const sp_asker *asker, unsigned answer, double *e) {
  three_seen(asker, answer, e, 0);
}

static void but_the_first(const sp_asker *asker, unsigned answer, double *e) {
  three_seen(asker, answer, e, 1);
}

static void last_in_window(const sp_asker *asker, unsigned answer, double *e) {
  double x[SP_PROBE_KEYS];
  unsigned seen = recent(6, sp_convention(asker->known, SP_ASK_WINDOW), 2);
  for (size_t j = 0; j < 6; j++) x[j] = seen >> j & 1 ? 0 : -INFINITY;
  sp_expect_weights(asker, x, 6, 0, e);
  for (size_t j = 0; answer == SP_MASKED_POISONS && j < SP_PROBE_KEYS; j++) e[j] = NAN;
}

/* ---- grouped heads ---- */

static bool four_heads_two_kv(const sp_asker *asker, sp_case *c) {
  c->n_heads = 4;
  c->n_kv_heads = 2;
  return sp_probe_rows(asker, c, 1, 1);
}

/* Head 1: the value of kv head h is one-hot at h. */
static void second_head(const sp_asker *asker, unsigned answer, double *e) {
  for (size_t j = 0; j < SP_PROBE_KEYS; j++) e[j] = 0;
  e[answer == SP_GQA_MODULO] = 1 / (1 + sp_expect_fixed(asker));
}

static bool cache_heads(const sp_asker *asker, sp_case *c) {
  c->n_heads = 4;
  c->n_kv_heads = 2;
  return sp_probe_keys(asker, c, 1);
}

#define A SP_OP_ATTENTION
#define V SP_OUT_VALUES

static const sp_probe list[] = {
    {SP_ASK_FIXED_SINK, 0, SP_OP_SOFTMAX, "3 logits of 1, no sink logit: weights", three_ones, V, 0,
     3, NULL, fixed_sink},
    {SP_ASK_FIXED_SINK, 1, A, "3 keys with logit 1, no sink logit: weights in the last row",
     three_ones, V, SP_LAST_ROW, 8, NULL, fixed_sink},
    {SP_ASK_FIXED_SINK, 2, SP_OP_CACHE, "3 tokens with logit 1, no sink logit: weights at the last",
     three_ones, V, SP_LAST_ROW, 8, NULL, fixed_sink},
    {SP_ASK_WINDOW, 0, A, "8 equal keys, window 3: weights in the last row", window_3_of_8, V,
     SP_LAST_ROW, 8, window, NULL},
    {SP_ASK_PINNED, 0, A, "8 equal keys, window 4, 2 pinned: weights in the last row",
     pinned_2_window_4, V, SP_LAST_ROW, 8, pinned, NULL},
    {SP_ASK_CAUSAL, 0, A, "2 queries, 6 equal keys, causal: weights in row 0", two_queries_six_keys,
     V, 0, 8, first_of_two, NULL},
    {SP_ASK_CAUSAL, 1, A, "1 query, 6 equal keys, causal: weights", one_query_six_keys, V, 0, 8,
     only_one, NULL},
    {SP_ASK_EMPTY, 0, A, "4 keys, all with a bias of -inf: output of the last row", all_hidden, V,
     SP_LAST_ROW, 8, NULL, empty_row},
    {SP_ASK_EMPTY, 1, A, "5 queries, 4 keys, causal: output of row 0, which sees none",
     five_queries_four_keys, V, 0, 8, NULL, empty_row},
    {SP_ASK_EMPTY, 2, SP_OP_SOFTMAX, "4 logits of -inf: weights", all_absent, V, 0, 4, NULL,
     empty_row},
    {SP_ASK_MASKED_NAN, 0, A, "4 keys, the last with NaN in k and v, causal: weights in row 2",
     future_is_nan, V, 2, 8, NULL, but_the_last},
    {SP_ASK_MASKED_NAN, 1, A, "4 keys, the first with a bias of -inf and NaN in k and v: weights",
     first_is_masked_nan, V, SP_LAST_ROW, 8, NULL, but_the_first},
    {SP_ASK_MASKED_NAN, 2, A, "6 keys, window 2, the first with NaN in k and v: weights",
     outside_is_nan, V, SP_LAST_ROW, 8, NULL, last_in_window},
    {SP_ASK_GQA, 0, A, "4 heads over 2 kv heads, one key: which value head 1 returns",
     four_heads_two_kv, V, 1, 8, NULL, second_head},
    {SP_ASK_GQA, 1, SP_OP_CACHE, "4 heads over 2 kv heads, one token: which value head 1 returns",
     cache_heads, V, 1, 8, NULL, second_head},
};

sp_probes sp_probes_row(void) {
  return (sp_probes){list, sizeof list / sizeof *list};
}
