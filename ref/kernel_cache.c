/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming cache behind the ABI. Keys and values lie in a packed list of the retained tokens,
 * oldest first; the eviction machine of ref/cache.c says which row leaves. A query then sees the
 * whole list: what is not visible is not there. spec: EV-1, EV-4, EV-5 */
#include "ref/operations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ref/check.h"
#include "ref/heads.h"

struct sp_cache {
  sp_cache_config config;
  sp_ref_cache tokens;
  size_t k_width, v_width; /* doubles per token: all kv heads */
  double *k, *v;           /* k[n_retained][n_kv_heads][d_head], v alike */
};

static sp_status open_cache(sp_cache **cache, const sp_cache_config *config) {
  if (cache == NULL || config == NULL || config->size < sizeof *config) return SP_INVALID;
  if (config->window == 0) return SP_INVALID; /* spec: EV-3 */
  if (!sp_ref_legal_heads(config->n_heads, config->n_kv_heads)) return SP_INVALID;
  if (sp_ref_format_bytes(config->dtype_kv) == 0) return SP_UNSUPPORTED;
  sp_cache *c = malloc(sizeof *c);
  if (c == NULL) return SP_NOMEM;
  *c = (sp_cache){.config = *config,
                  .k_width = (size_t)(config->n_kv_heads * config->d_head),
                  .v_width = (size_t)(config->n_kv_heads * config->d_value)};
  if (!sp_ref_cache_init(&c->tokens, config->n_sink_tokens, config->window, config->first_token)) {
    free(c);
    return SP_NOMEM;
  }
  *cache = c;
  return SP_OK;
}

static void close_cache(sp_cache *cache) {
  if (cache == NULL) return;
  sp_ref_cache_clear(&cache->tokens);
  free(cache->k);
  free(cache->v);
  free(cache);
}

static bool wants_lse(const sp_cache_call *call) {
  return sp_ref_wanted_out(&call->lse_keys) || sp_ref_wanted_out(&call->lse_total);
}

/* The query side, shared by append and attend. spec: KC-7 */
static sp_status check_queries(const sp_cache *cache, const sp_cache_call *call) {
  const bool has_q = sp_ref_present(&call->q);
  if (!sp_ref_legal_scale(call->scale, call->softcap)) return SP_INVALID;
  if (has_q != sp_ref_wanted_out(&call->out) && cache->config.d_value != 0) return SP_INVALID;
  if (!has_q && wants_lse(call) && cache->config.d_head != 0) return SP_INVALID;
  const uint32_t lse = sp_ref_lse_type_of(&call->q) | SP_DTYPE_BIT(SP_F32);
  const sp_status checks[] = {
      sp_ref_check_in(&call->q, SP_REF_OPTIONAL, SP_REF_ALL_TYPES),
      sp_ref_check_in(&call->sink_logit, SP_REF_OPTIONAL, SP_REF_SINK_TYPES),
      sp_ref_check_out(&call->out, sp_ref_type_of(&call->q)),
      sp_ref_check_out(&call->lse_keys, lse),
      sp_ref_check_out(&call->lse_total, lse),
  };
  return sp_ref_first_refusal(checks, sizeof checks / sizeof checks[0]);
}

static sp_status validate_append(const sp_cache *cache, const sp_cache_call *call) {
  if (cache == NULL || call == NULL || call->size < sizeof *call) return SP_INVALID;
  if (call->n_tokens == 0) return SP_INVALID;
  const uint32_t kv = SP_DTYPE_BIT(cache->config.dtype_kv);
  const sp_status checks[] = {
      sp_ref_check_in(&call->k, cache->k_width ? SP_REF_REQUIRED : SP_REF_OPTIONAL, kv),
      sp_ref_check_in(&call->v, cache->v_width ? SP_REF_REQUIRED : SP_REF_OPTIONAL, kv),
      check_queries(cache, call),
  };
  return sp_ref_first_refusal(checks, sizeof checks / sizeof checks[0]);
}

static sp_status validate_attend(const sp_cache *cache, const sp_cache_call *call) {
  if (cache == NULL || call == NULL || call->size < sizeof *call) return SP_INVALID;
  if (cache->tokens.n_seen == 0 || call->n_tokens != 1) return SP_INVALID;
  if (sp_ref_present(&call->k) || sp_ref_present(&call->v)) return SP_INVALID;
  if (!sp_ref_wanted_out(&call->out) && !wants_lse(call)) return SP_INVALID;
  return check_queries(cache, call);
}

/* Room for n_rows rows. */
static bool reserve_rows(double **rows, uint64_t n_rows, size_t width) {
  if (width != 0 && n_rows > SIZE_MAX / sizeof(double) / width) return false;
  const size_t count = (size_t)n_rows * width;
  double *grown = realloc(*rows, (count ? count : 1) * sizeof(double));
  if (grown == NULL) return false;
  *rows = grown;
  return true;
}

/* Close the gap that the evicted row leaves. */
static void drop_row(double *rows, size_t width, uint64_t row, uint64_t n_rows) {
  memmove(rows + row * width, rows + (row + 1) * width,
          (size_t)(n_rows - row - 1) * width * sizeof(double));
}

/* The most tokens that are retained while n_tokens more are appended. */
static uint64_t most_retained(const sp_cache *cache, uint64_t n_tokens) {
  const uint64_t n_after = cache->tokens.n_retained + n_tokens;
  const uint64_t capacity = cache->config.n_sink_tokens + cache->config.window;
  const bool capacity_fits = capacity >= cache->config.window;
  return capacity_fits && capacity < n_after ? capacity : n_after;
}

