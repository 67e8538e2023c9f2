/* SPDX-License-Identifier: Apache-2.0 */
/* What must not be read, and what must not be hidden. Hidden slots hold NaN, infinities or huge
 * numbers: a kernel that multiplies them by a weight of 0, or masks by adding a large negative
 * number, shows it. Visible NaN and infinities must reach exactly the results they belong to.
 * tests: AT-3, SM-5, SM-6, AL-4, EV-4 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>
#include <stdlib.h>

typedef enum poison { QUIET_NAN, PLUS_INF, MINUS_INF, HUGE_NUMBER, N_POISONS } poison;

static double poison_value(poison which) {
  switch (which) {
  case QUIET_NAN:
    return NAN;
  case PLUS_INF:
    return INFINITY;
  case MINUS_INF:
    return -INFINITY;
  default:
    return 0x1p+126; /* the largest number, where the format ends before */
  }
}

static void poison_key(sp_gen *g, size_t b, size_t j, poison which) {
  sp_case *c = g->c;
  double x = poison_value(which);
  size_t n_k = c->n_kv_heads * c->d_head;
  size_t n_v = c->n_kv_heads * c->d_value;
  for (size_t e = 0; e < n_k; e++) sp_gen_set(&c->k, sp_gen_k_at(c, b, j, 0) + e, x);
  for (size_t e = 0; e < n_v; e++) sp_gen_set(&c->v, sp_gen_v_at(c, b, j, 0) + e, x);
}

/* How the poisoned slots are hidden. */
typedef enum cover { BY_MASK, BY_WINDOW, BY_FUTURE, N_COVERS } cover;

static bool cover_offered(const sp_gen *g, cover which) {
  if (which == BY_MASK) return sp_gen_has(g, SP_OPT_MASK);
  return sp_gen_has(g, which == BY_WINDOW ? SP_OPT_WINDOW : SP_OPT_POSITIONS);
}

static bool covered(sp_gen *g, cover which, size_t j) {
  const sp_case *c = g->c;
  switch (which) {
  case BY_WINDOW:
    return j < c->n_kv / 2;
  case BY_FUTURE:
    return j > c->n_kv / 2;
  default:
    return sp_rng_one_in(&g->rng, 3) || j == 0;
  }
}

static bool set_cover(sp_gen *g, cover which) {
  sp_case *c = g->c;
  if (which == BY_WINDOW) c->window = c->n_kv - c->n_kv / 2;
  if (which != BY_FUTURE) return true;
  c->pos_q = malloc(sizeof *c->pos_q);
  if (c->pos_q == NULL) return false;
  c->pos_q[0] = (int64_t)(c->n_kv / 2);
  return true;
}

static bool poisoned_attention(sp_gen *g) {
  sp_case *c = g->c;
  cover which = (cover)(g->index % N_COVERS);
  for (int i = 0; i < N_COVERS && !cover_offered(g, which); i++)
    which = (cover)((which + 1) % N_COVERS);
  if (!cover_offered(g, which)) return false;
  sp_gen_shape(g, sp_rng_between(&g->rng, 4, 80), which == BY_MASK ? 3 : 1, 3, 6);
  sp_gen_batch(g, 1 + g->index % 2);
  if (!sp_gen_scores(g, sp_gen_wanted(g), 1.5) || !set_cover(g, which)) return false;
  poison with = (poison)(g->index / N_COVERS % N_POISONS);
  for (size_t j = 0; j < c->n_kv; j++) {
    if (!covered(g, which, j)) continue;
    if (which == BY_MASK && !sp_gen_hide_from_all(g, j)) return false;
    for (size_t b = 0; b < c->n_batch; b++) poison_key(g, b, j, with);
  }
  return sp_gen_finish(g);
}

/* A NaN or infinite logit under a bias of -inf. */
static bool poisoned_softmax(sp_gen *g) {
  sp_case *c = g->c;
  if (!sp_gen_has(g, SP_OPT_MASK)) return false;
  g->hide_in_logits = false;
  sp_gen_shape(g, sp_rng_between(&g->rng, 2, 80), 3, 1, 1);
  if (!sp_gen_scores(g, sp_gen_wanted(g), 1.5)) return false;
  for (size_t i = 0; i < c->n_q; i++)
    for (size_t j = 0; j < c->n_kv; j++) {
      if (!sp_rng_one_in(&g->rng, 3)) continue;
      if (!sp_gen_hide(g, i, j)) return false;
      sp_gen_set(&c->logits, i * c->n_kv + j, poison_value((poison)(g->index % N_POISONS)));
    }
  return sp_gen_finish(g);
}

