/* SPDX-License-Identifier: Apache-2.0 */
/* Streams through a cache of S pinned and W recent tokens: where the ring wraps, where the first
 * eviction happens, what is left after thousands of them, and how tokens are numbered. Values name
 * their tokens, so an answer from the wrong slot is plain to see. tests: EV-1, EV-2, EV-7, EV-8 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

static const struct {
  size_t n_sink_tokens, window;
} caches[] = {{1, 4}, {0, 1}, {4, 8}, {0, 5}, {2, 1}, {1, 1}, {4, 3}, {0, 16}, {3, 7}, {16, 2}};
enum { N_CACHES = sizeof caches / sizeof *caches };

static void small_stream(sp_gen *g, size_t n, size_t cache) {
  sp_gen_heads(g, 2);
  sp_gen_dims(g, 3);
  sp_gen_stream(g, n > 0 ? n : 1, caches[cache].n_sink_tokens, caches[cache].window);
}

/* Random logits, or (every third case) newer tokens outweighing older ones. */
static bool stream_scores(sp_gen *g) {
  sp_case *c = g->c;
  double *x = sp_gen_wanted(g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv && g->index % 3 == 0; j++) x[j] = 0.5 * (double)(j % 200);
  if (!sp_gen_scores(g, x, 1.0)) return false;
  sp_gen_values_name_keys(g);
  return true;
}

/* Token by token, every output and every list. */
static bool single_steps(sp_gen *g) {
  for (size_t t = 0; t < g->c->n_kv; t++)
    if (!sp_gen_step(g, SP_STEP_APPEND, 1, true) || !sp_gen_step(g, SP_STEP_VISIBLE, 0, false))
      return false;
  return true;
}

/* Streams that just fit, or nearly: nothing may be evicted yet. */
bool sp_make_cache_short(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_CACHES * 3)) return false;
  size_t cache = g.index % N_CACHES;
  size_t capacity = caches[cache].n_sink_tokens + caches[cache].window;
  size_t missing = sp_gen_turn(&g, N_CACHES) % 3;
  small_stream(&g, capacity > missing ? capacity - missing : capacity, cache);
  return stream_scores(&g) && single_steps(&g) && sp_gen_finish(&g);
}

/* Lengths around the window and the capacity, once and several times round the ring. */
bool sp_make_cache_wrap(sp_case *c, const sp_generator_request *request) {
  enum { N_LENGTHS = 8 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_CACHES * N_LENGTHS)) return false;
  size_t cache = g.index % N_CACHES;
  size_t w = caches[cache].window;
  size_t s = caches[cache].n_sink_tokens;
  const size_t length[N_LENGTHS] = {s + w + 1, 3 * w + 1, w + 1,     2 * w,
                                    w,         w - 1,     s + w + 2, s + 3 * w};
  small_stream(&g, length[sp_gen_turn(&g, N_CACHES) % N_LENGTHS], cache);
  return stream_scores(&g) && single_steps(&g) && sp_gen_finish(&g);
}

/* One token outweighs all others, at each index of the stream in turn: while it is pinned or recent
 * it is the answer, and from the step on at which it leaves it must not be. */
bool sp_make_cache_needle(sp_case *c, const sp_generator_request *request) {
  static const size_t small[] = {0, 4, 3, 6, 8, 5}; /* of the caches above */
  enum { N = 24 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t cache = small[sp_gen_turn(&g, N) % 6];
  size_t n = caches[cache].n_sink_tokens + 2 * caches[cache].window + 3;
  small_stream(&g, n, cache);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  x[g.index % n] = 14.0;
  if (!sp_gen_scores(&g, x, 0.5)) return false;
  sp_gen_values_name_keys(&g);
  size_t max_block = g.index % 2 == 0 ? 1 : 4;
  return sp_gen_random_script(&g, max_block) && sp_gen_finish(&g);
}

/* Hundreds of evictions without a query in between, then one. */
bool sp_make_cache_evictions(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {40, 150, 333, 600, 64, 2000};
  enum { N = N_CACHES * 6 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  small_stream(&g, length[sp_gen_turn(&g, N_CACHES) % 6], g.index % N_CACHES);
  if (!stream_scores(&g)) return false;
  size_t max_block = g.index % 3 == 0 ? 1 : g.index % 3 == 1 ? 7 : 100;
  for (size_t left = c->n_kv; left > 0;) {
    size_t block = sp_rng_between(&g.rng, 1, max_block < left ? max_block : left);
    if (!sp_gen_step(&g, SP_STEP_APPEND, block, false)) return false;
    left -= block;
  }
  return sp_gen_step(&g, SP_STEP_VISIBLE, 0, false) && sp_gen_step(&g, SP_STEP_ATTEND, 1, true) &&
         sp_gen_finish(&g);
}

/* Counting starts near the ends of 31, 32, 53 and 63 bits, and as late as 64 bits allow. */
bool sp_make_cache_first_token(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  enum { N_ORIGINS = 7 };
  if (!sp_gen_begin(&g, c, request, N_ORIGINS * N_CACHES)) return false;
  size_t cache = sp_gen_turn(&g, N_ORIGINS) % N_CACHES;
  size_t n = caches[cache].n_sink_tokens + 2 * caches[cache].window + 2;
  const uint64_t origin[N_ORIGINS] = {((uint64_t)1 << 32) - 3,
                                      1000,
                                      ((uint64_t)1 << 31) - 3,
                                      ((uint64_t)1 << 63) - 3,
                                      UINT64_MAX - n,
                                      ((uint64_t)1 << 53) - 3,
                                      7};
  small_stream(&g, n, cache);
  c->first_token = origin[g.index % N_ORIGINS];
  return stream_scores(&g) && single_steps(&g) && sp_gen_finish(&g);
}
