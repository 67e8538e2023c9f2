/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once, at random: each offered option is drawn or not, independently. Named hazards
 * have generators of their own; this one is for the hazards that nobody has named, which live in
 * combinations. tests: AT-2, AT-5, AL-2, EV-2 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <stdlib.h>

static size_t mixed_length(sp_gen *g) {
  switch (sp_rng_below(&g->rng, 4)) {
  case 0:
    return sp_rng_between(&g->rng, 1, 8);
  case 1:
    return sp_rng_between(&g->rng, 41, 150);
  default:
    return sp_rng_between(&g->rng, 9, 40);
  }
}

/* One case in `chance` takes an offered option. The draw is made in any case, so that the rest of
 * the case does not depend on the offer more than it must. */
static bool takes(sp_gen *g, uint64_t option, uint64_t chance) {
  bool drawn = sp_rng_one_in(&g->rng, chance);
  return drawn && sp_gen_has(g, option);
}

static void mixed_scale(sp_gen *g) {
  sp_case *c = g->c;
  double scale = sp_rng_uniform(&g->rng, 0.05, 1.5);
  bool negative = sp_rng_one_in(&g->rng, 8);
  bool softmax = c->op == SP_OP_SOFTMAX;
  if (softmax && !takes(g, SP_OPT_SCALE, 3)) return;
  /* A negative scale would turn a logit of -inf, which means absent, into something else. */
  c->scale = (float)(negative && !softmax ? -scale : scale);
}

/* Some keys hidden, from all queries or from each by itself; sometimes the first ones. */
static bool mixed_mask(sp_gen *g) {
  sp_case *c = g->c;
  bool per_query = sp_rng_one_in(&g->rng, 2);
  bool leading = sp_rng_one_in(&g->rng, 2);
  size_t first = sp_rng_below(&g->rng, c->n_kv + 1);
  for (size_t j = 0; j < c->n_kv; j++)
    for (size_t i = 0; i < c->n_q; i++) {
      bool hide = leading ? j < first : sp_rng_one_in(&g->rng, 3);
      if (!hide) continue;
      if (!per_query && !sp_gen_hide_from_all(g, j)) return false;
      if (per_query && !sp_gen_hide(g, i, j)) return false;
    }
  return true;
}

static bool mixed_bias(sp_gen *g) {
  if (!sp_gen_bias(g, false)) return false;
  sp_gen_bells(g, &g->c->key_bias, 2.0);
  return true;
}

static bool mixed_alibi(sp_gen *g) {
  sp_case *c = g->c;
  if (!sp_array_alloc(&c->alibi_slope, SP_F32, c->n_heads)) return false;
  for (size_t h = 0; h < c->n_heads; h++)
    sp_gen_set(&c->alibi_slope, h, sp_rng_uniform(&g->rng, -0.1, 0.4));
  return true;
}

static bool mixed_bias_pair(sp_gen *g) {
  sp_case *c = g->c;
  if (!sp_array_alloc(&c->bias_k, c->dtype_kv, c->n_kv_heads * c->d_head)) return false;
  if (!sp_array_alloc(&c->bias_v, c->dtype_kv, c->n_kv_heads * c->d_value)) return false;
  sp_gen_bells(g, &c->bias_k, 1.0);
  sp_gen_bells(g, &c->bias_v, 2.0);
  return true;
}

/* Keys with gaps of 1 to 3 between them, queries anywhere from before the first on. */
static bool mixed_positions(sp_gen *g) {
  sp_case *c = g->c;
  c->pos_q = calloc(c->n_q, sizeof *c->pos_q);
  c->pos_k = calloc(c->n_kv + 1, sizeof *c->pos_k);
  if (c->pos_q == NULL || c->pos_k == NULL) return false;
  uint64_t at = sp_rng_below(&g->rng, 10);
  for (size_t j = 0; j < c->n_kv; j++) {
    c->pos_k[j] = (int64_t)at;
    at += sp_rng_between(&g->rng, 1, 3);
  }
  for (size_t i = 0; i < c->n_q; i++) c->pos_q[i] = (int64_t)sp_rng_below(&g->rng, at + 3);
  return true;
}

static bool mixed_attention(sp_gen *g) {
  sp_case *c = g->c;
  if (takes(g, SP_OPT_BATCH, 4)) sp_gen_batch(g, 2);
  if (takes(g, SP_OPT_WINDOW, 3)) c->window = sp_rng_between(&g->rng, 1, c->n_kv + 2);
  if (takes(g, SP_OPT_SINK_TOKENS, 3)) c->n_sink_tokens = sp_rng_between(&g->rng, 1, 6);
  if (takes(g, SP_OPT_NONCAUSAL, 5) && c->n_q > 1) c->causal = false;
  if (!sp_gen_scores(g, sp_gen_wanted(g), sp_rng_uniform(&g->rng, 0.3, 4.0))) return false;
  bool ok = true;
  if (takes(g, SP_OPT_POSITIONS, 6)) ok = ok && mixed_positions(g);
  if (takes(g, SP_OPT_KEY_BIAS, 4)) ok = ok && mixed_bias(g);
  if (takes(g, SP_OPT_MASK, 4)) ok = ok && mixed_mask(g);
  if (takes(g, SP_OPT_ALIBI, 5)) ok = ok && mixed_alibi(g);
  if (takes(g, SP_OPT_BIAS_PAIR, 6)) ok = ok && mixed_bias_pair(g);
  return ok;
}

static bool mixed_softmax(sp_gen *g) {
  double *x = sp_gen_wanted(g);
  if (x == NULL) return false;
  double offset = sp_rng_uniform(&g->rng, -40.0, 40.0);
  for (size_t j = 0; j < g->c->n_kv; j++) x[j] = offset;
  if (!sp_gen_scores(g, x, sp_rng_uniform(&g->rng, 0.3, 6.0))) return false;
  bool ok = true;
  if (takes(g, SP_OPT_KEY_BIAS, 4)) ok = ok && mixed_bias(g);
  if (takes(g, SP_OPT_MASK, 4)) ok = ok && mixed_mask(g);
  return ok;
}

bool sp_make_mixed(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, 1)) return false;
  bool softmax = request->op == SP_OP_SOFTMAX;
  bool cache = request->op == SP_OP_CACHE;
  mixed_scale(&g);
  if (!softmax && takes(&g, SP_OPT_SOFTCAP, 5)) c->softcap = sp_rng_below(&g.rng, 2) ? 4.0F : 20.0F;
  size_t n = mixed_length(&g);
  if (cache) n = 1 + n % 37;
  sp_gen_shape(&g, n, sp_rng_between(&g.rng, 1, 5), 6, n > 40 ? 5 : 17);
  bool ok = softmax ? mixed_softmax(&g)
            : cache ? sp_gen_scores(&g, sp_gen_wanted(&g), 2.0)
                    : mixed_attention(&g);
  return ok && sp_gen_finish(&g);
}
