/* SPDX-License-Identifier: Apache-2.0 */
/* Streams and their scripts. Which tokens are visible follows from the script's end state alone
 * (EV-4, EV-5), so two scripts over one stream must give equal answers: that is what most of the
 * streaming generators are about. */
#include "certify/gen/tools.h"

#include <stdlib.h>

bool sp_gen_step(sp_gen *g, sp_cache_step_kind kind, size_t n_tokens, bool with_queries) {
  sp_case *c = g->c;
  sp_cache_step *script = realloc(c->script, (c->n_steps + 1) * sizeof *script);
  if (script == NULL) return false;
  c->script = script;
  script[c->n_steps++] = (sp_cache_step){kind, n_tokens, with_queries, 0};
  return true;
}

bool sp_gen_random_script(sp_gen *g, size_t max_block) {
  bool ok = true;
  for (size_t left = g->c->n_kv; ok && left > 0;) {
    size_t block = sp_rng_between(&g->rng, 1, max_block < left ? max_block : left);
    ok = sp_gen_step(g, SP_STEP_APPEND, block, true);
    if (sp_rng_one_in(&g->rng, 4)) ok = ok && sp_gen_step(g, SP_STEP_VISIBLE, 0, false);
    if (sp_rng_one_in(&g->rng, 6)) ok = ok && sp_gen_step(g, SP_STEP_ATTEND, 1, true);
    left -= block;
  }
  return ok;
}

bool sp_gen_quiet_script(sp_gen *g) {
  size_t n = g->c->n_kv;
  size_t asked = n > 2 ? sp_rng_between(&g->rng, 1, 2) : 1;
  for (size_t left = n - asked; left > 0;) {
    size_t block = sp_rng_between(&g->rng, 1, left);
    if (!sp_gen_step(g, SP_STEP_APPEND, block, false)) return false;
    left -= block;
  }
  return sp_gen_step(g, SP_STEP_APPEND, asked, true) && sp_gen_step(g, SP_STEP_ATTEND, 1, true);
}

void sp_gen_stream(sp_gen *g, size_t n, size_t n_sink_tokens, size_t window) {
  sp_case *c = g->c;
  if (!sp_gen_has(g, SP_OPT_SINK_TOKENS)) n_sink_tokens = 0;
  c->n_kv = c->n_q = n;
  c->n_sink_tokens = n_sink_tokens;
  c->window = window;
  /* A row holds what the cache holds; a short cache keeps its window and gives up pinned tokens. */
  uint64_t max_n = g->request->max_n;
  if (max_n == 0 || n_sink_tokens + window <= max_n) return;
  c->window = window < max_n ? window : max_n;
  c->n_sink_tokens = max_n - c->window;
}