/* All memory of an append before its first effect: one row more than stay, because a token is
 * written before another one leaves. */
static bool reserve(sp_cache *cache, uint64_t n_tokens) {
  const uint64_t n_rows = most_retained(cache, n_tokens) + 1;
  return reserve_rows(&cache->k, n_rows, cache->k_width) &&
         reserve_rows(&cache->v, n_rows, cache->v_width) &&
         sp_ref_cache_reserve(&cache->tokens, n_tokens);
}

static void append_token(sp_cache *cache, const sp_cache_call *call, uint64_t t) {
  const uint64_t n_before = cache->tokens.n_retained;
  (void)sp_ref_cache_append(&cache->tokens, 1);
  const size_t d_head = (size_t)cache->config.d_head, d_value = (size_t)cache->config.d_value;
  for (uint64_t h = 0; h < cache->config.n_kv_heads; h++) {
    sp_ref_load_row(cache->k + n_before * cache->k_width + h * d_head, &call->k, 0, t, h, d_head);
    sp_ref_load_row(cache->v + n_before * cache->v_width + h * d_value, &call->v, 0, t, h, d_value);
  }
  const bool evicted = cache->tokens.n_retained == n_before;
  if (!evicted) return;
  drop_row(cache->k, cache->k_width, cache->config.n_sink_tokens, n_before + 1);
  drop_row(cache->v, cache->v_width, cache->config.n_sink_tokens, n_before + 1);
}

typedef struct workspace {
  double *q, *out;
  sp_ref_rounder rounder;
} workspace;

/* Query t of the call, against everything that is retained. */
static void attend_token(const sp_cache *cache, const sp_cache_call *call, uint64_t t,
                         workspace *work) {
  const sp_cache_config *config = &cache->config;
  const uint64_t group = config->n_heads / config->n_kv_heads;
  for (uint64_t h = 0; h < config->n_heads; h++) {
    sp_ref_load_row(work->q, &call->q, 0, t, h, (size_t)config->d_head);
    const sp_ref_row_input in = {
        .n_kv = (size_t)cache->tokens.n_retained,
        .d_head = (size_t)config->d_head,
        .d_value = sp_ref_wanted_out(&call->out) ? (size_t)config->d_value : 0,
        .q = work->q,
        .k = cache->k + h / group * config->d_head,
        .k_stride = cache->k_width,
        .v = cache->v + h / group * config->d_value,
        .v_stride = cache->v_width,
        .scale = (double)call->scale,
        .softcap = (double)call->softcap,
        .sink_logit = sp_ref_load_or(-INFINITY, &call->sink_logit, 0, 0, h, 0), /* spec: AL-2 */
    };
    const sp_ref_target target = {&call->out, &call->lse_keys, &call->lse_total, 0, t, h};
    sp_ref_write_row(&work->rounder, &in, &target, work->out);
  }
}

static bool workspace_init(workspace *work, const sp_cache *cache, uint64_t n_tokens) {
  *work = (workspace){.q = sp_ref_doubles(cache->config.d_head, 1),
                      .out = sp_ref_doubles(cache->config.d_value, 1)};
  if (work->q && work->out &&
      sp_ref_rounder_init(&work->rounder, (size_t)most_retained(cache, n_tokens),
                          (size_t)cache->config.d_value))
    return true;
  free(work->q);
  free(work->out);
  return false;
}

static void workspace_clear(workspace *work) {
  sp_ref_rounder_clear(&work->rounder);
  free(work->q);
  free(work->out);
}

static sp_status append(sp_cache *cache, const sp_cache_call *call) {
  const sp_status status = validate_append(cache, call);
  if (status != SP_OK) return status;
  const bool has_queries = sp_ref_wanted_out(&call->out) || wants_lse(call);
  workspace work;
  if (!workspace_init(&work, cache, has_queries ? call->n_tokens : 0)) return SP_NOMEM;
  const bool reserved = reserve(cache, call->n_tokens);
  for (uint64_t t = 0; t < call->n_tokens && reserved; t++) {
    append_token(cache, call, t);
    if (has_queries) attend_token(cache, call, t, &work);
  }
  workspace_clear(&work);
  return reserved ? SP_OK : SP_NOMEM;
}

static sp_status attend(sp_cache *cache, const sp_cache_call *call) {
  const sp_status status = validate_attend(cache, call);
  if (status != SP_OK) return status;
  workspace work;
  if (!workspace_init(&work, cache, 0)) return SP_NOMEM;
  attend_token(cache, call, 0, &work);
  workspace_clear(&work);
  return SP_OK;
}

/* spec: EV-6 */
static sp_status list_visible(sp_cache *cache, uint64_t sequence, uint64_t *token,
                              uint64_t capacity, uint64_t *n) {
  if (cache == NULL || sequence != 0 || n == NULL || (token == NULL && capacity != 0))
    return SP_INVALID;
  *n = cache->tokens.n_retained;
  for (uint64_t i = 0; i < *n && i < capacity; i++) token[i] = cache->tokens.token[i];
  return SP_OK;
}

const sp_cache_ops sp_ref_cache_operations = {
    .size = sizeof(sp_cache_ops),
    .open = open_cache,
    .append = append,
    .attend = attend,
    .visible = list_visible,
    .close = close_cache,
};
