/* SPDX-License-Identifier: Apache-2.0 */
/* What a query sees, as the operator's users say it: nothing, its causal flag, fewer keys, or a mask
 * of floats that are added to the logits. */
#ifndef SINKPROOF_ADAPTERS_TORCH_MASK_H
#define SINKPROOF_ADAPTERS_TORCH_MASK_H

#include <stdbool.h>

#include "sinkproof/kernel.h"

typedef struct torch_mask {
  bool causal;            /* the operator's flag says it all */
  uint64_t first, n_keys; /* the keys that it is given */
  float *bias;            /* the memory of `tensor`, owned; NULL = no mask */
  sp_in tensor;           /* [b][i][h][j] over those keys */
} torch_mask;

/* SP_NOMEM when memory runs out. */
sp_status sp_torch_mask_make(torch_mask *mask, const sp_attention_call *call);
void sp_torch_mask_clear(torch_mask *mask);

#endif
