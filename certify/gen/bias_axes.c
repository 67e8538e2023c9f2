/* SPDX-License-Identifier: Apache-2.0 */
/* Biases and masks that differ between heads or between the entries of a batch: relative positions
 * learned for each head, and entries of unequal length that were padded to one. A kernel that lets
 * one row of biases serve all is right on every shared bias. tests: AT-3, AL-7 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>

static bool bias_with_axes(sp_gen *g, bool batches, bool rows, bool heads) {
  sp_case *c = g->c;
  c->bias_batches = batches ? c->n_batch : 1;
  c->bias_rows = rows ? c->n_q : 1;
  c->bias_heads = heads ? c->n_heads : 1;
  return sp_array_alloc(&c->key_bias, SP_F32,
                        c->bias_batches * c->bias_rows * c->bias_heads * c->n_kv);
}

/* Each row hides a third of the keys from its queries, and others than its neighbours do. */
static void hide_some(sp_gen *g) {
  sp_array *bias = &g->c->key_bias;
  for (size_t e = 0; e < bias->count; e++)
    if (sp_rng_one_in(&g->rng, 3)) sp_ref_store(SP_F32, bias->bits, e, -INFINITY);
}

/* Every set of axes that has more than the queries' own, in prefill and in decode. */
bool sp_make_bias_axes(sp_case *c, const sp_generator_request *request) {
  enum { BATCHES = 1, ROWS = 2, HEADS = 4 };
  static const unsigned sets[] = {HEADS,        BATCHES,        HEADS | BATCHES,
                                  HEADS | ROWS, BATCHES | ROWS, HEADS | BATCHES | ROWS};
  enum { N = sizeof sets / sizeof *sets };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  unsigned set = sets[g.index % N];
  c->scale = 0.3F;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 3, 90), sp_gen_turn(&g, N) % 3 + 1, 6, 9);
  if (set & BATCHES) sp_gen_batch(&g, sp_rng_between(&g.rng, 2, 3));
  bool rows = (set & ROWS) && sp_gen_has(&g, SP_OPT_MASK) && c->n_q > 1;
  if (c->n_heads == 1 && !((set & BATCHES) && c->n_batch > 1)) c->n_heads = c->n_kv_heads = 3;
  /* Any run has a group whose heads have biases of their own. spec: AT-7 */
  if (set == HEADS && c->n_heads == c->n_kv_heads && sp_gen_has(&g, SP_OPT_GQA)) c->n_heads *= 2;
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  if (!bias_with_axes(&g, (set & BATCHES) != 0, rows, (set & HEADS) != 0)) return false;
  sp_gen_bells(&g, &c->key_bias, 2.0);
  if (sp_gen_turn(&g, N) % 2 == 0 && sp_gen_has(&g, SP_OPT_MASK)) hide_some(&g);
  return sp_gen_finish(&g);
}

/* Hide key j from all queries of entry b, and leave in it what would be noticed. */
static void pad(sp_gen *g, size_t b, size_t j, double garbage) {
  sp_case *c = g->c;
  size_t n_k = c->n_kv_heads * c->d_head, n_v = c->n_kv_heads * c->d_value;
  sp_gen_set(&c->key_bias, sp_case_bias_row(c, b, 0, 0) + j, -INFINITY);
  for (size_t e = 0; e < n_k && isnan(garbage); e++)
    sp_gen_set(&c->k, sp_gen_k_at(c, b, j, 0) + e, garbage);
  for (size_t e = 0; e < n_v; e++) sp_gen_set(&c->v, sp_gen_v_at(c, b, j, 0) + e, garbage);
}

/* Entries of unequal length, padded on the left or on the right; each row still sees a key. */
bool sp_make_padded_batch(sp_case *c, const sp_generator_request *request) {
  enum { N = 6 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 6, 90), sp_rng_one_in(&g.rng, 2) ? 1 : 4, 4, 9);
  sp_gen_batch(&g, sp_rng_between(&g.rng, 2, 4));
  if (c->n_q >= c->n_kv || c->n_batch < 2) return false;
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  if (!bias_with_axes(&g, true, false, false)) return false;
  bool left = g.index % 2 == 1;
  for (size_t b = 0; b < c->n_batch; b++) {
    size_t n = b == g.index % c->n_batch ? 0 : sp_rng_below(&g.rng, c->n_kv - c->n_q) + 1;
    for (size_t j = 0; j < n; j++)
      pad(&g, b, left ? j : c->n_kv - 1 - j, g.index % 3 == 2 ? (double)NAN : 1000.0);
  }
  return sp_gen_finish(&g);
}
