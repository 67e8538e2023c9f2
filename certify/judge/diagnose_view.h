/* SPDX-License-Identifier: Apache-2.0 */
/* What one query of a stream looks at, as a list that a hypothesis can change: which tokens, and
 * where each of them and the query stand when they are rotated. The logits are then computed here,
 * in binary64, because what a wrong kernel does need not be a row of SPEC.md: tokens twice, a key
 * after its query, a position below 0. Private to diagnose_*.c. */
#ifndef SINKPROOF_DIAGNOSE_VIEW_H
#define SINKPROOF_DIAGNOSE_VIEW_H

#include "certify/judge/diagnose.h"

typedef struct sp_viewed {
  size_t token;    /* row of k and v */
  uint64_t index;  /* in its sequence */
  double position; /* of its key */
} sp_viewed;

typedef struct sp_view {
  sp_viewed *list;
  size_t n, capacity;
  double position; /* of the query */
  /* What is asked about: */
  uint64_t index;            /* of the query */
  uint64_t pinned, recent;   /* how many it sees */
  uint64_t block, block_end; /* the block that it came in, [block, block_end) */
  size_t step, sequence;     /* of the script */
  bool attends;              /* asked apart */
} sp_view;

/* As SPEC.md has it. False: this row is of no stream, or memory is short; nothing to clear then. */
bool sp_view_init(sp_view *view, const sp_suspect *s);
void sp_view_clear(sp_view *view);

/* Lists are altered by these; tokens come in the order in which they are added. */
void sp_view_drop(sp_view *view, size_t at);
bool sp_view_add(sp_view *view, const sp_suspect *s, uint64_t index);

/* After tokens came or went: positions as the case asks for them, of the list as it is. */
void sp_view_place(sp_view *view, const sp_suspect *s);

/* The oldest unpinned token that token `index` sees, or would see. */
uint64_t sp_view_oldest(const sp_suspect *s, uint64_t index);

/* Row of k and v of the token that has this index for the query; SIZE_MAX: there is none. */
size_t sp_view_token(const sp_suspect *s, uint64_t index);

/* What no hypothesis explains: where in the stream it happens, or NULL. */
const char *sp_view_scope(const sp_suspect *s);

/* The view becomes the input of the oracle, rotated as s->in.rope says, and is cleared. */
bool sp_view_suppose(sp_view *view, sp_suspect *s);

#endif
