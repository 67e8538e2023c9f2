/* SPDX-License-Identifier: Apache-2.0 */
/* An attention call from admission to output, in one step or as a plan; which operators compute it
 * is left to a builder. A plan keeps the mask, as llama.cpp does for all layers of a batch; where
 * biases or positions could change between runs, which it would have to read anew, there is none. */
#include "adapters/ggml/graph.h"

#include "adapters/call.h"

#include <stdlib.h>

static enum ggml_type type_of(sp_dtype dtype) {
  if (dtype == SP_F16) return GGML_TYPE_F16;
  return dtype == SP_BF16 ? GGML_TYPE_BF16 : GGML_TYPE_F32;
}

struct ggml_tensor *sp_ggml_describe(struct ggml_context *ctx, const sp_in *tensor, uint64_t c,
                                     uint64_t tokens, uint64_t heads, uint64_t batch) {
  return ggml_new_tensor_4d(ctx, type_of(tensor->dtype), (int64_t)c, (int64_t)tokens,
                            (int64_t)heads, (int64_t)batch);
}

void sp_ggml_place(struct ggml_tensor *to, const sp_in *tensor) {
  const int64_t size = (int64_t)sp_adapter_element_size(tensor->dtype);
  to->data = (void *)(uintptr_t)tensor->data;
  to->nb[1] = (size_t)(tensor->stride[1] * size);
  to->nb[2] = (size_t)(tensor->stride[2] * size);
  to->nb[3] = (size_t)(tensor->stride[0] * size);
}

static void clear(sp_ggml_attention *a) {
  sp_ggml_graph_clear(&a->graph);
  if (a->ctx != NULL) ggml_free(a->ctx);
  sp_adapter_image_release(&a->out);
  free(a->mask.bits);
  free(a->sinks);
  free(a->memory);
}

static sp_adapter_shape output(const sp_attention_call *call) {
  return (sp_adapter_shape){.n = {call->n_batch, call->n_q, call->n_heads, call->d_value}};
}

static void read_sinks(sp_ggml_attention *a) {
  const sp_in *sink_logit = &a->call.sink_logit;
  if (a->sinks != NULL)
    sp_adapter_sinks(a->sinks, sink_logit, sink_logit->stride[2], a->call.n_heads);
}

static sp_status make(sp_ggml_attention *a, const sp_attention_call *call,
                      sp_ggml_builder builder) {
  struct ggml_tensor *node = NULL;
  a->call = *call;
  sp_status status = sp_ggml_mask_make(&a->mask, call);
  if (status != SP_OK) return status;
  if (call->sink_logit.data != NULL) {
    a->sinks = sp_adapter_alloc(SP_F32, call->n_heads);
    if (a->sinks == NULL) return SP_NOMEM;
    read_sinks(a);
  }
  a->ctx = sp_ggml_open();
  if (a->ctx == NULL || !sp_adapter_image_out(&a->out, &call->out, output(call))) return SP_NOMEM;
  status = builder(a, &node);
  if (status != SP_OK) return status;
  node->data = a->out.data;
  return sp_ggml_graph_init(&a->graph, a->ctx, node, sp_adapter_threads(call->n_threads));
}

static sp_status compute(sp_ggml_attention *a) {
  sp_status status = sp_ggml_graph_run(&a->graph);
  if (status == SP_OK) sp_adapter_image_store(&a->out, &a->call.out, output(&a->call));
  return status;
}

sp_status sp_ggml_attend(const sp_kernel *kernel, const sp_attention_call *call,
                         sp_ggml_builder builder) {
  sp_status status = sp_adapter_admit_attention(kernel, call);
  if (status != SP_OK || call->n_batch * call->n_q * call->n_heads == 0) return status;
  sp_ggml_attention a = {.ctx = NULL};
  status = make(&a, call, builder);
  if (status == SP_OK) status = compute(&a);
  clear(&a);
  return status;
}

static sp_status run_prepared(sp_prepared *base) {
  sp_ggml_attention *a = (sp_ggml_attention *)base;
  read_sinks(a);
  return compute(a);
}

static void release_prepared(sp_prepared *base) {
  clear((sp_ggml_attention *)base);
  free(base);
}

sp_status sp_ggml_prepare(const sp_kernel *kernel, sp_prepared **prepared,
                          const sp_attention_call *call, sp_ggml_builder builder) {
  sp_status status = sp_adapter_admit_attention(kernel, call);
  if (status != SP_OK) return status;
  bool moves = call->key_bias.data != NULL || call->pos_q != NULL || call->pos_k != NULL;
  if (moves || call->n_batch * call->n_q * call->n_heads == 0) return SP_UNSUPPORTED;
  sp_ggml_attention *a = calloc(1, sizeof *a);
  if (a == NULL) return SP_NOMEM;
  a->base = (sp_prepared){run_prepared, release_prepared};
  status = make(a, call, builder);
  *prepared = &a->base;
  if (status == SP_OK) return SP_OK;
  release_prepared(&a->base);
  *prepared = NULL;
  return status;
}
