/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of the denominator: what a sink logit adds to it, and what its logarithm is. spec: CT-13
 */
#include <math.h>

#include "certify/profile/probe.h"

/* ---- what a sink logit is ---- */

static bool with_sink(sp_case *c, double s) {
  size_t n = c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads;
  if (!sp_array_alloc(&c->sink_logit, SP_F32, n)) return false;
  for (size_t h = 0; h < n; h++) sp_probe_set(&c->sink_logit, h, s);
  return true;
}

static bool sink_2_scale_half(const sp_asker *asker, sp_case *c) {
  c->scale = 0.5F;
  return sp_probe_keys(asker, c, 2) && with_sink(c, 2);
}

static void sink_term(const sp_asker *asker, unsigned answer, double *e) {
  const double x[2] = {0, 0};
  const double term[] = {0, exp(2), exp(2 * 0.5), exp2(2), 2};
  sp_expect_weights(asker, x, 2, term[answer], e);
}

/* ---- base ---- */

static bool four_threes(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_keys(asker, c, 4)) return false;
  for (size_t j = 0; j < 4; j++) sp_probe_logit(c, j, 3);
  return true;
}

static bool base_keys(const sp_asker *asker, sp_case *c) {
  c->want_lse_keys = true;
  return four_threes(asker, c);
}

static bool base_total(const sp_asker *asker, sp_case *c) {
  c->want_lse_total = true;
  return four_threes(asker, c);
}

static void base_of_keys(const sp_asker *asker, unsigned answer, double *e) {
  (void)asker;
  double z = 4 * exp(3);
  *e = answer == SP_LSE_BASE_2 ? log2(z) : log(z);
}

static void base_of_total(const sp_asker *asker, unsigned answer, double *e) {
  double z = 4 * exp(3) + sp_expect_fixed(asker);
  *e = answer == SP_LSE_BASE_2 ? log2(z) : log(z);
}

/* ---- which one holds the sink logit; 0 is the same in every scale and base ---- */

static bool sink_zero_keys(const sp_asker *asker, sp_case *c) {
  c->want_lse_keys = true;
  return sp_probe_keys(asker, c, 3) && with_sink(c, 0);
}

static bool sink_zero_total(const sp_asker *asker, sp_case *c) {
  c->want_lse_total = true;
  return sp_probe_keys(asker, c, 3) && with_sink(c, 0);
}

static void sink_in_keys(const sp_asker *asker, unsigned answer, double *e) {
  *e = sp_expect_lse(asker, answer == SP_LSE_SINK_BOTH ? 4 : 3);
}

static void sink_in_total(const sp_asker *asker, unsigned answer, double *e) {
  *e = sp_expect_lse(asker, answer == SP_LSE_SINK_NEITHER ? 3 : 4);
}

/* ---- of a row without keys ---- */

static bool hide_all(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_keys(asker, c, 4) || !sp_array_alloc(&c->key_bias, SP_F32, 4)) return false;
  for (size_t j = 0; j < 4; j++) sp_probe_set(&c->key_bias, j, -INFINITY);
  return true;
}

static bool hidden_keys(const sp_asker *asker, sp_case *c) {
  c->want_lse_keys = true;
  return hide_all(asker, c);
}

static bool hidden_total(const sp_asker *asker, sp_case *c) {
  c->want_lse_total = true;
  return hide_all(asker, c);
}

static bool early_keys(const sp_asker *asker, sp_case *c) {
  c->want_lse_keys = true;
  return sp_convention(asker->known, SP_ASK_CAUSAL) != SP_CAUSAL_TOP_LEFT &&
         sp_probe_rows(asker, c, 5, 4);
}

static bool early_total(const sp_asker *asker, sp_case *c) {
  c->want_lse_total = true;
  return sp_convention(asker->known, SP_ASK_CAUSAL) != SP_CAUSAL_TOP_LEFT &&
         sp_probe_rows(asker, c, 5, 4);
}

/* A term that is always there is there in an empty row too, but not in lse_keys. */
static void infinity_or_fixed(const sp_asker *asker, unsigned answer, double *e) {
  *e = answer == SP_LSE_EMPTY_PLUS_INF ? INFINITY : log(sp_expect_fixed(asker));
}

static void infinity(const sp_asker *asker, unsigned answer, double *e) {
  (void)asker;
  *e = answer == SP_LSE_EMPTY_PLUS_INF ? INFINITY : -INFINITY;
}

