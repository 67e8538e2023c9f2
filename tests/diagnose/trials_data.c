/* SPDX-License-Identifier: Apache-2.0 */
/* Trials of the diagnosis: heads, batch entries, tails and neighbours of keys and values. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diagnose/trials.h"

static void softmax_n(sp_case *c, size_t n) {
  sim_softmax_case(c, SIM_BELLS, 3, n, SP_F32, true, 4);
}

static void softmax_35(sp_case *c) {
  softmax_n(c, 35);
}

static void softmax_46(sp_case *c) {
  softmax_n(c, 46);
}

static void softmax_54(sp_case *c) {
  softmax_n(c, 54);
}

static void softmax_70(sp_case *c) {
  softmax_n(c, 70);
}

static void softmax_100(sp_case *c) {
  softmax_n(c, 100);
}

static void batch_of_45(sp_case *c) {
  diag_attention(c, 1, 5, 45, true);
}

static void batch_of_1(sp_case *c) {
  diag_attention(c, 1, 5, 37, true);
}

static void softmax_45(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 3, 45, SP_F32, true, 4);
}

/* Query head h uses kv head map[h]: give each its own copy. */
static void kv_heads(sp_case *c, double x) {
  static const size_t maps[3][4] = {{0, 1, 0, 1}, {0, 0, 0, 0}, {1, 1, 0, 0}};
  const size_t *map = maps[(size_t)x];
  sp_array *const arrays[] = {&c->k, &c->v};
  for (size_t a = 0; a < 2; a++) {
    sp_array old = *arrays[a];
    *arrays[a] = (sp_array){0};
    ck_assert(sp_array_alloc(arrays[a], SP_F32, old.count * 2));
    for (size_t i = 0; i < old.count * 2; i++) {
      size_t row = i / 32, h = i / 8 % 4, e = i % 8;
      sim_put(arrays[a], i, sim_get(&old, row * 16 + map[h] * 8 + e));
    }
    free(old.bits);
  }
  c->n_kv_heads = 4;
}

static void kv_batch_0(sp_case *c, double x) {
  size_t half = c->k.count / 2;
  if (x > 0) memcpy((float *)c->k.bits + half, c->k.bits, half * sizeof(float));
  memcpy((float *)c->v.bits + half, c->v.bits, half * sizeof(float));
}

static void lose(sp_case *c, double x) { /* keys from x on; x < 0: key 0 */
  if (c->op == SP_OP_SOFTMAX) {
    for (size_t r = 0; r < c->n_q; r++)
      for (size_t j = 0; j < c->n_kv; j++)
        if (x < 0 ? j == 0 : (double)j >= x) sim_put(&c->logits, r * c->n_kv + j, -INFINITY);
    return;
  }
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, c->n_kv));
  for (size_t j = 0; j < c->n_kv; j++)
    if (x < 0 ? j == 0 : (double)j >= x) sim_put(&c->key_bias, j, -INFINITY);
}

static void pad_to(sp_case *c, double x) { /* e^s + padding */
  for (size_t r = 0; r < c->sink_logit.count; r++)
    sim_put(&c->sink_logit, r,
            log(exp(sim_get(&c->sink_logit, r)) + (x - (double)(c->n_kv % (size_t)x))));
}

static void shift(sp_array *a, size_t row, int step) {
  size_t n = a->count / row;
  float *old = malloc(a->count * sizeof *old);
  memcpy(old, a->bits, a->count * sizeof *old);
  for (size_t j = 0; j < n; j++) {
    size_t from = step > 0 ? (j + 1 < n ? j + 1 : j) : (j > 0 ? j - 1 : j);
    memcpy((float *)a->bits + j * row, old + from * row, row * sizeof *old);
  }
  free(old);
}

static void skip_values(sp_case *c, double x) {
  size_t first = c->n_kv - c->n_kv % (size_t)x;
  for (size_t i = first * 16; i < c->v.count; i++) sim_put(&c->v, i, 0);
}

