/* SPDX-License-Identifier: Apache-2.0 */
/* Where the sink logit enters: after scale, softcap and biases, in base e, and once, however the
 * keys are split and whichever parts are empty. tests: AL-2, AL-6, AL-7, AT-2 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>

/* Everything that a sink logit must not be touched by, alone and together. Rows are long enough
 * that lse, and with it the sink logit, is well above 0 and above the softcap: multiplying or
 * capping it then shows. */
bool sp_make_sink_order(sp_case *c, const sp_generator_request *request) {
  static const float scale[] = {0.125F, 0.3F, 2.5F, -0.5F, 1.0F};
  static const float softcap[] = {2.0F, 0.0F, 1.5F, 3.0F};
  enum { N = 20 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  bool softmax = request->op == SP_OP_SOFTMAX;
  bool cache = request->op == SP_OP_CACHE;
  if (!softmax || sp_gen_has(&g, SP_OPT_SCALE)) c->scale = scale[g.index % 5];
  if (!softmax && sp_gen_has(&g, SP_OPT_SOFTCAP)) c->softcap = softcap[g.index % 4];
  sp_gen_shape(&g, sp_rng_between(&g.rng, 24, 50), 2, 4, 5);
  if (cache) sp_gen_stream(&g, c->n_kv, 2, 30);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = 1.5;
  if (!sp_gen_scores(&g, x, 1.0)) return false;
  bool biased = !cache && g.index % 3 == 0 && sp_gen_has(&g, SP_OPT_KEY_BIAS);
  if (biased) {
    if (!sp_gen_bias(&g, false)) return false;
    sp_gen_fill(&c->key_bias, sp_rng_uniform(&g.rng, -3.0, 3.0));
  }
  if (!softmax && !cache && g.index % 3 == 1 && sp_gen_has(&g, SP_OPT_ALIBI)) {
    if (!sp_array_alloc(&c->alibi_slope, SP_F32, c->n_heads)) return false;
    for (size_t h = 0; h < c->n_heads; h++)
      sp_gen_set(&c->alibi_slope, h, sp_rng_uniform(&g.rng, 0.01, 0.1));
  }
  if (cache && !sp_gen_random_script(&g, 8)) return false;
  static const double delta[] = {0.5, -0.5, 1.5, 1.0};
  return sp_gen_sinks_near(&g, SP_F32, delta, 4);
}

/* Keys that remain visible, so that a kernel which splits them has empty parts. */
typedef enum hole {
  ONLY_LAST_PART, /* the first part is empty */
  ONLY_LAST_KEY,  /* all parts but one are empty */
  ONLY_MIDDLE,    /* first and last are empty */
  TWO_ISLANDS,    /* the middle is empty */
  NONE_AT_ALL,    /* all are empty: the sink logit is the log-sum-exp */
  N_HOLES
} hole;

static bool stays(hole which, size_t j, size_t n) {
  switch (which) {
  case ONLY_LAST_PART:
    return j >= n - n / 8;
  case ONLY_LAST_KEY:
    return j + 1 == n;
  case ONLY_MIDDLE:
    return j / (n / 8) == 3;
  case TWO_ISLANDS:
    return j < 5 || j + 9 > n;
  default:
    return false;
  }
}

bool sp_make_sink_split(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {256, 1024, 512, 129, 640};
  enum { N = N_HOLES * 5 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  hole which = (hole)(g.index % N_HOLES);
  sp_gen_shape(&g, length[sp_gen_turn(&g, N_HOLES) % 5], 1, 2, 2);
  if (c->n_kv < 8) return false;
  bool mask = sp_gen_has(&g, SP_OPT_MASK);
  if (!mask) which = (hole)(which % 2); /* a window can leave only the end */
  bool by_window = c->op == SP_OP_ATTENTION && sp_gen_has(&g, SP_OPT_WINDOW) &&
                   which <= ONLY_LAST_KEY && (!mask || sp_rng_one_in(&g.rng, 2));
  if (!mask && !by_window) return false;
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 1.0)) return false;
  if (by_window) c->window = which == ONLY_LAST_KEY ? 1 : c->n_kv / 8;
  for (size_t j = 0; j < c->n_kv && !by_window; j++)
    if (!stays(which, j, c->n_kv) && !sp_gen_hide_from_all(&g, j)) return false;
  static const double delta[] = {0.0, 0.7, -0.7};
  return sp_gen_sinks_near(&g, SP_F32, delta, 3);
}
