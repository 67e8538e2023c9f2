/* SPDX-License-Identifier: Apache-2.0 */
/* ggml_flash_attn_ext, with sinks where the call has sink logits. Which of its code paths runs
 * (one query, one query split over the keys, tiles of queries) is left to the library, and strides
 * of q, k and v are its own feature. */
#include "adapters/ggml/graph.h"

sp_status sp_ggml_build_flash(sp_ggml_attention *a, struct ggml_tensor **node) {
  const sp_attention_call *call = &a->call;
  struct ggml_tensor *q =
      sp_ggml_describe(a->ctx, &call->q, call->d_head, call->n_q, call->n_heads, call->n_batch);
  struct ggml_tensor *k =
      sp_ggml_describe(a->ctx, &call->k, call->d_head, call->n_kv, call->n_kv_heads, call->n_batch);
  struct ggml_tensor *v = sp_ggml_describe(a->ctx, &call->v, call->d_value, call->n_kv,
                                           call->n_kv_heads, call->n_batch);
  struct ggml_tensor *mask = sp_ggml_mask_tensor(a->ctx, &a->mask, call);
  *node = ggml_flash_attn_ext(a->ctx, q, k, v, mask, call->scale, 0.0F, call->softcap);
  sp_ggml_place(q, &call->q);
  sp_ggml_place(k, &call->k);
  sp_ggml_place(v, &call->v);
  if (a->sinks == NULL) return SP_OK;
  struct ggml_tensor *sinks = ggml_new_tensor_1d(a->ctx, GGML_TYPE_F32, (int64_t)call->n_heads);
  sinks->data = a->sinks;
  ggml_flash_attn_ext_add_sinks(*node, sinks);
  return SP_OK;
}
