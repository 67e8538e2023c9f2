/* SPDX-License-Identifier: Apache-2.0 */
/* com.microsoft.GroupQueryAttention with head_sink and local_window_size.
 *
 * The operator appends: its key and value are the newest n_q tokens, the older ones lie in a cache
 * [batch][kv head][token][c] that it reads and extends in place. It is causal, its queries are the
 * newest tokens, and its window holds the query's own key. That is a call with default positions
 * and n_q <= n_kv; the oldest n_kv - n_q tokens are copied into a cache of the adapter's own, since
 * the caller's tensors are read-only. It wants d_head to be a multiple of 8: other rows are padded
 * with zeros, which change no dot product and no output that is kept. What it refuses (more than
 * one batch entry with n_q between 1 and n_kv) comes back as not offered. */
#include "adapters/onnxruntime/session.h"

#include "adapters/call.h"
#include "adapters/onnxruntime/half.h"
#include "adapters/prepared.h"
#include "adapters/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything the operator is given, in its own layout. */
typedef struct operands {
  sp_adapter_image query, key, value, out;
  uint64_t d; /* d_head, padded */
  void *cache_k, *cache_v;
  void *bias, *sinks;
  uint64_t bias_batch, bias_heads;
  int32_t *last; /* per batch entry, the index of the newest token */
  int32_t total;
} operands;

static void release(operands *o) {
  sp_adapter_image_release(&o->query);
  sp_adapter_image_release(&o->key);
  sp_adapter_image_release(&o->value);
  sp_adapter_image_release(&o->out);
  free(o->cache_k);
  free(o->cache_v);
  free(o->bias);
  free(o->sinks);
  free(o->last);
}

static sp_in swap_middle_axes(sp_in tensor) {
  int64_t stride = tensor.stride[1];
  tensor.stride[1] = tensor.stride[2];
  tensor.stride[2] = stride;
  return tensor;
}

/* The oldest n_past tokens of a tensor [b][j][h][c] in a cache [b][h][j][c] with room for n_kv. */
static void *make_cache(const sp_attention_call *call, const sp_in *tensor, uint64_t d) {
  uint64_t n_heads = call->n_kv_heads, room = call->n_kv * d;
  const sp_adapter_shape past = {{1, 1, call->n_kv - call->n_q, call->d_head}, d};
  char *cache = sp_adapter_alloc(tensor->dtype, call->n_batch * n_heads * room);
  if (cache == NULL) return NULL;
  char *to = cache;
  for (uint64_t b = 0; b < call->n_batch; b++)
    for (uint64_t h = 0; h < n_heads; h++, to += room * sp_adapter_element_size(tensor->dtype)) {
      sp_in head = swap_middle_axes(*tensor);
      head.data = sp_adapter_row(tensor, b, 0, h);
      sp_adapter_pack(to, &head, past);
    }
  return cache;
}

/* The newest n_q tokens, which are the operator's key and value. */
static bool take_new(sp_adapter_image *image, const sp_attention_call *call, const sp_in *tensor,
                     uint64_t d) {
  const sp_adapter_shape shape = {{call->n_batch, call->n_q, call->n_kv_heads, call->d_head}, d};
  sp_in tail = *tensor;
  tail.data = sp_adapter_row(tensor, 0, call->n_kv - call->n_q, 0);
  return sp_adapter_image_in(image, &tail, shape);
}

static sp_adapter_shape queries(const sp_attention_call *call, uint64_t d) {
  return (sp_adapter_shape){{call->n_batch, call->n_q, call->n_heads, call->d_head}, d};
}

static bool take_tokens(operands *o, const sp_attention_call *call) {
  if (!sp_adapter_image_in(&o->query, &call->q, queries(call, o->d))) return false;
  if (!sp_adapter_image_out(&o->out, &call->out, queries(call, o->d))) return false;
  if (!take_new(&o->key, call, &call->k, o->d)) return false;
  if (!take_new(&o->value, call, &call->v, o->d)) return false;
  o->cache_k = make_cache(call, &call->k, o->d);
  o->cache_v = make_cache(call, &call->v, o->d);
  o->last = sp_adapter_alloc(SP_F32, call->n_batch);
  if (o->cache_k == NULL || o->cache_v == NULL || o->last == NULL) return false;
  o->total = (int32_t)call->n_kv;
  for (uint64_t b = 0; b < call->n_batch; b++) o->last[b] = o->total - 1;
  return true;
}

