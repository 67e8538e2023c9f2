/* SPDX-License-Identifier: Apache-2.0 */
/* aten::_scaled_dot_product_flash_attention_for_cpu, the fused kernel behind PyTorch's
 * scaled_dot_product_attention. It knows no sink logit, but returns the log-sum-exp, and so its
 * users multiply by sigmoid(lse - sink_logit): the share of the keys in a denominator that has one
 * more term. */
#include "adapters/call.h"
#include "adapters/prepared.h"
#include "adapters/tensor.h"
#include "adapters/torch/axes.h"
#include "adapters/torch/mask.h"

#include <math.h>
#include <stdlib.h>

/* One call of the operator; those of a plan differ in the batch entry. */
typedef struct part {
  torch_tensor *q, *k, *v, *mask, *sinks, *out, *lse;
} part;

typedef struct plan {
  sp_prepared base;
  sp_attention_call call;
  torch_axes axes;
  torch_mask mask;
  float *sinks;
  part *parts;
} plan;

static void release(sp_prepared *base) {
  plan *p = (plan *)base;
  for (uint64_t i = 0; p->parts != NULL && i < p->axes.n_parts; i++) {
    const part *t = &p->parts[i];
    torch_tensor *const tensors[] = {t->q, t->k, t->v, t->mask, t->sinks, t->out, t->lse};
    for (size_t k = 0; k < sizeof tensors / sizeof *tensors; k++) sp_torch_release(tensors[k]);
  }
  sp_torch_mask_clear(&p->mask);
  free(p->sinks);
  free(p->parts);
  free(p);
}

/* result = name(argument, …), which consumes nothing of the caller's. */
static bool apply(const char *name, torch_tensor *argument, int64_t axis, torch_tensor **result) {
  uint64_t stack[2] = {sp_torch_lend(argument), (uint64_t)axis};
  if (aoti_torch_call_dispatcher(name, "", stack) != 0) return false;
  *result = sp_torch_result(stack[0]);
  return true;
}

/* out = sigmoid(lse - sink_logit) * attended */
static bool scale_by_share(const part *t, torch_tensor *attended, torch_tensor *lse) {
  torch_tensor *rest = NULL, *share = NULL, *column = NULL;
  bool ok = aoti_torch_cpu_add_Tensor(lse, t->sinks, -1, &rest) == 0 &&
            apply("aten::sigmoid", rest, 0, &share) && apply("aten::unsqueeze", share, -1, &column);
  if (ok) {
    uint64_t stack[3] = {sp_torch_lend(attended), sp_torch_lend(column), sp_torch_lend(t->out)};
    ok = aoti_torch_call_dispatcher("aten::mul", "out", stack) == 0;
    if (ok) sp_torch_release(sp_torch_result(stack[0]));
  }
  sp_torch_release(rest);
  sp_torch_release(share);
  sp_torch_release(column);
  return ok;
}

static bool attend(const plan *p, part *t) {
  torch_tensor *attended = NULL, *lse = NULL;
  double scale = (double)p->call.scale;
  if (aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu(
          t->q, t->k, t->v, 0, p->mask.causal, t->mask != NULL ? &t->mask : NULL, &scale, &attended,
          &lse) != 0)
    return false;
  bool ok = t->sinks != NULL ? scale_by_share(t, attended, lse)
                             : aoti_torch_copy_(t->out, attended, 0) == 0;
  if (t->lse != NULL) ok = ok && aoti_torch_copy_(t->lse, lse, 0) == 0;
  sp_torch_release(attended);
  sp_torch_release(lse);
  return ok;
}

static sp_status run(sp_prepared *base) {
  plan *p = (plan *)base;
  const sp_in *sinks = &p->call.sink_logit;
  if (p->sinks != NULL) sp_adapter_sinks(p->sinks, sinks, sinks->stride[2], p->call.n_heads);
  sp_torch_begin(p->call.n_threads);
  for (uint64_t i = 0; i < p->axes.n_parts; i++)
    if (!attend(p, &p->parts[i])) return SP_INTERNAL;
  return SP_OK;
}

static sp_in as_input(const sp_out *tensor) {
  return (sp_in){
      tensor->data, {tensor->stride[0], tensor->stride[1], tensor->stride[2]}, tensor->dtype, 0};
}

