/* SPDX-License-Identifier: Apache-2.0 */
/* The sink logit: dropped, counted twice, read with the wrong type or from the wrong head, left out
 * of the maximum. It is placed by the mass it takes, because a sink logit near the largest logit of
 * a long row is numerically invisible. tests: AL-2, AL-4, CT-6 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>

/* Masses 0.01, 0.3, 0.7 and 0.99 in turn over the heads; delta is ln(p / (1 - p)). */
bool sp_make_sink_mass(sp_case *c, const sp_generator_request *request) {
  static const double mass[] = {0.7, 0.3, 0.99, 0.01};
  static const size_t length[] = {33, 7, 64, 1, 130, 16, 2, 300};
  enum { N = 8 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t n = length[g.index % N];
  sp_gen_shape(&g, request->op == SP_OP_CACHE ? 1 + n % 40 : n, 3, 6, 8);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  double offset = sp_rng_one_in(&g.rng, 2) ? 0.0 : sp_rng_uniform(&g.rng, -60.0, 60.0);
  for (size_t j = 0; j < c->n_kv; j++) x[j] = offset;
  if (!sp_gen_scores(&g, x, 1.5)) return false;
  if (c->op == SP_OP_CACHE && !sp_gen_random_script(&g, 4)) return false;
  double delta[4];
  for (size_t h = 0; h < 4; h++) {
    double p = mass[(h + sp_gen_turn(&g, N)) % 4];
    delta[h] = sp_gen_log(p / (1.0 - p));
  }
  return sp_gen_sinks_near(&g, SP_F32, delta, 4);
}

/* Which keys the row has. */
typedef enum company { PLAIN, FAR_BELOW, NOTHING_VISIBLE, NO_KEYS, N_COMPANIES } company;

static bool extreme_keys(sp_gen *g, company which) {
  sp_case *c = g->c;
  size_t n = sp_rng_between(&g->rng, 1, 20);
  sp_gen_shape(g, n, sp_rng_between(&g->rng, 1, 2), 3, 4);
  if (which == NO_KEYS) {
    c->n_kv = 0;
    c->n_q = 1;
  }
  double *x = sp_gen_wanted(g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = which == FAR_BELOW ? -200.0 : 0.0;
  if (!sp_gen_scores(g, x, 1.5)) return false;
  for (size_t j = 0; which == NOTHING_VISIBLE && j < c->n_kv; j++)
    if (!sp_gen_hide_from_all(g, j)) return false;
  return true;
}

/* Sink logits 89 to 95 above the keys, where e^(s - max) overflows binary32 but the weights do not
 * vanish yet; few keys and large values, so that the output does not vanish either. */
static bool just_above(sp_gen *g) {
  sp_case *c = g->c;
  /* Binary16 outputs vanish, binary64 does not overflow: binary32 where it is offered. */
  bool softmax = c->op == SP_OP_SOFTMAX;
  uint32_t f32 = SP_DTYPE_BIT(SP_F32);
  if (((softmax ? g->request->dtypes_softmax : g->request->dtypes_q) & f32) != 0)
    c->dtype_q = SP_F32;
  if (!softmax && (g->request->dtypes_kv & f32) != 0) c->dtype_kv = SP_F32;
  sp_gen_shape(g, sp_rng_between(&g->rng, 1, 3), 2, 3, 4);
  if (!sp_gen_scores(g, sp_gen_wanted(g), 1.5)) return false;
  double size = c->dtype_kv == SP_F16 ? 0x1p+10 : 0x1p+60;
  for (size_t e = 0; e < c->v.count; e++) sp_gen_set(&c->v, e, size * sp_gen_get(&c->v, e));
  if (c->op == SP_OP_CACHE && !sp_gen_random_script(g, 4)) return false;
  double delta[4];
  for (size_t h = 0; h < 4; h++) delta[h] = sp_rng_uniform(&g->rng, 89.2, 95.0);
  return sp_gen_sinks_near(g, SP_F32, delta, 4);
}

/* A row that sees a single key has a rational log-sum-exp and output, up to e^s. Where these can lie
 * halfway between two numbers of the output format, e^s alone decides the rounding, and below -1500
 * no oracle computes that far. Products of 16-bit numbers, and outputs narrower than the values, do
 * lie halfway now and then; products of wider numbers practically never. */
static bool decidable(const sp_case *c) {
  if (c->op == SP_OP_SOFTMAX || c->n_kv == 0) return true;
  bool wide = c->dtype_q == SP_F32 || c->dtype_q == SP_F64;
  if (wide && c->dtype_q == c->dtype_kv) return true;
  return c->op == SP_OP_ATTENTION && c->n_kv >= c->n_q + 2;
}

/* Sink logits that overflow or vanish against the keys. A kernel that leaves them out of the
 * maximum gets infinity; one that treats a large negative number as "none" may find it again. */
bool sp_make_sink_extreme(sp_case *c, const sp_generator_request *request) {
  /* NAN stands for just_above; INFINITY comes last, as it needs an option. */
  static const double extreme[] = {100.0, -INFINITY, 1e30, -1e30, 200.0,     NAN,     -110.0,
                                   0.0,   -1e4,      3e4,  709.9, -100000.0, INFINITY};
  enum { N_ALL = sizeof extreme / sizeof *extreme };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_ALL * N_COMPANIES)) return false;
  size_t n = sp_gen_has(&g, SP_OPT_NONFINITE) ? N_ALL : N_ALL - 1;
  company which = (company)(sp_gen_turn(&g, n) % N_COMPANIES);
  bool cache = request->op == SP_OP_CACHE;
  if (which == NOTHING_VISIBLE && (cache || !sp_gen_has(&g, SP_OPT_MASK))) which = PLAIN;
  if (which == NO_KEYS && (cache || !sp_gen_has(&g, SP_OPT_EMPTY))) which = FAR_BELOW;
  if (isnan(extreme[g.index % n])) return just_above(&g);
  if (!extreme_keys(&g, which)) return false;
  if (cache && !sp_gen_random_script(&g, 4)) return false;
  /* Three values of the list, over the heads; none is a round number in binary. */
  double value[3];
  for (size_t h = 0; h < 3; h++) {
    double s = extreme[(g.index + 4 * h) % n];
    if (isnan(s)) s = 92.0;
    if (isfinite(s) && s < -1500.0 && !decidable(c)) s = -1500.0;
    value[h] = isfinite(s) ? s * sp_rng_uniform(&g.rng, 0.99, 1.0) : s;
  }
  return sp_gen_sinks(&g, SP_F32, value, 3);
}

