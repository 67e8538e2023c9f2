/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of a logit: the order of cap, bias and ALiBi. spec: CT-13 */
#include <math.h>

#include "certify/profile/probe.h"

static bool capped_bias(const sp_asker *asker, sp_case *c) {
  c->softcap = 2;
  if (!sp_probe_keys(asker, c, 2) || !sp_array_alloc(&c->key_bias, SP_F32, 2)) return false;
  sp_probe_set(&c->key_bias, 1, 4);
  return true;
}

static void cap_order(const sp_asker *asker, unsigned answer, double *e) {
  const double x[2] = {0, answer == SP_SOFTCAP_LAST ? 2 * tanh(4.0 / 2) : 4};
  sp_expect_weights(asker, x, 2, 0, e);
}

/* Four keys at distances 3 … 0. */
static bool slope(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_keys(asker, c, 4) || !sp_array_alloc(&c->alibi_slope, SP_F32, 1)) return false;
  sp_probe_set(&c->alibi_slope, 0, 1);
  return true;
}

static bool capped_slope(const sp_asker *asker, sp_case *c) {
  c->softcap = 2;
  return slope(asker, c);
}

static void cap_of_alibi(const sp_asker *asker, unsigned answer, double *e) {
  double x[4];
  bool index = sp_convention(asker->known, SP_ASK_ALIBI) == SP_ALIBI_KEY_INDEX;
  for (int j = 0; j < 4; j++) {
    double bias = index ? j : j - 3;
    x[j] = answer == SP_ALIBI_INSIDE_CAP ? 2 * tanh(bias / 2) : bias;
  }
  sp_expect_weights(asker, x, 4, 0, e);
}

/* Another offset of ALiBi is a constant per row: a sink logit of 0 shows it, in row 1 of 4. */
static bool slope_and_sink(const sp_asker *asker, sp_case *c) {
  if (!sp_probe_rows(asker, c, 4, 4) || !sp_array_alloc(&c->alibi_slope, SP_F32, 1) ||
      !sp_array_alloc(&c->sink_logit, SP_F32, 1))
    return false;
  sp_probe_set(&c->alibi_slope, 0, 1);
  return true;
}

static void offset(unsigned answer, double x[2]) {
  double first = answer == SP_ALIBI_KEY_INDEX ? 0 : answer == SP_ALIBI_FROM_END ? -3 : -1;
  x[0] = first;
  x[1] = first + 1;
}

static void alibi_offset(const sp_asker *asker, unsigned answer, double *e) {
  double x[2];
  offset(answer, x);
  sp_expect_weights(asker, x, 2, 1, e);
}

static bool slope_and_lse(const sp_asker *asker, sp_case *c) {
  c->want_lse_total = sp_probe_offers(asker, SP_OPT_LSE_TOTAL);
  c->want_lse_keys = !c->want_lse_total;
  if (!sp_probe_rows(asker, c, 4, 4) || !sp_array_alloc(&c->alibi_slope, SP_F32, 1)) return false;
  sp_probe_set(&c->alibi_slope, 0, 1);
  return true;
}

static void alibi_offset_lse(const sp_asker *asker, unsigned answer, double *e) {
  double x[2];
  offset(answer, x);
  *e = sp_expect_lse(asker, exp(x[0]) + exp(x[1]) + sp_expect_fixed(asker));
}

#define A SP_OP_ATTENTION

static const sp_probe list[] = {
    {SP_ASK_SOFTCAP, 0, A, "2 keys with logit 0, the second with a bias of 4, softcap 2: weights",
     capped_bias, SP_OUT_VALUES, SP_LAST_ROW, 8, NULL, cap_order},
    {SP_ASK_ALIBI, 0, A, "4 equal keys, slope 1, sink logit 0: weights in row 1", slope_and_sink,
     SP_OUT_VALUES, 1, 8, NULL, alibi_offset},
    {SP_ASK_ALIBI, 1, A, "4 equal keys, slope 1: log-sum-exp of row 1", slope_and_lse,
     SP_OUT_LSE_TOTAL, 1, 1, NULL, alibi_offset_lse},
    {SP_ASK_ALIBI_CAP, 0, A, "4 equal keys, slope 1, softcap 2: weights in the last row",
     capped_slope, SP_OUT_VALUES, SP_LAST_ROW, 8, NULL, cap_of_alibi},
};

sp_probes sp_probes_score(void) {
  return (sp_probes){list, sizeof list / sizeof *list};
}
