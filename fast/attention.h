/* SPDX-License-Identifier: Apache-2.0 */
/* How an attention call is cut into tasks for threads: by batch entry, kv head and block of queries.
 * A single query over many keys is cut by keys too. All of it follows from the shape of the call,
 * never from how many threads there are: no bit of a result depends on them. spec: NU-12 */
#ifndef SINKPROOF_FAST_ATTENTION_H
#define SINKPROOF_FAST_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

typedef struct sp_fast_attention_plan {
  uint64_t queries_of_task;
  uint64_t blocks;   /* tasks of one kv head */
  uint64_t n_heads;  /* kv heads of all batch entries */
  uint64_t n_pieces; /* of each row; blocks is 1 where that is more than 1 */
  uint64_t n_tasks;
  size_t scratch_bytes; /* per thread, a multiple of 64 */
  size_t piece_bytes;   /* of one head's pieces, likewise; 0 where there is one */
} sp_fast_attention_plan;

/* False when the scratch would be larger than memory, or tasks more than can be counted. The call
 * is checked. */
bool sp_fast_attention_plan_of(sp_fast_attention_plan *plan, const sp_attention_call *call);

#endif
