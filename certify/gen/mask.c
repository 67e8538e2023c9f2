/* SPDX-License-Identifier: Apache-2.0 */
/* Masks. A tile, a part or a row without a visible key is where -inf meets -inf, where a finite
 * stand-in for minus infinity becomes a number again, and where a maximum is forgotten.
 * tests: AT-3, AT-9, SM-1 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>
#include <stdlib.h>

/* Ways in which rows come to have no visible key. */
typedef enum emptiness {
  NO_KEYS,      /* n = 0 */
  MORE_QUERIES, /* n_q > n_kv: the first rows precede every key */
  ONE_ROW,      /* one masked row among others */
  LEADING_ROWS, /* a block of masked rows, then plain ones */
  EVERY_ROW,    /* nothing but masked rows */
  BEFORE_ALL,   /* positions of queries below those of all keys */
  N_EMPTINESSES
} emptiness;

static bool emptiness_offered(const sp_gen *g, emptiness which) {
  bool attention = g->request->op == SP_OP_ATTENTION;
  switch (which) {
  case NO_KEYS:
    return sp_gen_has(g, SP_OPT_EMPTY);
  case MORE_QUERIES:
    return attention && sp_gen_has(g, SP_OPT_MORE_Q_THAN_KV | SP_OPT_PREFILL);
  case ONE_ROW:
  case LEADING_ROWS:
    return sp_gen_has(g, SP_OPT_MASK | (attention ? SP_OPT_PREFILL : 0));
  case EVERY_ROW:
    return sp_gen_has(g, SP_OPT_MASK);
  default:
    return attention && sp_gen_has(g, SP_OPT_POSITIONS);
  }
}

/* The first offered way from `start` on; N_EMPTINESSES when there is none. */
static emptiness choose_emptiness(const sp_gen *g, uint64_t start) {
  for (uint64_t i = 0; i < N_EMPTINESSES; i++) {
    emptiness which = (emptiness)((start + i) % N_EMPTINESSES);
    if (emptiness_offered(g, which)) return which;
  }
  return N_EMPTINESSES;
}

static void empty_shape(sp_gen *g, emptiness which) {
  sp_case *c = g->c;
  static const size_t length[] = {4, 16, 7, 1, 8, 32, 17, 20, 3, 12};
  size_t n_kv = length[sp_rng_below(&g->rng, 10)];
  size_t n_q = sp_rng_between(&g->rng, 1, 3);
  if (which == MORE_QUERIES) n_q = n_kv + sp_rng_between(&g->rng, 1, 16);
  if (which == ONE_ROW) n_q += 2;
  if (which == LEADING_ROWS) n_q = sp_rng_between(&g->rng, 3, 20);
  bool attention = g->request->op == SP_OP_ATTENTION;
  if (attention && (which == ONE_ROW || which == LEADING_ROWS)) n_kv += n_q;
  sp_gen_shape(g, n_kv, n_q, 3, 4);
  if (which == NO_KEYS) {
    c->n_kv = 0;
    if (c->op == SP_OP_ATTENTION && !sp_gen_has(g, SP_OPT_MORE_Q_THAN_KV)) c->n_q = 1;
  }
}

static bool empty_rows(sp_gen *g, emptiness which) {
  sp_case *c = g->c;
  size_t first = 0;
  size_t last = c->n_q;
  if (which == ONE_ROW) first = c->n_q / 2;
  if (which == ONE_ROW) last = first + 1;
  if (which == LEADING_ROWS && c->n_q > 1) last = c->n_q - 1 - c->n_q / 4;
  if (which == BEFORE_ALL) {
    c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
    c->pos_k = calloc(c->n_kv + 1, sizeof *c->pos_k);
    if (c->pos_q == NULL || c->pos_k == NULL) return false;
    for (size_t i = 0; i < c->n_q; i++) c->pos_q[i] = (int64_t)(i % 2 == 0 ? i : 50 + i);
    for (size_t j = 0; j < c->n_kv; j++) c->pos_k[j] = (int64_t)(30 + j);
  }
  if (which != ONE_ROW && which != LEADING_ROWS && which != EVERY_ROW) return true;
  for (size_t i = first; i < last; i++)
    for (size_t j = 0; j < c->n_kv; j++)
      if (!sp_gen_hide(g, i, j)) return false;
  return true;
}

/* Without a sink logit, with one near 0, and with one of -inf (which is none). */
bool sp_make_empty_rows(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_EMPTINESSES * 3)) return false;
  emptiness which = choose_emptiness(&g, g.index);
  if (which == N_EMPTINESSES) return false;
  empty_shape(&g, which);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5) || !empty_rows(&g, which)) return false;
  uint64_t sink = sp_gen_turn(&g, N_EMPTINESSES) % 3;
  if (sink == 0 || !sp_gen_has(&g, SP_OPT_SINK_LOGIT)) return true;
  double value[3];
  for (size_t h = 0; h < 3; h++)
    value[h] = sink == 2 && h != 1 ? -INFINITY : sp_rng_uniform(&g.rng, -3.0, 3.0);
  return sp_gen_sinks(&g, SP_F32, value, 3);
}

