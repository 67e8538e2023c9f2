/* SPDX-License-Identifier: Apache-2.0 */
/* Mutations of order: the script of a stream, and positions. */
#include <stdlib.h>

#include "certify/case/sequence.h"
#include "fuzz/mutation.h"

/* Blocks that fill a tile, or a few, to the last token or beyond. */
static size_t edge_block(const sp_mutation *m) {
  size_t tile = (size_t)8 << below(m, 5), n = tile * (1 + below(m, 2));
  return n - 1 + below(m, 3);
}

bool sp_fuzz_change_step(const sp_mutation *m) {
  sp_case *c = m->c;
  if (c->op != SP_OP_CACHE) return false;
  sp_cache_step *step = &c->script[below(m, c->n_steps)];
  size_t kind = below(m, 5);
  if (step->kind == SP_STEP_APPEND && kind < 2) {
    step->n_tokens = 1 + below(m, kind == 0 ? 4 : c->n_kv);
    if (sp_rng_one_in(m->rng, 3)) step->n_tokens = edge_block(m);
  } else if (step->kind == SP_STEP_APPEND && kind == 2) {
    step->with_queries = !step->with_queries;
  } else {
    static const sp_cache_step_kind kinds[] = {SP_STEP_APPEND, SP_STEP_TRUNCATE, SP_STEP_ATTEND,
                                               SP_STEP_TRUNCATE, SP_STEP_VISIBLE};
    size_t sequence = below(m, sp_case_sequences(c));
    *step = (sp_cache_step){.kind = kinds[below(m, 5)], .sequence = sequence};
    if (step->kind == SP_STEP_ATTEND || step->kind == SP_STEP_VISIBLE) return true;
    step->n_tokens = 1 + below(m, 6);
    step->with_queries = step->kind == SP_STEP_APPEND && sp_rng_one_in(m->rng, 2);
  }
  return true;
}

/* Steps go to one sequence after another, or to any: what one leaves behind meets another's queries. */
bool sp_fuzz_spread_sequences(const sp_mutation *m) {
  sp_case *c = m->c;
  if (c->op != SP_OP_CACHE) return false;
  if (c->n_sequences < 2) c->n_sequences = 2 + below(m, 3);
  bool in_turn = sp_rng_one_in(m->rng, 2);
  for (size_t s = 0; s < c->n_steps; s++)
    c->script[s].sequence = in_turn ? s % c->n_sequences : below(m, c->n_sequences);
  return true;
}

bool sp_fuzz_change_position(const sp_mutation *m) {
  sp_case *c = m->c;
  bool keys_too = c->pos_k != NULL && c->n_kv > 0;
  if (c->pos_q == NULL && !keys_too) return false;
  int64_t *pos = c->pos_q;
  size_t n = c->n_q;
  if (pos == NULL || (keys_too && sp_rng_one_in(m->rng, 2))) {
    pos = c->pos_k;
    n = c->n_kv;
  }
  size_t i = below(m, n);
  int64_t by = (int64_t)below(m, 9) - 4;
  if (sp_rng_one_in(m->rng, 4)) by *= INT64_C(1) << below(m, 32);
  if (pos[i] + by >= 0) pos[i] += by;
  return true;
}

/* Positions as far apart as a narrow integer counts, with a window that leaves the far ones out. */
bool sp_fuzz_far_positions(const sp_mutation *m) {
  static const unsigned bits[] = {8, 15, 16, 24, 31, 32};
  sp_case *c = m->c;
  if (c->op != SP_OP_ATTENTION || c->n_kv == 0 || c->n_kv > SP_FUZZ_LARGE_N) return false;
  if (c->pos_q == NULL) c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
  if (c->pos_q == NULL) return false;
  int64_t far = INT64_C(1) << bits[below(m, sizeof bits / sizeof *bits)];
  for (size_t i = 0; i < c->n_q; i++)
    c->pos_q[i] = far * (int64_t)below(m, 3) + (int64_t)below(m, c->n_kv);
  if (sp_rng_one_in(m->rng, 2)) c->window = 1 + below(m, c->n_kv);
  return true;
}
