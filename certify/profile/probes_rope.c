/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of rotation: which positions, which pairs. The first pair turns by one radian a position,
 * and all other pairs hold zeros, so that a logit is 4 cos(distance), or 4 sin, whatever the base.
 * spec: CT-13 */
#include <math.h>

#include "certify/profile/probe.h"

enum { LOGIT = 4 };

/* Size parameter that shows W recent tokens beside n_sinks pinned ones. */
static uint64_t size_for(const sp_asker *asker, uint64_t w, uint64_t n_sinks) {
  unsigned counts = sp_convention(asker->known, SP_ASK_CACHE_WINDOW);
  bool inside = sp_convention(asker->known, SP_ASK_CACHE_PINNED) == SP_PINNED_INSIDE;
  return w - (counts == SP_CACHE_AFTER) + (counts == SP_CACHE_SPARE) + (inside ? n_sinks : 0);
}

static bool rotate(const sp_asker *asker, sp_case *c, uint32_t position, uint32_t pairing) {
  uint64_t by = position == SP_POSITION_ABS ? SP_OPT_POSITION_ABS : SP_OPT_POSITION_CACHE;
  uint64_t pair = pairing == SP_ROPE_HALF ? SP_OPT_ROPE_HALF : SP_OPT_ROPE_INTERLEAVED;
  c->position = position;
  c->rope_pairing = pairing;
  c->rope_dims = asker->d;
  c->rope_base = 10000;
  return sp_probe_offers(asker, by | pair);
}

static uint32_t some_pairing(const sp_asker *asker) {
  return sp_probe_offers(asker, SP_OPT_ROPE_HALF) ? SP_ROPE_HALF : SP_ROPE_INTERLEAVED;
}

static uint32_t some_position(const sp_asker *asker) {
  return sp_probe_offers(asker, SP_OPT_POSITION_ABS) ? SP_POSITION_ABS : SP_POSITION_CACHE;
}

/* ---- positions ---- */

/* Token 5 sees tokens 0, 4, 5: at distance 5, 1, 0 by their numbers, 2, 1, 0 by their ranks. */
static bool pinned_1_shows_2(const sp_asker *asker, sp_case *c, uint32_t position) {
  c->n_sink_tokens = 1;
  c->window = size_for(asker, 2, 1);
  if (!rotate(asker, c, position, some_pairing(asker)) || !sp_probe_keys(asker, c, 6)) return false;
  for (size_t j = 0; j < 6; j++) sp_probe_logit(c, j, LOGIT);
  return true;
}

static bool asked_absolute(const sp_asker *asker, sp_case *c) {
  return pinned_1_shows_2(asker, c, SP_POSITION_ABS);
}

static bool asked_cache(const sp_asker *asker, sp_case *c) {
  return pinned_1_shows_2(asker, c, SP_POSITION_CACHE);
}

static void distances(const sp_asker *asker, unsigned answer, double *e, double pinned) {
  double x[6] = {0, -INFINITY, -INFINITY, -INFINITY, 0, 0};
  double turn = answer == SP_POSITION_NEVER ? 0 : 1;
  if (answer == SP_POSITION_ALWAYS_ABS) pinned = 5;
  if (answer == SP_POSITION_ALWAYS_CACHE) pinned = 2;
  x[0] = LOGIT * cos(turn * pinned);
  x[4] = LOGIT * cos(turn);
  x[5] = LOGIT;
  sp_expect_weights(asker, x, 6, 0, e);
}

static void by_number(const sp_asker *asker, unsigned answer, double *e) {
  distances(asker, answer, e, 5);
}

static void by_rank(const sp_asker *asker, unsigned answer, double *e) {
  distances(asker, answer, e, 2);
}

/* Without pinned tokens numbers and ranks rotate alike. */
static bool rotated_3(const sp_asker *asker, sp_case *c) {
  if (!rotate(asker, c, some_position(asker), some_pairing(asker)) || !sp_probe_keys(asker, c, 3))
    return false;
  for (size_t j = 0; j < 3; j++) sp_probe_logit(c, j, LOGIT);
  return true;
}

static void by_distance(const sp_asker *asker, unsigned answer, double *e) {
  double x[3], turn = answer == SP_POSITION_NEVER ? 0 : 1;
  for (int j = 0; j < 3; j++) x[j] = LOGIT * cos(turn * (2 - j));
  sp_expect_weights(asker, x, 3, 0, e);
}

/* ---- pairs ---- */

/* q has a 1 in element 0, the key of token 0 a 4 in element 1: they meet only if 0 and 1 turn
 * together. */
static bool neighbours(const sp_asker *asker, sp_case *c, uint32_t pairing) {
  if (!rotate(asker, c, some_position(asker), pairing) || !sp_probe_keys(asker, c, 2)) return false;
  sp_probe_set(&c->k, 1, LOGIT);
  return true;
}

static bool asked_half(const sp_asker *asker, sp_case *c) {
  return neighbours(asker, c, SP_ROPE_HALF);
}

static bool asked_interleaved(const sp_asker *asker, sp_case *c) {
  return neighbours(asker, c, SP_ROPE_INTERLEAVED);
}

static void meeting(const sp_asker *asker, double *e, bool interleaved) {
  double x[2] = {0, 0};
  bool turns = sp_convention(asker->known, SP_ASK_POSITION) != SP_POSITION_NEVER;
  if (interleaved && turns) x[0] = LOGIT * sin(1);
  sp_expect_weights(asker, x, 2, 0, e);
}

static void pairs_of_half(const sp_asker *asker, unsigned answer, double *e) {
  meeting(asker, e, answer == SP_PAIRING_ALWAYS_INTERLEAVED);
}

static void pairs_interleaved(const sp_asker *asker, unsigned answer, double *e) {
  meeting(asker, e, answer != SP_PAIRING_ALWAYS_HALF);
}

#define C SP_OP_CACHE
#define V SP_OUT_VALUES

static const sp_probe list[] = {
    {SP_ASK_POSITION, 0, C,
     "cache that shows 1 pinned and 2 recent tokens, asked to rotate by number: weights at token 5",
     asked_absolute, V, SP_LAST_ROW, 8, NULL, by_number},
    {SP_ASK_POSITION, 0, C,
     "cache that shows 1 pinned and 2 recent tokens, asked to rotate by rank: weights at token 5",
     asked_cache, V, SP_LAST_ROW, 8, NULL, by_rank},
    {SP_ASK_POSITION, 1, C, "3 tokens, asked to rotate: weights at token 2", rotated_3, V,
     SP_LAST_ROW, 8, NULL, by_distance},
    {SP_ASK_PAIRING, 0, C, "2 tokens, asked for pairs of halves: weights at token 1", asked_half, V,
     SP_LAST_ROW, 8, NULL, pairs_of_half},
    {SP_ASK_PAIRING, 0, C, "2 tokens, asked for interleaved pairs: weights at token 1",
     asked_interleaved, V, SP_LAST_ROW, 8, NULL, pairs_interleaved},
};

sp_probes sp_probes_rope(void) {
  return (sp_probes){list, sizeof list / sizeof *list};
}
