/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and attention calls, and what all calls have in common. A tensor is described once; its
 * place, its view in the struct, its contents and the checks all follow from that description.
 * spec: KC-1, KC-4, KC-5 */
#include "certify/host/call.h"

#include <string.h>

#include "certify/host/call_build.h"

/* sp_in and sp_out differ in const only, so one of them can be written through the other. */
_Static_assert(sizeof(sp_in) == sizeof(sp_out) &&
                   offsetof(sp_in, stride) == offsetof(sp_out, stride) &&
                   offsetof(sp_in, dtype) == offsetof(sp_out, dtype),
               "a view is a view");

void sp_call_begin(sp_call *call, sp_call_kind kind, uint32_t n_threads, size_t args_bytes) {
  memset(call, 0, sizeof *call);
  call->kind = kind;
  call->n_threads = n_threads;
  call->args_at = call->out_at = call->lse_keys_at = call->lse_total_at = -1;
  call->token_at = call->n_at = -1;
  if (args_bytes == 0) return;
  /* The struct ends at a guard zone too: a kernel reads no field beyond its size. */
  sp_tensor args = {.name = "the call struct",
                    .element = 8,
                    .n = {1, 1, 1},
                    .length = args_bytes / 8,
                    .at_end = true};
  call->args_at = sp_call_pointer(call, &args, SP_NO_FIELD);
}

static int add(sp_call *call, const sp_tensor *tensor, size_t field, sp_call_view view) {
  size_t i = call->n_tensors++;
  call->tensor[i] = *tensor;
  call->field[i].offset = field;
  call->field[i].view = view;
  return (int)i;
}

int sp_call_pointer(sp_call *call, const sp_tensor *tensor, size_t field) {
  return add(call, tensor, field, field == SP_NO_FIELD ? SP_VIEW_NONE : SP_VIEW_POINTER);
}

sp_tensor sp_call_tensor(const sp_case *c, const char *name, sp_dtype dtype, size_t a, size_t b,
                         size_t h, size_t length) {
  return (sp_tensor){.name = name,
                     .dtype = dtype,
                     .element = sp_ref_format_bytes(dtype),
                     .n = {a, b, h},
                     .length = length,
                     .pad = c->layout.row_pad,
                     .head_major = c->layout.head_major,
                     .reversed = c->layout.reversed,
                     .reach = c->layout.reach};
}

int sp_call_input(sp_call *call, const sp_tensor *shape, const void *packed, size_t field) {
  if (packed == NULL) return -1;
  sp_tensor t = *shape;
  t.packed = packed;
  return add(call, &t, field, SP_VIEW_STRIDED);
}

/* The axes of a key bias that share it repeat. */
static void bias_input(sp_call *call, const sp_tensor *shape, const void *packed, size_t field) {
  int at = sp_call_input(call, shape, packed, field);
  if (at >= 0) call->field[at].view = SP_VIEW_REPEATED;
}

int sp_call_output(sp_call *call, const sp_tensor *shape, bool wanted, size_t field) {
  if (!wanted) return -1;
  sp_tensor t = *shape;
  t.writable = true;
  return add(call, &t, field, SP_VIEW_STRIDED);
}

#define FIELD(member) offsetof(sp_softmax_call, member)

void sp_call_softmax(sp_call *call, const sp_case *c) {
  sp_softmax_call *args = &call->args.softmax;
  sp_dtype lse = c->dtype_q == SP_F64 ? SP_F64 : SP_F32;
  sp_call_begin(call, SP_CALL_SOFTMAX, c->n_threads, sizeof *args);
  args->size = sizeof *args;
  args->n_threads = c->n_threads;
  args->n_rows = c->n_q;
  args->n = c->n_kv;
  args->scale = c->scale;
  sp_tensor rows = sp_call_tensor(c, "logits", c->dtype_q, c->n_q, 1, 1, c->n_kv);
  sp_tensor bias = sp_call_tensor(c, "key_bias", SP_F32, c->bias_rows, 1, 1, c->n_kv);
  sp_tensor sink = sp_call_tensor(c, "sink_logit", c->sink_logit.dtype, c->n_q, 1, 1, 1);
  sp_call_input(call, &rows, c->logits.bits, FIELD(logits));
  bias_input(call, &bias, c->key_bias.bits, FIELD(key_bias));
  sp_call_input(call, &sink, c->sink_logit.bits, FIELD(sink_logit));
  rows.name = "weights";
  call->out_at = sp_call_output(call, &rows, c->want_weights, FIELD(weights));
  sp_tensor total = sp_call_tensor(c, "lse_keys", lse, c->n_q, 1, 1, 1);
  call->lse_keys_at = sp_call_output(call, &total, c->want_lse_keys, FIELD(lse_keys));
  total.name = "lse_total";
  call->lse_total_at = sp_call_output(call, &total, c->want_lse_total, FIELD(lse_total));
}

#undef FIELD
#define FIELD(member) offsetof(sp_attention_call, member)

static void attention_sizes(sp_attention_call *args, const sp_case *c) {
  args->size = sizeof *args;
  args->n_threads = c->n_threads;
  args->n_batch = c->n_batch;
  args->n_q = c->n_q;
  args->n_kv = c->n_kv;
  args->n_heads = c->n_heads;
  args->n_kv_heads = c->n_kv_heads;
  args->d_head = c->d_head;
  args->d_value = c->d_value;
  args->window = c->window;
  args->n_sink_tokens = c->n_sink_tokens;
  args->scale = c->scale;
  args->softcap = c->softcap;
  args->causal = c->causal ? 1 : 0;
}

