/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts. How a stream is cut into blocks and when it is asked must not be observable: the cases
 * of one group hold the same stream, bit for bit, and differ only in their script.
 * tests: EV-4, EV-5, EV-6 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

/* The case with number index / n_scripts of the group, so that the group shares its tensors. */
static bool begin_group(sp_gen *g, sp_case *c, const sp_generator_request *request,
                        sp_generator_request *group, uint64_t n_scripts) {
  *group = *request;
  group->index = request->index / n_scripts;
  return sp_gen_begin(g, c, group, 1);
}

/* The tensors and sink logits of the group: made before the script, so that they cannot depend on
 * it. */
static bool group_tensors(sp_gen *g) {
  if (!sp_gen_scores(g, sp_gen_wanted(g), 1.5)) return false;
  sp_gen_values_name_keys(g);
  return sp_gen_maybe_sinks(g);
}

/* All 32 ways to cut six tokens into blocks; bit t of the number says that a block ends after
 * token t. */
bool sp_make_cache_blocks(sp_case *c, const sp_generator_request *request) {
  enum { N_TOKENS = 6, N_SPLITS = 1 << (N_TOKENS - 1) };
  static const size_t sink_tokens[] = {1, 0, 2, 0, 1, 4};
  static const size_t windows[] = {2, 3, 1, 1, 4, 1};
  sp_gen g;
  sp_generator_request group;
  if (!begin_group(&g, c, request, &group, N_SPLITS)) return false;
  sp_gen_heads(&g, 2);
  sp_gen_dims(&g, 3);
  sp_gen_stream(&g, N_TOKENS, sink_tokens[g.index % 6], windows[g.index % 6]);
  if (!group_tensors(&g)) return false;
  /* 13 and 32 have no common factor: a few cases already hold short and long blocks. */
  uint64_t cuts = request->index * 13 % N_SPLITS;
  size_t block = 0;
  for (size_t t = 0; t < N_TOKENS; t++) {
    block++;
    if (t + 1 < N_TOKENS && (cuts >> t & 1) == 0) continue;
    if (!sp_gen_step(&g, SP_STEP_APPEND, block, true)) return false;
    block = 0;
  }
  return sp_gen_step(&g, SP_STEP_VISIBLE, 0, false);
}

/* A first and a middle block around and far above the capacity, with and without queries, then
 * single tokens. */
bool sp_make_cache_long_block(sp_case *c, const sp_generator_request *request) {
  enum { N_SCRIPTS = 10 };
  sp_gen g;
  sp_generator_request group;
  if (!begin_group(&g, c, request, &group, N_SCRIPTS)) return false;
  sp_gen_heads(&g, 2);
  sp_gen_dims(&g, 3);
  size_t s = sp_rng_below(&g.rng, 5);
  size_t w = sp_rng_between(&g.rng, 1, 7);
  size_t capacity = s + w;
  sp_gen_stream(&g, 3 * capacity + 8, s, w);
  if (!group_tensors(&g)) return false;
  const size_t length[] = {capacity + 1, capacity, 2 * capacity + 3, w > 1 ? w - 1 : 1,
                           3 * capacity};
  size_t block = length[request->index % 5];
  bool queries = request->index / 5 % 2 == 0;
  size_t before = request->index % 3 == 0 ? 2 : 0;
  bool ok = before == 0 || sp_gen_step(&g, SP_STEP_APPEND, before, true);
  ok = ok && sp_gen_step(&g, SP_STEP_APPEND, block, queries) &&
       sp_gen_step(&g, SP_STEP_VISIBLE, 0, false) && sp_gen_step(&g, SP_STEP_ATTEND, 1, true);
  for (size_t t = before + block; ok && t < c->n_kv && t < before + block + 5; t++)
    ok = sp_gen_step(&g, SP_STEP_APPEND, 1, true);
  return ok && sp_gen_step(&g, SP_STEP_VISIBLE, 0, false);
}

/* Asking changes nothing: attend after every append, once, twice or three times, with and without
 * outputs of the append itself. */
bool sp_make_cache_attend(sp_case *c, const sp_generator_request *request) {
  enum { N_SCRIPTS = 4 };
  sp_gen g;
  sp_generator_request group;
  if (!begin_group(&g, c, request, &group, N_SCRIPTS)) return false;
  sp_gen_heads(&g, 2);
  sp_gen_dims(&g, 3);
  size_t s = sp_rng_below(&g.rng, 4);
  size_t w = sp_rng_between(&g.rng, 1, 6);
  sp_gen_stream(&g, s + 2 * w + 3, s, w);
  if (!group_tensors(&g)) return false;
  uint64_t times = 1 + request->index % 3;
  bool queries = request->index % 2 == 0;
  for (size_t t = 0; t < c->n_kv; t++) {
    if (!sp_gen_step(&g, SP_STEP_APPEND, 1, queries)) return false;
    for (uint64_t i = 0; i < times; i++)
      if (!sp_gen_step(&g, SP_STEP_ATTEND, 1, true)) return false;
  }
  return true;
}

/* The list before the first token, after every block, and twice in a row; more pinned tokens than
 * the stream is long, and windows of 1. */
bool sp_make_cache_visible(sp_case *c, const sp_generator_request *request) {
  static const size_t sink_tokens[] = {4, 0, 1, 50, 2, 3};
  static const size_t windows[] = {3, 1, 1, 4, 8, 2, 5};
  enum { N = 6 * 7 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t s = sink_tokens[g.index % 6];
  size_t w = windows[g.index % 7];
  sp_gen_stream(&g, s < 40 ? s + 2 * w + 4 : 20, s, w);
  if (!group_tensors(&g)) return false;
  size_t max_block = 1 + g.index % 5;
  bool ok = sp_gen_step(&g, SP_STEP_VISIBLE, 0, false);
  for (size_t left = c->n_kv; ok && left > 0;) {
    size_t block = sp_rng_between(&g.rng, 1, max_block < left ? max_block : left);
    ok = sp_gen_step(&g, SP_STEP_APPEND, block, sp_rng_one_in(&g.rng, 2)) &&
         sp_gen_step(&g, SP_STEP_VISIBLE, 0, false) && sp_gen_step(&g, SP_STEP_VISIBLE, 0, false);
    left -= block;
  }
  return ok;
}
