/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of a stream: how much stays, what leaves, when. Each is read with the sizes that earlier
 * answers imply, so that one convention does not hide another. spec: CT-13 */
#include <math.h>
#include <stdlib.h>

#include "certify/profile/probe.h"

/* The recent tokens W that a size parameter shows, as far as it is known. */
static unsigned shown(unsigned counts, unsigned pinned, unsigned parameter, unsigned n_sinks) {
  unsigned w = parameter - (pinned == SP_PINNED_INSIDE ? n_sinks : 0);
  return w + (counts == SP_CACHE_AFTER) - (counts == SP_CACHE_SPARE);
}

/* The parameter that shows W, no token being pinned. */
static unsigned parameter_for(const sp_asker *asker, unsigned w) {
  unsigned counts = sp_convention(asker->known, SP_ASK_CACHE_WINDOW);
  return w - (counts == SP_CACHE_AFTER) + (counts == SP_CACHE_SPARE);
}

/* What the last of n tokens sees, n_sinks of them pinned, of W others that leave k at a time: the
 * closed form of EV-9. */
static unsigned seen(unsigned n, unsigned n_sinks, unsigned w, unsigned k) {
  unsigned others = n - n_sinks;
  unsigned recent = others <= w ? others : w - k + 1 + (others - w - 1) % k;
  return (((1u << recent) - 1) << (n - recent)) | ((1u << n_sinks) - 1);
}

static unsigned leaving(unsigned evict, unsigned w) {
  return evict == SP_EVICT_HALF && w > 1 ? w / 2 : 1;
}

static bool size_3(const sp_asker *asker, sp_case *c) {
  c->window = 3;
  return sp_probe_keys(asker, c, 4);
}

/* Token 3 is the first for which something may have had to leave. */
static unsigned cache_window(const sp_asker *asker, unsigned answer) {
  (void)asker;
  return seen(4, 0, shown(answer, SP_PINNED_OUTSIDE, 3, 0), 1);
}

static bool size_6_pinned_2(const sp_asker *asker, sp_case *c) {
  c->window = 6;
  c->n_sink_tokens = 2;
  return sp_probe_keys(asker, c, 8);
}

static unsigned cache_pinned(const sp_asker *asker, unsigned answer) {
  unsigned w = shown(sp_convention(asker->known, SP_ASK_CACHE_WINDOW), answer, 6, 2);
  return seen(8, 2, w, leaving(sp_convention(asker->known, SP_ASK_EVICT), w));
}

static bool size_6(const sp_asker *asker, sp_case *c) {
  c->window = parameter_for(asker, 6);
  return sp_probe_keys(asker, c, 7);
}

static unsigned evict(const sp_asker *asker, unsigned answer) {
  (void)asker;
  return seen(7, 0, 6, leaving(answer, 6));
}

static bool size_6_by_2(const sp_asker *asker, sp_case *c) {
  c->n_evict = 2;
  return size_6(asker, c);
}

static unsigned evict_2(const sp_asker *asker, unsigned answer) {
  (void)asker;
  return seen(7, 0, 6, answer == SP_EVICT_HALF ? 3 : 2);
}

static bool block_of_6(const sp_asker *asker, sp_case *c) {
  c->window = parameter_for(asker, 3);
  if (!sp_probe_keys(asker, c, 6)) return false;
  c->script[0].n_tokens = 6;
  c->n_steps = 1;
  return true;
}

static unsigned blocks(const sp_asker *asker, unsigned answer) {
  (void)asker;
  return seen(6, 0, answer == SP_BLOCKS_DENSE ? 6 : 3, 1);
}

static bool inside(const sp_asker *asker) {
  return sp_convention(asker->known, SP_ASK_CACHE_PINNED) == SP_PINNED_INSIDE;
}

static bool block_of_6_pinned(const sp_asker *asker, sp_case *c) {
  c->n_sink_tokens = 1;
  c->window = parameter_for(asker, 3) + inside(asker);
  if (!sp_probe_keys(asker, c, 6)) return false;
  c->script[0].n_tokens = 6;
  c->n_steps = 1;
  return true;
}

static unsigned blocks_pinned(const sp_asker *asker, unsigned answer) {
  if (answer == SP_BLOCKS_RECENT) return seen(6, 0, 3 + inside(asker), 1);
  return answer == SP_BLOCKS_DENSE ? seen(6, 0, 6, 1) : seen(6, 1, 3, 1);
}

#define C SP_OP_CACHE
#define V SP_OUT_VALUES

static const sp_probe list[] = {
    {SP_ASK_CACHE_WINDOW, 0, C, "cache of size 3, 4 equal tokens one by one: weights at token 3",
     size_3, V, SP_LAST_ROW, 8, cache_window, NULL},
    {SP_ASK_EVICT, 0, C, "cache that shows 6, 7 equal tokens one by one: weights at token 6",
     size_6, V, SP_LAST_ROW, 8, evict, NULL},
    {SP_ASK_EVICT, 0, C,
     "cache that shows 6 and evicts 2 at a time, 7 equal tokens one by one: weights at token 6",
     size_6_by_2, V, SP_LAST_ROW, 8, evict_2, NULL},
    {SP_ASK_CACHE_PINNED, 0, C,
     "cache of size 6 with 2 pinned, 8 equal tokens one by one: weights at token 7",
     size_6_pinned_2, V, SP_LAST_ROW, 8, cache_pinned, NULL},
    {SP_ASK_BLOCKS, 0, C, "cache that shows 3, a block of 6 equal tokens: weights at token 5",
     block_of_6, V, SP_LAST_ROW, 8, blocks, NULL},
    {SP_ASK_BLOCKS, 0, C,
     "cache that shows 1 pinned and 3 recent tokens, a block of 6 equal tokens: weights at token 5",
     block_of_6_pinned, V, SP_LAST_ROW, 8, blocks_pinned, NULL},
};

sp_probes sp_probes_cache(void) {
  return (sp_probes){list, sizeof list / sizeof *list};
}