/* Tokens that are evicted before anything is asked. */
static bool poisoned_stream(sp_gen *g) {
  sp_case *c = g->c;
  size_t window = sp_rng_between(&g->rng, 1, 9);
  sp_gen_shape(g, 1, 1, 3, 6);
  size_t n_sink_tokens = g->index % 4;
  sp_gen_stream(g, n_sink_tokens + window + sp_rng_between(&g->rng, 6, 30), n_sink_tokens, window);
  if (!sp_gen_scores(g, sp_gen_wanted(g), 1.5)) return false;
  size_t quiet = c->n_kv - 3;
  for (size_t j = c->n_sink_tokens; j + c->window <= quiet; j++)
    poison_key(g, 0, j, (poison)(g->index % N_POISONS));
  for (size_t left = quiet; left > 0;) {
    size_t block = sp_rng_between(&g->rng, 1, left);
    if (!sp_gen_step(g, SP_STEP_APPEND, block, false)) return false;
    left -= block;
  }
  return sp_gen_step(g, SP_STEP_APPEND, 3, true) && sp_gen_step(g, SP_STEP_ATTEND, 1, true) &&
         sp_gen_finish(g);
}

bool sp_make_masked_poison(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_COVERS * N_POISONS)) return false;
  if (request->op == SP_OP_SOFTMAX) return poisoned_softmax(&g);
  return request->op == SP_OP_ATTENTION ? poisoned_attention(&g) : poisoned_stream(&g);
}

/* One NaN (or, in q, k and logits, an infinity) in each kind of place in turn: a query (its row is
 * invalid), a key (the rows that see it are), one component of a value (that component of these
 * rows is NaN), a sink logit (the rows of its head are invalid). */
bool sp_make_visible_nan(sp_case *c, const sp_generator_request *request) {
  enum { N = 6 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 3, 30), 4, 3, 5);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5) || !sp_gen_finish(&g)) return false;
  uint64_t place = g.index % N;
  double x = place % 2 == 0 ? NAN : INFINITY;
  if (place == 4 && sp_gen_has(&g, SP_OPT_SINK_LOGIT)) {
    static const double delta[] = {0.3, -0.4, 1.1};
    if (!sp_gen_sinks_near(&g, SP_F32, delta, 3)) return false;
    sp_gen_set(&c->sink_logit, sp_rng_below(&g.rng, c->sink_logit.count), NAN);
  } else if (c->op == SP_OP_SOFTMAX) {
    sp_gen_set(&c->logits, sp_rng_below(&g.rng, c->logits.count), x);
  } else if (place < 2) {
    sp_gen_set(&c->q, sp_rng_below(&g.rng, c->q.count), x);
  } else if (place < 4) {
    sp_gen_set(&c->k, sp_rng_below(&g.rng, c->k.count), x);
  } else {
    sp_gen_set(&c->v, sp_rng_below(&g.rng, c->v.count), NAN);
  }
  return true;
}

/* One and two logits of +inf, as logits or as biases, and a sink logit of +inf beside them. */
bool sp_make_plus_inf(sp_case *c, const sp_generator_request *request) {
  enum { N = 4 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  bool bias = request->op == SP_OP_ATTENTION;
  if (bias && !sp_gen_has(&g, SP_OPT_KEY_BIAS)) return false;
  /* Times a negative scale it is still no absent key. */
  if (!bias && sp_gen_turn(&g, N) % 2 == 1 && sp_gen_has(&g, SP_OPT_SCALE)) c->scale = -0.5F;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 2, 20), 3, 2, 4);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  if (bias && !sp_gen_bias(&g, false)) return false;
  sp_array *at = bias ? &c->key_bias : &c->logits;
  for (uint64_t i = 0; i < 1 + g.index % 2; i++)
    sp_gen_set(at, sp_rng_below(&g.rng, at->count), INFINITY);
  if (g.index % N < 2 || !sp_gen_has(&g, SP_OPT_SINK_LOGIT)) return true;
  static const double value[] = {INFINITY, 0.4, -INFINITY};
  return sp_gen_sinks(&g, SP_F32, value, 3);
}
