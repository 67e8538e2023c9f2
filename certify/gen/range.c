/* SPDX-License-Identifier: Apache-2.0 */
/* Range. Wide rows are where the exponential is tested, and where a floor or a flush of small
 * weights shows; far-off rows are where a finite stand-in for minus infinity, or a maximum that was
 * never subtracted, shows. tests: SM-2, SM-5, AT-3, NU-10 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>
#include <stdlib.h>

/* Distances below the maximum that fill [0, D] evenly, in random order: 52 values of D up to 104,
 * where binary32 weights have long been subnormal (87.3) and reach zero (103.97), then beyond. */
bool sp_make_range(sp_case *c, const sp_generator_request *request) {
  static const double beyond[] = {105.0, 126.0, 150.0, 300.0, 700.0, 746.0};
  enum { N_DENSE = 52, N_BEYOND = sizeof beyond / sizeof *beyond, N = N_DENSE + N_BEYOND };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  /* 21 and N have no common factor: a few cases already reach the whole range. */
  size_t which = (g.index * 21 + 50) % N;
  double spread = which < N_DENSE ? 2.0 * (double)(which + 1) : beyond[which - N_DENSE];
  sp_gen_whole_shape(&g, sp_rng_between(&g.rng, 2, 64), 2, 2, 4);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  double top = sp_rng_uniform(&g.rng, -8.0, 8.0);
  for (size_t j = 0; j < c->n_kv; j++) x[j] = top - sp_rng_uniform(&g.rng, 0.0, spread);
  if (c->n_kv > 1) x[sp_rng_below(&g.rng, c->n_kv)] = top - spread;
  x[sp_rng_below(&g.rng, c->n_kv)] = top;
  return sp_gen_scores(&g, x, 0.01) && sp_gen_finish(&g);
}

/* Values that make up for the weights: v[j] is near e^(D_j), so that keys far below the maximum
 * contribute as much as the others. Weights that are cut off below a floor are missed. Where they are
 * the last normal numbers of binary32, all keys but one are that deep, and that one has the value 0. */
bool sp_make_weight_floor(sp_case *c, const sp_generator_request *request) {
  static const double depth[] = {9.0, 16.0, 22.0, 30.0, 40.0, 55.0, 65.0, 87.3, 80.0};
  enum { N = sizeof depth / sizeof *depth };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  double most = depth[g.index % N];
  if (c->dtype_kv == SP_F16 && most > 10.0) most = 10.0; /* e^11 is near its largest number */
  /* Logits that are rounded to bfloat16 would be past the last normal weights. */
  if (c->dtype_kv == SP_BF16) most = fmin(most, 80.0);
  sp_gen_shape(&g, sp_rng_between(&g.rng, 4, 70), 1, 2, 3);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  double least = most > 70.0 ? most - 1.5 : 0.0;
  for (size_t j = 1; j < c->n_kv; j++) x[j] = -sp_rng_uniform(&g.rng, least, most);
  double *value = calloc(c->n_kv + 1, sizeof *value);
  for (size_t j = 0; value != NULL && j < c->n_kv; j++) value[j] = sp_gen_exp(fmin(-x[j], 65.0));
  if (value != NULL && least > 0.0) value[0] = 0.0;
  bool ok = sp_gen_scores(&g, x, 0.01) && value != NULL;
  for (size_t e = 0; ok && e < c->v.count; e++) {
    size_t j = e / (c->n_kv_heads * c->d_value) % c->n_kv;
    sp_gen_set(&c->v, e, value[j] * sp_rng_uniform(&g.rng, 0.5, 1.5));
  }
  free(value);
  /* A sink logit would make the last normal numbers subnormal, which is another hazard. */
  return ok && (least > 0.0 ? sp_gen_script(&g) : sp_gen_finish(&g));
}

/* The largest logit that binary16 holds with room for the noise; products of q and k go on. */
static double within(const sp_case *c, double offset) {
  if (c->op != SP_OP_SOFTMAX || c->dtype_q != SP_F16) return offset;
  return fmax(-60000.0, fmin(60000.0, offset));
}

