/* SPDX-License-Identifier: Apache-2.0 */
/* Element types. A kernel has code of its own for each combination of the types of q, of k and v, and
 * of the sink logits, and often for short and long rows besides: every combination that is offered is
 * met with every such shape. tests: NU-1, AL-2 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

typedef struct combination {
  sp_dtype q, kv, sink; /* sink 0: no sink logits */
} combination;

static const sp_dtype element_types[] = {SP_F32, SP_BF16, SP_F16, SP_F64};
static const sp_dtype sink_types[] = {SP_BF16, SP_F32, 0};
enum { N_TYPES = 4, N_SINKS = 3, N_COMBINATIONS = N_TYPES * N_TYPES * N_SINKS };

static bool offered(const sp_generator_request *request, const combination *t) {
  bool softmax = request->op == SP_OP_SOFTMAX;
  if (softmax && t->kv != t->q) return false;
  uint32_t first = softmax ? request->dtypes_softmax : request->dtypes_q;
  uint32_t second = softmax ? request->dtypes_softmax : request->dtypes_kv;
  if (!(first & SP_DTYPE_BIT(t->q)) || !(second & SP_DTYPE_BIT(t->kv))) return false;
  return t->sink == 0 || (request->options & SP_OPT_SINK_LOGIT) != 0;
}

static size_t combinations(const sp_generator_request *request, combination *list) {
  size_t n = 0;
  for (size_t s = 0; s < N_SINKS; s++)
    for (size_t shift = N_TYPES; shift-- > 0;) /* unequal ones first */
      for (size_t a = 0; a < N_TYPES; a++) {
        list[n] =
            (combination){element_types[a], element_types[(a + shift) % N_TYPES], sink_types[s]};
        n += offered(request, &list[n]);
      }
  return n;
}

/* Decode, a prefill, a row of several tiles, a row that is cut into parts, many heads. */
static void shape_of(sp_gen *g, uint64_t which) {
  static const struct {
    size_t n, n_q, heads, d;
  } shapes[] = {{23, 1, 3, 9}, {150, 1, 2, 4}, {12, 5, 3, 33}, {600, 1, 1, 2}, {40, 17, 2, 3}};
  size_t at = which % 5;
  sp_gen_shape(g, shapes[at].n, shapes[at].n_q, shapes[at].heads, shapes[at].d);
  if (g->c->op == SP_OP_CACHE && g->c->n_kv > 150) sp_gen_whole_shape(g, 150, 1, 2, 3);
}

bool sp_make_types(sp_case *c, const sp_generator_request *request) {
  combination list[N_COMBINATIONS + 1];
  size_t n = combinations(request, list);
  if (n == 0) return false;
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, n)) return false;
  const combination *t = &list[g.index % n];
  c->dtype_q = t->q;
  c->dtype_kv = t->kv;
  shape_of(&g, sp_gen_turn(&g, n));
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  if (c->op == SP_OP_CACHE && !sp_gen_script(&g)) return false;
  double delta[3];
  for (size_t i = 0; i < 3; i++) delta[i] = sp_rng_uniform(&g.rng, -1.0, 2.0);
  return t->sink == 0 || sp_gen_sinks_near(&g, t->sink, delta, 3);
}
