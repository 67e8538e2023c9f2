/* SPDX-License-Identifier: Apache-2.0 */
/* Sums. The order in which keys arrive drives the running maximum and its rescaling; the ratio of
 * terms drives what an accumulator of few bits loses; signs in V drive cancellation.
 * tests: SM-2, SM-4, AT-8, NU-8 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

typedef enum order {
  ASCENDING,  /* the maximum moves at every key */
  DESCENDING, /* … never */
  SPIKE,      /* one key above all, in each tile in turn */
  ZIGZAG,     /* two interleaved ramps */
  STEPS,      /* a new level every 16, 32 or 64 keys */
  JUMP,       /* the second half lies out of reach of the first one's maximum */
  FALL,       /* … and the other way round */
  LAST,       /* all mass at the end, after a long plain */
  FIRST,      /* … at the start */
  N_ORDERS
} order;

static double ordered(order o, size_t j, size_t n, size_t at, size_t step) {
  double t = (double)j / (double)n;
  switch (o) {
  case ASCENDING:
    return 45.0 * t - 20.0;
  case DESCENDING:
    return 25.0 - 45.0 * t;
  case SPIKE:
    return j == at ? 12.0 : -2.0;
  case ZIGZAG:
    return (j % 2 == 0 ? 30.0 : -30.0) * t;
  case STEPS:
    return 3.0 * (double)(j / step);
  case JUMP:
    return j < n / 2 ? -70.0 : 70.0;
  case FALL:
    return j < n / 2 ? 70.0 : -70.0;
  case LAST:
    return j + 2 > n ? 28.0 : 0.0;
  default:
    return j < 2 ? 28.0 : 0.0;
  }
}

bool sp_make_running_max(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {129, 65, 200, 33, 320, 257, 64, 17};
  static const size_t step[] = {16, 32, 64};
  enum { N = N_ORDERS * 8 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  order o = (order)(g.index % N_ORDERS);
  size_t n = length[sp_gen_turn(&g, N_ORDERS) % 8];
  sp_gen_whole_shape(&g, n, 2, 2, 5);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  /* The spike visits each tile of 16: at its start, at its end, and in between. */
  size_t tile = g.index / N_ORDERS * 5 % (c->n_kv / 16 + 1);
  size_t offset = g.index / N_ORDERS % 3 == 0 ? 0 : g.index / N_ORDERS % 3 == 1 ? 15 : 7;
  size_t at = (tile * 16 + offset) % c->n_kv;
  for (size_t j = 0; j < c->n_kv; j++)
    x[j] = ordered(o, j, c->n_kv, at, step[g.index / N_ORDERS % 3]);
  return sp_gen_scores(&g, x, 0.3) && sp_gen_finish(&g);
}

/* One large term and many small ones that an accumulator of 8, 11 or 24 bits would swallow. The
 * values of the small ones are near 1 and that of the large one is 0, so the output is their
 * share. */
bool sp_make_small_terms(sp_case *c, const sp_generator_request *request) {
  static const double depth[] = {6.5, 9.0, 5.9, 8.0, 12.0, 17.0};
  static const size_t length[] = {600, 2100, 300, 4000};
  enum { N = 24 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  c->n_kv = sp_gen_length(&g, length[sp_gen_turn(&g, 6) % 4]);
  c->d_head = c->d_value = 1 + sp_rng_below(&g.rng, 2);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  size_t large = sp_rng_one_in(&g.rng, 3) ? c->n_kv / 2 : 0;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = j == large ? 3.0 : 3.0 - depth[g.index % 6];
  if (!sp_gen_scores(&g, x, 0.02)) return false;
  for (size_t e = 0; e < c->v.count; e++) {
    double share = 1.0 + 0.05 * sp_rng_bell(&g.rng);
    sp_gen_set(&c->v, e, e / c->d_value == large ? 0.0 : share);
  }
  return sp_gen_finish(&g);
}

/* Values of alternating sign that almost cancel: the output is small against its terms, and the
 * accepted interval must follow the terms while the kernel must not lose more. */
bool sp_make_cancellation(sp_case *c, const sp_generator_request *request) {
  enum { N = 16 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t n = 2 * sp_rng_between(&g.rng, 1, request->op == SP_OP_CACHE ? 8 : 40);
  sp_gen_shape(&g, n, 2, 2, 6);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 0.02)) return false;
  double size = g.index % N < 12 ? 1.0 : 1000.0;
  for (size_t e = 0; e < c->v.count; e++) {
    size_t j = e / (c->n_kv_heads * c->d_value) % c->n_kv;
    double v = 1.0 + sp_rng_bell(&g.rng) / 32.0;
    sp_gen_set(&c->v, e, j % 2 == 0 ? size * v : -size * v);
  }
  return sp_gen_finish(&g);
}
