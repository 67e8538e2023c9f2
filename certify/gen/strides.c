/* SPDX-License-Identifier: Apache-2.0 */
/* Strides that no small integer holds, and strides that point backwards. Tensors of a few rows lie
 * billions of elements apart, in address space that costs nothing: what a kernel with 32-bit offsets
 * meets in a long context, at the price of a short one. tests: KC-4 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

bool sp_make_strides(sp_case *c, const sp_generator_request *request) {
  static const struct {
    uint32_t reach;
    bool reversed;
  } layouts[] = {{31, false}, {0, true}, {32, false}, {31, true}};
  enum { N = 4 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 3, 12), 1 + sp_gen_turn(&g, N) % 3, 4, 6);
  sp_gen_batch(&g, 1 + sp_gen_round_of(&g, N) % 3);
  c->layout.reach = layouts[g.index % N].reach;
  c->layout.reversed = layouts[g.index % N].reversed;
  c->layout.row_pad = (uint32_t)sp_rng_below(&g.rng, 3);
  c->layout.head_major = c->op != SP_OP_SOFTMAX && sp_gen_round_of(&g, N) % 2 == 1;
  return sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) && sp_gen_finish(&g);
}
