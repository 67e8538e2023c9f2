/* SPDX-License-Identifier: Apache-2.0 */
/* Heads, batch entries, rows and memory: which of several equal-looking things is read. Heads and
 * entries differ by more than any rounding, so a wrong index is never close.
 * tests: AT-7, AT-8, KC-4, KC-5 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <stdlib.h>

/* Values around 4 * (head + 1) for each kv head, so that the answer tells which one was read. */
static void tell_kv_heads(sp_gen *g) {
  sp_case *c = g->c;
  for (size_t e = 0; e < c->v.count; e++) {
    size_t h_kv = e / c->d_value % c->n_kv_heads;
    sp_gen_set(&c->v, e, 4.0 * (double)(h_kv + 1) + sp_rng_bell(&g->rng));
  }
}

/* Groups whose size is not their number: h mod n_kv_heads and h / n_kv_heads are both wrong. */
bool sp_make_gqa(sp_case *c, const sp_generator_request *request) {
  static const struct {
    size_t n_heads, n_kv_heads;
  } shape[] = {{6, 2},  {2, 1},  {6, 3},  {8, 2},  {12, 3}, {5, 1},  {8, 4},
               {14, 2}, {16, 1}, {24, 2}, {27, 3}, {34, 2}, {130, 2}};
  enum { N = sizeof shape / sizeof *shape };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  /* In decode a group is often what a tile is made of, so its size is cut to that of one. */
  sp_gen_shape(&g, sp_rng_between(&g.rng, 2, 14), 1 + sp_gen_turn(&g, N) % 2, 1, 6);
  c->n_heads = shape[g.index % N].n_heads;
  c->n_kv_heads = shape[g.index % N].n_kv_heads;
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  tell_kv_heads(&g);
  return sp_gen_finish(&g);
}

/* Decode and prefill, over keys that fill pages of 16 or do not. */
bool sp_make_batch(sp_case *c, const sp_generator_request *request) {
  static const size_t n_batch[] = {3, 2, 5, 7};
  static const size_t length[] = {48, 7, 16, 33, 64, 1, 32, 17};
  enum { N = 8 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, length[g.index % N], sp_gen_turn(&g, N) % 2 == 0 ? 1 : 3, 3, 6);
  sp_gen_batch(&g, n_batch[g.index % 4]);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  size_t per_entry = c->v.count / c->n_batch;
  for (size_t e = 0; e < c->v.count; e++)
    sp_gen_set(&c->v, e, sp_gen_get(&c->v, e) + 5.0 * (double)(e / per_entry));
  return sp_gen_finish(&g);
}

/* The last row of a prefill and the same row decoded alone, as a pair of cases: the even index
 * makes all queries, the odd one the last query of the same tensors. */
bool sp_make_prefill_decode(sp_case *c, const sp_generator_request *request) {
  enum { N = 16 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_generator_request pair = *request;
  pair.index = request->index / 2;
  if (!sp_gen_begin(&g, c, &pair, N / 2)) return false;
  size_t n_q = sp_rng_between(&g.rng, 2, 18);
  sp_gen_shape(&g, n_q + sp_rng_between(&g.rng, 0, 40), n_q, 3, 5);
  if (c->n_q < 2) return false;
  if (sp_rng_one_in(&g.rng, 3)) sp_gen_window(&g, sp_rng_between(&g.rng, 1, c->n_kv));
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) || !sp_gen_finish(&g)) return false;
  if (request->index % 2 == 0) return true;
  sp_array all = c->q;
  size_t row = c->n_heads * c->d_head;
  c->q = (sp_array){0};
  bool ok = sp_array_alloc(&c->q, c->dtype_q, row);
  for (size_t e = 0; ok && e < row; e++)
    sp_gen_set(&c->q, e, sp_gen_get(&all, (c->n_q - 1) * row + e));
  c->n_q = 1;
  free(all.bits);
  return ok;
}

/* Where the tensors lie: each misalignment in turn, both guard sides, padded rows, heads outside
 * rows. The values of neighbours are large, so a stray read shows even where no page ends. */
bool sp_make_layout(sp_case *c, const sp_generator_request *request) {
  enum { N = 64 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 1, 40), 3, 4, 20);
  sp_gen_batch(&g, 1 + g.index % 2);
  /* 37 and 64 have no common factor: a few cases already meet odd and even ones. */
  c->layout.misalign = (uint32_t)((g.index * 37 + 1) % 64);
  bool strides = sp_gen_has(&g, SP_OPT_STRIDES);
  if (strides) c->layout.row_pad = (uint32_t)(g.index % 3 == 0 ? 0 : g.index * 5 % 33 + 1);
  if (strides && c->op != SP_OP_SOFTMAX) c->layout.head_major = g.index / 2 % 2 == 0;
  return sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) && sp_gen_finish(&g);
}
