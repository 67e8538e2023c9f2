/* SPDX-License-Identifier: Apache-2.0 */
/* Streams with rotary positions. Queries and keys are random in every element, so that an angle that
 * is off by one position, turned the wrong way or paired otherwise changes every logit.
 * tests: EV-10, EV-11, EV-12, EV-13, EV-14 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

static const struct {
  size_t n_sink_tokens, window;
} caches[] = {{1, 4}, {2, 3}, {4, 8}, {0, 5}, {3, 1}, {1, 1}, {0, 1}, {4, 13}};
enum { N_CACHES = sizeof caches / sizeof *caches };

/* As many elements as turn, and two more where a part may stay. */
static void dims(sp_gen *g, size_t rope_dims) {
  sp_case *c = g->c;
  bool partial = sp_gen_has(g, SP_OPT_ROPE_PARTIAL) && sp_gen_turn(g, 3) % 2 == 1;
  c->rope_dims = rope_dims;
  c->d_head = rope_dims + (partial ? sp_rng_between(&g->rng, 1, 3) : 0);
  c->d_value = sp_gen_has(g, SP_OPT_D_VALUE) ? 2 : c->d_head;
}

bool sp_gen_rope(sp_gen *g, uint32_t position) {
  static const double bases[] = {10000.0, 150000.0, 1.5, 500000.0, 1.0};
  sp_case *c = g->c;
  uint64_t needed = position == SP_POSITION_ABS ? SP_OPT_POSITION_ABS : SP_OPT_POSITION_CACHE;
  bool halves = sp_gen_has(g, SP_OPT_ROPE_HALF);
  bool neighbours = sp_gen_has(g, SP_OPT_ROPE_INTERLEAVED);
  if (!sp_gen_has(g, needed) || (!halves && !neighbours)) return false;
  static const size_t sizes[] = {4, 6, 2, 8};
  bool swap = sp_gen_turn(g, 4) % 2 == 1;
  c->position = position;
  c->rope_pairing = neighbours && (!halves || swap) ? SP_ROPE_INTERLEAVED : SP_ROPE_HALF;
  c->rope_base = bases[sp_rng_below(&g->rng, 5)];
  dims(g, sizes[g->index % 4]);
  return true;
}

bool sp_gen_rope_tensors(sp_gen *g) {
  if (!sp_gen_tensors(g)) return false;
  sp_gen_bells(g, &g->c->q, 1.0);
  sp_gen_bells(g, &g->c->k, 1.0);
  sp_gen_bells(g, &g->c->v, 1.0);
  sp_gen_values_name_keys(g);
  return true;
}

static bool every_step(sp_gen *g) {
  for (size_t t = 0; t < g->c->n_kv; t++)
    if (!sp_gen_step(g, SP_STEP_APPEND, 1, true)) return false;
  return sp_gen_step(g, SP_STEP_VISIBLE, 0, false);
}

/* Token by token and in blocks, from the first token until everything recent was evicted twice. */
bool sp_make_cache_positions(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, 2 * N_CACHES)) return false;
  size_t cache = g.index / 2 % N_CACHES;
  sp_gen_heads(&g, 2);
  uint32_t first = g.index % 2 == 0 ? SP_POSITION_CACHE : SP_POSITION_ABS;
  uint32_t other = g.index % 2 == 0 ? SP_POSITION_ABS : SP_POSITION_CACHE;
  if (!sp_gen_rope(&g, first) && !sp_gen_rope(&g, other)) return false;
  size_t n = caches[cache].n_sink_tokens + 3 * caches[cache].window + 2;
  sp_gen_stream(&g, n, caches[cache].n_sink_tokens, caches[cache].window);
  if (!sp_gen_rope_tensors(&g)) return false;
  bool ok = g.index % 3 == 0 ? sp_gen_random_script(&g, 6) : every_step(&g);
  return ok && sp_gen_finish(&g);
}

/* Silence while tens to hundreds of tokens leave, then two queries: what a kernel does to stored
 * keys at each eviction has added up by then. */
bool sp_make_cache_shifts(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {20, 60, 9, 250, 40, 120};
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_CACHES * 3)) return false;
  size_t cache = g.index % N_CACHES;
  if (!sp_gen_rope(&g, SP_POSITION_CACHE)) return false;
  size_t n = caches[cache].n_sink_tokens + caches[cache].window + length[sp_gen_turn(&g, 6) % 6];
  sp_gen_stream(&g, n, caches[cache].n_sink_tokens, caches[cache].window);
  return sp_gen_rope_tensors(&g) && sp_gen_quiet_script(&g) && sp_gen_finish(&g);
}

/* Positions around 2^24, 2^31, 2^32 and 2^40, where an angle has no digits left in binary32. */
bool sp_make_cache_far(sp_case *c, const sp_generator_request *request) {
  static const unsigned bits[] = {31, 24, 32, 16, 40};
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_CACHES * 5)) return false;
  size_t cache = sp_gen_turn(&g, 5) % N_CACHES;
  if (!sp_gen_rope(&g, SP_POSITION_ABS)) return false;
  size_t n = caches[cache].n_sink_tokens + 2 * caches[cache].window + 3;
  sp_gen_stream(&g, n, caches[cache].n_sink_tokens, caches[cache].window);
  c->first_token = ((uint64_t)1 << bits[g.index % 5]) - 3;
  return sp_gen_rope_tensors(&g) && every_step(&g) && sp_gen_finish(&g);
}
