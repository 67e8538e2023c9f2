/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the museum's cache, its sequences, and how it goes back. What is still there is read
 * off the slots: a token that was overwritten is not in its slot any more. tests: EV-3 EV-9 EV-15
 * EV-16 KC-7 */
#include <stdlib.h>

#include "certify/museum/base.h"

uint64_t sp_base_route(const sp_cache *cache, uint64_t sequence) {
  (void)cache;
  return sequence;
}

sp_cache *sp_cache_of(sp_cache *cache, uint64_t sequence) {
  if (sequence >= cache->n_sequences) return NULL;
  return cache->sequence[SP_HOOK(cache, route)(cache, sequence)];
}

static bool legal(const sp_cache_config *config) {
  if (config->window == 0 || config->n_evict > config->window) return false;
  if (config->n_kv_heads == 0 || config->n_heads % config->n_kv_heads != 0) return false;
  if (config->position > SP_POSITION_CACHE || config->rope_pairing > SP_ROPE_INTERLEAVED)
    return false;
  if ((config->rope_dims > 0) != (config->position != SP_POSITION_NONE)) return false;
  if (config->rope_dims == 0) return true;
  return config->rope_dims % 2 == 0 && config->rope_dims <= config->d_head &&
         isfinite(config->rope_base) && config->rope_base >= 1;
}

static sp_cache *new_sequence(const sp_hooks *hooks, const sp_cache_config *config,
                              uint64_t number) {
  sp_cache *fresh = calloc(1, sizeof *fresh);
  if (!fresh) return NULL;
  fresh->hooks = hooks;
  fresh->config = *config;
  fresh->number = number;
  fresh->n_sink_tokens = config->n_sink_tokens;
  fresh->window = config->window;
  if (hooks->opened) hooks->opened(fresh);
  return fresh;
}

static void free_sequence(sp_cache *cache) {
  free(cache->k);
  free(cache->v);
  free(cache->token);
  free(cache->sequence);
  free(cache);
}

void sp_base_close(sp_cache *cache) {
  if (!cache) return;
  for (uint64_t s = 1; s < cache->n_sequences; s++) free_sequence(cache->sequence[s]);
  free_sequence(cache);
}

sp_status sp_base_open(const sp_hooks *hooks, sp_cache **cache, const sp_cache_config *config) {
  if (config->size < sizeof *config) return SP_UNSUPPORTED;
  if (!legal(config)) return SP_INVALID;
  if (!sp_element_bytes(config->dtype_kv)) return SP_UNSUPPORTED;
  uint64_t n = config->n_sequences > 0 ? config->n_sequences : 1;
  sp_cache *first = new_sequence(hooks, config, 0);
  if (!first) return SP_NOMEM;
  first->sequence = calloc((size_t)n, sizeof(sp_cache *));
  bool ok = first->sequence != NULL;
  for (; ok && first->n_sequences < n; first->n_sequences += ok) {
    uint64_t s = first->n_sequences;
    first->sequence[s] = s == 0 ? first : new_sequence(hooks, config, s);
    ok = first->sequence[s] != NULL;
  }
  if (ok)
    *cache = first;
  else
    sp_base_close(first);
  return ok ? SP_OK : SP_NOMEM;
}

bool sp_base_lost(const sp_cache *cache, uint64_t n_seen) {
  if (n_seen <= cache->n_sink_tokens) return false;
  for (uint64_t j = sp_cache_oldest(cache, n_seen - 1); j < n_seen; j++)
    if (cache->token[SP_HOOK(cache, slot)(cache, j)] != (int64_t)j) return true;
  return false;
}

uint64_t sp_base_taken(const sp_cache *cache, uint64_t n) {
  (void)cache;
  return n;
}

sp_status sp_base_truncate(sp_cache *first, uint64_t sequence, uint64_t n_tokens) {
  sp_cache *cache = sp_cache_of(first, sequence);
  if (!cache || n_tokens == 0 || n_tokens > cache->n_seen) return SP_INVALID;
  uint64_t n_seen = cache->n_seen - n_tokens;
  if (SP_HOOK(cache, lost)(cache, n_seen)) return SP_LOST;
  cache->n_seen -= SP_HOOK(cache, taken)(cache, n_tokens);
  cache->n_taken += n_tokens;
  for (uint64_t slot = 0; slot < cache->n_slots; slot++)
    if (cache->token[slot] >= (int64_t)n_seen) cache->token[slot] = -1;
  return SP_OK;
}
