/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that a kernel serves, where it serves only some. Hazards seldom depend on a dimension or on
 * the size of a group, so a case that came out another way is moved to a shape served. Dimensions
 * are then larger than a generator would choose, and the oracle has its price for each product: what
 * a case may cost is limited here. spec: KC-11 */
#include "certify/gen/tools.h"

/* Products of one case, and the number from which on it gets the smallest dimensions. */
enum { MOST_PRODUCTS = 1500000, MANY_PRODUCTS = 1 << 17 };

/* Elements of the keys of a head, where few of them are visible. */
enum { MOST_ELEMENTS = 5000000 };

static size_t n_dims(const sp_shapes *s) {
  size_t n = 0;
  while (n < SP_MAX_SHAPES && s->dims[n].d_head != 0) n++;
  return n;
}

static size_t n_groups(const sp_shapes *s) {
  size_t n = 0;
  while (n < SP_MAX_SHAPES && s->group[n] != 0) n++;
  return n;
}

static size_t smallest_dims(const sp_shapes *s) {
  size_t best = 0;
  for (size_t i = 1; i < n_dims(s); i++)
    if (s->dims[i].d_head < s->dims[best].d_head) best = i;
  return best;
}

static size_t smallest_group(const sp_shapes *s) {
  size_t best = 0;
  for (size_t i = 1; i < n_groups(s); i++)
    if (s->group[i] < s->group[best]) best = i;
  return best;
}

size_t sp_gen_affordable(const sp_gen *g) {
  const sp_shapes *s = &g->request->shapes;
  size_t d = n_dims(s) > 0 ? s->dims[smallest_dims(s)].d_head : 1;
  size_t group = n_groups(s) > 0 ? s->group[smallest_group(s)] : 1;
  if (s->size == 0) return SIZE_MAX;
  return g->sparse ? MOST_ELEMENTS / d : MOST_PRODUCTS / (d * group);
}

/* Keys that a row sees, as far as it is known here, for all rows. */
static size_t pairs_of(const sp_gen *g) {
  const sp_case *c = g->c;
  size_t n_kv = g->sparse && c->n_kv > 100 ? 100 : c->n_kv;
  if (c->op == SP_OP_CACHE && g->quiet) return 2 * c->n_heads * n_kv;
  if (c->op == SP_OP_CACHE && c->window + c->n_sink_tokens < n_kv)
    n_kv = (size_t)(c->window + c->n_sink_tokens);
  return c->n_batch * c->n_q * c->n_heads * n_kv;
}

static void fit_dims(sp_gen *g) {
  const sp_shapes *s = &g->request->shapes;
  sp_case *c = g->c;
  size_t n = n_dims(s);
  if (n == 0) return;
  bool many = pairs_of(g) > MANY_PRODUCTS / s->dims[0].d_head;
  size_t pick = many ? smallest_dims(s) : (size_t)(sp_rng_mix(g->index) % n);
  c->d_head = s->dims[pick].d_head;
  c->d_value = s->dims[pick].d_value;
  if (c->rope_dims > 0 && !sp_gen_has(g, SP_OPT_ROPE_PARTIAL)) c->rope_dims = c->d_head;
  if (c->rope_dims > c->d_head) c->rope_dims = c->d_head - c->d_head % 2;
}

static void fit_heads(sp_gen *g) {
  const sp_shapes *s = &g->request->shapes;
  sp_case *c = g->c;
  size_t n = n_groups(s);
  if (n == 0) return;
  for (size_t i = 0; i < n; i++)
    if (c->n_heads == c->n_kv_heads * s->group[i]) return;
  /* About as many heads as before, and of a few groups as many. */
  size_t group = s->group[sp_rng_mix(g->index + 1) % n];
  size_t kept = c->n_heads / group > 0 ? c->n_heads / group : 1;
  if (c->n_kv_heads > 3 || kept > c->n_kv_heads) c->n_kv_heads = kept;
  c->n_heads = c->n_kv_heads * group;
}

static void fewest_heads(sp_gen *g) {
  const sp_shapes *s = &g->request->shapes;
  size_t group = n_groups(s) > 0 ? s->group[smallest_group(s)] : 1;
  g->c->n_kv_heads = 1;
  g->c->n_heads = group;
}

bool sp_gen_fit(sp_gen *g) {
  const sp_shapes *s = &g->request->shapes;
  if (g->request->op == SP_OP_SOFTMAX || s->size == 0) return true;
  fit_heads(g);
  fit_dims(g);
  if (pairs_of(g) * g->c->d_head > MOST_PRODUCTS) fewest_heads(g);
  if (pairs_of(g) * g->c->d_head > MOST_PRODUCTS) return false;
  return sp_case_served(g->c, s);
}
