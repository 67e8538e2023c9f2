/* SPDX-License-Identifier: Apache-2.0 */
/* The sums over a row's inputs that the bound needs, and with them the domain: what is too large
 * for any kernel to take to the maximum without overflow is reported, not scored. They depend on
 * the inputs alone, so they are computed once however often the oracle is asked. spec: NU-4, NU-7, EV-11
 */
#include <fenv.h>
#include <float.h>
#include <math.h>

#include "certify/judge/bound.h"

#include "certify/judge/bound_turn.h"

static double least_normal(sp_dtype dtype) {
  return dtype == SP_F64 ? 0x1p-1022 : dtype == SP_F16 ? 0x1p-14 : 0x1p-126;
}

static double distance(const sp_ref_row_input *in, size_t j) {
  uint64_t pos_q = (uint64_t)in->pos_q;
  uint64_t pos_k = in->pos_k != NULL ? (uint64_t)in->pos_k[j] : (uint64_t)j;
  bool after = in->pos_k != NULL ? in->pos_k[j] > in->pos_q : (int64_t)j > in->pos_q;
  return (double)(after ? pos_k - pos_q : pos_q - pos_k);
}

/* What pair i of a rotated q and k adds: the product of their lengths, which no rotation changes, and
 * the largest length alone, which must not overflow on the way. */
static double pair_product(sp_bound_key *key, sp_bound_types types, const sp_ref_row_input *in,
                           const double *k, size_t i, double *length) {
  const sp_ref_rope *rope = &in->rope;
  size_t a = rope->interleaved ? 2 * i : i, b = rope->interleaved ? a + 1 : i + rope->dims / 2;
  double least_q = least_normal(types.q), least_k = least_normal(types.kv);
  double q_a = fabs(in->q[a]), q_b = fabs(in->q[b]), k_a = fabs(k[a]), k_b = fabs(k[b]);
  double of_q = sqrt(q_a * q_a + q_b * q_b), of_k = sqrt(k_a * k_a + k_b * k_b);
  /* Squares of tiny numbers vanish; the sum of both is no shorter either. */
  of_q = of_q > 0x1p-500 ? of_q : q_a + q_b;
  of_k = of_k > 0x1p-500 ? of_k : k_a + k_b;
  bool flushed = (q_a > 0 && q_a < least_q) || (q_b > 0 && q_b < least_q) ||
                 (k_a > 0 && k_a < least_k) || (k_b > 0 && k_b < least_k);
  *length = fmax(*length, fmax(of_q, of_k));
  key->key_sum += k_a + k_b;
  if (flushed) key->flushed += 2 * of_q * of_k;
  return of_q * of_k;
}

/* Returns the unscaled sum: it must not overflow either, even where scale is 0. */
static double sum_product(sp_bound_key *key, const sp_turns *turns, sp_bound_types types,
                          const sp_ref_row_input *in, size_t j) {
  double length = 0, least_q = least_normal(types.q), least_k = least_normal(types.kv);
  double sum = 0, flushed = 0;
  if (in->logits != NULL) {
    sum = fabs(in->logits[j]);
    if (sum < least_q) flushed = sum;
  } else {
    const double *k = j == in->n_kv ? in->bias_k : in->k + j * in->k_stride;
    size_t rotated = j == in->n_kv ? 0 : in->rope.dims;
    for (size_t i = 0; i < rotated / 2; i++) {
      double product = pair_product(key, types, in, k, i, &length);
      sum += product;
      key->turned += product * sp_turn_error(turns, i);
    }
    for (size_t c = rotated; c < in->d_head; c++) {
      double size_q = fabs(in->q[c]), size_k = fabs(k[c]);
      sum += size_q * size_k;
      key->key_sum += size_k;
      if (size_q < least_q || size_k < least_k) flushed += size_q * size_k;
    }
  }
  key->sum = sum;
  key->product = fabs(in->scale) * sum;
  key->flushed = fabs(in->scale) * (key->flushed + flushed);
  return fmax(sum, length);
}

