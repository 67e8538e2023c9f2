/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming cache behind the ABI: n_sequences streams that know nothing of each other. A query
 * sees what its stream has not hidden, at positions that are counted out on the list, and so the
 * closed form of visibility appears nowhere here. spec: EV-1, EV-4, EV-5, EV-10, EV-15, EV-16 */
#include "ref/operations.h"

#include <math.h>
#include <stdlib.h>

#include "ref/heads.h"
#include "ref/stream.h"

struct sp_cache {
  sp_cache_config config;
  uint64_t n_sequences;
  sp_ref_stream *sequence; /* sequence[n_sequences] */
};

/* spec: EV-10, EV-11, KC-7 */
static bool legal_positions(const sp_cache_config *config) {
  if (config->position > SP_POSITION_CACHE) return false;
  if (config->rope_pairing > SP_ROPE_INTERLEAVED) return false;
  const bool rotates = config->rope_dims > 0;
  if (rotates != (config->position != SP_POSITION_NONE)) return false;
  if (!rotates) return true;
  return config->rope_dims % 2 == 0 && config->rope_dims <= config->d_head &&
         isfinite(config->rope_base) && config->rope_base >= 1;
}

/* spec: EV-3, EV-9, KC-7 */
static bool legal_config(const sp_cache_config *config) {
  return config->window != 0 && config->n_evict <= config->window &&
         sp_ref_legal_heads(config->n_heads, config->n_kv_heads) && legal_positions(config);
}

static void close_cache(sp_cache *cache) {
  if (cache == NULL) return;
  for (uint64_t s = 0; s < cache->n_sequences; s++) sp_ref_stream_clear(&cache->sequence[s]);
  free(cache->sequence);
  free(cache);
}

static sp_status open_cache(sp_cache **cache, const sp_cache_config *config) {
  if (cache == NULL || config == NULL || config->size < sizeof *config) return SP_INVALID;
  if (!legal_config(config)) return SP_INVALID;
  if (sp_ref_format_bytes(config->dtype_kv) == 0) return SP_UNSUPPORTED;
  const uint64_t n_sequences = config->n_sequences > 0 ? config->n_sequences : 1;
  sp_cache *c = malloc(sizeof *c);
  if (c == NULL) return SP_NOMEM;
  *c = (sp_cache){.config = *config, .sequence = calloc(n_sequences, sizeof *c->sequence)};
  if (c->sequence == NULL) {
    free(c);
    return SP_NOMEM;
  }
  for (; c->n_sequences < n_sequences; c->n_sequences++)
    if (!sp_ref_stream_init(&c->sequence[c->n_sequences], config)) break;
  if (c->n_sequences < n_sequences) {
    close_cache(c);
    return SP_NOMEM;
  }
  *cache = c;
  return SP_OK;
}

/* NULL when there is none of that number. spec: EV-16 */
static sp_ref_stream *stream_of(const sp_cache *cache, uint64_t sequence) {
  if (cache == NULL || sequence >= cache->n_sequences) return NULL;
  return &cache->sequence[sequence];
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
  const sp_ref_stream *stream = stream_of(cache, call->sequence);
  if (stream == NULL || call->n_tokens == 0) return SP_INVALID;
  const uint32_t kv = SP_DTYPE_BIT(cache->config.dtype_kv);
  const sp_status checks[] = {
      sp_ref_check_in(&call->k, stream->k_width ? SP_REF_REQUIRED : SP_REF_OPTIONAL, kv),
      sp_ref_check_in(&call->v, stream->v_width ? SP_REF_REQUIRED : SP_REF_OPTIONAL, kv),
      check_queries(cache, call),
  };
  return sp_ref_first_refusal(checks, sizeof checks / sizeof checks[0]);
}

static sp_status validate_attend(const sp_cache *cache, const sp_cache_call *call) {
  if (cache == NULL || call == NULL || call->size < sizeof *call) return SP_INVALID;
  const sp_ref_stream *stream = stream_of(cache, call->sequence);
  if (stream == NULL || stream->tokens.n_seen == 0 || call->n_tokens != 1) return SP_INVALID;
  if (sp_ref_present(&call->k) || sp_ref_present(&call->v)) return SP_INVALID;
  if (!sp_ref_wanted_out(&call->out) && !wants_lse(call)) return SP_INVALID;
  return check_queries(cache, call);
}

typedef struct workspace {
  double *q, *out;
  int64_t *position;
  sp_ref_rounder rounder;
} workspace;

static bool workspace_init(workspace *work, const sp_cache *cache, uint64_t most_tokens) {
  const size_t n = (size_t)most_tokens;
  *work = (workspace){.q = sp_ref_doubles(cache->config.d_head, 1),
                      .out = sp_ref_doubles(cache->config.d_value, 1),
                      .position = calloc(n + 1, sizeof *work->position)};
  if (work->q && work->out && work->position &&
      sp_ref_rounder_init(&work->rounder, n, (size_t)cache->config.d_value))
    return true;
  free(work->q);
  free(work->out);
  free(work->position);
  return false;
}

