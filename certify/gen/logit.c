/* SPDX-License-Identifier: Apache-2.0 */
/* How a logit is made: scale, then softcap, then biases. Each number is chosen so that leaving it
 * out, applying it twice or applying it in another place changes the answer by far more than any
 * rounding. tests: AT-2, AT-6, AL-7, AL-8 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>

/* 1/sqrt(d) for 64 and 128, powers of two, negative, tiny, large, zero. */
bool sp_make_scale(sp_case *c, const sp_generator_request *request) {
  static const float scale[] = {0.125F, 0x1.6a09e6p-4F, -0.125F, 0x1p-20F, 3.7F,
                                -1.0F,  0.0F,           1e-3F,   16.0F,    0x1.f8p-3F};
  enum { N = sizeof scale / sizeof *scale };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  if (request->op == SP_OP_SOFTMAX && !sp_gen_has(&g, SP_OPT_SCALE)) return false;
  c->scale = scale[g.index % N];
  sp_gen_shape(&g, sp_rng_between(&g.rng, 2, request->op == SP_OP_CACHE ? 14 : 40), 2, 3, 8);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = sp_rng_uniform(&g.rng, -6.0, 6.0);
  return sp_gen_scores(&g, x, 0.5) && sp_gen_finish(&g);
}

/* Logits well below, near and far above the cap (a quotient of exponentials overflows when they are
 * more than 88 times it); biases after it. */
bool sp_make_softcap(sp_case *c, const sp_generator_request *request) {
  static const float softcap[] = {5.0F, 30.0F, 1.5F, 50.0F, 0.25F, 8.0F};
  static const double ratio[] = {1.5, 0.3, 4.0, 120.0};
  enum { N = 24 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  c->softcap = softcap[g.index % 6];
  c->scale = sp_gen_round_of(&g, 6) % 2 == 0 ? 1.0F : 0.375F;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 2, request->op == SP_OP_CACHE ? 12 : 30), 2, 3, 5);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  double size = (double)c->softcap * ratio[sp_gen_turn(&g, 6) % 4];
  for (size_t j = 0; j < c->n_kv; j++) x[j] = sp_rng_uniform(&g.rng, -size, size);
  x[0] = size;
  if (c->n_kv > 1) x[c->n_kv - 1] = -size;
  if (!sp_gen_scores(&g, x, 0.1 * size)) return false;
  bool biased =
      sp_rng_one_in(&g.rng, 3) && c->op == SP_OP_ATTENTION && sp_gen_has(&g, SP_OPT_KEY_BIAS);
  if (biased && !sp_gen_bias(&g, false)) return false;
  if (biased) sp_gen_bells(&g, &c->key_bias, 3.0);
  /* A mask that is capped is no mask any more. */
  bool masked =
      g.index % 2 == 0 && c->op == SP_OP_ATTENTION && c->n_kv > 2 && sp_gen_has(&g, SP_OPT_MASK);
  if (masked && !sp_gen_hide_from_all(&g, sp_rng_below(&g.rng, c->n_kv))) return false;
  return sp_gen_finish(&g);
}

/* Plain, uniform, large, and (where masks are offered) different for each query. A uniform bias is
 * a no-op without a sink logit and is not with one. */
bool sp_make_key_bias(sp_case *c, const sp_generator_request *request) {
  enum { N = 5 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  if (request->op == SP_OP_SOFTMAX && sp_gen_has(&g, SP_OPT_SCALE) && g.index % 2 == 0)
    c->scale = 0.3F;
  if (request->op == SP_OP_ATTENTION) c->scale = 0.3F;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 2, 40), 3, 3, 5);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  uint64_t kind = g.index % N;
  bool per_query = kind == 3 && sp_gen_has(&g, SP_OPT_MASK);
  if (!sp_gen_bias(&g, per_query)) return false;
  sp_gen_bells(&g, &c->key_bias, kind == 2 ? 200.0 : 2.0);
  if (kind == 1) sp_gen_fill(&c->key_bias, sp_rng_uniform(&g.rng, -4.0, 4.0));
  if (kind == 4) sp_gen_fill(&c->key_bias, -0.0);
  if (kind != 1 || !sp_gen_has(&g, SP_OPT_SINK_LOGIT)) return sp_gen_finish(&g);
  static const double delta[] = {0.5, -0.7, 1.3};
  return sp_gen_sinks_near(&g, SP_F32, delta, 3);
}

