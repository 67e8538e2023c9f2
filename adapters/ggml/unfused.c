/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as a graph of separate operators, which is what llama.cpp runs without flash attention:
 * K times q, softmax with mask and sinks, V times the weights. There the cache of values is stored
 * transposed, one row for each component; that layout is made here when a call is prepared. */
#include "adapters/ggml/graph.h"

#include <string.h>

/* Tensors between the operators, one after another in one block. */
typedef struct arena {
  char *at;
  size_t used;
} arena;

static void give(arena *memory, struct ggml_tensor *tensor) {
  const size_t line = 64;
  if (memory->at != NULL) tensor->data = memory->at + memory->used;
  memory->used += (ggml_nbytes(tensor) + line - 1) / line * line;
}

/* V as [token, c, head, b], fastest axis first. */
static void transpose(char *to, const sp_attention_call *call) {
  const size_t size = sp_adapter_element_size(call->v.dtype);
  for (uint64_t b = 0; b < call->n_batch; b++)
    for (uint64_t h = 0; h < call->n_kv_heads; h++, to += call->d_value * call->n_kv * size)
      for (uint64_t j = 0; j < call->n_kv; j++) {
        const char *row = sp_adapter_row(&call->v, b, j, h);
        for (uint64_t c = 0; c < call->d_value; c++)
          memcpy(to + (c * call->n_kv + j) * size, row + c * size, size);
      }
}

typedef struct nodes {
  struct ggml_tensor *values, *scores, *weights, *heads, *out;
} nodes;

static void place_all(const nodes *n, arena *memory) {
  memory->used = 0;
  give(memory, n->values);
  give(memory, n->scores);
  give(memory, n->weights);
  give(memory, n->heads);
}

sp_status sp_ggml_build_unfused(sp_ggml_attention *a, struct ggml_tensor **node) {
  const sp_attention_call *call = &a->call;
  nodes n = {.values = NULL};
  arena memory = {NULL, 0};
  struct ggml_tensor *q =
      sp_ggml_describe(a->ctx, &call->q, call->d_head, call->n_q, call->n_heads, call->n_batch);
  struct ggml_tensor *k =
      sp_ggml_describe(a->ctx, &call->k, call->d_head, call->n_kv, call->n_kv_heads, call->n_batch);
  n.values = sp_ggml_describe(a->ctx, &call->v, call->n_kv, call->d_value, call->n_kv_heads,
                              call->n_batch);
  n.scores = ggml_mul_mat(a->ctx, k, q);
  n.weights = ggml_soft_max_ext(a->ctx, n.scores, sp_ggml_mask_tensor(a->ctx, &a->mask, call),
                                call->scale, 0.0F);
  n.heads = ggml_mul_mat(a->ctx, n.values, n.weights);
  struct ggml_tensor *view = ggml_permute(a->ctx, n.heads, 0, 2, 1, 3);
  n.out = ggml_cont(a->ctx, view);
  sp_ggml_place(q, &call->q);
  sp_ggml_place(k, &call->k);
  if (a->sinks != NULL) {
    struct ggml_tensor *sinks = ggml_new_tensor_1d(a->ctx, GGML_TYPE_F32, (int64_t)call->n_heads);
    sinks->data = a->sinks;
    ggml_soft_max_add_sinks(n.weights, sinks);
  }
  place_all(&n, &memory);
  a->memory = sp_adapter_alloc(SP_F32, memory.used / 4 + 1);
  if (a->memory == NULL) return SP_NOMEM;
  memory.at = a->memory;
  place_all(&n, &memory);
  view->data = n.heads->data;
  transpose(n.values->data, call);
  *node = n.out;
  return SP_OK;
}
