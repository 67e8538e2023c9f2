/* SPDX-License-Identifier: Apache-2.0 */
/* a_j: how far a computed logit may be from the exact one. It is the sum of what each step of AT-2
 * may add; an error that is already there passes every later step with a factor of at most 1 (the
 * derivative of the cap is in [0, 1]) apart from rounding, which is charged on the sum. With
 * u' = u/(1-u), n roundings change a number by a factor within e^(±n u').
 *
 *   s+ = |scale| + r_32 eta          P = sum_c |q_c k_jc|, or |logit|; S = |scale| P
 *   d = d_head
 *   r_q, r_k, r_32: 1 where inputs of that type are rounded on the way into a coarser arithmetic,
 *   else 0; 32 is scale, softcap, key_bias, slope and sink logit
 *
 * Dot product and scale, summed in any order, fused or not, scale on q or on the sum:
 *   a  = s+ P (e^g - 1) + r_32 eta P + e^g (max(1, s+) U + eta),
 *   g  = (d + 2 + r_q + r_k) u' + u_qk'
 *   U  = 2d eta + (2 eta + eta_qk) (sum_c |k_c| + d eta) + eta sum_c |q_c|
 *   (d products, d - 1 sums, scale converted and multiplied; every product and, when flushing,
 *   every sum may underflow; so may q_c times scale, which is then multiplied by k_c, and q_c, k_c
 *   and scale when they are converted)
 * Rotated keys (EV-11), with n_q and n_k the lengths of pair i of q and k: P counts n_q n_k for the
 * pair, and instead of the first line, with the sums of U doubled and F = (1 + 2 rho)^3
 * e^(2 u_rk'),
 *   a  = s+ P (F e^g - 1) + r_32 eta P + s+ sum_i n_q n_k min(3 Delta_i, 2)
 *        + F e^g (max(1, s+) (U + (24 eta + 8 eta_rk) (sum_c (|q_c| + |k_c|) + d)) + eta)
 *   rho and Delta_i: see certify/judge/bound_turn.h
 * Given logits (softmax):
 *   a  = s+ P (e^g - 1) + r_32 eta P + e^g (s+ r_q eta + eta),   g = (1 + r_32 + r_q) u'
 *   a  = P (e^(r_q u') - 1) + r_q eta if scale is 1
 * Inputs flushed:
 *   a += |scale| sum of |q_c k_c| over the c where one of the two is subnormal (of 2 n_q n_k over the
 *        pairs where one of the four is), or S where scale is subnormal and that is more; further down
 *        |key_bias| and |alibi| if bias or slope are
 * Softcap c:
 *   a += (min(c, S) + a) (e^((7 + r_32) u') - 1) + (2c + 1) eta e^((7 + r_32) u')
 *   (t/c costs 2 roundings, a reciprocal and a product; tanh 2 ulp = 4u'; the product 1; tanh is
 *   concave from 0, so a relative error of its argument is at most the same relative error of it)
 * ALiBi, the slope converted, the distance converted and multiplied by it:
 *   a += |alibi| (e^((2 + r_32) u') - 1) + r_32 eta distance e^((2 + r_32) u') + eta
 * key_bias converted:
 *   a += |key_bias| (e^(r_32 u') - 1) + r_32 eta
 * With both, a first partial sum:
 *   a += u' (|x| + |key_bias| + |alibi| + a) + eta
 * With either, the last sum:
 *   a += u' (|x| + a) + eta
 * Logits rounded when they are stored, before or after scale, cap or biases, and what later steps
 * round of that:
 *   a += e^((11 + r_32) u') (u_logit' (max(|x|, min(S, |x| + |key_bias| + |alibi|)) + 2a)
 *        + max(1, s+) eta_logit)
 * A zero bias or distance adds exactly and costs nothing.
 *
 * a_s, of the sink logit: r_32 (u' |s| + eta), and |s| if it is subnormal and inputs are flushed.
 *
 * Each of these lines is a theorem, `NU7_logit_...` (proofs/bound/Logit*.v, composed in LogitRow.v and
 * LogitRotated.v), and `make proofs-bound` compares this file with them.
 * spec: NU-7, NU-10 */
#include "certify/judge/bound_logit.h"

#include <float.h>
#include <math.h>

#include "certify/judge/bound_turn.h"
#include "certify/judge/upward.h"

double sp_rounding_cost(double u) {
  return u / sp_up_less(1, u);
}

static double unit_roundoff(sp_dtype dtype) {
  return dtype == SP_F64 ? 0x1p-53 : dtype == SP_F32 ? 0x1p-24 : dtype == SP_F16 ? 0x1p-11 : 0x1p-8;
}

static double roundings_of_input(const sp_class *cls, sp_dtype dtype) {
  return cls->u > unit_roundoff(dtype) ? 1 : 0;
}

