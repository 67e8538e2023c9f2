/* SPDX-License-Identifier: Apache-2.0 */
/* ggml_soft_max_ext, with sinks where the call has sink logits.
 *
 * ggml keeps one sink logit per head, the third axis. Rows with sink logits of their own are
 * therefore laid out as heads of one row each; rows without are rows of one head, which is how
 * the library spreads them over threads. */
#include "adapters/ggml/graph.h"

#include "adapters/call.h"
#include "adapters/tensor.h"

#include <stdlib.h>

typedef struct buffers {
  sp_adapter_image logits, bias, weights;
  float *sinks;
} buffers;

static void release(buffers *b) {
  sp_adapter_image_release(&b->logits);
  sp_adapter_image_release(&b->bias);
  sp_adapter_image_release(&b->weights);
  free(b->sinks);
}

static bool prepare(buffers *b, const sp_softmax_call *call, sp_adapter_shape shape) {
  if (!sp_adapter_image_in(&b->logits, &call->logits, shape)) return false;
  if (!sp_adapter_image_out(&b->weights, &call->weights, shape)) return false;
  if (call->key_bias.data != NULL && !sp_adapter_image_in(&b->bias, &call->key_bias, shape))
    return false;
  if (call->sink_logit.data == NULL) return true;
  b->sinks = sp_adapter_alloc(SP_F32, call->n_rows);
  if (b->sinks == NULL) return false;
  sp_adapter_sinks(b->sinks, &call->sink_logit, call->sink_logit.stride[0], call->n_rows);
  return true;
}

static struct ggml_tensor *rows(struct ggml_context *ctx, const sp_softmax_call *call, void *data) {
  int64_t n = (int64_t)call->n, n_rows = (int64_t)call->n_rows;
  bool as_heads = call->sink_logit.data != NULL;
  struct ggml_tensor *tensor =
      ggml_new_tensor_3d(ctx, GGML_TYPE_F32, n, as_heads ? 1 : n_rows, as_heads ? n_rows : 1);
  tensor->data = data;
  return tensor;
}

static sp_status run(struct ggml_context *ctx, const sp_softmax_call *call, const buffers *b) {
  struct ggml_tensor *logits = rows(ctx, call, b->logits.data);
  struct ggml_tensor *mask = NULL;
  if (b->bias.data != NULL) mask = rows(ctx, call, b->bias.data);
  struct ggml_tensor *weights = ggml_soft_max_ext(ctx, logits, mask, call->scale, 0.0F);
  weights->data = b->weights.data;
  if (b->sinks != NULL) {
    struct ggml_tensor *sinks = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, (int64_t)call->n_rows);
    sinks->data = b->sinks;
    ggml_soft_max_add_sinks(weights, sinks);
  }
  return sp_ggml_run(ctx, weights, sp_adapter_threads(call->n_threads));
}

sp_status sp_ggml_softmax(const sp_kernel *kernel, const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK || call->n_rows == 0) return status;
  sp_adapter_shape shape = {.n = {call->n_rows, 1, 1, call->n}};
  buffers b = {0};
  struct ggml_context *ctx = sp_ggml_open();
  status = SP_NOMEM;
  if (ctx == NULL || !prepare(&b, call, shape)) goto done;
  status = run(ctx, call, &b);
  if (status == SP_OK) sp_adapter_image_store(&b.weights, &call->weights, shape);
done:
  release(&b);
  if (ctx != NULL) ggml_free(ctx);
  return status;
}
