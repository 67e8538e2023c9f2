/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of visible tokens: which other n_sink_tokens, window or numbering gives exactly what was
 * listed; and what a truncation answered. spec: EV-1, EV-2, EV-6, EV-8, EV-15, EV-16 */
#include "certify/judge/diagnose.h"

#include "certify/case/sequence.h"

enum { MAX_SEQUENCES = 16 };

/* Changes to the parameters of the stream. */
typedef struct list_hypothesis {
  const char *sentence;
  int pinned, window;                              /* added */
  bool pinned_inside;                              /* the window shrinks by n_sink_tokens */
  bool keep_all, from_zero, no_pinned, first_only; /* … all steps are those of sequence 0 */
} list_hypothesis;

static const list_hypothesis list[] = {
    {"the list has one recent token too many: the window counts the newest token", .window = 1},
    {"the list has one recent token too few", .window = -1},
    {"one token too many is pinned", .pinned = 1},
    {"one token too few is pinned", .pinned = -1},
    {"one token too many is pinned at the cost of the window", .pinned = 1, .window = -1},
    {"one token too few is pinned, and the window is one wider", .pinned = -1, .window = 1},
    {"the pinned tokens are counted inside the window", .pinned_inside = true},
    {"the pinned tokens are evicted or not listed", .no_pinned = true},
    {"nothing is ever evicted", .keep_all = true},
    {"tokens are numbered from 0, not from first_token", .from_zero = true},
    {"the sequences are not kept apart: every call is one of sequence 0", .first_only = true},
};

/* False: nothing to try, and nothing to clear. */
static bool parameters(const list_hypothesis *h, const sp_case *c, sp_ref_cache *cache) {
  uint64_t pinned = c->n_sink_tokens, window = c->window, first = h->from_zero ? 0 : c->first_token;
  if (h->pinned < 0 && pinned == 0) return false;
  if (h->window < 0 && window == 1) return false;
  if (h->pinned_inside && window <= pinned) return false;
  if (h->pinned_inside) window -= pinned;
  pinned += (uint64_t)(int64_t)h->pinned;
  window += (uint64_t)(int64_t)h->window;
  if (h->no_pinned) pinned = 0;
  if (h->keep_all) window = c->n_kv + 1;
  if (c->n_evict > window || !sp_ref_cache_init(cache, pinned, window, first)) return false;
  cache->n_evict = c->n_evict > 0 ? c->n_evict : 1;
  cache->n_undo = c->n_undo;
  return true;
}

/* One answer of a list or a truncation: what this cache would have given. */
static bool answers(sp_ref_cache *cache, const sp_cache_step *step, const uint64_t *got, size_t n) {
  if (step->kind == SP_STEP_TRUNCATE) {
    bool lost = sp_ref_cache_truncate(cache, step->n_tokens) == SP_LOST;
    return n == (lost ? 1u : 0u) && (!lost || got[0] == SP_LOST);
  }
  if (sp_ref_cache_n_visible(cache) != n) return false;
  for (uint64_t i = 0; i < n; i++)
    if (got[i] != cache->token[sp_ref_cache_held(cache, i)]) return false;
  return true;
}

/* Run the script of the case and compare every list. */
static bool explains(sp_ref_cache *caches, bool first_only, const sp_case *c,
                     const sp_outputs *outputs) {
  const uint64_t *got = outputs->visible;
  size_t n_lists = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    const sp_cache_step *step = &c->script[s];
    sp_ref_cache *cache = &caches[first_only ? 0 : step->sequence];
    if (step->kind == SP_STEP_APPEND && !sp_ref_cache_append(cache, step->n_tokens)) return false;
    if (step->kind != SP_STEP_VISIBLE && step->kind != SP_STEP_TRUNCATE) continue;
    if (n_lists == outputs->n_lists || !answers(cache, step, got, outputs->n_visible[n_lists]))
      return false;
    got += outputs->n_visible[n_lists++];
  }
  return true;
}

static bool tried(const list_hypothesis *h, const sp_case *c, const sp_outputs *outputs) {
  sp_ref_cache caches[MAX_SEQUENCES];
  size_t n = 0, n_sequences = sp_case_sequences(c);
  if (h->first_only && n_sequences == 1) return false;
  bool ready = true;
  for (; ready && n < n_sequences; n++) ready = parameters(h, c, &caches[n]);
  bool found = ready && explains(caches, h->first_only, c, outputs);
  for (size_t i = 0; i + (ready ? 0 : 1) < n; i++) sp_ref_cache_clear(&caches[i]);
  return found;
}

/* The first truncation that was answered wrongly. */
static const char *truncations(const sp_truth *truth, const sp_outputs *outputs) {
  const sp_case *c = truth->source;
  size_t list_at = 0;
  for (size_t s = 0; s < c->n_steps && list_at < outputs->n_lists; s++) {
    sp_cache_step_kind kind = c->script[s].kind;
    if (kind == SP_STEP_TRUNCATE && outputs->n_visible[list_at] < truth->n_visible[list_at])
      return "a truncation was carried out though tokens that are seen again were overwritten: the "
             "ring was rewound, SP_LOST is due";
    if (kind == SP_STEP_TRUNCATE && outputs->n_visible[list_at] > truth->n_visible[list_at])
      return "a truncation was refused though every token that is seen again is held: window + "
             "n_undo of the newest are";
    list_at += kind == SP_STEP_TRUNCATE || kind == SP_STEP_VISIBLE;
  }
  return "";
}

/* All answers, or those that are lists of tokens. */
static bool answers_are_right(const sp_truth *truth, const sp_outputs *outputs, bool all) {
  const sp_case *c = truth->source;
  size_t list_at = 0;
  const uint64_t *got = outputs->visible, *expected = truth->visible;
  if (outputs->n_lists != truth->n_lists) return false;
  for (size_t s = 0; s < c->n_steps; s++) {
    bool truncates = c->script[s].kind == SP_STEP_TRUNCATE;
    if (!truncates && c->script[s].kind != SP_STEP_VISIBLE) continue;
    size_t n = truth->n_visible[list_at], n_got = outputs->n_visible[list_at];
    bool right = n == n_got;
    for (size_t i = 0; i < n && right; i++) right = got[i] == expected[i];
    if (!right && (all || !truncates)) return false;
    got += n_got;
    expected += n;
    list_at++;
  }
  return true;
}

const char *sp_diagnose_lists(const sp_truth *truth, const sp_outputs *outputs) {
  const sp_case *c = truth->source;
  if (sp_case_sequences(c) > MAX_SEQUENCES || truth->n_lists == 0 ||
      answers_are_right(truth, outputs, true))
    return "";
  if (answers_are_right(truth, outputs, false)) return truncations(truth, outputs);
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
    if (tried(&list[i], c, outputs)) return list[i].sentence;
  return truncations(truth, outputs);
}
