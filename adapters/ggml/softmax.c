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

/* A call made ready. */
typedef struct prepared_softmax {
  sp_prepared base;
  sp_softmax_call call;
  buffers b;
  struct ggml_context *ctx;
  sp_ggml_graph graph;
} prepared_softmax;

static sp_adapter_shape shape_of(const sp_softmax_call *call) {
  return (sp_adapter_shape){.n = {call->n_rows, 1, 1, call->n}};
}

static sp_status make(prepared_softmax *p, const sp_softmax_call *call) {
  p->call = *call;
  p->ctx = sp_ggml_open();
  if (p->ctx == NULL || !prepare(&p->b, call, shape_of(call))) return SP_NOMEM;
  struct ggml_tensor *logits = rows(p->ctx, call, p->b.logits.data);
  struct ggml_tensor *mask = NULL;
  if (p->b.bias.data != NULL) mask = rows(p->ctx, call, p->b.bias.data);
  struct ggml_tensor *weights = ggml_soft_max_ext(p->ctx, logits, mask, call->scale, 0.0F);
  weights->data = p->b.weights.data;
  if (p->b.sinks != NULL) {
    struct ggml_tensor *sinks = ggml_new_tensor_1d(p->ctx, GGML_TYPE_F32, (int64_t)call->n_rows);
    sinks->data = p->b.sinks;
    ggml_soft_max_add_sinks(weights, sinks);
  }
  return sp_ggml_graph_init(&p->graph, p->ctx, weights, sp_adapter_threads(call->n_threads));
}

static sp_status compute(prepared_softmax *p) {
  sp_status status = sp_ggml_graph_run(&p->graph);
  if (status == SP_OK) sp_adapter_image_store(&p->b.weights, &p->call.weights, shape_of(&p->call));
  return status;
}

static void clear(prepared_softmax *p) {
  sp_ggml_graph_clear(&p->graph);
  if (p->ctx != NULL) ggml_free(p->ctx);
  release(&p->b);
}

sp_status sp_ggml_softmax(const sp_kernel *kernel, const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK || call->n_rows == 0) return status;
  prepared_softmax p = {.ctx = NULL};
  status = make(&p, call);
  if (status == SP_OK) status = compute(&p);
  clear(&p);
  return status;
}

/* What was copied is copied anew. */
static sp_status run_prepared(sp_prepared *base) {
  prepared_softmax *p = (prepared_softmax *)base;
  const sp_softmax_call *call = &p->call;
  if (p->b.logits.copy != NULL) sp_adapter_pack(p->b.logits.copy, &call->logits, shape_of(call));
  if (p->b.bias.copy != NULL) sp_adapter_pack(p->b.bias.copy, &call->key_bias, shape_of(call));
  if (p->b.sinks != NULL)
    sp_adapter_sinks(p->b.sinks, &call->sink_logit, call->sink_logit.stride[0], call->n_rows);
  return compute(p);
}

static void release_prepared(sp_prepared *base) {
  clear((prepared_softmax *)base);
  free(base);
}

sp_status sp_ggml_prepare_softmax(const sp_kernel *kernel, sp_prepared **prepared,
                                  const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK) return status;
  if (call->n_rows == 0) return SP_UNSUPPORTED;
  prepared_softmax *p = calloc(1, sizeof *p);
  if (p == NULL) return SP_NOMEM;
  p->base = (sp_prepared){run_prepared, release_prepared};
  status = make(p, call);
  *prepared = &p->base;
  if (status == SP_OK) return SP_OK;
  release_prepared(&p->base);
  *prepared = NULL;
  return status;
}
