/* SPDX-License-Identifier: Apache-2.0 */
/* One stream of the oracle's cache: the eviction machine, and the keys and values of the tokens
 * that it holds. Private to ref/. */
#ifndef SINKPROOF_REF_STREAM_H
#define SINKPROOF_REF_STREAM_H

#include "ref/ref.h"

typedef struct sp_ref_stream {
  sp_ref_cache tokens;
  size_t k_width, v_width; /* doubles per token: all kv heads */
  double *k, *v;           /* k[n_retained][n_kv_heads][d_head], v alike */
} sp_ref_stream;

bool sp_ref_stream_init(sp_ref_stream *stream, const sp_cache_config *config);
void sp_ref_stream_clear(sp_ref_stream *stream);

/* The most tokens that are held while n_tokens more are appended. */
uint64_t sp_ref_stream_most(const sp_ref_stream *stream, uint64_t n_tokens);

/* All memory for n_tokens appends; false when there is not enough, and nothing has changed. */
bool sp_ref_stream_reserve(sp_ref_stream *stream, uint64_t n_tokens);

/* Token t of the block in `call`, after a reserve. */
void sp_ref_stream_append(sp_ref_stream *stream, const sp_cache_config *config,
                          const sp_cache_call *call, uint64_t t);

#define SP_REF_POSITION_HIDDEN INT64_MAX

/* position[i] of held token i as the newest one sees it, SP_REF_POSITION_HIDDEN where it does not;
 * returns its own. (EV-10) */
int64_t sp_ref_stream_positions(const sp_ref_stream *stream, bool absolute, int64_t *position);

#endif
