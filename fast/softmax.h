/* SPDX-License-Identifier: Apache-2.0 */
/* How the rows of a softmax call go through a variant: how many together, where the exponentials
 * wait for their sum, how the weights are stored, and in which tasks for threads. All of it follows
 * from the shape of the call, and none of it can change a bit of a result: a row's arithmetic
 * depends on its own logits alone. spec: NU-12
 *
 * The exponential of a logit is taken once. Until the sum of its row is known it waits where the
 * weight will be (binary32, results that fit a cache), or in scratch (narrow types, whose elements
 * cannot hold it; weights that go past the cache; no weights at all). */
#ifndef SINKPROOF_FAST_SOFTMAX_H
#define SINKPROOF_FAST_SOFTMAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

/* How many rows a pass can be behind the one before. */
#define SP_FAST_LAG 2u

typedef struct sp_fast_softmax_plan {
  uint64_t lag;         /* rows from pass to pass, 1 to SP_FAST_LAG, where passes overlap */
  uint64_t n_kept;      /* rows of scratch, used in turn; 0 = no scratch */
  uint64_t kept_stride; /* elements (binary32) from one row of scratch to the next: an odd number of
                           lines, so that no two rows ask for the same places of a cache at the
                           same time */
  bool prepared;        /* logits are computed into scratch first: there is a key bias or a scale */
  bool stream;          /* weights are stored past the caches */
  uint64_t rows_of_task;
  uint64_t n_tasks;
  size_t scratch_bytes; /* per thread, a multiple of 64 */
} sp_fast_softmax_plan;

/* False when the scratch would be larger than memory. The call is checked. */
bool sp_fast_softmax_plan_of(sp_fast_softmax_plan *plan, const sp_softmax_call *call);

#endif
