/* SPDX-License-Identifier: Apache-2.0 */
/* Causality, windows, pinned tokens and positions reach ggml the way llama.cpp hands them over, as a
 * mask of 0 and -inf. That mask is binary16, so a finite bias other than 0 is not offered. */
#include "adapters/ggml/graph.h"

#include "adapters/visible.h"

#include <math.h>
#include <string.h>

enum { F16_ZERO = 0x0000, F16_MINUS_INFINITY = 0xfc00 };

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

static bool fill_mask(const sp_ggml_mask *m, const sp_attention_call *call) {
  uint16_t *row = m->bits;
  for (uint64_t b = 0; b < m->n_batch; b++)
    for (uint64_t h = 0; h < m->n_heads; h++)
      for (uint64_t i = 0; i < call->n_q; i++, row += call->n_kv)
        if (!mask_row(row, call, b, i, h)) return false;
  return true;
}

sp_status sp_ggml_mask_make(sp_ggml_mask *m, const sp_attention_call *call) {
  const sp_in *bias = &call->key_bias;
  *m = (sp_ggml_mask){NULL, 1, 1};
  if (bias->data == NULL && sp_adapter_sees_all(call)) return SP_OK;
  m->n_batch = bias->data != NULL && bias->stride[0] != 0 ? call->n_batch : 1;
  m->n_heads = bias->data != NULL && bias->stride[2] != 0 ? call->n_heads : 1;
  sp_adapter_shape shape = {.n = {m->n_batch, m->n_heads, call->n_q, call->n_kv}};
  m->bits = sp_adapter_alloc(SP_F16, sp_adapter_count(shape));
  if (m->bits == NULL) return SP_NOMEM;
  return fill_mask(m, call) ? SP_OK : SP_UNSUPPORTED;
}

struct ggml_tensor *sp_ggml_mask_tensor(struct ggml_context *ctx, const sp_ggml_mask *m,
                                        const sp_attention_call *call) {
  if (m->bits == NULL) return NULL;
  struct ggml_tensor *tensor =
      ggml_new_tensor_4d(ctx, GGML_TYPE_F16, (int64_t)call->n_kv, (int64_t)call->n_q,
                         (int64_t)m->n_heads, (int64_t)m->n_batch);
  tensor->data = m->bits;
  return tensor;
}