/* Floats as the operator's type, in place; SP_UNSUPPORTED where that would round. */
static sp_status narrow(sp_dtype dtype, void *floats, uint64_t count) {
  if (dtype == SP_F32) return SP_OK;
  const char *from = floats;
  char *to = floats;
  for (uint64_t i = 0; i < count; i++) {
    float x = 0.0F;
    uint16_t half = 0;
    memcpy(&x, from + i * sizeof x, sizeof x);
    if (!sp_ort_half(x, &half)) return SP_UNSUPPORTED;
    memcpy(to + i * sizeof half, &half, sizeof half);
  }
  return SP_OK;
}

static sp_status take_sinks(operands *o, const sp_attention_call *call) {
  if (call->sink_logit.data == NULL) return SP_OK;
  if (o->sinks == NULL) o->sinks = sp_adapter_alloc(SP_F32, call->n_heads);
  if (o->sinks == NULL) return SP_NOMEM;
  sp_adapter_sinks(o->sinks, &call->sink_logit, call->sink_logit.stride[2], call->n_heads);
  return narrow(call->q.dtype, o->sinks, call->n_heads);
}

/* attention_bias is [batch or 1][heads or 1][n_q][n_kv]. */
static sp_status take_bias(operands *o, const sp_attention_call *call) {
  if (call->key_bias.data == NULL) return SP_OK;
  sp_in bias = swap_middle_axes(call->key_bias);
  o->bias_batch = bias.stride[0] != 0 ? call->n_batch : 1;
  o->bias_heads = bias.stride[1] != 0 ? call->n_heads : 1;
  const sp_adapter_shape shape = {.n = {o->bias_batch, o->bias_heads, call->n_q, call->n_kv}};
  o->bias = sp_adapter_alloc(SP_F32, sp_adapter_count(shape));
  if (o->bias == NULL) return SP_NOMEM;
  sp_adapter_pack(o->bias, &bias, shape);
  return narrow(call->q.dtype, o->bias, sp_adapter_count(shape));
}

static ort_operator describe(const sp_attention_call *call, const operands *o, ort_type type) {
  /* A window that reaches past the oldest token is none. */
  int64_t window = call->window < call->n_kv ? (int64_t)call->window : -1;
  return (ort_operator){
      .domain = "com.microsoft",
      .type = "GroupQueryAttention",
      .version = 1,
      .inputs = {{"query", type},
                 {"key", type},
                 {"value", type},
                 {"past_key", type},
                 {"past_value", type},
                 {"seqlens_k", ORT_I32},
                 {"total_sequence_length", ORT_I32},
                 {"", type},
                 {"", type},
                 {"", type},
                 {o->bias != NULL ? "attention_bias" : "", type},
                 {o->sinks != NULL ? "head_sink" : "", type}},
      .n_inputs = o->sinks != NULL ? 12 : 11,
      .outputs = {{"out", type}, {"present_key", type}, {"present_value", type}},
      .n_outputs = 3,
      .attributes = {{.name = "num_heads", .i = (int64_t)call->n_heads},
                     {.name = "kv_num_heads", .i = (int64_t)call->n_kv_heads},
                     {.name = "scale", .is_float = true, .f = call->scale},
                     {.name = "softcap", .is_float = true, .f = call->softcap},
                     {.name = "local_window_size", .i = window}},
      .n_attributes = 5,
  };
}

/* Everything that one run of the operator is given. */
typedef struct task {
  ort_operator operation;
  ort_tensor inputs[ORT_MAX_ENDS], outputs[3];
} task;

static task make_task(const sp_attention_call *call, const operands *o) {
  ort_type type = call->q.dtype == SP_F16 ? ORT_F16 : ORT_F32;
  const int64_t batch = (int64_t)call->n_batch, n_q = (int64_t)call->n_q;
  const int64_t n_kv = (int64_t)call->n_kv, d = (int64_t)o->d;
  const int64_t heads = (int64_t)call->n_heads, kv_heads = (int64_t)call->n_kv_heads;
  const ort_tensor cache_k = {o->cache_k, type, 4, {batch, kv_heads, n_kv, d}};
  const ort_tensor cache_v = {o->cache_v, type, 4, {batch, kv_heads, n_kv, d}};
  task t = {.inputs = {
                {o->query.data, type, 3, {batch, n_q, heads * d}},
                {o->key.data, type, 3, {batch, n_q, kv_heads * d}},
                {o->value.data, type, 3, {batch, n_q, kv_heads * d}},
                cache_k,
                cache_v,
                {o->last, ORT_I32, 1, {batch}},
                {(void *)(uintptr_t)&o->total, ORT_I32, 1, {1}},
            }};
  size_t n = 7;
  if (o->bias != NULL)
    t.inputs[n++] =
        (ort_tensor){o->bias, type, 4, {(int64_t)o->bias_batch, (int64_t)o->bias_heads, n_q, n_kv}};
  if (o->sinks != NULL) t.inputs[n++] = (ort_tensor){o->sinks, type, 1, {heads}};
  t.outputs[0] = (ort_tensor){o->out.data, type, 3, {batch, n_q, heads * d}};
  t.outputs[1] = cache_k;
  t.outputs[2] = cache_v;
  t.operation = describe(call, o, type);
  return t;
}

