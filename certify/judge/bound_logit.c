/* SPDX-License-Identifier: Apache-2.0 */
/* a_j: how far a computed logit may be from the exact one. It is the sum of what each step of AT-2
 * may add; an error that is already there passes every later step with a factor of at most 1 (the
 * derivative of the cap is in [0, 1]) apart from rounding, which is charged on the sum. With
 * u' = u/(1-u), n roundings change a number by a factor within e^(±n u').
 *
 *   S = |scale| sum_c |q_c k_jc|, or |scale logit|            d = d_head
 *   r_q, r_k, r_32: 1 where inputs of that type are rounded on the way into a coarser arithmetic,
 *   else 0; 32 is scale, softcap, key_bias, slope and sink logit
 *
 * Dot product and scale, summed in any order, fused or not, scale on q or on the sum:
 *   a  = S (e^g - 1) + e^g (max(1, |scale|) U + eta),      g = (d + 2 + r_q + r_k) u' + u_qk'
 *   U  = 2d eta + (2 eta + eta_qk) sum_c |k_c| + eta sum_c |q_c|
 *   (d products, d - 1 sums, scale converted and multiplied; every product and, when flushing,
 *   every sum may underflow; so may q_c times scale, which is then multiplied by k_c, and q_c and
 *   k_c when they are converted)
 * Rotated keys (EV-11), with n_q and n_k the lengths of pair i of q and k: S counts n_q n_k for the
 * pair, and instead of the first line, with the sums of U doubled and F = (1 + 2 rho)^3
 * e^(2 u_rk'),
 *   a  = S (F e^g - 1) + |scale| sum_i n_q n_k min(3 Delta_i, 2)
 *        + F e^g (max(1, |scale|) (U + (24 eta + 8 eta_rk) (sum_c (|q_c| + |k_c|) + d)) + eta)
 *   rho and Delta_i: see certify/judge/bound_turn.h
 * Given logits (softmax):
 *   a  = S (e^((1 + r_32 + r_q) u') - 1) + 2 eta; without the 1 + r_32 if scale is 1, and 0 if then
 *        nothing is rounded
 * Inputs flushed:
 *   a += |scale| sum of |q_c k_c| over the c where one of the two is subnormal, or all of S if
 *        scale is subnormal; further down |key_bias| and |alibi| if bias or slope are
 * Softcap c:
 *   a += (min(c, S) + a) (e^((7 + r_32) u') - 1) + (2c + 1) eta e^((7 + r_32) u')
 *   (t/c costs 2 roundings, a reciprocal and a product; tanh 2 ulp = 4u'; the product 1; tanh is
 *   concave from 0, so a relative error of its argument is at most the same relative error of it)
 * ALiBi, the distance converted and multiplied by the slope:
 *   a += |alibi| (e^((2 + r_32) u') - 1) + 2 eta
 * key_bias converted:
 *   a += |key_bias| (e^(r_32 u') - 1) + r_32 eta
 * With both, a first partial sum:
 *   a += u' (|x| + |key_bias| + |alibi| + a)
 * With either, the last sum:
 *   a += u' (|x| + a) + eta
 * Logits rounded when they are stored, before or after the biases:
 *   a += u_logit' (max(|x|, min(S, |x| + |key_bias| + |alibi|)) + a) + max(1, |scale|) eta_logit
 * A zero bias or distance adds exactly and costs nothing.
 *
 * a_s, of the sink logit: r_32 (u' |s| + eta), and |s| if it is subnormal and inputs are flushed.
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
                            .flush_inputs = cls->flush_inputs};
  double roundings = roundings_of_input(cls, types.q);
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

static double product_error(const sp_logit_model *m, const sp_ref_row_input *in,
                            const sp_bound_key *key) {
  double a = key->product * m->dot;
  if (in->logits != NULL) {
    a += m->dot > 0 ? 2 * m->eta : 0;
  } else {
    double d = (double)in->d_head;
    double events = 2 * d * m->eta + m->turn * (2 * m->eta + m->eta_qk) * key->key_sum +
                    m->turn * m->eta * m->query_sum;
    events += m->eta_turn * (key->key_sum + m->query_sum + d);
    a += key->turned;
    a += m->slack * (fmax(1, fabs(in->scale)) * events + m->eta);
  }
  if (!m->flush_inputs) return a;
  return a + (subnormal32(in->scale) ? key->product : key->flushed);
}

static double cap_error(const sp_logit_model *m, double softcap, double product, double a) {
  double cost = (7 + m->wide) * m->u;
  a += (fmin(softcap, product) + a) * sp_up_expm1(cost);
  return a + (2 * softcap + 1) * m->eta * sp_up_exp(cost);
}

static double bias_error(const sp_logit_model *m, const sp_bound_key *key, double a) {
  if (key->alibi > 0) a += key->alibi * sp_up_expm1((2 + m->wide) * m->u) + 2 * m->eta;
  if (key->bias > 0) a += key->bias * sp_up_expm1(m->wide * m->u) + m->wide * m->eta;
  if (m->flush_inputs && subnormal32(key->bias)) a += key->bias;
  if (key->alibi > 0 && key->bias > 0) a += m->u * (key->magnitude + key->bias + key->alibi + a);
  if (key->alibi > 0 || key->bias > 0) a += m->u * (key->magnitude + a) + m->eta;
  return a;
}

double sp_logit_error(const sp_logit_model *m, const sp_ref_row_input *in,
                      const sp_bound_key *key) {
  double a = product_error(m, in, key);
  if (in->softcap > 0 && in->softcap <= DBL_MAX) a = cap_error(m, in->softcap, key->product, a);
  a = bias_error(m, key, a);
  if (m->flush_inputs && subnormal32(in->alibi_slope)) a += key->alibi;
  if (m->u_logit == 0) return a;
  double before = fmin(key->product, key->magnitude + key->bias + key->alibi);
  double stored = fmax(key->magnitude, before);
  return a + m->u_logit * (stored + a) + fmax(1, fabs(in->scale)) * m->eta_logit;
}

double sp_sink_error(const sp_logit_model *m, double sink_logit) {
  double s = fabs(sink_logit);
  double a = m->wide * (s * m->u + m->eta);
  return m->flush_inputs && subnormal32(s) ? a + s : a;
}
