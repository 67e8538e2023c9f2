/* SPDX-License-Identifier: Apache-2.0 */
/* Values at the ends of a format, and values that make up for weights of almost nothing.
 * tests: NU-2, NU-10, SM-2, SM-4, SM-6 */
#include <math.h>

#include "certify/gen/list.h"
#include "certify/gen/tools.h"

static double least_normal(sp_dtype dtype) {
  return dtype == SP_F16 ? 0x1p-14 : dtype == SP_F64 ? 0x1p-1022 : 0x1p-126;
}

/* Outputs in binary16 of values that have a wider range, where that is offered. */
static bool narrows(sp_gen *g) {
  static const sp_dtype wider[] = {SP_BF16, SP_F32, SP_F64};
  const sp_generator_request *request = g->request;
  size_t first = sp_rng_below(&g->rng, 3);
  if (!(request->dtypes_q & SP_DTYPE_BIT(SP_F16))) return false;
  for (size_t i = 0; i < 3; i++) {
    sp_dtype dtype = wider[(first + i) % 3];
    if (!(request->dtypes_kv & SP_DTYPE_BIT(dtype))) continue;
    g->c->dtype_q = SP_F16;
    g->c->dtype_kv = dtype;
    return true;
  }
  return false;
}

/* Outputs that are subnormal, of both signs, or beyond the largest number of a narrower output type:
 * they round like all others, to subnormals and to infinity. Keys of one component agree in sign. */
bool sp_make_tiny_values(sp_case *c, const sp_generator_request *request) {
  enum { N = 8 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  bool large = g.index % 2 == 1 && narrows(&g);
  sp_gen_shape(&g, sp_rng_between(&g.rng, 1, 9), 2, 2, 4);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.0)) return false;
  double below = ldexp(1.0, -(int)(g.index / 2 % 4));
  double size = large ? 65504.0 : least_normal(c->dtype_q) * below;
  for (size_t e = 0; e < c->v.count; e++) {
    double x = size * (1.0 + sp_rng_bell(&g.rng) / 8.0);
    sp_gen_set(&c->v, e, e % c->d_value % 2 == 0 ? -x : x);
  }
  return sp_gen_finish(&g);
}

/* Keys whose weights are almost nothing come first and have the largest values; the maximum comes tiles
 * later. What a rescale keeps too much of, because its factor has a floor, is all that is left. */
bool sp_make_early_weights(sp_case *c, const sp_generator_request *request) {
  static const double depth[] = {25.0, 45.0, 60.0, 9.0, 35.0};
  static const size_t length[] = {70, 33, 200, 140};
  enum { N = sizeof depth / sizeof *depth };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  double most = depth[g.index % N];
  if (c->dtype_kv == SP_F16 && most > 10.0) most = 10.0; /* e^11 is near its largest number */
  sp_gen_whole_shape(&g, length[sp_gen_turn(&g, N) % 4], 1, 2, 3);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = j < c->n_kv / 2 ? -most : 0.0;
  if (!sp_gen_scores(&g, x, 0.2)) return false;
  double large = sp_gen_exp(most);
  for (size_t e = 0; e < c->v.count; e++) {
    size_t j = e / (c->n_kv_heads * c->d_value) % c->n_kv;
    double share = sp_rng_uniform(&g.rng, 0.5, 1.5);
    sp_gen_set(&c->v, e, j < c->n_kv / 2 ? large * share : share);
  }
  return sp_gen_finish(&g);
}

/* A value of NaN at a key that is present, however small its weight. spec: SM-6 */
bool sp_make_weightless_nan(sp_case *c, const sp_generator_request *request) {
  static const double depth[] = {200.0, 120.0, 1000.0, 30.0};
  enum { N = sizeof depth / sizeof *depth };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_whole_shape(&g, sp_rng_between(&g.rng, 2, 40), 2, 2, 4);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  size_t j = sp_rng_below(&g.rng, c->n_kv);
  x[j] = -depth[g.index % N];
  if (!sp_gen_scores(&g, x, 1.0)) return false;
  size_t component = sp_rng_below(&g.rng, c->d_value);
  for (size_t h = 0; h < c->n_kv_heads; h++)
    sp_gen_set(&c->v, sp_gen_v_at(c, 0, j, h) + component, (double)NAN);
  return sp_gen_finish(&g);
}
