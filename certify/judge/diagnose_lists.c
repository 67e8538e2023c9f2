/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of visible tokens: which other n_sink_tokens, window or numbering gives exactly what was
 * listed. spec: EV-1, EV-2, EV-6, EV-8 */
#include "certify/judge/diagnose.h"

/* Changes to the parameters of the stream. */
typedef struct list_hypothesis {
  const char *sentence;
  int pinned, window; /* added */
  bool pinned_inside; /* the window shrinks by n_sink_tokens */
  bool keep_all, from_zero, no_pinned;
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
};

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
  if (!sp_ref_cache_init(cache, pinned, window, first)) return false;
  cache->n_evict = c->n_evict > 0 ? c->n_evict : 1;
  return cache->n_evict <= window;
}

/* Run the script of the case and compare every list. */
static bool explains(sp_ref_cache *cache, const sp_case *c, const sp_outputs *outputs) {
  const uint64_t *got = outputs->visible;
  size_t n_lists = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    const sp_cache_step *step = &c->script[s];
    if (step->kind == SP_STEP_APPEND && !sp_ref_cache_append(cache, step->n_tokens)) return false;
    if (step->kind != SP_STEP_VISIBLE) continue;
    const uint64_t n = sp_ref_cache_n_visible(cache);
    if (n_lists == outputs->n_lists || outputs->n_visible[n_lists] != n) return false;
    for (uint64_t i = 0; i < n; i++)
      if (got[i] != cache->token[sp_ref_cache_held(cache, i)]) return false;
    got += outputs->n_visible[n_lists++];
  }
  return true;
}

static bool lists_are_right(const sp_truth *truth, const sp_outputs *outputs) {
  size_t at = 0;
  if (outputs->n_lists != truth->n_lists) return false;
  for (size_t l = 0; l < truth->n_lists; l++) {
    if (outputs->n_visible[l] != truth->n_visible[l]) return false;
    for (size_t i = 0; i < truth->n_visible[l]; i++, at++)
      if (outputs->visible[at] != truth->visible[at]) return false;
  }
  return true;
}

const char *sp_diagnose_lists(const sp_truth *truth, const sp_outputs *outputs) {
  const sp_case *c = truth->source;
  for (size_t s = 0; s < c->n_steps; s++)
    if (c->script[s].kind == SP_STEP_TRUNCATE || c->script[s].sequence > 0) return "";
  if (truth->n_lists == 0 || lists_are_right(truth, outputs)) return "";
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    sp_ref_cache cache;
    if (!parameters(&list[i], truth->source, &cache)) continue;
    bool found = explains(&cache, truth->source, outputs);
    sp_ref_cache_clear(&cache);
    if (found) return list[i].sentence;
  }
  return "";
}
