/* SPDX-License-Identifier: Apache-2.0 */
/* ggml_flash_attn_ext, with sinks where the call has sink logits. Which of its code paths runs
 * (one query, one query split over the keys, tiles of queries) is left to the library.
 *
 * Causality, windows, pinned tokens and positions reach it the way llama.cpp hands them over, as a
 * mask of 0 and -inf. That mask is binary16, so a finite bias other than 0 is not offered. Strides
 * of q, k and v are the library's own feature: they are set after the operator was made, because
 * its shape checks take a stride of 0 for a transposed tensor. */
#include "adapters/ggml/graph.h"

#include "adapters/call.h"
#include "adapters/tensor.h"
#include "adapters/visible.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { F16_ZERO = 0x0000, F16_MINUS_INFINITY = 0xfc00 };

/* A mask [n_batch][n_heads][n_q][n_kv]; the first two axes have length 1 where nothing differs. */
typedef struct mask {
  uint16_t *bits;
  uint64_t n_batch, n_heads;
} mask;

/* The mask of one query; false if a bias is neither 0 nor -inf. */
static bool mask_row(uint16_t *to, const sp_attention_call *call, uint64_t b, uint64_t i,
                     uint64_t h) {
  const char *bias = NULL;
  if (call->key_bias.data != NULL) bias = sp_adapter_row(&call->key_bias, b, i, h);
  for (uint64_t j = 0; j < call->n_kv; j++) {
    float beta = 0.0F;
    if (bias != NULL) memcpy(&beta, bias + j * sizeof beta, sizeof beta);
    bool absent = isinf(beta) && beta < 0.0F;
    if (!absent && fpclassify(beta) != FP_ZERO) return false;
    absent = absent || !sp_adapter_sees(call, i, j);
    to[j] = absent ? F16_MINUS_INFINITY : F16_ZERO;
  }
  return true;
}

static bool fill_mask(const mask *m, const sp_attention_call *call) {
  uint16_t *row = m->bits;
  for (uint64_t b = 0; b < m->n_batch; b++)
    for (uint64_t h = 0; h < m->n_heads; h++)
      for (uint64_t i = 0; i < call->n_q; i++, row += call->n_kv)
        if (!mask_row(row, call, b, i, h)) return false;
  return true;
}

static sp_status make_mask(mask *m, const sp_attention_call *call) {
  const sp_in *bias = &call->key_bias;
  if (bias->data == NULL && sp_adapter_sees_all(call)) return SP_OK;
  m->n_batch = bias->data != NULL && bias->stride[0] != 0 ? call->n_batch : 1;
  m->n_heads = bias->data != NULL && bias->stride[2] != 0 ? call->n_heads : 1;
  sp_adapter_shape shape = {.n = {m->n_batch, m->n_heads, call->n_q, call->n_kv}};
  m->bits = sp_adapter_alloc(SP_F16, sp_adapter_count(shape));
  if (m->bits == NULL) return SP_NOMEM;
  return fill_mask(m, call) ? SP_OK : SP_UNSUPPORTED;
}

static enum ggml_type type_of(sp_dtype dtype) {
  if (dtype == SP_F16) return GGML_TYPE_F16;
  return dtype == SP_BF16 ? GGML_TYPE_BF16 : GGML_TYPE_F32;
}

/* [b][token][head][c] of a call is [c, token, head, b] of ggml, fastest axis first. */
static struct ggml_tensor *describe(struct ggml_context *ctx, const sp_in *tensor, uint64_t c,
                                    uint64_t tokens, uint64_t heads, uint64_t batch) {
  return ggml_new_tensor_4d(ctx, type_of(tensor->dtype), (int64_t)c, (int64_t)tokens,
                            (int64_t)heads, (int64_t)batch);
}

static void place(struct ggml_tensor *to, const sp_in *tensor) {
  const int64_t size = (int64_t)sp_adapter_element_size(tensor->dtype);
  to->data = (void *)(uintptr_t)tensor->data;
  to->nb[1] = (size_t)(tensor->stride[1] * size);
  to->nb[2] = (size_t)(tensor->stride[2] * size);
  to->nb[3] = (size_t)(tensor->stride[0] * size);
}

static struct ggml_tensor *describe_mask(struct ggml_context *ctx, const mask *m,
                                         const sp_attention_call *call) {
  if (m->bits == NULL) return NULL;
  struct ggml_tensor *tensor =
      ggml_new_tensor_4d(ctx, GGML_TYPE_F16, (int64_t)call->n_kv, (int64_t)call->n_q,
                         (int64_t)m->n_heads, (int64_t)m->n_batch);
  tensor->data = m->bits;
  return tensor;
}

static sp_status run(struct ggml_context *ctx, const sp_attention_call *call, const mask *m,
                     float *sinks, void *out) {
  struct ggml_tensor *q =
      describe(ctx, &call->q, call->d_head, call->n_q, call->n_heads, call->n_batch);
  struct ggml_tensor *k =
      describe(ctx, &call->k, call->d_head, call->n_kv, call->n_kv_heads, call->n_batch);
  struct ggml_tensor *v =
      describe(ctx, &call->v, call->d_value, call->n_kv, call->n_kv_heads, call->n_batch);
  struct ggml_tensor *node = ggml_flash_attn_ext(ctx, q, k, v, describe_mask(ctx, m, call),
                                                 call->scale, 0.0F, call->softcap);
  place(q, &call->q);
  place(k, &call->k);
  place(v, &call->v);
  node->data = out;
  if (sinks != NULL) {
    struct ggml_tensor *tensor = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, (int64_t)call->n_heads);
    tensor->data = sinks;
    ggml_flash_attn_ext_add_sinks(node, tensor);
  }
  return sp_ggml_run(ctx, node, sp_adapter_threads(call->n_threads));
}

static sp_status with_context(const sp_attention_call *call, const mask *m, float *sinks) {
  sp_adapter_shape shape = {.n = {call->n_batch, call->n_q, call->n_heads, call->d_value}};
  sp_adapter_image out = {NULL, NULL};
  struct ggml_context *ctx = sp_ggml_open();
  sp_status status = SP_NOMEM;
  if (ctx == NULL || !sp_adapter_image_out(&out, &call->out, shape)) goto done;
  status = run(ctx, call, m, sinks, out.data);
  if (status == SP_OK) sp_adapter_image_store(&out, &call->out, shape);
done:
  sp_adapter_image_release(&out);
  if (ctx != NULL) ggml_free(ctx);
  return status;
}

sp_status sp_ggml_flash(const sp_kernel *kernel, const sp_attention_call *call) {
  sp_status status = sp_adapter_admit_attention(kernel, call);
  if (status != SP_OK || call->n_batch * call->n_q * call->n_heads == 0) return status;
  mask m = {NULL, 1, 1};
  float *sinks = NULL;
  status = make_mask(&m, call);
  if (status != SP_OK) goto done;
  if (call->sink_logit.data != NULL) {
    status = SP_NOMEM;
    sinks = sp_adapter_alloc(SP_F32, call->n_heads);
    if (sinks == NULL) goto done;
    sp_adapter_sinks(sinks, &call->sink_logit, call->sink_logit.stride[2], call->n_heads);
  }
  status = with_context(call, &m, sinks);
done:
  free(sinks);
  free(m.bits);
  return status;
}