static sp_status run(const sp_attention_call *call, const operands *o) {
  const task t = make_task(call, o);
  return sp_ort_run(&t.operation, t.inputs, t.outputs, sp_adapter_threads(call->n_threads));
}

/* The scale 0 means 1/sqrt(d) to the operator. */
static bool expressible(const sp_attention_call *call) {
  return fpclassify(call->scale) != FP_ZERO && call->q.dtype == call->k.dtype;
}

sp_status sp_ort_gqa(const sp_kernel *kernel, const sp_attention_call *call) {
  sp_status status = sp_adapter_admit_attention(kernel, call);
  if (status != SP_OK) return status;
  if (!expressible(call)) return SP_UNSUPPORTED;
  if (call->n_batch * call->n_q * call->n_heads == 0) return SP_OK;
  operands o = {.d = (call->d_head + 7) / 8 * 8, .bias_batch = 1, .bias_heads = 1};
  status = take_sinks(&o, call);
  if (status == SP_OK) status = take_bias(&o, call);
  if (status == SP_OK && !take_tokens(&o, call)) status = SP_NOMEM;
  if (status == SP_OK) status = run(call, &o);
  if (status == SP_OK) sp_adapter_image_store(&o.out, &call->out, queries(call, o.d));
  release(&o);
  return status;
}

/* A plan is how programs use the operator: the cache stays in its layout, and each run reads only
 * the query and the sink logits anew. A bias would have to be packed anew as well: not planned. */
typedef struct prepared_gqa {
  sp_prepared base;
  sp_attention_call call;
  operands o;
  ort_plan *plan;
} prepared_gqa;

static sp_status run_prepared(sp_prepared *base) {
  prepared_gqa *p = (prepared_gqa *)base;
  const sp_adapter_shape shape = queries(&p->call, p->o.d);
  if (p->o.query.copy != NULL) sp_adapter_pack(p->o.query.copy, &p->call.q, shape);
  sp_status status = take_sinks(&p->o, &p->call);
  if (status == SP_OK) status = sp_ort_plan_run(p->plan);
  if (status == SP_OK) sp_adapter_image_store(&p->o.out, &p->call.out, shape);
  return status;
}

static void release_prepared(sp_prepared *base) {
  prepared_gqa *p = (prepared_gqa *)base;
  sp_ort_plan_release(p->plan);
  release(&p->o);
  free(p);
}

sp_status sp_ort_prepare_gqa(const sp_kernel *kernel, sp_prepared **prepared,
                             const sp_attention_call *call) {
  sp_status status = sp_adapter_admit_attention(kernel, call);
  if (status != SP_OK) return status;
  bool empty = call->n_batch * call->n_q * call->n_heads == 0;
  if (!expressible(call) || empty || call->key_bias.data != NULL) return SP_UNSUPPORTED;
  prepared_gqa *p = calloc(1, sizeof *p);
  if (p == NULL) return SP_NOMEM;
  p->base = (sp_prepared){run_prepared, release_prepared};
  p->call = *call;
  p->o = (operands){.d = (call->d_head + 7) / 8 * 8, .bias_batch = 1, .bias_heads = 1};
  status = take_sinks(&p->o, call);
  if (status == SP_OK && !take_tokens(&p->o, call)) status = SP_NOMEM;
  if (status == SP_OK) {
    const task t = make_task(call, &p->o);
    status = sp_ort_plan(&p->plan, &t.operation, t.inputs, t.outputs,
                         sp_adapter_threads(call->n_threads));
  }
  *prepared = &p->base;
  if (status == SP_OK) return SP_OK;
  release_prepared(&p->base);
  *prepared = NULL;
  return status;
}
