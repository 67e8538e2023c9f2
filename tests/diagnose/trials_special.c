/* SPDX-License-Identifier: Apache-2.0 */
/* Trials of the diagnosis: NaN, infinities, overflow, stalled sums, rows that are copies of others. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diagnose/trials.h"

static void softmax_low(sp_case *c) {
  sim_softmax_case(c, SIM_BELLS, 2, 39, SP_F32, false, 4);
  for (size_t i = 0; i < 78; i++) sim_put(&c->logits, i, sim_get(&c->logits, i) - 200);
}

static void softmax_high(sp_case *c) {
  sim_softmax_case(c, SIM_SHIFTED, 2, 39, SP_F32, false, 4);
}

static void softmax_nan(sp_case *c) {
  diag_softmax(c);
  sim_put(&c->logits, 50, NAN);
}

static void attention_300(sp_case *c) {
  sim_attention_case(c, SIM_UNIFORM, 2, 300, SP_F32, false, 4);
}

static void softmax_2100(sp_case *c) {
  sim_softmax_case(c, SIM_UNIFORM, 1, 2100, SP_F32, false, 4);
}

static void sink_200(sp_case *c) {
  diag_plain(c);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, 200);
}

static void sink_infinite(sp_case *c) {
  diag_plain(c);
  for (size_t h = 0; h < 4; h++) sim_put(&c->sink_logit, h, INFINITY);
}

static void poisoned(sp_case *c) {
  diag_windowed(c);
  sim_put(&c->v, (5 * 2 + 1) * 8 + 2, NAN); /* key 5 is out of every window */
}

static void heal(sp_case *c, double x) {
  sim_put(&c->logits, 50, x);
}

static void spoil_all(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  diag_each(&o->values, diag_becomes, x);
  diag_each(&o->lse_total, diag_becomes, x);
}

static void values_are(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  diag_each(&o->values, diag_becomes, x);
}

static void values_of_kv_head_1_are(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  for (size_t i = 0; i < o->values.count; i++)
    if (i / 8 % 4 >= 2) sim_put(&o->values, i, x);
}

/* Row r becomes row (r & keep) …: 0 query, 1 head, 2 batch, 3 all; 4, 5, 6: a neighbour. */
static void copy_rows(const sp_case *c, sp_outputs *o, double x) {
  sp_outputs old;
  ck_assert(sp_outputs_init(&old, c));
  memcpy(old.values.bits, o->values.bits, o->values.count * sizeof(float));
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    size_t h = r % c->n_heads, i = r / c->n_heads % c->n_q, b = r / c->n_heads / c->n_q;
    if (x == 0 || x == 3) i = 0;
    if (x == 1 || x == 3) h = 0;
    if (x == 2 || x == 3) b = 0;
    if (x == 4 && i > 0) i--;
    if (x == 5 && i + 1 < c->n_q) i++;
    if (x == 6 && h > 0) h--;
    size_t from = (b * c->n_q + i) * c->n_heads + h;
    memcpy((float *)o->values.bits + r * 8, (float *)old.values.bits + from * 8, 32);
  }
  sp_outputs_clear(&old);
}

static const trial trials[] = {
    {"without a visible key is NaN: 0 is due", diag_leading_empty, NULL, 0, diag_empty_values_are,
     NAN},
    {"was repaired", softmax_nan, heal, 0.5, NULL, 0},
    {"infinite sink logit gives NaN", sink_infinite, NULL, 0, values_are, NAN},
    {"NaN in a masked slot", poisoned, NULL, 0, values_of_kv_head_1_are, NAN},
    {"e^x overflows", softmax_high, NULL, 0, values_are, NAN},
    {"e^(sink_logit - m) overflows", sink_200, NULL, 0, spoil_all, INFINITY},
    {"e^x underflows", softmax_low, NULL, 0, values_are, 0},
    {"all zeros", diag_plain, NULL, 0, values_are, 0},
    {"though everything visible is finite", diag_plain, NULL, 0, values_are, NAN},
    {"stalls at 2^8", attention_300, NULL, 0, diag_scale_values, 256.0 / 300},
    {"stalls at 2^11", softmax_2100, NULL, 0, diag_scale_values, 2100.0 / 2048},
    {"result is that of query 0", diag_plain, NULL, 0, copy_rows, 0},
    {"result is that of head 0", diag_plain, NULL, 0, copy_rows, 1},
    {"result is that of batch entry 0", diag_plain, NULL, 0, copy_rows, 2},
    {"result is that of the first row", diag_plain, NULL, 0, copy_rows, 3},
    {"result is that of the query before", diag_plain, NULL, 0, copy_rows, 4},
    {"result is that of the query after", diag_plain, NULL, 0, copy_rows, 5},
    {"result is that of the head before", diag_plain, NULL, 0, copy_rows, 6},
};

trial_list trials_special(void) {
  return (trial_list){trials, sizeof trials / sizeof trials[0]};
}
