/* SPDX-License-Identifier: Apache-2.0 */
/* The room from inside: how one call is put. For fuzz/room*.c only. */
#ifndef SINKPROOF_FUZZ_ROOM_RUN_H
#define SINKPROOF_FUZZ_ROOM_RUN_H

#include "certify/host/call.h"
#include "fuzz/room.h"

/* Where a stream or a plan stands, and what a run has gathered. A call of another operation is one
 * step. */
typedef struct sp_fuzz_run {
  sp_fuzz_room *room;
  const sp_kernel *kernel;
  const sp_case *c;
  sp_outputs *outputs;
  sp_incident *incident;
  unsigned poison;
  sp_cache *cache;
  sp_prepared *plan;
  size_t n_tokens, n_rows, n_lists, n_listed;
  size_t n_whole; /* so long is the list that is asked again with half the room; 0: none is */
} sp_fuzz_run;

/* The first thing that went wrong is the one that is told. */
__attribute__((format(printf, 3, 4))) void
sp_fuzz_accuse(sp_incident *incident, sp_incident_kind kind, const char *format, ...);

/* Place the call, write its inputs, hand it over, and check what can be checked without knowing the
 * answer. Outputs are gathered as the next n_rows rows. Equal calls lie at equal places. False only
 * when memory runs out. */
bool sp_fuzz_put(sp_fuzz_run *r, sp_call *call, size_t n_rows);

#endif