/* The lengths of masked runs: tile sizes from 16 to 1024 and their neighbours. */
static const size_t runs[] = {64, 16,  128, 1,   32,  256, 63,  65,   15,  17,  31,
                              33, 127, 129, 512, 511, 255, 257, 1024, 513, 1025};
enum { N_RUNS = sizeof runs / sizeof *runs };

/* Logits of the keys that stay: far below -104, where a maximum stuck at 0 leaves nothing; below
 * -20, where it does so in f16; and near 0. */
static double level(uint64_t pick) {
  return pick % 3 == 0 ? -150.0 : pick % 3 == 1 ? 0.0 : -22.0;
}

/* The hidden keys would win if they were seen. */
static bool masked_run(sp_gen *g, size_t from, size_t to, bool by_window) {
  sp_case *c = g->c;
  double *x = sp_gen_wanted(g);
  if (x == NULL) return false;
  double low = level(sp_gen_turn(g, N_RUNS));
  for (size_t j = 0; j < c->n_kv; j++) x[j] = low + (j >= from && j < to ? 10.0 : 0.0);
  if (!sp_gen_scores(g, x, 1.0)) return false;
  for (size_t j = from; j < to && !by_window; j++)
    if (!sp_gen_hide_from_all(g, j)) return false;
  return sp_gen_finish(g);
}

bool sp_make_first_tile_masked(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_RUNS)) return false;
  size_t run = runs[g.index % N_RUNS];
  size_t rest = sp_rng_between(&g.rng, 1, 40);
  sp_gen_shape(&g, run + rest, 1, 2, 3);
  if (c->n_kv < 2) return false;
  if (run >= c->n_kv) run = c->n_kv - 1;
  bool window = c->op == SP_OP_ATTENTION && sp_gen_has(&g, SP_OPT_WINDOW);
  bool mask = sp_gen_has(&g, SP_OPT_MASK);
  if (!window && !mask) return false;
  bool by_window = window && (!mask || sp_rng_one_in(&g.rng, 3));
  if (by_window) c->window = c->n_kv - run;
  return masked_run(&g, 0, run, by_window);
}

bool sp_make_last_tile_masked(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_RUNS)) return false;
  size_t run = runs[g.index % N_RUNS];
  sp_gen_shape(&g, run + sp_rng_between(&g.rng, 1, 40), 1, 2, 3);
  if (c->n_kv < 2) return false;
  if (run >= c->n_kv) run = c->n_kv - 1;
  return masked_run(&g, c->n_kv - run, c->n_kv, false);
}

typedef enum pattern {
  BAND,        /* a few keys around a centre that moves with the row */
  LONE_KEY,    /* one visible key, in each place in turn */
  RANDOM,      /* each pair of query and key hidden or not */
  ALTERNATING, /* every second key */
  ISLANDS,     /* both ends, nothing between */
  N_PATTERNS
} pattern;

static bool hidden(sp_gen *g, pattern which, size_t i, size_t j) {
  const sp_case *c = g->c;
  size_t centre = (i + 1) * c->n_kv / (c->n_q + 1);
  switch (which) {
  case BAND:
    return j + 5 < centre || j > centre + 5;
  case LONE_KEY:
    return j != (g->index * 37 + i * 11 + c->n_kv - 1) % c->n_kv;
  case ALTERNATING:
    return (i + j) % 2 == 0;
  case ISLANDS:
    return j > 2 && j + 3 < c->n_kv;
  default:
    return sp_rng_one_in(&g->rng, 2);
  }
}

/* A mask of its own for each query. */
bool sp_make_mask_holes(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {70, 320, 40, 130, 200, 17, 640};
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_PATTERNS * 7)) return false;
  pattern which = (pattern)(g.index % N_PATTERNS);
  sp_gen_shape(&g, length[sp_gen_turn(&g, N_PATTERNS) % 7], 5, 2, 3);
  if (c->op == SP_OP_ATTENTION && c->n_q > 1 && sp_gen_has(&g, SP_OPT_NONCAUSAL)) c->causal = false;
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = level(g.index / N_PATTERNS);
  if (!sp_gen_scores(&g, x, 2.0)) return false;
  for (size_t i = 0; i < c->n_q; i++)
    for (size_t j = 0; j < c->n_kv; j++)
      if (hidden(&g, which, i, j) && !sp_gen_hide(&g, i, j)) return false;
  return sp_gen_finish(&g);
}
