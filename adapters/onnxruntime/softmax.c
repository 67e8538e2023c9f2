/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Softmax over rows. It has no scale, bias or sink logit. A logit of -inf is an ordinary input
 * of it, so masking by -inf logits is offered. */
#include "adapters/onnxruntime/session.h"

#include "adapters/call.h"
#include "adapters/tensor.h"

static sp_status run(const sp_softmax_call *call, void *logits, void *weights) {
  ort_type type = call->logits.dtype == SP_F16 ? ORT_F16 : ORT_F32;
  const ort_operator operation = {
      .domain = "",
      .type = "Softmax",
      .version = 13, /* from here on the axis stands alone and nothing is flattened */
      .inputs = {{"x", type}},
      .n_inputs = 1,
      .outputs = {{"y", type}},
      .n_outputs = 1,
      .attributes = {{.name = "axis", .i = -1}},
      .n_attributes = 1,
  };
  const int64_t n_rows = (int64_t)call->n_rows, n = (int64_t)call->n;
  const ort_tensor x = {.data = logits, .type = type, .n_axes = 2, .shape = {n_rows, n}};
  const ort_tensor y = {.data = weights, .type = type, .n_axes = 2, .shape = {n_rows, n}};
  return sp_ort_run(&operation, &x, &y, sp_adapter_threads(call->n_threads));
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
