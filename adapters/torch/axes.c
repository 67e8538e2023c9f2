/* SPDX-License-Identifier: Apache-2.0 */
/* The three layouts, as sizes and strides. */
#include "adapters/torch/axes.h"

#include "adapters/tensor.h"

torch_axes sp_torch_axes(const sp_attention_call *call) {
  const int64_t n_batch = (int64_t)call->n_batch, n_q = (int64_t)call->n_q;
  const int64_t kv_heads = (int64_t)call->n_kv_heads, heads = (int64_t)call->n_heads;
  const int64_t group = heads / kv_heads;
  if (group == 1) return (torch_axes){TORCH_PLAIN, 1, {n_batch, heads, n_q}, group};
  if (n_q == 1) return (torch_axes){TORCH_GROUP, 1, {n_batch, kv_heads, group}, group};
  return (torch_axes){TORCH_SPLIT, call->n_batch, {kv_heads, group, n_q}, group};
}

static torch_tensor *view(const torch_axes *axes, const sp_in *tensor, uint64_t part,
                          const int64_t sizes[4], const int64_t strides[4], size_t n_axes) {
  const void *data = axes->kind == TORCH_SPLIT ? sp_adapter_row(tensor, part, 0, 0) : tensor->data;
  return sp_torch_view(data, tensor->dtype, n_axes, sizes, strides);
}

torch_tensor *sp_torch_axes_view(const torch_axes *axes, const sp_in *tensor, uint64_t part,
                                 uint64_t last) {
  const int64_t b = tensor->stride[0], i = tensor->stride[1], h = tensor->stride[2];
  const int64_t sizes[4] = {axes->n[0], axes->n[1], axes->n[2], (int64_t)last};
  const int64_t strides[3][4] = {[TORCH_PLAIN] = {b, h, i, 1},
                                 [TORCH_GROUP] = {b, axes->group * h, h, 1},
                                 [TORCH_SPLIT] = {axes->group * h, h, i, 1}};
  return view(axes, tensor, part, sizes, strides[axes->kind], last > 0 ? 4 : 3);
}

torch_tensor *sp_torch_axes_view_keys(const torch_axes *axes, const sp_in *tensor, uint64_t part,
                                      uint64_t n_keys, uint64_t last) {
  const int64_t b = tensor->stride[0], j = tensor->stride[1], h = tensor->stride[2];
  const int64_t sizes[4] = {axes->n[0], axes->n[1], (int64_t)n_keys, (int64_t)last};
  const int64_t strides[3][4] = {
      [TORCH_PLAIN] = {b, h, j, 1}, [TORCH_GROUP] = {b, h, j, 1}, [TORCH_SPLIT] = {h, 0, j, 1}};
  return view(axes, tensor, part, sizes, strides[axes->kind], 4);
}
