/* SPDX-License-Identifier: Apache-2.0 */
/* Trials of the diagnosis: windows, pinned tokens, causal bounds, masks. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diagnose/trials.h"

static void prompt(sp_case *c) { /* queries from the first position on */
  diag_attention(c, 1, 12, 12, true);
  c->window = 4;
  c->n_sink_tokens = 5;
}

static void all_see_all(sp_case *c) {
  diag_attention(c, 1, 5, 21, true);
  c->causal = false;
}

static void positions(sp_case *c) {
  diag_attention(c, 1, 3, 12, true);
  c->pos_q = calloc(3, sizeof *c->pos_q);
  c->pos_k = calloc(12, sizeof *c->pos_k);
  ck_assert(c->pos_q && c->pos_k);
  for (int i = 0; i < 3; i++) c->pos_q[i] = 20 + 3 * i;
  for (int j = 0; j < 12; j++) c->pos_k[j] = 3 * j;
}

static void leading_empty_without_sink(sp_case *c) {
  diag_attention(c, 1, 7, 3, false);
}

static void masked_low(sp_case *c) { /* all visible logits far below: a finite mask comes back */
  diag_masked(c);
  for (size_t i = 0; i < 80; i++)
    if (i % 3 != 0) sim_put(&c->key_bias, i, -60000);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, -60000);
}

static void fully_masked(sp_case *c) { /* query 1, which sees 18 keys by position */
  diag_masked(c);
  free(c->sink_logit.bits);
  c->sink_logit = (sp_array){0};
  for (size_t i = 20; i < 40; i++) sim_put(&c->key_bias, i, -INFINITY);
}

static void softmax_empty(sp_case *c) {
  diag_softmax(c);
  for (size_t j = 0; j < 39; j++) sim_put(&c->logits, 39 + j, -INFINITY);
}

static double unmasked(double v, double x) {
  return v == -INFINITY ? x : v;
}

static void window_plus(sp_case *c, double x) {
  c->window += (uint64_t)(int64_t)x;
}

static void window_none(sp_case *c, double x) {
  (void)x;
  c->window = SP_WINDOW_ALL;
}

static void pinned_plus(sp_case *c, double x) {
  c->n_sink_tokens += (uint64_t)(int64_t)x;
}

static void pinned_for_window(sp_case *c, double x) {
  pinned_plus(c, x);
  window_plus(c, -x);
}

static void causal_is(sp_case *c, double x) {
  c->causal = x > 0;
}

static void query_plus(sp_case *c, double x) {
  c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
  for (size_t i = 0; i < c->n_q; i++) c->pos_q[i] = (int64_t)(c->n_kv - c->n_q + i) + (int64_t)x;
}

static void top_left(sp_case *c, double x) {
  c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
  for (size_t i = 0; i < c->n_q; i++) c->pos_q[i] = (int64_t)(i + (size_t)x);
}

static void no_positions(sp_case *c, double x) {
  (void)x;
  free(c->pos_q);
  free(c->pos_k);
  c->pos_q = c->pos_k = NULL;
}

/* The mask as biases, one row per query, with the exception `x` says. */
static void mask_by_bias(sp_case *c, double x) {
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, c->n_q * c->n_kv));
  c->bias_rows = c->n_q;
  for (size_t i = 0; i < c->n_q; i++)
    for (size_t j = 0; j < c->n_kv; j++) {
      size_t pos = c->n_kv - c->n_q + i;
      bool seen = j <= pos && (pos - j < c->window || j < c->n_sink_tokens);
      if (x == 1) seen |= j < c->n_sink_tokens;
      if (x == 2) seen &= j >= c->n_kv - c->n_q;
      if (!seen) sim_put(&c->key_bias, i * c->n_kv + j, -INFINITY);
    }
  c->causal = false;
  c->window = SP_WINDOW_ALL;
}

static void no_mask(sp_case *c, double x) {
  (void)x;
  c->causal = false;
  c->window = SP_WINDOW_ALL;
}

static void mask_number(sp_case *c, double x) { /* … where positions hide, too */
  if (c->causal && c->n_q > 1) {
    for (size_t i = 0; i < c->n_q; i++)
      for (size_t j = c->n_kv - c->n_q + i + 1; j < c->n_kv; j++)
        sim_put(&c->key_bias, i * c->n_kv + j, -INFINITY);
    c->causal = false;
  }
  diag_each(&c->key_bias, unmasked, x);
}

static void mask_number_in_row_1(sp_case *c, double x) {
  for (size_t i = 20; i < 40; i++) sim_put(&c->key_bias, i, x);
}

static void empty_average(const sp_case *c, sp_outputs *o, double x) {
  (void)x;
  for (size_t i = 0; i < o->values.count; i++) {
    if (!isinf(sim_get(&o->lse_keys, i / 8))) continue;
    double sum = 0;
    size_t h = i / 8 % 4 / 2;
    for (size_t j = 0; j < c->n_kv; j++) sum += sim_get(&c->v, (j * 2 + h) * 8 + i % 8);
    sim_put(&o->values, i, sum / (double)c->n_kv);
  }
}

static const trial trials[] = {
    {"average of all values", leading_empty_without_sink, NULL, 0, empty_average, 0},
    {"masked by bias is the average", fully_masked, mask_number_in_row_1, -1e30, NULL, 0},
    {"has uniform weights", softmax_empty, NULL, 0, diag_empty_values_are, 1.0 / 39},
    {"window is one key too wide", diag_windowed, window_plus, 1, NULL, 0},
    {"window is one key too narrow", diag_windowed, window_plus, -1, NULL, 0},
    {"counted inside the window: they come", diag_windowed, window_plus, -3, NULL, 0},
    {"too wide by the number", diag_windowed, window_plus, 3, NULL, 0},
    {"the window is ignored", diag_windowed, window_none, 0, NULL, 0},
    {"(n_sink_tokens) are ignored", diag_windowed, pinned_plus, -3, NULL, 0},
    {"too many is pinned$", diag_windowed, pinned_plus, 1, NULL, 0},
    {"too few is pinned$", diag_windowed, pinned_plus, -1, NULL, 0},
    {"at the cost of the window$", diag_windowed, pinned_for_window, 1, NULL, 0},
    {"without the causal bound", prompt, mask_by_bias, 1, NULL, 0},
    {"aligned top-left", diag_plain, top_left, 0, NULL, 0},
    {"causal bound is ignored", diag_plain, causal_is, 0, NULL, 0},
    {"although causal is 0", all_see_all, causal_is, 1, NULL, 0},
    {"one position too late", diag_plain, query_plus, 1, NULL, 0},
    {"one position too early", diag_plain, query_plus, -1, NULL, 0},
    {"explicit positions are ignored", positions, no_positions, 0, NULL, 0},
    {"start at the query offset", diag_plain, mask_by_bias, 2, NULL, 0},
    {"no mask is applied by position", diag_windowed, no_mask, 0, NULL, 0},
    {"no mask is applied at all", diag_masked, mask_number, 0, NULL, 0},
    {"number -1e4", masked_low, mask_number, -1e4, NULL, 0},
    {"number -5e4", masked_low, mask_number, -5e4, NULL, 0},
};

trial_list trials_mask(void) {
  return (trial_list){trials, sizeof trials / sizeof trials[0]};
}