#define A    SP_OP_ATTENTION
#define S    SP_OP_SOFTMAX
#define C    SP_OP_CACHE
#define KEYS SP_OUT_LSE_KEYS
#define ALL  SP_OUT_LSE_TOTAL
#define LAST SP_LAST_ROW

static const sp_probe list[] = {
    {SP_ASK_SINK, 0, A, "2 keys with logit 0, scale 0.5, sink logit 2: weights", sink_2_scale_half,
     SP_OUT_VALUES, LAST, 8, NULL, sink_term},
    {SP_ASK_SINK, 1, C, "2 tokens with logit 0, scale 0.5, sink logit 2: weights",
     sink_2_scale_half, SP_OUT_VALUES, LAST, 8, NULL, sink_term},
    {SP_ASK_SINK, 2, S, "2 logits of 0, scale 0.5, sink logit 2: weights", sink_2_scale_half,
     SP_OUT_VALUES, 0, 2, NULL, sink_term},
    {SP_ASK_LSE_BASE, 0, A, "4 keys with logit 3: lse_keys", base_keys, KEYS, LAST, 1, NULL,
     base_of_keys},
    {SP_ASK_LSE_BASE, 0, A, "4 keys with logit 3: lse_total", base_total, ALL, LAST, 1, NULL,
     base_of_total},
    {SP_ASK_LSE_BASE, 1, S, "4 logits of 3: lse_keys", base_keys, KEYS, 0, 1, NULL, base_of_keys},
    {SP_ASK_LSE_BASE, 1, S, "4 logits of 3: lse_total", base_total, ALL, 0, 1, NULL, base_of_total},
    {SP_ASK_LSE_BASE, 2, C, "4 tokens with logit 3: lse_keys", base_keys, KEYS, LAST, 1, NULL,
     base_of_keys},
    {SP_ASK_LSE_BASE, 2, C, "4 tokens with logit 3: lse_total", base_total, ALL, LAST, 1, NULL,
     base_of_total},
    {SP_ASK_LSE_SINK, 0, A, "3 keys with logit 0, sink logit 0: lse_keys", sink_zero_keys, KEYS,
     LAST, 1, NULL, sink_in_keys},
    {SP_ASK_LSE_SINK, 0, A, "3 keys with logit 0, sink logit 0: lse_total", sink_zero_total, ALL,
     LAST, 1, NULL, sink_in_total},
    {SP_ASK_LSE_SINK, 1, S, "3 logits of 0, sink logit 0: lse_keys", sink_zero_keys, KEYS, 0, 1,
     NULL, sink_in_keys},
    {SP_ASK_LSE_SINK, 1, S, "3 logits of 0, sink logit 0: lse_total", sink_zero_total, ALL, 0, 1,
     NULL, sink_in_total},
    {SP_ASK_LSE_SINK, 2, C, "3 tokens with logit 0, sink logit 0: lse_keys", sink_zero_keys, KEYS,
     LAST, 1, NULL, sink_in_keys},
    {SP_ASK_LSE_SINK, 2, C, "3 tokens with logit 0, sink logit 0: lse_total", sink_zero_total, ALL,
     LAST, 1, NULL, sink_in_total},
    {SP_ASK_LSE_EMPTY, 0, A, "4 keys, all with a bias of -inf: lse_keys", hidden_keys, KEYS, LAST,
     1, NULL, infinity},
    {SP_ASK_LSE_EMPTY, 0, A, "4 keys, all with a bias of -inf: lse_total", hidden_total, ALL, LAST,
     1, NULL, infinity_or_fixed},
    {SP_ASK_LSE_EMPTY, 1, A, "5 queries, 4 keys, causal: lse_keys of row 0, which sees none",
     early_keys, KEYS, 0, 1, NULL, infinity},
    {SP_ASK_LSE_EMPTY, 1, A, "5 queries, 4 keys, causal: lse_total of row 0, which sees none",
     early_total, ALL, 0, 1, NULL, infinity_or_fixed},
    {SP_ASK_LSE_EMPTY, 2, S, "4 logits of 0 with biases of -inf: lse_keys", hidden_keys, KEYS, 0, 1,
     NULL, infinity},
    {SP_ASK_LSE_EMPTY, 2, S, "4 logits of 0 with biases of -inf: lse_total", hidden_total, ALL, 0,
     1, NULL, infinity_or_fixed},
};

sp_probes sp_probes_lse(void) {
  return (sp_probes){list, sizeof list / sizeof *list};
}
