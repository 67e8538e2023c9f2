/* SPDX-License-Identifier: Apache-2.0 */
/* What the museum's cache says it sees. tests: EV-6 EV-8 */
#include <stdlib.h>
#include <string.h>

#include "certify/museum/base.h"

static int ascending(const void *a, const void *b) {
  uint64_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* The same rule as in attention, read off the same slots. */
static bool seen(const sp_cache *cache, int64_t token) {
  if (token < 0 || !SP_HOOK(cache, retained)(cache, (uint64_t)token)) return false;
  uint64_t t = (uint64_t)token, newest = cache->n_seen - 1;
  if (t < cache->n_sink_tokens) return true;
  return newest - t < SP_HOOK(cache, window_at)(cache, newest);
}

sp_status sp_base_list(sp_cache *first, uint64_t sequence, uint64_t *token, uint64_t capacity,
                       uint64_t *n) {
  sp_cache *cache = sp_cache_of(first, sequence);
  if (!cache) return SP_INVALID;
  uint64_t *all = calloc((size_t)cache->n_slots + 1, sizeof *all);
  uint64_t n_all = 0;
  if (!all) return SP_NOMEM;
  for (uint64_t slot = 0; slot < cache->n_slots; slot++)
    if (seen(cache, cache->token[slot])) all[n_all++] = (uint64_t)cache->token[slot];
  qsort(all, (size_t)n_all, sizeof *all, ascending);
  if (cache->hooks->listed) cache->hooks->listed(cache, all, &n_all);
  for (uint64_t i = 0; i < n_all && i < capacity; i++)
    token[i] = all[i] + cache->config.first_token;
  *n = n_all;
  free(all);
  return SP_OK;
}
