/* SPDX-License-Identifier: Apache-2.0 */
/* The query heads of one kv head on their way past a query's keys: what attend.c does to all of them,
 * for those who say which keys (attend_query.c, and the cache through segment.h). */
#ifndef SINKPROOF_FAST_GROUP_H
#define SINKPROOF_FAST_GROUP_H

#include <stdbool.h>

#include "fast/impl.h"
#include "fast/segment.h"

/* The heads of one group, in scratch. */
typedef struct sp_fast_group {
  const sp_fast_impl *impl;
  const sp_attention_call *call;
  sp_fast_shape shape;
  uint64_t n_rows;
  uint64_t q_len, acc_len; /* padded */
  sp_fast_row *rows;       /* rows[n_rows], likewise */
  float *q;                /* q[n_rows][q_len] */
  double *acc;             /* acc[n_rows][acc_len], and as much again for a row in pieces */
} sp_fast_group;

/* Elements of an output; 0 where none is wanted. */
static inline uint64_t sp_fast_value_len(const sp_attention_call *call) {
  return call->out.data != NULL ? call->d_value : 0;
}

/* Scratch is that of sp_fast_attend. */
sp_fast_group sp_fast_group_init(const sp_fast_impl *impl, const sp_attention_call *call,
                                 char *scratch);

/* All of a query but its end; with_pair: the bias pair is one of its keys. */
void sp_fast_group_attend(sp_fast_group *g, const sp_fast_query *query,
                          const sp_fast_segment *segment, uint32_t n_segments, bool with_pair);

/* The sink logits join, and the rows are written. */
void sp_fast_group_finish(const sp_fast_group *g, uint64_t b, uint64_t i, uint64_t h_kv);

#endif
