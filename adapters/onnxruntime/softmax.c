/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Softmax over rows. It has no scale, bias or sink logit. A logit of -inf is an ordinary input
 * of it, so masking by -inf logits is offered. */
#include "adapters/onnxruntime/session.h"

#include "adapters/call.h"
#include "adapters/prepared.h"
#include "adapters/tensor.h"

#include <stdlib.h>

/* The operator and its two tensors. */
typedef struct task {
  ort_operator operation;
  ort_tensor x, y;
} task;

static task describe(const sp_softmax_call *call, void *logits, void *weights) {
  ort_type type = call->logits.dtype == SP_F16 ? ORT_F16 : ORT_F32;
  const int64_t n_rows = (int64_t)call->n_rows, n = (int64_t)call->n;
  return (task){
      .operation = {.domain = "",
                    .type = "Softmax",
                    .version = 13, /* from here on the axis stands alone and nothing is flattened */
                    .inputs = {{"x", type}},
                    .n_inputs = 1,
                    .outputs = {{"y", type}},
                    .n_outputs = 1,
                    .attributes = {{.name = "axis", .i = -1}},
                    .n_attributes = 1},
      .x = {.data = logits, .type = type, .n_axes = 2, .shape = {n_rows, n}},
      .y = {.data = weights, .type = type, .n_axes = 2, .shape = {n_rows, n}},
  };
}

static sp_status run(const sp_softmax_call *call, void *logits, void *weights) {
  const task t = describe(call, logits, weights);
  return sp_ort_run(&t.operation, &t.x, &t.y, sp_adapter_threads(call->n_threads));
}

sp_status sp_ort_softmax(const sp_kernel *kernel, const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK) return status;
  if (call->key_bias.data != NULL) return SP_UNSUPPORTED;
  if (call->n_rows == 0) return SP_OK;
  sp_adapter_shape shape = {.n = {call->n_rows, 1, 1, call->n}};
  sp_adapter_image logits = {NULL, NULL}, weights = {NULL, NULL};
  status = SP_NOMEM;
  if (!sp_adapter_image_in(&logits, &call->logits, shape)) goto done;
  if (!sp_adapter_image_out(&weights, &call->weights, shape)) goto done;
  status = run(call, logits.data, weights.data);
  if (status == SP_OK) sp_adapter_image_store(&weights, &call->weights, shape);
done:
  sp_adapter_image_release(&logits);
  sp_adapter_image_release(&weights);
  return status;
}

typedef struct prepared_softmax {
  sp_prepared base;
  sp_softmax_call call;
  sp_adapter_image logits, weights;
  ort_plan *plan;
} prepared_softmax;

static sp_adapter_shape rows(const sp_softmax_call *call) {
  return (sp_adapter_shape){.n = {call->n_rows, 1, 1, call->n}};
}

static sp_status run_prepared(sp_prepared *base) {
  prepared_softmax *p = (prepared_softmax *)base;
  if (p->logits.copy != NULL) sp_adapter_pack(p->logits.copy, &p->call.logits, rows(&p->call));
  sp_status status = sp_ort_plan_run(p->plan);
  if (status == SP_OK) sp_adapter_image_store(&p->weights, &p->call.weights, rows(&p->call));
  return status;
}

static void release_prepared(sp_prepared *base) {
  prepared_softmax *p = (prepared_softmax *)base;
  sp_ort_plan_release(p->plan);
  sp_adapter_image_release(&p->logits);
  sp_adapter_image_release(&p->weights);
  free(p);
}

sp_status sp_ort_prepare_softmax(const sp_kernel *kernel, sp_prepared **prepared,
                                 const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK) return status;
  if (call->key_bias.data != NULL || call->n_rows == 0) return SP_UNSUPPORTED;
  prepared_softmax *p = calloc(1, sizeof *p);
  if (p == NULL) return SP_NOMEM;
  p->base = (sp_prepared){run_prepared, release_prepared};
  p->call = *call;
  status = SP_NOMEM;
  if (sp_adapter_image_in(&p->logits, &call->logits, rows(call)) &&
      sp_adapter_image_out(&p->weights, &call->weights, rows(call))) {
    const task t = describe(call, p->logits.data, p->weights.data);
    status = sp_ort_plan(&p->plan, &t.operation, &t.x, &t.y, sp_adapter_threads(call->n_threads));
  }
  *prepared = &p->base;
  if (status == SP_OK) return SP_OK;
  release_prepared(&p->base);
  *prepared = NULL;
  return status;
}
