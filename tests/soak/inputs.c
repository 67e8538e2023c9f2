/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs by number, and the judge's opinion of one output. See soak.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/judge/judge.h"
#include "tests/soak/soak.h"

/* splitmix64, started anew for every row. */
static void row(uint64_t state, float *x, int n) {
  for (int i = 0; i < n; i++) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    x[i] = (float)(int32_t)((z ^ z >> 31) >> 40) * 0x1p-23F - 1.0F;
  }
}

static uint64_t state_of(uint64_t seed, uint64_t token, uint64_t what) {
  return seed * UINT64_C(0xd1342543de82ef95) + (token * 3 + what) * UINT64_C(0xa0761d6478bd642f);
}

void soak_key(uint64_t seed, uint64_t token, float k[D]) {
  row(state_of(seed, token, 0), k, D);
}

void soak_value(uint64_t seed, uint64_t token, float v[D]) {
  row(state_of(seed, token, 1), v, D);
}

void soak_query(uint64_t seed, uint64_t token, float q[N_HEADS * D]) {
  row(state_of(seed, token, 2), q, N_HEADS * D);
}

/* A stream of the visible tokens, and one query of some heads at its end. */
static bool make_case(sp_case *c, uint64_t seed, const uint64_t *visible, uint64_t n,
                      soak_heads heads) {
  sp_case_init(c, SP_OP_CACHE);
  c->generator = "file";
  c->clause = "EV-14";
  c->n_q = c->n_kv = n;
  c->n_heads = heads.n;
  c->d_head = c->d_value = D;
  c->dtype_q = c->dtype_kv = SP_F32;
  c->n_sink_tokens = S;
  c->window = W;
  c->position = SP_POSITION_CACHE;
  c->rope_pairing = SP_ROPE_HALF;
  c->rope_dims = D;
  c->rope_base = ROPE_BASE;
  c->scale = 1.0F;
  c->script = calloc(2, sizeof *c->script);
  c->n_steps = 2;
  if (c->script == NULL || !sp_array_alloc(&c->q, SP_F32, n * heads.n * D) ||
      !sp_array_alloc(&c->k, SP_F32, n * D) || !sp_array_alloc(&c->v, SP_F32, n * D))
    return false;
  c->script[0] = (sp_cache_step){.kind = SP_STEP_APPEND, .n_tokens = n};
  c->script[1] = (sp_cache_step){.kind = SP_STEP_ATTEND};
  for (uint64_t j = 0; j < n; j++) {
    soak_key(seed, visible[j], (float *)c->k.bits + j * D);
    soak_value(seed, visible[j], (float *)c->v.bits + j * D);
  }
  float q[N_HEADS * D];
  soak_query(seed, visible[n - 1], q);
  memcpy((float *)c->q.bits + (n - 1) * heads.n * D, q + heads.first * D, heads.n * D * sizeof *q);
  return true;
}

bool soak_judge(uint64_t seed, const uint64_t *visible, uint64_t n, soak_heads heads,
                const float *out, float *budget) {
  sp_case c;
  sp_class cls;
  sp_truth truth = {0};
  sp_outputs outputs = {0};
  sp_judgement judgement = {.verdict = SP_FAIL};
  char error[200] = "";
  bool ok = make_case(&c, seed, visible, n, heads) &&
            sp_class_parse("w-deep", &cls, error, sizeof error) && sp_outputs_init(&outputs, &c) &&
            sp_truth_init(&truth, &c, &cls, 512, error, sizeof error);
  if (!ok) printf("the judge cannot be asked: %s %s\n", error, sp_case_error(&c));
  if (ok) {
    memcpy(outputs.values.bits, out + heads.first * D, sizeof *out * heads.n * D);
    sp_judge(&truth, &outputs, &judgement);
    *budget = (float)judgement.budget;
    sp_truth_clear(&truth);
  }
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  return ok && judgement.verdict == SP_PASS;
}
