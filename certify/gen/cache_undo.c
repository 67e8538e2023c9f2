/* SPDX-License-Identifier: Apache-2.0 */
/* Eviction in batches, tokens taken back, and several sequences of one cache; rotated as well where
 * that is offered. tests: EV-9, EV-15, EV-16 */
#include <stdlib.h>

#include "certify/case/sequence.h"
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

/* What is turned by this position is turned if that is offered. */
static bool numbers_at(sp_gen *g, uint32_t position, size_t n, size_t n_sink_tokens,
                       size_t window) {
  sp_gen_heads(g, 2);
  if (position == SP_POSITION_NONE || !sp_gen_rope(g, position)) sp_gen_dims(g, 3);
  sp_gen_stream(g, n, n_sink_tokens, window);
  return sp_gen_rope_tensors(g);
}

static bool step_of(sp_gen *g, size_t sequence, sp_cache_step_kind kind, size_t n, bool queries) {
  if (!sp_gen_step(g, kind, n, queries)) return false;
  g->c->script[g->c->n_steps - 1].sequence = sequence;
  return true;
}

/* Every other case is turned. */
static bool numbers(sp_gen *g, size_t n, size_t n_sink_tokens, size_t window) {
  static const uint32_t positions[] = {SP_POSITION_NONE, SP_POSITION_ABS, SP_POSITION_NONE,
                                       SP_POSITION_CACHE};
  return numbers_at(g, positions[g->index % 4], n, n_sink_tokens, window);
}

/* Pinned tokens of a case: over four cases that are turned alike each number comes once. */
static size_t pinned_of(const sp_gen *g) {
  static const size_t pinned[] = {1, 0, 2, 4};
  return pinned[(g->index + g->index / 4) % 4];
}

/* One, a block, half, all but one and all of the window, over three batches; token by token, and in
 * blocks that end inside a batch. */
bool sp_make_cache_batches(sp_case *c, const sp_generator_request *request) {
  static const size_t windows[] = {4, 6, 3, 8, 2};
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, 20)) return false;
  size_t w = windows[g.index % 5], s = pinned_of(&g);
  const size_t amounts[] = {w / 2, w, 2, w - 1, 3 < w ? 3 : w};
  if (!numbers(&g, s + 3 * w + 3, s, w)) return false;
  size_t amount = amounts[sp_gen_turn(&g, 5) % 5];
  c->n_evict = amount > 1 ? amount : 2;
  if (c->n_evict > c->window) c->n_evict = c->window;
  bool single = g.index % 3 > 0;
  for (size_t left = c->n_kv; left > 0;) {
    size_t block = single ? 1 : sp_rng_between(&g.rng, 1, left < 5 ? left : 5);
    if (!sp_gen_step(&g, SP_STEP_APPEND, block, true)) return false;
    if (!sp_gen_step(&g, SP_STEP_VISIBLE, 0, false)) return false;
    left -= block;
  }
  return sp_gen_finish(&g);
}

/* How many to take back: what is allowed just so, one more, one, all but the pinned, everything, or
 * any number. */
static size_t amount_back(sp_gen *g, const sp_sequence *sequence) {
  const sp_case *c = g->c;
  size_t length = (size_t)sequence->length, pinned = (size_t)c->n_sink_tokens;
  const size_t amounts[] = {(size_t)c->n_undo,
                            (size_t)c->n_undo + 1,
                            1,
                            length > pinned ? length - pinned : length,
                            (size_t)sp_rng_between(&g->rng, 1, length),
                            (size_t)(c->n_undo + c->window)};
  size_t n = amounts[sp_rng_below(&g->rng, 6)];
  if (sp_rng_one_in(&g->rng, 9)) n = length;
  return n < 1 ? 1 : n < length ? n : length;
}

static bool back_and_forth(sp_gen *g, sp_sequence *sequence, size_t which) {
  sp_case *c = g->c;
  if (sequence->length == 0) return true;
  size_t n = amount_back(g, sequence);
  (void)sp_sequence_truncate(sequence, c, n);
  if (!step_of(g, which, SP_STEP_TRUNCATE, n, false)) return false;
  if (!step_of(g, which, SP_STEP_VISIBLE, 0, false)) return false;
  return sequence->length == 0 || step_of(g, which, SP_STEP_ATTEND, 1, true);
}