static void shift_v(sp_case *c, double x) {
  shift(&c->v, 16, (int)x);
}

static void shift_k(sp_case *c, double x) {
  shift(&c->k, 16, (int)x);
}

static void zero_tail(const sp_case *c, sp_outputs *o, double x) {
  for (size_t i = 0; i < o->values.count; i++)
    if (i % c->n_kv >= c->n_kv - c->n_kv % (size_t)x) sim_put(&o->values, i, 0);
}

static void undivided_tail(const sp_case *c, sp_outputs *o, double x) {
  for (size_t i = 0; i < o->values.count; i++) {
    size_t r = i / c->n_kv;
    if (i % c->n_kv < c->n_kv - c->n_kv % (size_t)x) continue;
    double top = sim_get(&c->sink_logit, r);
    for (size_t j = 0; j < c->n_kv; j++) top = fmax(top, sim_get(&c->logits, r * c->n_kv + j));
    sim_put(&o->values, i, exp(sim_get(&c->logits, i) - top));
  }
}

static const trial trials[] = {
    {"h mod n_kv_heads", diag_plain, kv_heads, 0, NULL, 0},
    {"kv head 0 is used", diag_plain, kv_heads, 1, NULL, 0},
    {"next kv head", diag_plain, kv_heads, 2, NULL, 0},
    {"keys and values of batch entry 0", diag_plain, kv_batch_0, 1, NULL, 0},
    {"the values of batch entry 0 are used", diag_plain, kv_batch_0, 0, NULL, 0},
    {"last n mod 64 keys are lost", softmax_100, lose, 64, NULL, 0},
    {"last n mod 32 keys are lost", softmax_45, lose, 32, NULL, 0},
    {"last n mod 16 keys are lost", softmax_54, lose, 48, NULL, 0},
    {"last n mod 8 keys are lost", softmax_45, lose, 40, NULL, 0},
    {"last n mod 4 keys are lost", softmax_46, lose, 44, NULL, 0},
    {"last key is lost", softmax_46, lose, 45, NULL, 0},
    {"first key is lost", diag_plain, lose, -1, NULL, 0},
    {"weights of the last n mod 16", diag_softmax, NULL, 0, zero_tail, 16},
    {"weights of the last n mod 8", softmax_45, NULL, 0, zero_tail, 8},
    {"weights of the last n mod 4", softmax_45, NULL, 0, zero_tail, 4},
    {"not divided by the sum of the weights", softmax_45, NULL, 0, undivided_tail, 64},
    {"last n mod 16 weights are not divided", diag_softmax, NULL, 0, undivided_tail, 16},
    {"last n mod 8 weights are not divided", softmax_45, NULL, 0, undivided_tail, 8},
    {"values of the last n mod 16 keys are skipped", batch_of_45, skip_values, 16, NULL, 0},
    {"values of the last n mod 8 keys are skipped", batch_of_45, skip_values, 8, NULL, 0},
    {"values of the last n mod 4 keys are skipped", batch_of_45, skip_values, 4, NULL, 0},
    {"multiple of 64", diag_softmax, pad_to, 64, NULL, 0},
    {"multiple of 32", softmax_70, pad_to, 32, NULL, 0},
    {"multiple of 16", softmax_35, pad_to, 16, NULL, 0},
    {"multiple of 8", softmax_35, pad_to, 8, NULL, 0},
    {"multiple of 4 ", softmax_35, pad_to, 4, NULL, 0},
    {"value of the next key", batch_of_1, shift_v, 1, NULL, 0},
    {"value of the key before", batch_of_1, shift_v, -1, NULL, 0},
    {"goes with the next key", batch_of_1, shift_k, 1, NULL, 0},
    {"goes with the key before", batch_of_1, shift_k, -1, NULL, 0},

};

trial_list trials_data(void) {
  return (trial_list){trials, sizeof trials / sizeof trials[0]};
}
