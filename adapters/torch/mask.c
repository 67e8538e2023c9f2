/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's flag aligns the first query with the first key: as many queries as keys, then. A
 * single query that sees one run of the keys is given that run, a view as any program takes of its
 * cache; pinned tokens in front of a window are two runs, and need a mask. */
#include "adapters/torch/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/tensor.h"
#include "adapters/visible.h"

static bool flag_says_it(const sp_attention_call *call) {
  return call->causal && call->n_q == call->n_kv && call->window >= call->n_kv &&
         call->pos_q == NULL && call->pos_k == NULL;
}

/* The keys that query 0 sees are those from *first on, *n of them. */
static bool one_run(const sp_attention_call *call, uint64_t *first, uint64_t *n) {
  uint64_t from = 0, to = call->n_kv;
  while (from < to && !sp_adapter_sees(call, 0, from)) from++;
  while (to > from && !sp_adapter_sees(call, 0, to - 1)) to--;
  for (uint64_t j = from; j < to; j++)
    if (!sp_adapter_sees(call, 0, j)) return false;
  *first = from;
  *n = to - from;
  return to > from;
}

static void fill_row(float *to, const sp_attention_call *call, uint64_t b, uint64_t i, uint64_t h) {
  if (call->key_bias.data == NULL)
    memset(to, 0, call->n_kv * sizeof *to);
  else
    memcpy(to, sp_adapter_row(&call->key_bias, b, i, h), call->n_kv * sizeof *to);
  for (uint64_t j = 0; j < call->n_kv; j++)
    if (!sp_adapter_sees(call, i, j)) to[j] = -INFINITY;
}

static sp_status make_bias(torch_mask *mask, const sp_attention_call *call) {
  const sp_in *bias = &call->key_bias;
  const uint64_t n_batch = bias->data != NULL && bias->stride[0] != 0 ? call->n_batch : 1;
  const uint64_t n_heads = bias->data != NULL && bias->stride[2] != 0 ? call->n_heads : 1;
  const uint64_t size = call->n_q * call->n_kv;
  mask->bias = sp_adapter_alloc(SP_F32, n_batch * n_heads * size);
  if (mask->bias == NULL) return SP_NOMEM;
  float *row = mask->bias;
  for (uint64_t b = 0; b < n_batch; b++)
    for (uint64_t h = 0; h < n_heads; h++)
      for (uint64_t i = 0; i < call->n_q; i++, row += call->n_kv) fill_row(row, call, b, i, h);
  mask->tensor = (sp_in){mask->bias,
                         {n_batch > 1 ? (int64_t)(n_heads * size) : 0, (int64_t)call->n_kv,
                          n_heads > 1 ? (int64_t)size : 0},
                         SP_F32,
                         0};
  return SP_OK;
}

sp_status sp_torch_mask_make(torch_mask *mask, const sp_attention_call *call) {
  *mask = (torch_mask){.n_keys = call->n_kv};
  if (call->key_bias.data != NULL) return make_bias(mask, call);
  mask->causal = call->n_q > 1 && flag_says_it(call);
  if (mask->causal || sp_adapter_sees_all(call)) return SP_OK;
  if (call->n_q == 1 && one_run(call, &mask->first, &mask->n_keys)) return SP_OK;
  mask->first = 0;
  mask->n_keys = call->n_kv;
  return make_bias(mask, call);
}

void sp_torch_mask_clear(torch_mask *mask) {
  free(mask->bias);
  *mask = (torch_mask){0};
}
