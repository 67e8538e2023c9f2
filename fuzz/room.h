/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel called in this process, in memory that shows what it touches: the arena and the calls of
 * the host (certify/host/call.h) without its child. A fuzzer needs the speed, and its own process is
 * expendable: what crashes here is a finding. (KC-3 to KC-6) */
#ifndef SINKPROOF_FUZZ_ROOM_H
#define SINKPROOF_FUZZ_ROOM_H

#include "certify/host/arena.h"
#include "certify/host/host.h"

typedef struct sp_fuzz_room {
  sp_arena arena;
  bool pages; /* guard with page protection: for kernels that ASan does not see through */
} sp_fuzz_room;

bool sp_fuzz_room_open(sp_fuzz_room *room, bool pages);
void sp_fuzz_room_close(sp_fuzz_room *room);

/* Run the case once, and again with other poison if an element looks unwritten. The caller has
 * called sp_outputs_init(outputs, c). What the kernel did wrong is in *incident. False only when
 * memory runs out. */
bool sp_fuzz_room_run(sp_fuzz_room *room, const sp_kernel *kernel, const sp_case *c,
                      sp_outputs *outputs, sp_incident *incident);

/* Where the kernel prepares calls: prepare this one, run it twice, and compare with the outputs of
 * the one step. (NU-12) */
bool sp_fuzz_room_plan(sp_fuzz_room *room, const sp_kernel *kernel, const sp_case *c,
                       const sp_outputs *outputs, sp_incident *incident);

#endif