static void workspace_clear(workspace *work) {
  sp_ref_rounder_clear(&work->rounder);
  free(work->q);
  free(work->out);
  free(work->position);
}

/* The row of a head whose query is in the workspace. spec: EV-10, EV-11, AL-2 */
static sp_ref_row_input row_input(const sp_cache_config *config, const sp_ref_stream *stream,
                                  const sp_cache_call *call, const workspace *work, uint64_t h) {
  const uint64_t h_kv = h / (config->n_heads / config->n_kv_heads); /* spec: AT-7 */
  return (sp_ref_row_input){
      .n_kv = (size_t)stream->tokens.n_retained,
      .d_head = (size_t)config->d_head,
      .d_value = sp_ref_wanted_out(&call->out) ? (size_t)config->d_value : 0,
      .q = work->q,
      .k = stream->k + h_kv * config->d_head,
      .k_stride = stream->k_width,
      .v = stream->v + h_kv * config->d_value,
      .v_stride = stream->v_width,
      .scale = (double)call->scale,
      .softcap = (double)call->softcap,
      .sink_logit = sp_ref_load_or(-INFINITY, &call->sink_logit, 0, 0, h, 0),
      .masked = true,
      .mask = {true, SP_WINDOW_ALL, 0},
      .pos_k = work->position,
      .rope = {.dims = (size_t)config->rope_dims,
               .interleaved = config->rope_pairing == SP_ROPE_INTERLEAVED,
               .base = config->rope_base},
  };
}

/* Query t of the call, against everything that the newest token of the stream sees. */
static void attend_token(const sp_cache *cache, const sp_cache_call *call, uint64_t t,
                         workspace *work) {
  const sp_cache_config *config = &cache->config;
  const sp_ref_stream *stream = stream_of(cache, call->sequence);
  const bool absolute = config->position == SP_POSITION_ABS;
  const int64_t pos_q = sp_ref_stream_positions(stream, absolute, work->position);
  for (uint64_t h = 0; h < config->n_heads; h++) {
    sp_ref_load_row(work->q, &call->q, 0, t, h, (size_t)config->d_head);
    sp_ref_row_input in = row_input(config, stream, call, work, h);
    in.pos_q = pos_q;
    const sp_ref_target target = {&call->out, &call->lse_keys, &call->lse_total, 0, t, h};
    sp_ref_write_row(&work->rounder, &in, &target, work->out);
  }
}

static sp_status append(sp_cache *cache, const sp_cache_call *call) {
  const sp_status status = validate_append(cache, call);
  if (status != SP_OK) return status;
  sp_ref_stream *stream = stream_of(cache, call->sequence);
  const bool has_queries = sp_ref_wanted_out(&call->out) || wants_lse(call);
  const uint64_t most = has_queries ? sp_ref_stream_most(stream, call->n_tokens) : 0;
  workspace work;
  if (!workspace_init(&work, cache, most)) return SP_NOMEM;
  const bool reserved = sp_ref_stream_reserve(stream, call->n_tokens);
  for (uint64_t t = 0; t < call->n_tokens && reserved; t++) {
    sp_ref_stream_append(stream, &cache->config, call, t);
    if (has_queries) attend_token(cache, call, t, &work);
  }
  workspace_clear(&work);
  return reserved ? SP_OK : SP_NOMEM;
}

static sp_status attend(sp_cache *cache, const sp_cache_call *call) {
  const sp_status status = validate_attend(cache, call);
  if (status != SP_OK) return status;
  workspace work;
  const sp_ref_stream *stream = stream_of(cache, call->sequence);
  if (!workspace_init(&work, cache, stream->tokens.n_retained)) return SP_NOMEM;
  attend_token(cache, call, 0, &work);
  workspace_clear(&work);
  return SP_OK;
}

/* spec: EV-6 */
static sp_status list_visible(sp_cache *cache, uint64_t sequence, uint64_t *token,
                              uint64_t capacity, uint64_t *n) {
  const sp_ref_stream *stream = stream_of(cache, sequence);
  if (stream == NULL || n == NULL || (token == NULL && capacity != 0)) return SP_INVALID;
  const sp_ref_cache *tokens = &stream->tokens;
  *n = sp_ref_cache_n_visible(tokens);
  for (uint64_t i = 0; i < *n && i < capacity; i++)
    token[i] = tokens->token[sp_ref_cache_held(tokens, i)];
  return SP_OK;
}

/* The rows of what is taken back lie behind the others and are overwritten. spec: EV-15 */
static sp_status truncate_stream(sp_cache *cache, uint64_t sequence, uint64_t n_tokens) {
  sp_ref_stream *stream = stream_of(cache, sequence);
  return stream != NULL ? sp_ref_cache_truncate(&stream->tokens, n_tokens) : SP_INVALID;
}

const sp_cache_ops sp_ref_cache_operations = {
    .size = sizeof(sp_cache_ops),
    .open = open_cache,
    .append = append,
    .attend = attend,
    .visible = list_visible,
    .close = close_cache,
    .truncate = truncate_stream,
};