void sp_logit_model_init(sp_logit_model *model, const sp_class *cls, sp_bound_types types,
                         const sp_ref_row_input *in) {
  *model = (sp_logit_model){.u = sp_rounding_cost(cls->u),
                            .u_logit = sp_rounding_cost(cls->u_logit),
                            .u_qk = sp_rounding_cost(cls->u_qk),
                            .eta = cls->eta,
                            .eta_qk = sp_class_underflow(cls, cls->u_qk),
                            .eta_logit = sp_class_underflow(cls, cls->u_logit),
                            .wide = roundings_of_input(cls, SP_F32),
                            .r_q = roundings_of_input(cls, types.q),
                            .flush_inputs = cls->flush_inputs};
  model->reach = fabs(in->scale) + model->wide * cls->eta;
  double roundings = model->r_q;
  if (in->logits != NULL) {
    roundings += in->scale == 1 ? 0 : 1 + model->wide;
  } else {
    for (size_t c = 0; c < in->d_head; c++) model->query_sum += fabs(in->q[c]);
    roundings += roundings_of_input(cls, types.kv) + (double)in->d_head + 2;
  }
  double cost = roundings * model->u + (in->logits != NULL ? 0 : model->u_qk);
  model->turn = 1;
  if (in->rope.dims > 0) {
    cost += sp_rotation_cost(cls);
    model->turn = 2;
    model->eta_turn = 24 * cls->eta + 8 * sp_class_underflow(cls, cls->u_rk);
  }
  model->dot = sp_up_expm1(cost);
  model->slack = sp_up_exp(cost);
}

static bool subnormal32(double x) {
  return x != 0 && fabs(x) < 0x1p-126;
}

static double given_error(const sp_logit_model *m, const sp_ref_row_input *in,
                          const sp_bound_key *key) {
  if (in->scale == 1) return key->sum * m->dot + m->r_q * m->eta;
  double spilled = m->wide * m->eta * key->sum;
  return m->reach * key->sum * m->dot + spilled + m->slack * (m->reach * m->r_q * m->eta + m->eta);
}

static double product_error(const sp_logit_model *m, const sp_ref_row_input *in,
                            const sp_bound_key *key) {
  double d = (double)in->d_head, spilled = m->wide * m->eta * key->sum;
  double events = 2 * d * m->eta +
                  m->turn * (2 * m->eta + m->eta_qk) * (key->key_sum + d * m->eta) +
                  m->turn * m->eta * m->query_sum;
  events += m->eta_turn * (key->key_sum + m->query_sum + d);
  return m->reach * (key->sum * m->dot + key->turned) + spilled +
         m->slack * (fmax(1, m->reach) * events + m->eta);
}

static double cap_error(const sp_logit_model *m, double softcap, double product, double a) {
  double cost = (7 + m->wide) * m->u;
  a += (fmin(softcap, product) + a) * sp_up_expm1(cost);
  return a + (2 * softcap + 1) * m->eta * sp_up_exp(cost);
}

static double alibi_error(const sp_logit_model *m, const sp_ref_row_input *in,
                          const sp_bound_key *key) {
  double cost = (2 + m->wide) * m->u;
  double a =
      key->alibi * sp_up_expm1(cost) + m->wide * m->eta * key->distance * sp_up_exp(cost) + m->eta;
  return m->flush_inputs && subnormal32(in->alibi_slope) ? a + key->alibi : a;
}

static double key_bias_error(const sp_logit_model *m, const sp_bound_key *key) {
  double a = key->bias * sp_up_expm1(m->wide * m->u) + m->wide * m->eta;
  return m->flush_inputs && subnormal32(key->bias) ? a + key->bias : a;
}

static double bias_error(const sp_logit_model *m, const sp_ref_row_input *in,
                         const sp_bound_key *key, double a) {
  bool alibi = key->alibi > 0, bias = key->bias > 0;
  if (alibi) a += alibi_error(m, in, key);
  if (bias) a += key_bias_error(m, key);
  if (alibi && bias) a += m->u * (key->magnitude + key->bias + key->alibi + a) + m->eta;
  if (alibi || bias) a += m->u * (key->magnitude + a) + m->eta;
  return a;
}

double sp_logit_error(const sp_logit_model *m, const sp_ref_row_input *in,
                      const sp_bound_key *key) {
  double a = in->logits != NULL ? given_error(m, in, key) : product_error(m, in, key);
  if (m->flush_inputs)
    a += subnormal32(in->scale) ? fmax(key->product, key->flushed) : key->flushed;
  if (in->softcap > 0 && in->softcap <= DBL_MAX) a = cap_error(m, in->softcap, key->product, a);
  a = bias_error(m, in, key, a);
  if (m->u_logit == 0) return a;
  double before = fmin(key->product, key->magnitude + key->bias + key->alibi);
  double stored = fmax(key->magnitude, before);
  return a + sp_up_exp((11 + m->wide) * m->u) *
                 (m->u_logit * (stored + 2 * a) + fmax(1, m->reach) * m->eta_logit);
}

double sp_sink_error(const sp_logit_model *m, double sink_logit) {
  double s = fabs(sink_logit);
  double a = m->wide * (s * m->u + m->eta);
  return m->flush_inputs && subnormal32(s) ? a + s : a;
}
