/* SPDX-License-Identifier: Apache-2.0 */
/* One call of a kernel: its sp_*_call struct and the tensors that the struct points to, built from
 * a case. A softmax or attention case is one call; a cache case is one call for opening, for each
 * step of its script, and for closing. Each call has tensors of its own: a block that is appended
 * ends at a guard zone, not at the tokens that come next. */
#ifndef SINKPROOF_CALL_H
#define SINKPROOF_CALL_H

#include "certify/host/arena.h"

typedef enum sp_call_kind {
  SP_CALL_SOFTMAX,
  SP_CALL_ATTENTION,
  SP_CALL_OPEN,
  SP_CALL_APPEND,
  SP_CALL_ATTEND,
  SP_CALL_VISIBLE,
  SP_CALL_CLOSE,
  SP_CALL_TRUNCATE,
  SP_CALL_PREPARE_SOFTMAX, /* a plan, which one worker keeps until it is released */
  SP_CALL_PREPARE_ATTENTION,
  SP_CALL_RUN,
  SP_CALL_RELEASE
} sp_call_kind;

typedef union sp_call_args {
  sp_softmax_call softmax;
  sp_attention_call attention;
  sp_cache_config config;
  sp_cache_call cache;
} sp_call_args;

/* How the struct refers to a tensor. */
typedef enum sp_call_view {
  SP_VIEW_NONE,
  SP_VIEW_POINTER, /* a plain pointer */
  SP_VIEW_STRIDED, /* an sp_in or sp_out with a stride for each axis */
  SP_VIEW_REPEATED /* … with stride 0 for an axis of one index */
} sp_call_view;

enum { SP_CALL_TENSORS = 15 };

typedef struct sp_call {
  sp_call_kind kind;
  uint32_t n_threads;
  uint64_t sequence, n_taken; /* arguments of visible and truncate, which have no struct */
  sp_call_args args; /* points to where the kernel's process has the tensors, once placed */
  size_t n_tensors;
  sp_tensor tensor[SP_CALL_TENSORS];
  struct {
    size_t offset; /* in args */
    sp_call_view view;
  } field[SP_CALL_TENSORS]; /* of each tensor */
  /* Index in tensor[], or -1: the struct itself, the outputs, and what `visible` writes. */
  int args_at, out_at, lse_keys_at, lse_total_at, token_at, n_at;
} sp_call;

void sp_call_softmax(sp_call *call, const sp_case *c);
void sp_call_attention(sp_call *call, const sp_case *c);

/* The calls of a stream. `token` is the first token of a block, or the token whose query is asked
 * again; both count from 0 wherever the stream's own numbering starts. */
void sp_call_open(sp_call *call, const sp_case *c);
void sp_call_append(sp_call *call, const sp_case *c, size_t token, size_t n_tokens,
                    bool with_queries);
void sp_call_attend(sp_call *call, const sp_case *c, size_t token);
void sp_call_visible(sp_call *call, size_t capacity);
void sp_call_truncate(sp_call *call, size_t n_tokens);
/* Which sequence an append, an attend, a visible or a truncate is about; 0 until this is called. */
void sp_call_of(sp_call *call, size_t sequence);
void sp_call_close(sp_call *call);

/* Place the tensors and point args to them, for a process that has the arena at `base`.
 * Precondition: sp_call_need(…) <= arena->bytes. */
size_t sp_call_need(const sp_call *call, const sp_arena *arena, const sp_layout *layout);
void sp_call_place(sp_call *call, sp_arena *arena, const sp_layout *layout, unsigned char *base);

/* Write inputs, args and poison. */
void sp_call_write(const sp_call *call, const sp_arena *arena, unsigned run);

/* Collect what was written, from row `first_row` of the outputs (per batch and head) on. */
void sp_call_gather(const sp_call *call, const sp_arena *arena, sp_outputs *outputs,
                    size_t first_row);

#endif
