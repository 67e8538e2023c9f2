/* SPDX-License-Identifier: Apache-2.0 */
/* aten::_softmax over the last axis. The operator knows no sink logit; who uses the library puts it
 * into a column of its own behind the logits and drops that column again. */
#include "adapters/call.h"
#include "adapters/prepared.h"
#include "adapters/tensor.h"
#include "adapters/torch/api.h"

#include <stdlib.h>

typedef struct plan {
  sp_prepared base;
  sp_softmax_call call;
  sp_adapter_image logits, weights;
  float *sinks; /* one for each row */
  void *wide_logits, *wide_weights;
  torch_tensor *x, *y;                                       /* the caller's rows */
  torch_tensor *column, *from, *to, *wide_x, *wide_y, *sunk; /* with sink logits only */
} plan;

static sp_adapter_shape rows(const sp_softmax_call *call) {
  return (sp_adapter_shape){.n = {call->n_rows, 1, 1, call->n}};
}

/* y = softmax(x) */
static bool apply(torch_tensor *x, torch_tensor *y) {
  uint64_t stack[4] = {sp_torch_lend(x), 1, false, sp_torch_lend(y)};
  if (aoti_torch_call_dispatcher("aten::_softmax", "out", stack) != 0) return false;
  sp_torch_release(sp_torch_result(stack[0]));
  return true;
}

static bool apply_with_sinks(const plan *p) {
  const sp_softmax_call *call = &p->call;
  sp_adapter_sinks(p->sinks, &call->sink_logit, call->sink_logit.stride[0], call->n_rows);
  return aoti_torch_copy_(p->from, p->x, 0) == 0 && aoti_torch_copy_(p->column, p->sunk, 0) == 0 &&
         apply(p->wide_x, p->wide_y) && aoti_torch_copy_(p->y, p->to, 0) == 0;
}

static sp_status run(sp_prepared *base) {
  plan *p = (plan *)base;
  sp_torch_begin(p->call.n_threads);
  if (p->logits.copy != NULL) sp_adapter_pack(p->logits.copy, &p->call.logits, rows(&p->call));
  if (!(p->sinks != NULL ? apply_with_sinks(p) : apply(p->x, p->y))) return SP_INTERNAL;
  sp_adapter_image_store(&p->weights, &p->call.weights, rows(&p->call));
  return SP_OK;
}

static void release(sp_prepared *base) {
  plan *p = (plan *)base;
  torch_tensor *const tensors[] = {p->x,  p->y,      p->column, p->from,
                                   p->to, p->wide_x, p->wide_y, p->sunk};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) sp_torch_release(tensors[i]);
  sp_adapter_image_release(&p->logits);
  sp_adapter_image_release(&p->weights);
  free(p->sinks);
  free(p->wide_logits);
  free(p->wide_weights);
  free(p);
}

static torch_tensor *matrix(const void *data, sp_dtype dtype, uint64_t n_rows, uint64_t n,
                            uint64_t stride) {
  const int64_t sizes[2] = {(int64_t)n_rows, (int64_t)n}, strides[2] = {(int64_t)stride, 1};
  return sp_torch_view(data, dtype, 2, sizes, strides);
}

/* Rows of n + 1 elements, the last of which is the sink logit. */
static bool widen(plan *p) {
  const sp_softmax_call *call = &p->call;
  const sp_dtype dtype = call->logits.dtype;
  const uint64_t n = call->n, n_rows = call->n_rows, wide = n + 1;
  p->sinks = sp_adapter_alloc(SP_F32, n_rows);
  p->wide_logits = sp_adapter_alloc(dtype, n_rows * wide);
  p->wide_weights = sp_adapter_alloc(dtype, n_rows * wide);
  if (p->sinks == NULL || p->wide_logits == NULL || p->wide_weights == NULL) return false;
  const char *last = (const char *)p->wide_logits + n * sp_adapter_element_size(dtype);
  p->sunk = matrix(p->sinks, SP_F32, n_rows, 1, 1);
  p->column = matrix(last, dtype, n_rows, 1, wide);
  p->from = matrix(p->wide_logits, dtype, n_rows, n, wide);
  p->to = matrix(p->wide_weights, dtype, n_rows, n, wide);
  p->wide_x = matrix(p->wide_logits, dtype, n_rows, wide, wide);
  p->wide_y = matrix(p->wide_weights, dtype, n_rows, wide, wide);
  return p->sunk && p->column && p->from && p->to && p->wide_x && p->wide_y;
}

static bool fill(plan *p) {
  const sp_softmax_call *call = &p->call;
  if (!sp_adapter_image_in(&p->logits, &call->logits, rows(call))) return false;
  if (!sp_adapter_image_out(&p->weights, &call->weights, rows(call))) return false;
  p->x = matrix(p->logits.data, call->logits.dtype, call->n_rows, call->n, call->n);
  p->y = matrix(p->weights.data, call->logits.dtype, call->n_rows, call->n, call->n);
  return p->x != NULL && p->y != NULL && (call->sink_logit.data == NULL || widen(p));
}

/* In its column a sink logit has the type of the rows: only where that rounds nothing. */
static bool expressible(const sp_softmax_call *call) {
  return call->key_bias.data == NULL &&
         (call->sink_logit.data == NULL || call->logits.dtype == SP_F32 ||
          call->logits.dtype == call->sink_logit.dtype);
}

sp_status sp_torch_prepare_softmax(const sp_kernel *kernel, sp_prepared **prepared,
                                   const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK) return status;
  if (!expressible(call)) return SP_UNSUPPORTED;
  plan *p = calloc(1, sizeof *p);
  if (p == NULL) return SP_NOMEM;
  p->base = (sp_prepared){run, release};
  p->call = *call;
  if (fill(p)) {
    *prepared = &p->base;
    return SP_OK;
  }
  release(&p->base);
  return SP_NOMEM;
}

sp_status sp_torch_softmax(const sp_kernel *kernel, const sp_softmax_call *call) {
  sp_prepared *prepared = NULL;
  sp_status status = sp_torch_prepare_softmax(kernel, &prepared, call);
  if (status != SP_OK) return status;
  status = run(prepared);
  release(prepared);
  return status;
}
