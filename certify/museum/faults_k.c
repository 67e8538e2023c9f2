/* SPDX-License-Identifier: Apache-2.0 */
/* Class K: accumulators, stored numbers and exponentials with too few digits. tests: NU-1 NU-2 NU-7
 * NU-8 */
#include "certify/museum/exhibit.h"

static double sum_bf16(const sp_row *row, double l, double p) {
  (void)row;
  return sp_round_to(SP_BF16, l + p);
}
static const sp_hooks k1_hooks = {.add = sum_bf16};
SP_EXHIBIT(k1, 'K', "K1-sum-in-bf16", .clause = "NU-7",
           .summary = "the sum of weights is kept in bf16 and stalls at 256",
           .cite = "pytorch/executorch#20090", .reveals = "equal logits, n > 256", .ops = SP_IN_ALL,
           .min_n = 3, .precision = true);

static double acc_f16(const sp_row *row, double acc, double p, double v) {
  (void)row;
  return sp_round_to(SP_F16, acc + p * v);
}
static const sp_hooks k3_hooks = {.accumulate = acc_f16};
SP_EXHIBIT(k3, 'K', "K3-output-accumulated-in-f16", .clause = "NU-7",
           .summary = "the output accumulator is kept in f16 and stalls at 2048 equal terms",
           .cite = "", .reveals = "equal logits, or values with full mantissas", .ops = SP_IN_HEADS,
           .min_n = 2, .precision = true);

static double logit_f16(const sp_row *row, uint64_t j) {
  return sp_round_to(SP_F16, sp_base_logit(row, j));
}
static const sp_hooks k4_hooks = {.logit = logit_f16};
SP_EXHIBIT(k4, 'K', "K4-logits-in-f16", .clause = "NU-7",
           .summary = "logits are stored in f16: 11 digits, infinite past 65504",
           .cite = "ggml-org/llama.cpp#6646", .reveals = "logits with full mantissas",
           .ops = SP_IN_ALL, .min_n = 2, .precision = true,
           .dtypes = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64));

/* The maximum moves only when it must (8 in base 2), and P is rounded to bf16. */
static double lazy(const sp_row *row, double m, uint64_t lo, uint64_t hi) {
  const double threshold = 8 * 0x1.62e42fefa39efp-1; /* ln 2 */
  double next = sp_base_pivot(row, m, lo, hi);
  return m != -INFINITY && next - m <= threshold ? m : next;
}
static double p_bf16(const sp_row *row, double acc, double p, double v) {
  return sp_base_accumulate(row, acc, sp_round_to(SP_BF16, p), v);
}
static const sp_hooks k5_hooks = {.tile = 4, .split = 64, .pivot = lazy, .accumulate = p_bf16};
SP_EXHIBIT(k5, 'K', "K5-lazy-rescale-in-bf16", .clause = "NU-7",
           .summary = "the rescale is skipped below 2^8 and the weights are rounded to bf16",
           .cite = "Dao-AILab/flash-attention#2067", .reveals = "slowly ascending logits",
           .ops = SP_IN_HEADS, .min_n = 2, .precision = true);

/* 2^i (1 + f), balanced: relative error up to 2.98e-2. */
static double degree_1(const sp_row *row, double t) {
  double y = fmax(t * 0x1.71547652b82fep+0, -1000), whole = floor(y);
  if (isnan(t)) return t;
  return sp_fl(row, ldexp((1 + (y - whole)) * 0x1.f0d845p-1, (int)fmin(whole, 1000)));
}
static const sp_hooks k6_hooks = {.exponential = degree_1};
SP_EXHIBIT(k6, 'K', "K6-exp-of-degree-1", .clause = "NU-7",
           .summary =
               "the exponential is linear between powers of 2: 3e-2, and normalising does not "
               "cancel it",
           .cite = "openvinotoolkit/openvino#37857", .reveals = "any two different logits",
           .ops = SP_IN_ALL, .min_n = 2, .precision = true);

static double exp_f16(const sp_row *row, double t) {
  (void)row;
  return sp_round_to(SP_F16, exp(sp_round_to(SP_F16, t)));
}
static double sum_f16(const sp_row *row, double l, double p) {
  (void)row;
  return sp_round_to(SP_F16, l + p);
}
static const sp_hooks k7_hooks = {.exponential = exp_f16, .add = sum_f16};
SP_EXHIBIT(k7, 'K', "K7-softmax-in-half", .clause = "NU-7",
           .summary = "exponentials and their sum are f16", .cite = "tinygrad/tinygrad#4985",
           .reveals = "any two different logits", .ops = SP_IN_ALL, .min_n = 2, .precision = true);

static double weak_when_wide(const sp_row *row, double t) {
  return sp_base_exponential(row, row->n_keys >= 32 ? t * (1 + 0x1p-12) : t);
}
static const sp_hooks k8_hooks = {.exponential = weak_when_wide};
SP_EXHIBIT(k8, 'K', "K8-weak-exp-in-wide-variant", .clause = "NU-7",
           .summary = "the variant for 32 keys and more has an exponential good to 2^-12",
           .cite = "uxlfoundation/oneDNN#5308", .reveals = "32 or more keys", .ops = SP_IN_ALL,
           .min_n = 32, .precision = true);

/* Without infinities the exponent field is not clamped and wraps. */
static double finite_math(const sp_row *row, double t) {
  if (t > -0x1.5d58ap+6) return sp_base_exponential(row, t); /* ln of the least normal */
  double y = t * 0x1.71547652b82fep+0;
  double wrapped = fmod(y + 127, 512);
  return -exp2(wrapped < -256 ? wrapped + 257 : wrapped + 129);
}
static const sp_hooks k9_hooks = {.exponential = finite_math};
SP_EXHIBIT(k9, 'K', "K9-exp-under-finite-math", .clause = "SM-2",
           .summary = "-ffinite-math-only: the exponential returns garbage where it should be 0",
           .cite = "ggml-org/llama.cpp#7726", .reveals = "logits more than 88 below the maximum",
           .ops = SP_IN_ALL, .min_n = 2);

const sp_exhibit *const sp_exhibits_k[] = {&k1, &k3, &k4, &k5, &k6, &k7, &k8, &k9, NULL};
