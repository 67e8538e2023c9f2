/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values lie in a packed list of the held tokens, oldest first, as they were given: never
 * rotated, so that nothing drifts. The eviction machine of ref/cache.c says which row leaves.
 * spec: EV-1, EV-4, EV-13 */
#include "ref/stream.h"

#include <stdlib.h>
#include <string.h>

#include "ref/tensor.h"

bool sp_ref_stream_init(sp_ref_stream *stream, const sp_cache_config *config) {
  *stream = (sp_ref_stream){.k_width = (size_t)(config->n_kv_heads * config->d_head),
                            .v_width = (size_t)(config->n_kv_heads * config->d_value)};
  if (!sp_ref_cache_init(&stream->tokens, config->n_sink_tokens, config->window,
                         config->first_token))
    return false;
  stream->tokens.n_evict = config->n_evict > 0 ? config->n_evict : 1;
  stream->tokens.n_undo = config->n_undo;
  return true;
}

void sp_ref_stream_clear(sp_ref_stream *stream) {
  sp_ref_cache_clear(&stream->tokens);
  free(stream->k);
  free(stream->v);
}

uint64_t sp_ref_stream_most(const sp_ref_stream *stream, uint64_t n_tokens) {
  const sp_ref_cache *tokens = &stream->tokens;
  uint64_t most = tokens->n_retained + n_tokens, capacity = tokens->n_sink_tokens;
  const uint64_t more[] = {tokens->window, tokens->n_undo};
  for (int i = 0; i < 2; i++) {
    capacity += more[i];
    if (capacity < more[i]) return most;
  }
  return capacity < most ? capacity : most;
}

static bool reserve_rows(double **rows, uint64_t n_rows, size_t width) {
  if (width != 0 && n_rows > SIZE_MAX / sizeof(double) / width) return false;
  const size_t count = (size_t)n_rows * width;
  double *grown = realloc(*rows, (count ? count : 1) * sizeof(double));
  if (grown == NULL) return false;
  *rows = grown;
  return true;
}

/* One row more than stay, because a token is written before another one leaves. */
bool sp_ref_stream_reserve(sp_ref_stream *stream, uint64_t n_tokens) {
  const uint64_t n_rows = sp_ref_stream_most(stream, n_tokens) + 1;
  return reserve_rows(&stream->k, n_rows, stream->k_width) &&
         reserve_rows(&stream->v, n_rows, stream->v_width) &&
         sp_ref_cache_reserve(&stream->tokens, n_tokens);
}

/* Close the gap that a row leaves. */
static void drop_row(double *rows, size_t width, uint64_t row, uint64_t n_rows) {
  memmove(rows + row * width, rows + (row + 1) * width,
          (size_t)(n_rows - row - 1) * width * sizeof(double));
}

void sp_ref_stream_append(sp_ref_stream *stream, const sp_cache_config *config,
                          const sp_cache_call *call, uint64_t t) {
  const uint64_t n_before = stream->tokens.n_retained;
  (void)sp_ref_cache_append(&stream->tokens, 1);
  const size_t d_head = (size_t)config->d_head, d_value = (size_t)config->d_value;
  double *k = stream->k + n_before * stream->k_width, *v = stream->v + n_before * stream->v_width;
  for (uint64_t h = 0; h < config->n_kv_heads; h++) {
    sp_ref_load_row(k + h * d_head, &call->k, 0, t, h, d_head);
    sp_ref_load_row(v + h * d_value, &call->v, 0, t, h, d_value);
  }
  const bool one_left = stream->tokens.n_retained == n_before;
  if (!one_left) return;
  drop_row(stream->k, stream->k_width, config->n_sink_tokens, n_before + 1);
  drop_row(stream->v, stream->v_width, config->n_sink_tokens, n_before + 1);
}

/* spec: EV-10 (absolute: the number of a token counts from first_token, which no difference of two
 * positions sees; in the cache: the rank, counted out one by one) */
int64_t sp_ref_stream_positions(const sp_ref_stream *stream, bool absolute, int64_t *position) {
  const sp_ref_cache *tokens = &stream->tokens;
  const uint64_t n_visible = sp_ref_cache_n_visible(tokens);
  for (uint64_t i = 0; i < tokens->n_retained; i++) position[i] = SP_REF_POSITION_HIDDEN;
  int64_t last = -1;
  for (uint64_t rank = 0; rank < n_visible; rank++) {
    const uint64_t held = sp_ref_cache_held(tokens, rank);
    last = (int64_t)(absolute ? tokens->token[held] - tokens->first_token : rank);
    position[held] = last;
  }
  return last;
}
