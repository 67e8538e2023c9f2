/* SPDX-License-Identifier: Apache-2.0 */
/* The keys and values of one kv head as packed doubles, and one query after another against them:
 * what attention and the cache share. Private to ref/. */
#ifndef SINKPROOF_REF_HEADS_H
#define SINKPROOF_REF_HEADS_H

#include "ref/round.h"
#include "ref/tensor.h"

/* Where the results of one row go: indices [a][b][h] in each output tensor. */
typedef struct sp_ref_target {
  const sp_out *out, *lse_keys, *lse_total;
  uint64_t a, b, h;
} sp_ref_target;

/* Evaluate `in`, round it into the types of the target, and write it. out_row[d_value] is scratch.
 */
void sp_ref_write_row(sp_ref_rounder *rounder, const sp_ref_row_input *in,
                      const sp_ref_target *target, double *out_row);

#endif