/* A row moved by a constant: the weights stay, a lost maximum or a sum of large exponents shows. */
bool sp_make_offset(sp_case *c, const sp_generator_request *request) {
  static const double offsets[] = {300.0,   -300.0,   3000.0,   -3000.0, 90.0,
                                   20000.0, -20000.0, -60000.0, 250000.0};
  enum { N = sizeof offsets / sizeof *offsets };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  double offset = within(c, offsets[g.index % N]);
  sp_gen_whole_shape(&g, sp_rng_between(&g.rng, 2, 80), 2, 2, 8);
  if (c->d_head == 1) c->d_head = 2; /* the noise needs a component of its own */
  if (c->d_value == 1 && !sp_gen_has(&g, SP_OPT_D_VALUE)) c->d_value = 2;
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = offset;
  /* Logits of 16 bits are far apart out there: let the noise be a few of their steps. */
  double step = c->op == SP_OP_SOFTMAX ? sp_ref_ulp(c->dtype_q, offset) : 0.0;
  double noise = fmin(60.0, fmax(2.0, 0.7 * step));
  return sp_gen_scores(&g, x, noise) && sp_gen_finish(&g);
}

/* Numbers that have stood in for minus infinity somewhere, and logits that go below them. */
static const double sentinels[] = {-5e4,    -1e4, -60000.0, -65504.0, -1e5, -2e4,
                                   -2.45e5, -3e5, -1e6,     -200.0,   -1e30};
enum { N_SENTINELS = sizeof sentinels / sizeof *sentinels };

/* All equal to the sentinel, or the last keys one step above and below it. A step that is too far
 * for any exponential (more than 1000) is left out: it would only repeat the equal case. */
static void set_exactly(sp_gen *g, sp_array *array, size_t stride, double sentinel, bool steps) {
  double at = sp_gen_nearest(array->dtype, sentinel);
  double above = sp_ref_next(array->dtype, at, true);
  double below = sp_ref_next(array->dtype, at, false);
  bool near = isfinite(below) && above - at < 1000.0;
  for (size_t e = 0; e < array->count; e += stride) {
    uint64_t pick = steps && near ? sp_rng_below(&g->rng, 3) : 0;
    sp_gen_set(array, e, pick == 0 ? at : pick == 1 ? above : below);
  }
}

static bool exact_sentinels(sp_gen *g, double sentinel, bool steps) {
  sp_case *c = g->c;
  if (!sp_gen_tensors(g)) return false;
  if (c->op == SP_OP_SOFTMAX) {
    set_exactly(g, &c->logits, 1, sentinel, steps);
    return true;
  }
  /* The sentinel is k[0] times q[0], a power of two where binary16 needs one; other components stay
   * 0. */
  double q = c->dtype_kv == SP_F16 && sentinel < -40000.0 ? 64.0 : 1.0;
  for (size_t e = 0; e < c->q.count; e += c->d_head) sp_gen_set(&c->q, e, q);
  set_exactly(g, &c->k, c->d_head, sentinel / q, steps);
  sp_gen_bells(g, &c->v, 1.0);
  return true;
}

static bool near_sentinels(sp_gen *g, double sentinel) {
  sp_case *c = g->c;
  double *x = sp_gen_wanted(g);
  if (x == NULL) return false;
  double offset = within(c, sentinel);
  for (size_t j = 0; j < c->n_kv; j++) x[j] = offset - (c->op == SP_OP_SOFTMAX ? 2.0 : 0.0);
  return sp_gen_scores(g, x, 2.0);
}

bool sp_make_sentinels(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_SENTINELS)) return false;
  double sentinel = sentinels[g.index % N_SENTINELS];
  uint64_t mode = sp_gen_turn(&g, N_SENTINELS) % 3;
  sp_gen_whole_shape(&g, sp_rng_between(&g.rng, 2, 40), 2, 2, 4);
  if (c->d_head == 1 && sp_gen_has(&g, SP_OPT_D_VALUE)) c->d_head = 3;
  /* Beyond 10^7 no f32 kernel could tell near logits apart, so there they are equal. */
  bool near = mode == 0 && sentinel > -1e7;
  bool ok = near ? near_sentinels(&g, sentinel) : exact_sentinels(&g, sentinel, mode == 2);
  /* A masked key beside valid ones of the sentinel's size must not win. */
  bool hide = sp_rng_one_in(&g.rng, 2) && sp_gen_has(&g, SP_OPT_MASK) && c->n_kv > 2;
  if (hide && c->op != SP_OP_CACHE)
    ok = ok && sp_gen_hide_from_all(&g, sp_rng_below(&g.rng, c->n_kv));
  return ok && sp_gen_finish(&g);
}
