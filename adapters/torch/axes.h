/* SPDX-License-Identifier: Apache-2.0 */
/* Where the operator's axes [batch][head][query] lie in a call's [b][i][h]. The operator gives each
 * head keys and values of its own and has no groups. Copying them for every head of a group is what
 * its wrapper does; a program that cares lays the axes so that none is copied. */
#ifndef SINKPROOF_ADAPTERS_TORCH_AXES_H
#define SINKPROOF_ADAPTERS_TORCH_AXES_H

#include "adapters/torch/api.h"

typedef enum torch_axes_kind {
  TORCH_PLAIN, /* one head on each kv head: [b][h][i] */
  TORCH_GROUP, /* one query: the heads of a group are the queries, [b][h_kv][g] */
  TORCH_SPLIT  /* the heads of a group share keys by a stride of 0: [h_kv][g][i], b by b */
} torch_axes_kind;

typedef struct torch_axes {
  torch_axes_kind kind;
  uint64_t n_parts; /* calls of the operator */
  int64_t n[3];
  int64_t group; /* heads of a group */
} torch_axes;

torch_axes sp_torch_axes(const sp_attention_call *call);

/* A tensor indexed [b][i][h][last], or [b][j][h_kv][last] where `keys` says how many, as part number
 * `part` of the operator's. `last` is 0 for a tensor without a fourth axis. */
torch_tensor *sp_torch_axes_view(const torch_axes *axes, const sp_in *tensor, uint64_t part,
                                 uint64_t last);
torch_tensor *sp_torch_axes_view_keys(const torch_axes *axes, const sp_in *tensor, uint64_t part,
                                      uint64_t n_keys, uint64_t last);

#endif
