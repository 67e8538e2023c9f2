/* SPDX-License-Identifier: Apache-2.0 */
/* Running one operator: the session of the last model is kept, because making one costs far more
 * than the operator, and every program that uses the library keeps its own. */
#ifndef SINKPROOF_ADAPTERS_ONNXRUNTIME_SESSION_H
#define SINKPROOF_ADAPTERS_ONNXRUNTIME_SESSION_H

#include "adapters/onnxruntime/model.h"

enum { ORT_MAX_AXES = 4 };

/* The memory behind an input or output that is not left out, in the order of the operator. */
typedef struct ort_tensor {
  void *data;
  ort_type type;
  size_t n_axes;
  int64_t shape[ORT_MAX_AXES];
} ort_tensor;

sp_status sp_ort_run(const ort_operator *operation, const ort_tensor *inputs,
                     const ort_tensor *outputs, int n_threads);

/* The same with a session and tensors of its own, for many runs. The names in `operation` must
 * outlive the plan, the tensors' memory too. */
typedef struct ort_plan ort_plan;
sp_status sp_ort_plan(ort_plan **plan, const ort_operator *operation, const ort_tensor *inputs,
                      const ort_tensor *outputs, int n_threads);
sp_status sp_ort_plan_run(ort_plan *plan);
void sp_ort_plan_release(ort_plan *plan); /* NULL is harmless */

sp_status sp_ort_softmax(const sp_kernel *kernel, const sp_softmax_call *call);
sp_status sp_ort_prepare_softmax(const sp_kernel *kernel, sp_prepared **prepared,
                                 const sp_softmax_call *call);
sp_status sp_ort_prepare_gqa(const sp_kernel *kernel, sp_prepared **prepared,
                             const sp_attention_call *call);
sp_status sp_ort_gqa(const sp_kernel *kernel, const sp_attention_call *call);

#endif
