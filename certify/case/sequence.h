/* SPDX-License-Identifier: Apache-2.0 */
/* What a script does to a sequence, by the closed forms of the clauses: how long it is and which of
 * its tokens are lost. The lists that the judge expects come from the oracle's eviction machine
 * instead, so a script is never judged by what walks it. (EV-9, EV-15) */
#ifndef SINKPROOF_CASE_SEQUENCE_H
#define SINKPROOF_CASE_SEQUENCE_H

#include "certify/case/case.h"

typedef struct sp_sequence {
  uint64_t length;
  uint64_t lost; /* unpinned tokens with an index below this are not held: F of EV-15 */
} sp_sequence;

size_t sp_case_sequences(const sp_case *c); /* n_sequences, at least 1 */

void sp_sequence_append(sp_sequence *sequence, const sp_case *c, uint64_t n_tokens);

/* SP_OK, SP_LOST or SP_INVALID; nothing changes unless it is SP_OK. */
sp_status sp_sequence_truncate(sp_sequence *sequence, const sp_case *c, uint64_t n_tokens);

/* The token whose query an attend, step number `step`, asks again: the newest of its sequence. */
size_t sp_case_attend_token(const sp_case *c, size_t step);

/* What token number t of a sequence sees. */
sp_ref_mask sp_sequence_mask(const sp_case *c, uint64_t t);

#endif