/* Returns the largest of the sums that NU-4 limits. */
static double sum_key(sp_bound_key *key, const sp_turns *turns, sp_bound_types types,
                      const sp_ref_row_input *in, size_t j) {
  *key = (sp_bound_key){0};
  double unscaled = sum_product(key, turns, types, in, j);
  if (j < in->n_kv && in->key_bias != NULL) key->bias = fabs(in->key_bias[j]);
  if (j < in->n_kv && in->alibi_slope != 0) {
    key->distance = distance(in, j);
    key->alibi = fabs(in->alibi_slope) * key->distance;
  }
  double biases = fmax(fmax(key->bias, key->alibi), key->distance);
  return fmax(fmax(key->product, unscaled), biases);
}

static double sum_values(sp_bound *bound, const sp_ref_row_input *in, size_t j) {
  if (in->d_value == 0) return 0; /* softmax: there is no v to point into */
  const double *v = j == in->n_kv ? in->bias_v : in->v + j * in->v_stride;
  double largest = 0;
  for (size_t c = 0; c < in->d_value; c++) {
    bound->value_sum[c] += fabs(v[c]);
    if (isfinite(v[c])) largest = fmax(largest, fabs(v[c]));
  }
  return largest;
}

/* 2^14 where numbers above 65504 would overflow in the arithmetic the class declares. */
static double limit(const sp_class *cls) {
  const double u_f16 = 0x1p-11;
  bool f16 = cls->kind == SP_CLASS_MODEL &&
             (cls->u == u_f16 || cls->u_acc == u_f16 || cls->u_logit == u_f16 ||
              cls->u_qk == u_f16 || cls->u_rk == u_f16);
  return f16 ? 0x1p14 : 0x1p100;
}

/* Only a format that cannot hold it makes a sink logit too large: s - m is taken as it is. */
bool sp_bound_sink_outside(const sp_class *cls, double sink_logit) {
  return limit(cls) < 0x1p100 && isfinite(sink_logit) && fabs(sink_logit) > limit(cls);
}

/* A q that is rounded on its way into the products has to fit there by itself, whatever it meets: one
 * that becomes infinite makes a NaN of a key's 0. */
static double largest_query(const sp_class *cls, const sp_ref_row_input *in) {
  double largest = 0;
  if (cls->u_qk == 0 || in->logits != NULL) return 0;
  for (size_t c = 0; c < in->d_head; c++) largest = fmax(largest, fabs(in->q[c]));
  return largest;
}

/* A softcap that overflows in the arithmetic, or is subnormal or 0 there, asks for another function. */
static bool cap_outside(const sp_class *cls, double softcap) {
  const double u_f32 = 0x1p-24, u_f16 = 0x1p-11;
  if (softcap == 0 || softcap > DBL_MAX) return false;
  if (limit(cls) < 0x1p100 && softcap > limit(cls)) return true;
  bool may_vanish = cls->flush_inputs || cls->u > u_f32;
  return may_vanish && softcap < (cls->u == u_f16 ? 0x1p-14 : 0x1p-126);
}

/* Not inlined: see certify/judge/upward.h. */
__attribute__((noinline)) static void inputs_up(sp_bound *bound, const sp_class *cls,
                                                const sp_turns *turns, sp_bound_types types,
                                                const sp_ref_row_input *in, const sp_ref_row *row) {
  double sums = largest_query(cls, in); /* the largest number towards a logit */
  double values = 0;
  for (size_t c = 0; c < in->d_value; c++) bound->value_sum[c] = 0;
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    sums = fmax(sums, sum_key(&bound->key[j], turns, types, in, j));
    values = fmax(values, sum_values(bound, in, j));
  }
  double most = limit(cls);
  bool far = in->rope.dims > 0 && in->rope.reach >= (uint64_t)1 << 53;
  bound->outside = far || sp_bound_sink_outside(cls, in->sink_logit) ||
                   cap_outside(cls, in->softcap) ||
                   !(fabs(in->scale) <= most && sums <= most && values <= most);
  (void)frexp(fmax(sums, 1), &bound->exponent);
}

void sp_bound_inputs(sp_bound *bound, const sp_class *cls, sp_bound_types types,
                     const sp_ref_row_input *in, const sp_ref_row *row) {
  fenv_t environment;
  fegetenv(&environment);
  fesetenv(FE_DFL_ENV);
  sp_turns turns;
  sp_turns_init(&turns, cls, &in->rope);
  fesetround(FE_UPWARD);
  inputs_up(bound, cls, &turns, types, in, row);
  fesetenv(&environment);
}