/* bf16 and f32 sink logits in turn, different in every head and with full mantissas: read as the
 * other type, the low halves of f32 numbers become wild bf16 numbers. */
bool sp_make_sink_dtype(sp_case *c, const sp_generator_request *request) {
  enum { N = 2 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 3, 24), 3, 12, 6);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  if (c->op == SP_OP_CACHE && !sp_gen_random_script(&g, 4)) return false;
  double delta[5];
  for (size_t h = 0; h < 5; h++) delta[h] = sp_rng_uniform(&g.rng, -1.0, 2.5);
  return sp_gen_sinks_near(&g, g.index % N == 0 ? SP_BF16 : SP_F32, delta, 5);
}

/* Many rows and heads, each head with a sink logit of its own: a wrong head index, a sink logit on
 * the first row only, or one per kv head gives another answer. */
bool sp_make_sink_heads(sp_case *c, const sp_generator_request *request) {
  static const size_t heads[] = {6, 3, 8, 5, 12};
  enum { N = sizeof heads / sizeof *heads };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t n = sp_rng_between(&g.rng, 5, 12);
  sp_gen_shape(&g, n, sp_rng_between(&g.rng, 5, 7), 1, 4);
  sp_gen_batch(&g, 1 + g.index % 3);
  size_t n_heads = heads[g.index % N];
  if (c->op != SP_OP_SOFTMAX) {
    c->n_heads = c->n_kv_heads = n_heads;
    if (sp_gen_has(&g, SP_OPT_GQA) && n_heads % 3 == 0) c->n_kv_heads = 3;
  }
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.0)) return false;
  if (c->op == SP_OP_CACHE && !sp_gen_random_script(&g, 4)) return false;
  /* Steps of 0.4 around the log-sum-exp, in an order that no small modulus reproduces. */
  static const double delta[] = {-1.6, 1.2, 0.0, 2.0, -0.8, 1.6, -0.4, 0.8, -2.0, 2.8, 0.4, -1.2};
  return sp_gen_sinks_near(&g, SP_F32, delta, sizeof delta / sizeof *delta);
}
