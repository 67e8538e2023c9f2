/* SPDX-License-Identifier: Apache-2.0 */
/* The list, its appends and its queries. Rotation is done where the logit is computed, in binary64,
 * so that nothing depends on how a key was stored. */
#include "tests/profiles/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void free_token(held *t) {
  free(t->k);
  free(t->v);
}

void store_drop(sp_cache *cache, uint64_t first, uint64_t n) {
  if (first >= cache->n) return;
  if (n > cache->n - first) n = cache->n - first;
  for (uint64_t i = first; i < first + n; i++) free_token(&cache->token[i]);
  memmove(&cache->token[first], &cache->token[first + n],
          (cache->n - first - n) * sizeof *cache->token);
  cache->n -= n;
}

static bool rotation_error(const sp_cache_config *config) {
  bool rotates = config->rope_dims > 0;
  return rotates != (config->position != SP_POSITION_NONE) || config->rope_dims % 2 != 0 ||
         config->rope_dims > config->d_head || config->position > SP_POSITION_CACHE ||
         config->rope_pairing > SP_ROPE_INTERLEAVED ||
         (rotates && !(isfinite(config->rope_base) && config->rope_base >= 1));
}

sp_status store_open(const store_policy *policy, sp_cache **cache, const sp_cache_config *config) {
  if (config->window == 0 || config->n_kv_heads == 0 || config->n_heads % config->n_kv_heads != 0)
    return SP_INVALID;
  if (rotation_error(config) || config->n_evict > config->window) return SP_INVALID;
  if (config->dtype_kv != SP_F32 || config->n_evict > 1 || config->n_sequences > 1 ||
      (policy->rotates && config->position == SP_POSITION_NONE))
    return SP_UNSUPPORTED;
  sp_cache *made = calloc(1, sizeof *made);
  if (made == NULL) return SP_NOMEM;
  made->config = *config;
  made->policy = policy;
  *cache = made;
  return SP_OK;
}

static float *copy_rows(const sp_in *view, uint64_t t, uint64_t n_heads, uint64_t d) {
  float *rows = malloc((n_heads * d + 1) * sizeof *rows);
  for (uint64_t h = 0; rows != NULL && h < n_heads; h++)
    memcpy(rows + h * d, in_at(view, 0, t, h), d * sizeof *rows);
  return rows;
}

static bool store(sp_cache *cache, const sp_cache_call *call, uint64_t t) {
  const sp_cache_config *config = &cache->config;
  held *token = realloc(cache->token, (cache->n + 1) * sizeof *token);
  if (token == NULL) return false;
  cache->token = token;
  token[cache->n] =
      (held){cache->n_seen, copy_rows(&call->k, t, config->n_kv_heads, config->d_head),
             copy_rows(&call->v, t, config->n_kv_heads, config->d_value)};
  cache->n++;
  cache->n_seen++;
  return token[cache->n - 1].k != NULL && token[cache->n - 1].v != NULL;
}

/* q·k with both turned: only the difference of their positions matters. */
static double rotated_dot(const sp_cache *cache, const float *q, const float *k, double distance) {
  const sp_cache_config *config = &cache->config;
  uint64_t r = config->position == SP_POSITION_NONE ? 0 : config->rope_dims;
  bool half = cache->policy->half || config->rope_pairing == SP_ROPE_HALF;
  double sum = dot(q + r, k + r, config->d_head - r);
  for (uint64_t i = 0; i < r / 2; i++) {
    uint64_t a = half ? i : 2 * i, b = half ? i + r / 2 : 2 * i + 1;
    double angle = distance * pow(config->rope_base, -2.0 * (double)i / (double)r);
    double qa = (double)q[a], qb = (double)q[b], ka = (double)k[a], kb = (double)k[b];
    sum += cos(angle) * (qa * ka + qb * kb) + sin(angle) * (qa * kb - qb * ka);
  }
  return sum;
}

