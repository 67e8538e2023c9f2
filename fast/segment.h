/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of the query heads that share one kv head, over a short list of key segments, merged
 * exactly: what a row gets is what it would get if all its keys lay in one array. The sink logit
 * joins once, after the last segment. spec: AT-7, AL-6
 *
 * A window with pinned tokens is two segments of one array; a ring that has wrapped is two or three;
 * and a cache whose pinned keys stand at positions of their own rotates the query once for them and
 * once for the recent ones: each segment says which of the given query rows it is to meet. */
#ifndef SINKPROOF_FAST_SEGMENT_H
#define SINKPROOF_FAST_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "fast/impl.h"
#include "sinkproof/kernel.h"

/* n consecutive keys of one kv head; every one of them is visible, but for what the call's key_bias
 * and pos_k say about key number `first` and those after it. */
typedef struct sp_fast_segment {
  const void *k, *v;          /* the rows of key `first`; v may be NULL when no output is wanted */
  int64_t k_stride, v_stride; /* elements from one key to the next */
  sp_dtype k_dtype, v_dtype;
  uint64_t first; /* its number; where segments do not fit one tile they are cut at multiples of a
                     tile of it, so let it be what does not depend on how the keys came here */
  uint64_t n;     /* 0 is legal */
  uint32_t q_set;
} sp_fast_segment;

/* Query i of batch entry b, the heads of h_kv. Of the call are read: sizes of heads, scale, softcap,
 * sink_logit, key_bias, alibi_slope, positions, out, lse_keys, lse_total; not q, k, v, the bias pair
 * and the window. */
typedef struct sp_fast_query {
  const sp_attention_call *call;
  uint64_t b, i, h_kv;
  /* Sets of rows, a row for each head of the group; zeros from d_head up to sp_fast_padded. */
  const float *q;
  int64_t q_step; /* floats from one row to the next; 0 = sp_fast_padded(d_head) */
} sp_fast_query;

/* Cannot fail and allocates nothing; scratch as for sp_fast_attend. A row without any key is the
 * empty row. spec: AT-9 */
void sp_fast_attend_segments(const sp_fast_impl *impl, const sp_fast_query *query,
                             const sp_fast_segment *segment, uint32_t n_segments, void *scratch);

#endif
