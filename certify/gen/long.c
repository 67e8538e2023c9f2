/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and streams of more than 2^16 keys, and calls of more than 2^16 rows. All of a row is visible now and then; mostly a few dozen
 * keys are, spread over the whole of it, so that the oracle has little to do however long the row is.
 * tests: AT-8, SM-2, EV-2, EV-4 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>

/* Visible are the first keys and the last, those around the powers of two from 2^12 on, and some. */
static bool hide_most(sp_gen *g) {
  sp_case *c = g->c;
  uint64_t some = 0, every = c->n_kv / 24 + 1;
  for (size_t j = 0; j < c->n_kv; j++) {
    size_t power = 1;
    while (power * 2 <= j + 1) power *= 2;
    bool edge = j < 2 || c->n_kv - j <= 5 || (power >= 4096 && j + 1 - power < 2);
    if (j == some)
      some += sp_rng_between(&g->rng, every / 2 + 1, every);
    else if (!edge && !sp_gen_hide_from_all(g, j))
      return false;
  }
  return true;
}

static bool is_long(const sp_generator_request *request) {
  return request->max_n == 0 || request->max_n > (1 << 16);
}

/* Under a window, under a mask, and with all keys visible; without those options, always the last. */
bool sp_make_very_long(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {131075, 70001, 66001, 262147, 100003};
  enum { N = sizeof length / sizeof *length };
  sp_gen g;
  if (!is_long(request) || !sp_gen_begin(&g, c, request, N)) return false;
  size_t n = length[g.index % N];
  bool attention = c->op == SP_OP_ATTENTION;
  bool window = attention && g.index % 2 == 1 && sp_gen_has(&g, SP_OPT_WINDOW);
  bool mask = !window && g.index % N != 2 && sp_gen_has(&g, SP_OPT_MASK);
  if (!window && !mask && n > 70001) n = 66000 + g.index % N;
  if (g.index / N == 3 && (window || mask)) n = ((size_t)1 << 20) + g.index;
  g.sparse = window || mask;
  c->n_kv = sp_gen_length(&g, n);
  c->d_head = c->d_value = 1 + g.index / N % 2;
  double *x = sp_gen_wanted(&g);
  if (x == NULL || !sp_gen_scores(&g, x, 1.0)) return false;
  if (window) c->window = sp_rng_between(&g.rng, 20, 90);
  if (window && sp_gen_has(&g, SP_OPT_SINK_TOKENS)) c->n_sink_tokens = 3;
  if (mask && !hide_most(&g)) return false;
  return sp_gen_finish(&g);
}

/* Calls of more than 2^8 and 2^16 rows, counted as queries or as heads of the entries of a batch: what a
 * row costs is next to nothing. */
bool sp_make_row_count(sp_case *c, const sp_generator_request *request) {
  static const struct {
    size_t n_batch, n_q, n_kv_heads, group;
  } shapes[] = {{33, 1, 4, 2}, {8195, 1, 2, 4}, {1, 270, 1, 1}, {1, 65541, 1, 1}};
  enum { N = sizeof shapes / sizeof *shapes };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t i = g.index % N, group = shapes[i].group;
  size_t n_rows = shapes[i].n_batch * shapes[i].n_q * shapes[i].n_kv_heads * group;
  bool softmax = c->op == SP_OP_SOFTMAX;
  c->n_kv = sp_gen_length(&g, softmax ? 1 + g.index / N % 3 : 2);
  if (!softmax && shapes[i].n_batch > 1 && !sp_gen_has(&g, SP_OPT_BATCH)) return false;
  sp_gen_queries(&g, softmax ? n_rows : shapes[i].n_q);
  if (!softmax) {
    sp_gen_batch(&g, shapes[i].n_batch);
    c->n_kv_heads = shapes[i].n_kv_heads;
    c->n_heads = c->n_kv_heads * (sp_gen_has(&g, SP_OPT_GQA) ? group : 1);
    c->d_head = c->d_value = 1 + g.index % 2;
  }
  return sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) && sp_gen_finish(&g);
}

/* A small cache that has seen many tokens, and one that holds as many. */
bool sp_make_cache_long(sp_case *c, const sp_generator_request *request) {
  enum { N = 3 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  bool large = g.index % N == 1 && is_long(request);
  size_t window = large ? 65550 : sp_rng_between(&g.rng, 3, 40);
  size_t n = (large ? 65600 : 65536) + sp_rng_between(&g.rng, 5, 500);
  sp_gen_stream(&g, n, g.index % N == 2 ? 0 : 4, window);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.0)) return false;
  size_t left = n;
  while (left > 3) {
    size_t block = sp_rng_between(&g.rng, 1, left < 9000 ? left - 2 : 9000);
    if (!sp_gen_step(&g, SP_STEP_APPEND, block, false)) return false;
    left -= block;
  }
  bool ok = sp_gen_step(&g, SP_STEP_VISIBLE, 0, false);
  for (; ok && left > 0; left--) ok = sp_gen_step(&g, SP_STEP_APPEND, 1, left < 3);
  return ok && sp_gen_step(&g, SP_STEP_VISIBLE, 0, false) && sp_gen_finish(&g);
}