static void attention_options(sp_call *call, const sp_case *c) {
  sp_tensor bias = sp_call_tensor(c, "key_bias", SP_F32, c->bias_batches > 1 ? c->bias_batches : 1,
                                  c->bias_rows, c->bias_heads > 1 ? c->bias_heads : 1, c->n_kv);
  sp_tensor slope = sp_call_tensor(c, "alibi_slope", SP_F32, 1, 1, c->n_heads, 1);
  sp_tensor sink = sp_call_tensor(c, "sink_logit", c->sink_logit.dtype, 1, 1, c->n_heads, 1);
  sp_tensor bias_k = sp_call_tensor(c, "bias_k", c->dtype_kv, 1, 1, c->n_kv_heads, c->d_head);
  sp_tensor bias_v = sp_call_tensor(c, "bias_v", c->dtype_kv, 1, 1, c->n_kv_heads, c->d_value);
  bias_input(call, &bias, c->key_bias.bits, FIELD(key_bias));
  sp_call_input(call, &slope, c->alibi_slope.bits, FIELD(alibi_slope));
  sp_call_input(call, &sink, c->sink_logit.bits, FIELD(sink_logit));
  sp_call_input(call, &bias_k, c->bias_k.bits, FIELD(bias_k));
  sp_call_input(call, &bias_v, c->bias_v.bits, FIELD(bias_v));
}

static void positions(sp_call *call, const char *name, const int64_t *pos, size_t n, size_t field) {
  if (pos == NULL) return;
  sp_tensor t = {.name = name, .element = sizeof *pos, .n = {1, 1, 1}, .length = n, .packed = pos};
  sp_call_pointer(call, &t, field);
}

void sp_call_attention(sp_call *call, const sp_case *c) {
  sp_dtype lse = c->dtype_q == SP_F64 ? SP_F64 : SP_F32;
  sp_call_begin(call, SP_CALL_ATTENTION, c->n_threads, sizeof call->args.attention);
  attention_sizes(&call->args.attention, c);
  sp_tensor q = sp_call_tensor(c, "q", c->dtype_q, c->n_batch, c->n_q, c->n_heads, c->d_head);
  sp_tensor k = sp_call_tensor(c, "k", c->dtype_kv, c->n_batch, c->n_kv, c->n_kv_heads, c->d_head);
  sp_tensor v = sp_call_tensor(c, "v", c->dtype_kv, c->n_batch, c->n_kv, c->n_kv_heads, c->d_value);
  sp_call_input(call, &q, c->q.bits, FIELD(q));
  sp_call_input(call, &k, c->k.bits, FIELD(k));
  sp_call_input(call, &v, c->v.bits, FIELD(v));
  attention_options(call, c);
  positions(call, "pos_q", c->pos_q, c->n_q, FIELD(pos_q));
  positions(call, "pos_k", c->pos_k, c->n_kv, FIELD(pos_k));
  q.name = "out";
  q.length = c->d_value;
  call->out_at = sp_call_output(call, &q, true, FIELD(out));
  sp_tensor total = sp_call_tensor(c, "lse_keys", lse, c->n_batch, c->n_q, c->n_heads, 1);
  call->lse_keys_at = sp_call_output(call, &total, c->want_lse_keys, FIELD(lse_keys));
  total.name = "lse_total";
  call->lse_total_at = sp_call_output(call, &total, c->want_lse_total, FIELD(lse_total));
}

#undef FIELD

size_t sp_call_need(const sp_call *call, const sp_arena *arena, const sp_layout *layout) {
  return sp_arena_need(arena, call->tensor, call->n_tensors, layout);
}

static void set_view(sp_call *call, size_t i, unsigned char *base) {
  const sp_tensor *t = &call->tensor[i];
  sp_call_view kind = call->field[i].view;
  if (kind == SP_VIEW_NONE) return;
  unsigned char *at = (unsigned char *)&call->args + call->field[i].offset;
  const void *data = base + t->data;
  if (kind == SP_VIEW_POINTER) {
    memcpy(at, &data, sizeof data);
    return;
  }
  sp_in view = {.data = data, .dtype = t->dtype};
  for (int axis = 0; axis < 3; axis++)
    if (kind == SP_VIEW_STRIDED || t->n[axis] > 1) view.stride[axis] = sp_tensor_stride(t, axis);
  memcpy(at, &view, sizeof view);
}

void sp_call_place(sp_call *call, sp_arena *arena, const sp_layout *layout, unsigned char *base) {
  sp_arena_place(arena, call->tensor, call->n_tensors, layout);
  for (size_t i = 0; i < call->n_tensors; i++) set_view(call, i, base);
  if (call->args_at >= 0) call->tensor[call->args_at].packed = &call->args;
}

void sp_call_write(const sp_call *call, const sp_arena *arena, unsigned run) {
  for (size_t i = 0; i < call->n_tensors; i++) sp_arena_fill(arena, &call->tensor[i], run);
}

static void gather(const sp_call *call, const sp_arena *arena, int at, sp_array *array,
                   size_t first) {
  if (at < 0 || array->bits == NULL) return;
  const sp_tensor *t = &call->tensor[at];
  sp_arena_gather(arena, t,
                  (unsigned char *)array->bits + first * t->n[2] * t->length * t->element);
}

void sp_call_gather(const sp_call *call, const sp_arena *arena, sp_outputs *outputs,
                    size_t first_row) {
  gather(call, arena, call->out_at, &outputs->values, first_row);
  gather(call, arena, call->lse_keys_at, &outputs->lse_keys, first_row);
  gather(call, arena, call->lse_total_at, &outputs->lse_total, first_row);
}
