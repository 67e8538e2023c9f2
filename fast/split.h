/* SPDX-License-Identifier: Apache-2.0 */
/* A row that several threads share: where there are fewer rows than threads, a long row goes through
 * its three passes in parts, with all threads in the same pass. The parts do not depend on the number
 * of threads, and each is a whole subtree of the tree in which a row's sum is taken (passes.h of the
 * variant), so the bits are those of the row in one piece. spec: NU-12 */
#ifndef SINKPROOF_FAST_SPLIT_H
#define SINKPROOF_FAST_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

typedef struct sp_fast_impl sp_fast_impl;
typedef struct sp_fast_pool sp_fast_pool;
typedef struct sp_fast_softmax_plan sp_fast_softmax_plan;

/* Elements of a part: a power of 2 of the blocks that a variant sums in binary32. */
#define SP_FAST_PART (UINT64_C(1) << 14)

/* Elements [begin, end) of a row. */
typedef struct sp_fast_part {
  uint64_t row, begin, end;
  float *e; /* the row's exponentials; NULL = they wait where the weights will be */
  float shift, factor;
} sp_fast_part;

/* Lane by lane: how wide a lane is, is the variant's affair. */
typedef struct sp_fast_part_sum {
  double lane[8] __attribute__((aligned(64)));
} sp_fast_part_sum;

/* What a variant knows of parts. The logits are those in memory: no bias, scale 1. */
typedef struct sp_fast_split_ops {
  float (*max)(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
               const sp_fast_part *part); /* -inf where no key is present */
  void (*exp)(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
              const sp_fast_part *part, sp_fast_part_sum *sum);
  void (*scale)(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                const sp_fast_part *part);
  /* The factor of the row, whose log-sum-exps are written. */
  float (*finish)(const sp_softmax_call *call, const sp_fast_part *row,
                  const sp_fast_part_sum *sums, uint64_t n_parts);
} sp_fast_split_ops;

/* Into how many parts the rows of the call go; 0 = rows are better left whole. */
uint64_t sp_fast_split_parts(const sp_fast_impl *impl, const sp_softmax_call *call,
                             const sp_fast_softmax_plan *plan);

typedef struct sp_fast_split {
  const sp_fast_impl *impl;
  const sp_softmax_call *call;
  const sp_fast_softmax_plan *plan;
  sp_fast_pool *pool;
  float *e; /* for one row, when the plan keeps exponentials in scratch */
  uint64_t n_parts;
  float *max;            /* max[n_parts] */
  sp_fast_part_sum *sum; /* sum[n_parts] */
} sp_fast_split;

void sp_fast_split_run(const sp_fast_split *split);

#endif