/* Query t of the call, which is the token at place `at`: it sees the list up to there. */
static bool answer(const sp_cache *cache, const sp_cache_call *call, uint64_t t, uint64_t at,
                   uint64_t h) {
  const sp_cache_config *config = &cache->config;
  uint64_t n = at + 1, h_kv = h / (config->n_heads / config->n_kv_heads);
  bool masks = cache->policy->masked && call->n_tokens > 1 && n > config->window;
  double *x = malloc((n + config->d_value) * sizeof *x);
  const float **v = malloc(n * sizeof *v);
  const float *q = in_at(&call->q, 0, t, h);
  bool ok = x != NULL && v != NULL;
  for (uint64_t j = 0; ok && j < n; j++) {
    const held *key = &cache->token[j];
    uint64_t distance = cache->policy->by_rank ? at - j : cache->token[at].number - key->number;
    double s = (double)call->scale *
               rotated_dot(cache, q, key->k + h_kv * config->d_head, (double)distance);
    double c = (double)call->softcap;
    x[j] = c > 0 && isfinite(c) ? c * tanh(s / c) : s;
    if (masks && j < n - config->window) x[j] = -INFINITY;
    v[j] = key->v + h_kv * config->d_value;
  }
  if (ok) {
    const row r = {n, x, v, config->d_value, sink_at(&call->sink_logit, h)};
    row_result result = {.out = x + n};
    row_attend(&r, &result);
    for (uint64_t c = 0; c < config->d_value; c++)
      out_at(&call->out, 0, t, h)[c] = (float)result.out[c];
    if (call->lse_keys.data) *out_at(&call->lse_keys, 0, t, h) = (float)result.lse_keys;
    if (call->lse_total.data) *out_at(&call->lse_total, 0, t, h) = (float)result.lse_total;
  }
  free(x);
  free(v);
  return ok;
}

static bool answer_all_heads(const sp_cache *cache, const sp_cache_call *call, uint64_t t,
                             uint64_t at) {
  bool ok = true;
  for (uint64_t h = 0; call->q.data && h < cache->config.n_heads; h++)
    ok = ok && answer(cache, call, t, at, h);
  return ok;
}

/* A part of the call that is stored before any of its queries is answered. */
static bool append_part(sp_cache *cache, const sp_cache_call *call, uint64_t first, uint64_t n) {
  bool ok = true;
  if (cache->policy->before) cache->policy->before(cache, n);
  uint64_t base = cache->n;
  for (uint64_t t = 0; ok && t < n; t++) ok = store(cache, call, first + t);
  for (uint64_t t = 0; ok && t < n; t++) ok = answer_all_heads(cache, call, first + t, base + t);
  if (cache->policy->after) cache->policy->after(cache);
  return ok;
}

sp_status store_append(sp_cache *cache, const sp_cache_call *call) {
  if (call->n_tokens == 0 || !isfinite(call->scale) || !(call->softcap >= 0)) return SP_INVALID;
  if (cache->policy->apart && call->q.data) return SP_UNSUPPORTED;
  bool ok = true;
  if (cache->policy->dense) ok = append_part(cache, call, 0, call->n_tokens);
  for (uint64_t t = 0; !cache->policy->dense && ok && t < call->n_tokens; t++)
    ok = append_part(cache, call, t, 1);
  return ok ? SP_OK : SP_NOMEM;
}

sp_status store_attend(sp_cache *cache, const sp_cache_call *call) {
  if (cache->n == 0 || !isfinite(call->scale) || !(call->softcap >= 0)) return SP_INVALID;
  return answer_all_heads(cache, call, 0, cache->n - 1) ? SP_OK : SP_NOMEM;
}

sp_status store_visible(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                        uint64_t *n) {
  if (sequence != 0) return SP_INVALID;
  for (uint64_t j = 0; j < cache->n && j < capacity; j++)
    token[j] = cache->config.first_token + cache->token[j].number;
  *n = cache->n;
  return SP_OK;
}

void store_close(sp_cache *cache) {
  for (uint64_t j = 0; j < cache->n; j++) free_token(&cache->token[j]);
  free(cache->token);
  free(cache);
}
