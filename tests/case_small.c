/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/case_small.h"

#include "tests/asserts.h"
#include <stdlib.h>

static void count_up(sp_array *array, double first) {
  for (size_t i = 0; i < array->count; i++)
    sp_ref_store(array->dtype, array->bits, i, first + (double)i);
}

void small_softmax(sp_case *c) {
  sp_case_init(c, SP_OP_SOFTMAX);
  c->n_q = 2;
  c->n_kv = 3;
  ck_assert(sp_array_alloc(&c->logits, SP_F32, 6));
  ck_assert(sp_array_alloc(&c->sink_logit, SP_F32, 2));
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, 3));
  count_up(&c->logits, 10);
  count_up(&c->sink_logit, 1);
}

void small_attention(sp_case *c) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_batch = 2;
  c->n_q = 3;
  c->n_kv = 5;
  c->n_heads = 6;
  c->n_kv_heads = 2;
  c->d_head = 4;
  c->d_value = 3;
  c->dtype_kv = SP_BF16;
  ck_assert(sp_array_alloc(&c->q, SP_F32, 2 * 3 * 6 * 4));
  ck_assert(sp_array_alloc(&c->k, SP_BF16, 2 * 5 * 2 * 4));
  ck_assert(sp_array_alloc(&c->v, SP_BF16, 2 * 5 * 2 * 3));
  ck_assert(sp_array_alloc(&c->sink_logit, SP_F32, 6));
  ck_assert(sp_array_alloc(&c->alibi_slope, SP_F32, 6));
  ck_assert(sp_array_alloc(&c->bias_k, SP_BF16, 2 * 4));
  ck_assert(sp_array_alloc(&c->bias_v, SP_BF16, 2 * 3));
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, 3 * 5));
  c->bias_rows = 3;
  c->pos_q = calloc(3, sizeof *c->pos_q);
  c->pos_k = calloc(5, sizeof *c->pos_k);
  for (int j = 0; j < 5; j++) c->pos_k[j] = 10 - j;
  count_up(&c->q, 0);
  count_up(&c->k, 0);
  count_up(&c->v, 0);
  count_up(&c->sink_logit, 1);
  count_up(&c->key_bias, 0);
}

static const sp_cache_step steps[] = {{SP_STEP_APPEND, 2, true, 0},  {SP_STEP_ATTEND, 1, true, 0},
                                      {SP_STEP_APPEND, 2, false, 0}, {SP_STEP_VISIBLE, 0, false, 0},
                                      {SP_STEP_APPEND, 1, true, 0},  {SP_STEP_ATTEND, 1, true, 0}};

void small_cache(sp_case *c) {
  sp_case_init(c, SP_OP_CACHE);
  c->n_q = c->n_kv = 6;
  c->n_heads = 2;
  c->d_head = c->d_value = 2;
  c->window = 3;
  c->n_sink_tokens = 1;
  ck_assert(sp_array_alloc(&c->q, SP_F32, 24));
  ck_assert(sp_array_alloc(&c->k, SP_F32, 12));
  ck_assert(sp_array_alloc(&c->v, SP_F32, 12));
  c->script = malloc(sizeof steps);
  memcpy(c->script, steps, sizeof steps);
  c->n_steps = sizeof steps / sizeof *steps;
  count_up(&c->q, 0);
}

void small_case(sp_case *c, sp_op op) {
  if (op == SP_OP_SOFTMAX) small_softmax(c);
  if (op == SP_OP_ATTENTION) small_attention(c);
  if (op == SP_OP_CACHE) small_cache(c);
}