/* Blocks and truncations in turn, over all sequences. */
static bool histories(sp_gen *g, size_t max_block, uint64_t one_in) {
  sp_case *c = g->c;
  size_t n_sequences = sp_case_sequences(c);
  sp_sequence *sequence = calloc(n_sequences, sizeof *sequence);
  bool ok = sequence != NULL;
  for (size_t left = c->n_kv; ok && left > 0;) {
    size_t s = sp_rng_below(&g->rng, n_sequences);
    size_t block = sp_rng_between(&g->rng, 1, max_block < left ? max_block : left);
    bool queries = !sp_rng_one_in(&g->rng, 4);
    ok = step_of(g, s, SP_STEP_APPEND, block, queries);
    sp_sequence_append(&sequence[s], c, block);
    left -= block;
    if (one_in > 0 && sp_rng_one_in(&g->rng, one_in)) ok = ok && back_and_forth(g, &sequence[s], s);
    bool asked = sp_rng_one_in(&g->rng, 4) && sequence[s].length > 0;
    if (asked) ok = ok && step_of(g, s, SP_STEP_ATTEND, 1, true);
    if (sp_rng_one_in(&g->rng, 4)) ok = ok && step_of(g, s, SP_STEP_VISIBLE, 0, false);
  }
  for (size_t s = 0; ok && s < n_sequences; s++) ok = step_of(g, s, SP_STEP_VISIBLE, 0, false);
  free(sequence);
  return ok;
}

/* Truncations before and after the first eviction, up to what n_undo allows and beyond, down to the
 * pinned tokens and to nothing, with other tokens appended in their place. */
bool sp_make_cache_undo(sp_case *c, const sp_generator_request *request) {
  static const size_t windows[] = {4, 1, 3, 7, 2};
  static const uint64_t undo[] = {2, 0, 1, 5};
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, 20)) return false;
  size_t w = windows[g.index % 5], s = pinned_of(&g);
  if (!numbers(&g, 3 * (s + w) + 24, s, w)) return false;
  c->n_undo = undo[sp_gen_turn(&g, 4) % 4];
  if (sp_gen_has(&g, SP_OPT_EVICT_BLOCK) && g.index % 3 == 2)
    c->n_evict = sp_rng_between(&g.rng, 1, c->window);
  return histories(&g, 3 + g.index % 6, 2) && sp_gen_finish(&g);
}

/* Two, three or many sequences, token by token and in blocks, no two of them equally long. */
bool sp_make_cache_sequences(sp_case *c, const sp_generator_request *request) {
  static const size_t windows[] = {3, 4, 1, 6}, pinned[] = {1, 2, 0};
  static const size_t many[] = {5, 9, 17, 8, 33};
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, 12)) return false;
  size_t w = windows[g.index % 4], s = pinned[g.index % 3];
  c->n_sequences = g.index % 5 == 3 ? many[g.index / 5 % 5] : 2 + g.index % 2;
  /* Ranks first: what a cache does to one sequence and forgets in the others is a shift. */
  static const uint32_t positions[] = {SP_POSITION_CACHE, SP_POSITION_NONE, SP_POSITION_ABS,
                                       SP_POSITION_CACHE, SP_POSITION_NONE};
  if (!numbers_at(&g, positions[g.index % 5], c->n_sequences * (s + 2 * w + 3), s, w)) return false;
  return histories(&g, 1 + g.index % 5, 0) && sp_gen_finish(&g);
}

/* Everything that is offered at once, in small and hostile shapes: no pinned token, a window of 1,
 * blocks longer than the cache. */
bool sp_make_cache_hostile(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, 16)) return false;
  size_t w = g.index % 3 == 0 ? 1 : sp_rng_between(&g.rng, 1, 6);
  size_t s = g.index % 2 == 0 ? 0 : sp_rng_between(&g.rng, 1, 4);
  if (sp_gen_has(&g, SP_OPT_SEQUENCES) && sp_rng_one_in(&g.rng, 2)) c->n_sequences = 2;
  if (sp_gen_has(&g, SP_OPT_FIRST_TOKEN) && sp_rng_one_in(&g.rng, 3))
    c->first_token = ((uint64_t)1 << 32) - 5;
  if (!numbers(&g, 4 * (s + w) + 20, s, w)) return false;
  bool undo = sp_gen_has(&g, SP_OPT_UNDO) && sp_rng_one_in(&g.rng, 2);
  if (undo) c->n_undo = sp_rng_below(&g.rng, 4);
  if (sp_gen_has(&g, SP_OPT_EVICT_BLOCK) && sp_rng_one_in(&g.rng, 2))
    c->n_evict = sp_rng_between(&g.rng, 1, c->window);
  return histories(&g, 2 * (s + w) + 3, undo ? 3 : 0) && sp_gen_finish(&g);
}
