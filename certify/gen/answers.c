/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose answer a reader can check by hand. They look weak, but several shipped bugs (a dropped
 * sink logit, an extra 1 after the maximum was subtracted, a stalled sum) fail here in a way that
 * needs no oracle to be believed. tests: SM-2, AL-2, AL-3, AT-10 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <math.h>

#define BLOG                                                                                       \
  { -0.1, -1.2, -0.9, -0.8, -0.5 }

typedef struct answer {
  size_t n;
  double logit[7];
  bool ones;   /* every value is 1, so the output is the mass of the keys */
  double sink; /* NAN: without a sink logit */
} answer;

static const answer answers[] = {
    {5, BLOG, false, NAN},         /* 0.339086 0.112872 0.152361 0.168385 0.227296 */
    {1, {-1.7}, false, NAN},       /* weight 1, out = v */
    {7, {0}, true, NAN},           /* 1/7 each, out = 1 */
    {2, {0, -20}, false, NAN},     /* 1 / (1 + e^-20) */
    {5, BLOG, false, 0.0},         /* the keys sum to 0.727406 */
    {5, {0}, true, 0.0},           /* 5/6 */
    {4, {0}, true, 0x1.1d7f24p+1}, /* n / (n + e^s) = 0.3006 */
    {3, {0}, true, -3.0},          /* e^s is small, s itself is negative */
    {2, {10, 10}, true, 0.0},      /* 0.99998 in all, not 2/3 */
    {1, {2.5}, true, 2.5},         /* 1/2 */
    {4, {0}, true, 0x1.62e43p+0},  /* s = ln 4 to binary32: the output halves */
    {6, {0}, true, 200.0},         /* nearly nothing is left for the keys */
    {2, {0}, true, -INFINITY},     /* -inf is no sink logit */
    {5, {999, 1000, 1001, 998, 1000}, true, 1000.0}, /* the sink logit keeps its place */
};

enum { N_ANSWERS = sizeof answers / sizeof *answers, N_PLAIN = 4 /* without a sink logit */ };

static bool answer_script(sp_gen *g) {
  sp_case *c = g->c;
  sp_gen_stream(g, c->n_kv, 0, c->n_kv);
  return sp_gen_step(g, SP_STEP_APPEND, c->n_kv, true) && sp_gen_step(g, SP_STEP_VISIBLE, 0, false);
}

static void set_answer(sp_gen *g, const answer *a) {
  sp_case *c = g->c;
  if (c->op == SP_OP_SOFTMAX) {
    for (size_t e = 0; e < c->logits.count; e++) sp_gen_set(&c->logits, e, a->logit[e % a->n]);
    return;
  }
  for (size_t e = 0; e < c->q.count; e += c->d_head) sp_gen_set(&c->q, e, 1.0);
  for (size_t j = 0; j < a->n; j++) sp_gen_set(&c->k, j * c->d_head, a->logit[j]);
  sp_gen_bells(g, &c->v, 1.0);
  if (a->ones) sp_gen_fill(&c->v, 1.0);
}

bool sp_make_known_answer(sp_case *c, const sp_generator_request *request) {
  sp_gen g;
  bool sinks = (request->options & SP_OPT_SINK_LOGIT) != 0;
  size_t n = sinks ? N_ANSWERS : N_PLAIN;
  if (!sp_gen_begin(&g, c, request, n)) return false;
  const answer *a = &answers[g.index % n];
  if (request->max_n != 0 && request->max_n < a->n) return false;
  c->n_kv = a->n;
  if (c->op == SP_OP_SOFTMAX) c->n_q = 1 + sp_gen_round_of(&g, n) % 3;
  if (c->op != SP_OP_SOFTMAX) c->d_head = c->d_value = 1 + sp_gen_round_of(&g, n) % 5;
  if (c->op == SP_OP_CACHE && !answer_script(&g)) return false;
  if (!sp_gen_tensors(&g)) return false;
  set_answer(&g, a);
  return isnan(a->sink) || sp_gen_sinks(&g, SP_F32, &a->sink, 1);
}

/* The lengths at which a sum in bf16 (256) or f16 (2048) stands still come first. */
static const size_t equal_lengths[] = {
    512, 2049, 4097, 1,   2,   3,   5,    8,    9,    10,   16,   17,   32,    33,    64,   65,
    128, 129,  256,  257, 513, 999, 1024, 1025, 2048, 4096, 8192, 8193, 16385, 65536, 65537};
enum { N_LENGTHS = sizeof equal_lengths / sizeof *equal_lengths };

static bool equal_shape(sp_gen *g, size_t n) {
  sp_case *c = g->c;
  if (c->op != SP_OP_CACHE) {
    c->n_kv = sp_gen_length(g, n);
    if (c->n_kv <= 1025) sp_gen_queries(g, c->op == SP_OP_SOFTMAX ? 2 : 1);
    return true;
  }
  if (n > 1025) n = 1025;
  sp_gen_stream(g, n, 0, n);
  return sp_gen_step(g, SP_STEP_APPEND, n, false) && sp_gen_step(g, SP_STEP_ATTEND, 1, true);
}

/* Equal logits in two ways: one key repeated, or queries of zero that meet different keys. */
static void equal_keys(sp_gen *g, bool zero_queries) {
  sp_case *c = g->c;
  sp_gen_bells(g, &c->k, 1.0);
  if (zero_queries) return;
  sp_gen_bells(g, &c->q, 1.0);
  for (size_t e = c->d_head; e < c->k.count; e++)
    sp_gen_set(&c->k, e, sp_gen_get(&c->k, e % c->d_head));
}

bool sp_make_equal_scores(sp_case *c, const sp_generator_request *request) {
  static const double value[] = {1.0, 0.37, -0.9};
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N_LENGTHS)) return false;
  uint64_t round = sp_gen_round_of(&g, N_LENGTHS);
  if (!equal_shape(&g, equal_lengths[g.index % N_LENGTHS])) return false;
  c->d_head = c->d_value = 1 + round % 2;
  if (!sp_gen_tensors(&g)) return false;
  if (c->op == SP_OP_SOFTMAX) {
    sp_gen_fill(&c->logits, sp_rng_uniform(&g.rng, -9.0, 9.0));
  } else {
    equal_keys(&g, round % 2 == 1);
    sp_gen_fill(&c->v, value[round % 3]);
  }
  return sp_gen_maybe_sinks(&g);
}
