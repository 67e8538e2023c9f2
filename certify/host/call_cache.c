/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a stream. Each has tensors of its own, cut out of the case's stream: a block ends at
 * a guard zone, so that a cache which reads the next token early faults. spec: EV-4, KC-1, KC-5 */
#include "certify/host/call.h"

#include "certify/host/call_build.h"

#define FIELD(member) offsetof(sp_cache_call, member)

void sp_call_open(sp_call *call, const sp_case *c) {
  sp_call_begin(call, SP_CALL_OPEN, 1, sizeof call->args.config);
  call->args.config = (sp_cache_config){.size = sizeof call->args.config,
                                        .dtype_kv = c->dtype_kv,
                                        .n_sink_tokens = c->n_sink_tokens,
                                        .window = c->window,
                                        .first_token = c->first_token,
                                        .n_heads = c->n_heads,
                                        .n_kv_heads = c->n_kv_heads,
                                        .d_head = c->d_head,
                                        .d_value = c->d_value,
                                        .n_sequences = c->n_sequences,
                                        .n_evict = c->n_evict,
                                        .n_undo = c->n_undo,
                                        .position = c->position,
                                        .rope_pairing = c->rope_pairing,
                                        .rope_dims = c->rope_dims,
                                        .rope_base = c->rope_base};
}

static void step_begin(sp_call *call, sp_call_kind kind, const sp_case *c, size_t n_tokens) {
  sp_cache_call *args = &call->args.cache;
  sp_call_begin(call, kind, c->n_threads, sizeof *args);
  args->size = sizeof *args;
  args->n_threads = c->n_threads;
  args->n_tokens = n_tokens;
  args->scale = c->scale;
  args->softcap = c->softcap;
}

/* Row `token` of a stream of rows. */
static const void *from_token(const sp_array *array, size_t token, size_t row_elements) {
  return (const unsigned char *)array->bits +
         token * row_elements * sp_ref_format_bytes(array->dtype);
}

/* The queries of `n_tokens` tokens, and the outputs that they ask for. spec: AL-5 lse is f32 */
static void queries(sp_call *call, const sp_case *c, size_t token, size_t n_tokens) {
  sp_tensor q = sp_call_tensor(c, "q", c->dtype_q, 1, n_tokens, c->n_heads, c->d_head);
  sp_tensor sink = sp_call_tensor(c, "sink_logit", c->sink_logit.dtype, 1, 1, c->n_heads, 1);
  sp_call_input(call, &q, from_token(&c->q, token, c->n_heads * c->d_head), FIELD(q));
  sp_call_input(call, &sink, c->sink_logit.bits, FIELD(sink_logit));
  q.name = "out";
  q.length = c->d_value;
  call->out_at = sp_call_output(call, &q, true, FIELD(out));
  sp_tensor total = sp_call_tensor(c, "lse_keys", SP_F32, 1, n_tokens, c->n_heads, 1);
  call->lse_keys_at = sp_call_output(call, &total, c->want_lse_keys, FIELD(lse_keys));
  total.name = "lse_total";
  call->lse_total_at = sp_call_output(call, &total, c->want_lse_total, FIELD(lse_total));
}

void sp_call_append(sp_call *call, const sp_case *c, size_t token, size_t n_tokens,
                    bool with_queries) {
  step_begin(call, SP_CALL_APPEND, c, n_tokens);
  sp_tensor k = sp_call_tensor(c, "k", c->dtype_kv, 1, n_tokens, c->n_kv_heads, c->d_head);
  sp_tensor v = sp_call_tensor(c, "v", c->dtype_kv, 1, n_tokens, c->n_kv_heads, c->d_value);
  sp_call_input(call, &k, from_token(&c->k, token, c->n_kv_heads * c->d_head), FIELD(k));
  sp_call_input(call, &v, from_token(&c->v, token, c->n_kv_heads * c->d_value), FIELD(v));
  if (with_queries) queries(call, c, token, n_tokens);
}

void sp_call_attend(sp_call *call, const sp_case *c, size_t token) {
  step_begin(call, SP_CALL_ATTEND, c, 1);
  queries(call, c, token, 1);
}

static int integers(sp_call *call, const char *name, size_t n) {
  sp_tensor t = {
      .name = name, .element = sizeof(uint64_t), .n = {1, 1, 1}, .length = n, .writable = true};
  return sp_call_pointer(call, &t, SP_NO_FIELD);
}

void sp_call_visible(sp_call *call, size_t capacity) {
  sp_call_begin(call, SP_CALL_VISIBLE, 1, 0);
  call->token_at = integers(call, "token", capacity);
  call->n_at = integers(call, "n", 1);
}

void sp_call_truncate(sp_call *call, size_t n_tokens) {
  sp_call_begin(call, SP_CALL_TRUNCATE, 1, 0);
  call->n_taken = n_tokens;
}

void sp_call_of(sp_call *call, size_t sequence) {
  call->sequence = sequence;
  if (call->kind == SP_CALL_APPEND || call->kind == SP_CALL_ATTEND)
    call->args.cache.sequence = sequence;
}

void sp_call_close(sp_call *call) {
  sp_call_begin(call, SP_CALL_CLOSE, 1, 0);
}