static sp_in from_first(const torch_mask *mask, sp_in tensor) {
  tensor.data = sp_adapter_row(&tensor, 0, mask->first, 0);
  return tensor;
}

static bool fill_part(const plan *p, uint64_t number, part *t) {
  const sp_attention_call *call = &p->call;
  const torch_axes *axes = &p->axes;
  const torch_mask *m = &p->mask;
  const sp_in k = from_first(m, call->k), v = from_first(m, call->v), out = as_input(&call->out);
  const sp_in lse = as_input(&call->lse_keys), sinks = {p->sinks, {0, 0, 1}, SP_F32, 0};
  t->q = sp_torch_axes_view(axes, &call->q, number, call->d_head);
  t->k = sp_torch_axes_view_keys(axes, &k, number, m->n_keys, call->d_head);
  t->v = sp_torch_axes_view_keys(axes, &v, number, m->n_keys, call->d_head);
  t->out = sp_torch_axes_view(axes, &out, number, call->d_head);
  bool ok = t->q != NULL && t->k != NULL && t->v != NULL && t->out != NULL;
  if (m->bias != NULL)
    ok = (t->mask = sp_torch_axes_view(axes, &m->tensor, number, call->n_kv)) != NULL && ok;
  if (p->sinks != NULL) ok = (t->sinks = sp_torch_axes_view(axes, &sinks, number, 0)) != NULL && ok;
  if (lse.data != NULL) ok = (t->lse = sp_torch_axes_view(axes, &lse, number, 0)) != NULL && ok;
  return ok;
}

static sp_status fill(plan *p) {
  const sp_attention_call *call = &p->call;
  p->axes = sp_torch_axes(call);
  p->parts = calloc(p->axes.n_parts, sizeof *p->parts);
  if (call->sink_logit.data != NULL) p->sinks = sp_adapter_alloc(SP_F32, call->n_heads);
  if (p->parts == NULL || (call->sink_logit.data != NULL && p->sinks == NULL)) return SP_NOMEM;
  sp_status status = sp_torch_mask_make(&p->mask, call);
  for (uint64_t i = 0; status == SP_OK && i < p->axes.n_parts; i++)
    if (!fill_part(p, i, &p->parts[i])) status = SP_INTERNAL;
  return status;
}

/* Tensors of this library have no stride below 0. */
static bool runs_forwards(const sp_attention_call *call) {
  const int64_t *const stride[4] = {call->q.stride, call->k.stride, call->v.stride,
                                    call->out.stride};
  for (int i = 0; i < 4; i++)
    if (stride[i][0] < 0 || stride[i][1] < 0 || stride[i][2] < 0) return false;
  return true;
}

static sp_status prepare(const sp_kernel *kernel, sp_prepared **prepared,
                         const sp_attention_call *call) {
  sp_status status = sp_adapter_admit_attention(kernel, call);
  if (status != SP_OK) return status;
  if (call->q.dtype != call->k.dtype || !runs_forwards(call)) return SP_UNSUPPORTED;
  plan *p = calloc(1, sizeof *p);
  if (p == NULL) return SP_NOMEM;
  p->base = (sp_prepared){run, release};
  p->call = *call;
  status = call->n_batch * call->n_q * call->n_heads == 0 ? SP_OK : fill(p);
  *prepared = &p->base;
  if (status == SP_OK) return SP_OK;
  release(&p->base);
  *prepared = NULL;
  return status;
}

/* A mask is made once: biases and positions, which a run would have to read anew, are not planned. */
sp_status sp_torch_prepare_sdpa(const sp_kernel *kernel, sp_prepared **prepared,
                                const sp_attention_call *call) {
  if (call != NULL && call->size >= sizeof *call &&
      (call->key_bias.data != NULL || call->pos_q != NULL || call->pos_k != NULL))
    return SP_UNSUPPORTED;
  return prepare(kernel, prepared, call);
}

sp_status sp_torch_sdpa(const sp_kernel *kernel, const sp_attention_call *call) {
  sp_prepared *prepared = NULL;
  sp_status status = prepare(kernel, &prepared, call);
  if (status != SP_OK) return status;
  status = run(prepared);
  release(prepared);
  return status;
}
