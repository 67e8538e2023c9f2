/* SPDX-License-Identifier: Apache-2.0 */
/* The causal bound and positions. Every later key outweighs the one before it, so the answer of
 * each row is the value of the last key it sees: any shift of the diagonal is visible in every row.
 * tests: AT-4, AT-5 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <stdlib.h>

/* Logits that rise by 5 with the position; values that name the key. No sink logit: one that is
 * visible in the last row would leave nothing of the first. */
static bool rising_scores(sp_gen *g) {
  sp_case *c = g->c;
  double *x = sp_gen_wanted(g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) {
    double rank = (double)j;
    if (c->pos_k != NULL) {
      rank = 0.0;
      for (size_t l = 0; l < c->n_kv; l++) rank += c->pos_k[l] < c->pos_k[j] ? 1.0 : 0.0;
    }
    x[j] = 5.0 * rank;
  }
  if (!sp_gen_scores(g, x, 0.3)) return false;
  sp_gen_values_name_keys(g);
  return true;
}

bool sp_make_causal_align(sp_case *c, const sp_generator_request *request) {
  static const struct {
    size_t n_q, n_kv;
  } shape[] = {{3, 8},   {1, 5},   {8, 3},  {5, 5},  {1, 40},  {5, 40}, {17, 16},  {2, 17},
               {16, 33}, {30, 12}, {1, 65}, {9, 64}, {33, 34}, {2, 1},  {64, 130}, {100, 70}};
  enum { N = sizeof shape / sizeof *shape };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, shape[g.index % N].n_kv, shape[g.index % N].n_q, 2, 3);
  return rising_scores(&g);
}

/* Positions that are not the index: with gaps, in reverse, in no order, far out. */
typedef enum arrangement {
  GAPS,
  REVERSED,
  SHUFFLED,
  FAR_OUT,
  VERY_FAR,
  N_ARRANGEMENTS
} arrangement;

static void place_keys(sp_gen *g, arrangement which, int64_t origin) {
  sp_case *c = g->c;
  for (size_t j = 0; j < c->n_kv; j++) {
    size_t rank = which == REVERSED ? c->n_kv - 1 - j : j;
    c->pos_k[j] = origin + (int64_t)rank * (which == GAPS ? 3 : 1);
  }
  if (which != SHUFFLED) return;
  for (size_t j = c->n_kv - 1; j > 0; j--) {
    size_t other = sp_rng_below(&g->rng, j + 1);
    int64_t t = c->pos_k[j];
    c->pos_k[j] = c->pos_k[other];
    c->pos_k[other] = t;
  }
}

bool sp_make_positions(sp_case *c, const sp_generator_request *request) {
  static const int64_t origins[] = {2, 0, 5, ((int64_t)1 << 31) - 4, ((int64_t)1 << 40) + 3};
  enum { N = N_ARRANGEMENTS * 3 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  arrangement which = (arrangement)(g.index % N_ARRANGEMENTS);
  size_t n = sp_rng_between(&g.rng, 2, 40);
  sp_gen_shape(&g, n, sp_rng_between(&g.rng, 1, 5), 2, 3);
  c->pos_k = calloc(c->n_kv, sizeof *c->pos_k);
  c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
  if (c->pos_k == NULL || c->pos_q == NULL) return false;
  place_keys(&g, which, origins[which]);
  uint64_t span = c->n_kv * (which == GAPS ? 3 : 1) + 2;
  for (size_t i = 0; i < c->n_q; i++)
    c->pos_q[i] = origins[which] + (int64_t)sp_rng_below(&g.rng, span);
  if (g.index % 3 == 1) sp_gen_window(&g, sp_rng_between(&g.rng, 1, c->n_kv));
  if (g.index % 3 == 1 && sp_gen_has(&g, SP_OPT_SINK_TOKENS) && which < FAR_OUT)
    c->n_sink_tokens = 4;
  return rising_scores(&g);
}

/* Every query sees the future too; under a window it sees all of it, since the distance to a later
 * key is negative. */
bool sp_make_noncausal(sp_case *c, const sp_generator_request *request) {
  enum { N = 4 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t n = sp_rng_between(&g.rng, 2, 33);
  sp_gen_shape(&g, n, sp_rng_between(&g.rng, 2, 6), 2, 4);
  if (c->n_q < 2) return false;
  c->causal = false;
  /* Short enough to hide a key from the last query at least. */
  if (g.index % N == 1) sp_gen_window(&g, sp_rng_between(&g.rng, 1, (c->n_kv + 1) / 2));
  if (g.index % N == 2) return rising_scores(&g);
  return sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) && sp_gen_finish(&g);
}