/* Slopes of both signs and of ordinary models; distances beyond 2048, where binary16 distances stop
 * being exact; a sink logit, with which a constant per row is no longer harmless. */
bool sp_make_alibi(sp_case *c, const sp_generator_request *request) {
  enum { N = 12 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  bool far = g.index % 6 == 5;
  size_t n = far ? 2100 + sp_rng_below(&g.rng, 30) : sp_rng_between(&g.rng, 2, 50);
  sp_gen_shape(&g, n, far ? 1 : 4, far ? 1 : 6, far ? 1 : 4);
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  if (!sp_array_alloc(&c->alibi_slope, SP_F32, c->n_heads)) return false;
  for (size_t h = 0; h < c->n_heads; h++) {
    double slope = sp_rng_uniform(&g.rng, 0.7, 1.4) / (double)((size_t)2 << h % 8);
    if (far) slope = g.index % 12 == 5 ? 0.003 : -0.01; /* negative: the far keys win */
    sp_gen_set(&c->alibi_slope, h, g.index % 4 == 3 ? -slope : slope);
  }
  /* Keys after the query: only a distance without its sign is never negative. */
  if (g.index % 4 == 1 && c->n_q > 1 && sp_gen_has(&g, SP_OPT_NONCAUSAL)) c->causal = false;
  if (g.index % 4 == 2) sp_gen_window(&g, sp_rng_between(&g.rng, 1, c->n_kv));
  if (g.index % 3 == 0 && sp_gen_has(&g, SP_OPT_SOFTCAP)) c->softcap = 1.5F;
  if (g.index % 2 == 0 || !sp_gen_has(&g, SP_OPT_SINK_LOGIT)) return sp_gen_finish(&g);
  static const double delta[] = {0.4, -0.6, 1.2};
  return sp_gen_sinks_near(&g, SP_F32, delta, 3);
}

/* One more key without position, bias or ALiBi: near the other logits, under a window or mask that
 * hides everything else, and with scale and softcap, which do apply to it. */
bool sp_make_bias_pair(sp_case *c, const sp_generator_request *request) {
  enum { N = 12 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  c->scale = g.index % 2 == 0 ? 0.5F : 1.25F;
  if (g.index % 3 == 0 && sp_gen_has(&g, SP_OPT_SOFTCAP)) c->softcap = 3.0F;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 1, 24), 3, 6, 5);
  if (g.index % 6 == 5 && sp_gen_has(&g, SP_OPT_EMPTY)) {
    c->n_kv = 0;
    if (!sp_gen_has(&g, SP_OPT_MORE_Q_THAN_KV)) c->n_q = 1;
  }
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.5)) return false;
  if (!sp_array_alloc(&c->bias_k, c->dtype_kv, c->n_kv_heads * c->d_head)) return false;
  if (!sp_array_alloc(&c->bias_v, c->dtype_kv, c->n_kv_heads * c->d_value)) return false;
  sp_gen_bells(&g, &c->bias_k, 1.0);
  sp_gen_bells(&g, &c->bias_v, 3.0);
  if (g.index % 4 == 0 && sp_gen_has(&g, SP_OPT_ALIBI)) {
    if (!sp_array_alloc(&c->alibi_slope, SP_F32, c->n_heads)) return false;
    for (size_t h = 0; h < c->n_heads; h++)
      sp_gen_set(&c->alibi_slope, h, sp_rng_uniform(&g.rng, 0.1, 0.5));
  }
  if (g.index % 4 == 1) sp_gen_window(&g, 1 + g.index % 3);
  if (g.index % 4 == 2 && sp_gen_has(&g, SP_OPT_KEY_BIAS)) {
    if (!sp_gen_bias(&g, false)) return false;
    sp_gen_fill(&c->key_bias, -2.5);
  }
  for (size_t j = 0; g.index % 4 == 3 && sp_gen_has(&g, SP_OPT_MASK) && j < c->n_kv; j++)
    if (!sp_gen_hide_from_all(&g, j)) return false;
  return sp_gen_finish(&g);
}
