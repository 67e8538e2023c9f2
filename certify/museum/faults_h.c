/* SPDX-License-Identifier: Apache-2.0 */
/* Class H: the order of scale, softcap and biases, and what a bias pair is. tests: AT-1 AT-2 AT-6
 * AL-7 AL-8 */
#include "certify/museum/exhibit.h"

/* Softcap of t, then the biases: the tail of the correct logit. */
static double cap_then_bias(const sp_row *row, uint64_t j, double t) {
  double x = sp_base_cap(row, t);
  if (sp_row_is_pair(row, j)) return x;
  return sp_fl(row, sp_fl(row, x + sp_row_bias(row, j)) + sp_row_alibi(row, j));
}

static double scaled(const sp_row *row, uint64_t j) {
  return sp_fl(row, row->scale * sp_row_dot(row, j));
}

static double bias_then_cap(const sp_row *row, uint64_t j) {
  if (sp_row_is_pair(row, j)) return sp_base_logit(row, j);
  double x = sp_base_cap(row, sp_fl(row, scaled(row, j) + sp_row_bias(row, j)));
  return sp_fl(row, x + sp_row_alibi(row, j));
}
static const sp_hooks h1_hooks = {.logit = bias_then_cap};
SP_EXHIBIT(h1, 'H', "H1-bias-before-softcap", .clause = "AT-2",
           .summary = "the key bias is added before the softcap",
           .cite = "microsoft/onnxruntime#28370", .reveals = "softcap and key bias together",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_SOFTCAP | SP_OPT_KEY_BIAS, .min_n = 2);

static double cap_then_scale(const sp_row *row, uint64_t j) {
  sp_row uncapped = *row;
  uncapped.softcap = 0;
  double x = sp_fl(row, row->scale * sp_base_cap(row, sp_row_dot(row, j)));
  return cap_then_bias(&uncapped, j, x);
}
static const sp_hooks h1b_hooks = {.logit = cap_then_scale};
SP_EXHIBIT(h1b, 'H', "H1-softcap-before-scale", .clause = "AT-2",
           .summary = "the softcap is applied to the raw product and the scale afterwards",
           .cite = "microsoft/onnxruntime#28379", .reveals = "softcap near the logits, scale not 1",
           .ops = SP_IN_HEADS, .needs = SP_OPT_SOFTCAP, .min_n = 2);

static double minus_cap(const sp_row *row, uint64_t j) {
  (void)j;
  return row->softcap > 0 && isfinite(row->softcap) ? -row->softcap : -INFINITY;
}
static const sp_hooks h2_hooks = {.masked = minus_cap, .value = sp_hook_clean_value};
SP_EXHIBIT(h2, 'H', "H2-mask-before-softcap", .clause = "AT-3",
           .summary = "the softcap comes after the mask and turns -inf into -softcap",
           .cite = "ggml-org/llama.cpp#29034", .reveals = "softcap and masked keys",
           .ops = SP_IN_ATTENTION, .needs = SP_OPT_SOFTCAP | SP_OPT_MASK, .min_n = 2);

static double quotient_tanh(const sp_row *row, double t) {
  if (row->softcap == 0) return t;
  double e = sp_fl(row, exp(sp_fl(row, 2 * t / row->softcap)));
  return sp_fl(row, row->softcap * sp_fl(row, sp_fl(row, e - 1) / sp_fl(row, e + 1)));
}
static const sp_hooks h3_hooks = {.cap = quotient_tanh};
SP_EXHIBIT(h3, 'H', "H3-softcap-by-exponentials", .clause = "AT-2",
           .summary = "tanh is computed as a quotient of exponentials: inf / inf for large logits",
           .cite = "vllm-project/vllm#56578", .reveals = "scaled product over 45 times the softcap",
           .ops = SP_IN_HEADS, .needs = SP_OPT_SOFTCAP, .min_n = 1);

static double uncapped(const sp_row *row, double t) {
  (void)row;
  return t;
}
static const sp_hooks h4_hooks = {.cap = uncapped};
SP_EXHIBIT(h4, 'H', "H4-softcap-ignored", .clause = "AT-2",
           .summary = "the softcap is passed on as 0", .cite = "vllm-project/vllm-metal#666",
           .reveals = "logits near the softcap", .ops = SP_IN_HEADS, .needs = SP_OPT_SOFTCAP,
           .min_n = 2);

/* x (27 + x^2) / (27 + 9 x^2), clamped where it leaves [-1, 1]. */
static double rational_tanh(const sp_row *row, double t) {
  if (row->softcap == 0) return t;
  double x = fmax(-3, fmin(3, t / row->softcap));
  return sp_fl(row, row->softcap * (x * (27 + x * x) / (27 + 9 * x * x)));
}
static const sp_hooks h5_hooks = {.cap = rational_tanh};
SP_EXHIBIT(h5, 'H', "H5-softcap-by-rational-tanh", .clause = "AT-2",
           .summary = "tanh is a rational approximation that is good to two digits",
           .cite = "ggml-org/llama.cpp#9159", .reveals = "logits near the softcap",
           .ops = SP_IN_HEADS, .needs = SP_OPT_SOFTCAP, .min_n = 2, .precision = true);

static void own_scale(sp_row *row) {
  if (row->d_head > 0) row->scale = 1 / sqrt((double)row->d_head);
}
static const sp_hooks h6_hooks = {.prepare = own_scale};
SP_EXHIBIT(h6, 'H', "H6-own-scale", .clause = "AT-1",
           .summary = "the kernel scales by 1 / sqrt(d_head) instead of the scale it is given",
           .cite = "", .reveals = "any other scale", .ops = SP_IN_HEADS, .min_n = 2);

static void unit_scale(sp_row *row) {
  row->scale = 1;
}
static const sp_hooks h7_hooks = {.prepare = unit_scale};
SP_EXHIBIT(h7, 'H', "H7-softmax-scale-ignored", .clause = "AT-1",
           .summary = "softmax ignores the scale", .cite = "", .reveals = "scale other than 1",
           .ops = SP_IN_SOFTMAX, .needs = SP_OPT_SCALE, .min_n = 2);

static double bias_scaled(const sp_row *row, uint64_t j) {
  if (sp_row_is_pair(row, j)) return sp_base_logit(row, j);
  double x = sp_fl(row, row->scale * sp_fl(row, sp_row_dot(row, j) + sp_row_bias(row, j)));
  return sp_fl(row, sp_base_cap(row, x) + sp_row_alibi(row, j));
}
static const sp_hooks h8_hooks = {.logit = bias_scaled};
SP_EXHIBIT(h8, 'H', "H8-bias-before-scale", .clause = "AT-2",
           .summary = "the key bias is added to the product and scaled with it", .cite = "",
           .reveals = "key bias and a scale other than 1", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_KEY_BIAS, .min_n = 2);

static double signed_alibi(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  if (sp_row_is_pair(row, j) || sp_row_pos(row, j) <= row->pos_q) return x;
  return sp_fl(row, x - 2 * sp_row_alibi(row, j));
}
static const sp_hooks h9_hooks = {.logit = signed_alibi};
SP_EXHIBIT(h9, 'H', "H9-alibi-without-absolute-value", .clause = "AT-6",
           .summary = "ALiBi is -slope * (pos_q - pos_k): keys after the query gain", .cite = "",
           .reveals = "ALiBi without causal", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_ALIBI | SP_OPT_NONCAUSAL | SP_OPT_PREFILL, .min_n = 2);

static double alibi_then_cap(const sp_row *row, uint64_t j) {
  if (sp_row_is_pair(row, j)) return sp_base_logit(row, j);
  double x = sp_base_cap(row, sp_fl(row, scaled(row, j) + sp_row_alibi(row, j)));
  return sp_fl(row, x + sp_row_bias(row, j));
}
static const sp_hooks h10_hooks = {.logit = alibi_then_cap};
SP_EXHIBIT(h10, 'H', "H10-alibi-softcapped", .clause = "AT-2",
           .summary = "ALiBi is added inside the softcap", .cite = "",
           .reveals = "ALiBi and softcap together", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_ALIBI | SP_OPT_SOFTCAP, .min_n = 2);

static double pair_unscaled(const sp_row *row, uint64_t j) {
  return sp_row_is_pair(row, j) ? sp_base_cap(row, sp_row_dot(row, j)) : sp_base_logit(row, j);
}
static const sp_hooks h11_hooks = {.logit = pair_unscaled};
SP_EXHIBIT(h11, 'H', "H11-bias-pair-unscaled", .clause = "AL-8",
           .summary = "the logit of the bias pair is not scaled", .cite = "",
           .reveals = "a bias pair and a scale other than 1", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_BIAS_PAIR, .min_n = 1);

static void pair_is_future(sp_row *row) {
  if (row->causal) row->n_keys = row->n_kv;
}
static const sp_hooks h12_hooks = {.prepare = pair_is_future};
SP_EXHIBIT(h12, 'H', "H12-bias-pair-masked-by-causal", .clause = "AL-8",
           .summary = "the bias pair has position n_kv, so the causal mask hides it", .cite = "",
           .reveals = "a bias pair with causal", .ops = SP_IN_ATTENTION, .needs = SP_OPT_BIAS_PAIR);

static double pair_with_alibi(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  if (!sp_row_is_pair(row, j)) return x;
  return sp_fl(row, x - sp_fl(row, row->slope * fabs((double)row->pos_q - (double)row->n_kv)));
}
static const sp_hooks h13_hooks = {.logit = pair_with_alibi};
SP_EXHIBIT(h13, 'H', "H13-bias-pair-takes-alibi", .clause = "AL-8",
           .summary = "the bias pair takes ALiBi as if it stood at position n_kv", .cite = "",
           .reveals = "a bias pair and ALiBi", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_BIAS_PAIR | SP_OPT_ALIBI, .min_n = 1);

static double pair_without_value(const sp_row *row, uint64_t j, uint64_t c) {
  return sp_row_is_pair(row, j) ? 0 : sp_base_value(row, j, c);
}
static const sp_hooks h14_hooks = {.value = pair_without_value};
SP_EXHIBIT(h14, 'H', "H14-bias-pair-without-value", .clause = "AL-8",
           .summary = "the bias pair joins the denominator and its value is dropped", .cite = "",
           .reveals = "any bias pair", .ops = SP_IN_ATTENTION, .needs = SP_OPT_BIAS_PAIR);

static double bias_of_first_query(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  const uint64_t first[4] = {at[0], 0, at[2], at[3]};
  bool bias = in == &row->attention->key_bias;
  return sp_base_load(row, in, bias ? first : at);
}
static const sp_hooks h16_hooks = {.load = bias_of_first_query};
SP_EXHIBIT(h16, 'H', "H16-mask-of-first-query", .clause = "AT-3",
           .summary = "the bias row of the first query is used for all", .cite = "",
           .reveals = "masks that differ from query to query", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_MASK | SP_OPT_PREFILL, .min_n = 2);

static double bias_of(const sp_row *row, const sp_in *in, const uint64_t at[4], uint64_t b,
                      uint64_t h) {
  const bool bias = row->attention && in == &row->attention->key_bias;
  const uint64_t other[4] = {b, at[1], h, at[3]};
  return sp_base_load(row, in, bias ? other : at);
}
static double bias_of_first_entry(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  return bias_of(row, in, at, 0, at[2]);
}
static const sp_hooks h17_hooks = {.load = bias_of_first_entry};
SP_EXHIBIT(h17, 'H', "H17-padding-of-first-entry", .clause = "AT-3",
           .summary = "the mask of the first batch entry is used for all", .cite = "",
           .reveals = "a batch of entries of unequal length", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_MASK | SP_OPT_BATCH | SP_OPT_BIAS_PER_HEAD, .min_n = 2);

static double bias_of_kv_head(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  return bias_of(row, in, at, at[0], row->kv_head);
}
static const sp_hooks h18_hooks = {.load = bias_of_kv_head};
SP_EXHIBIT(h18, 'H', "H18-bias-by-kv-head", .clause = "AT-7",
           .summary = "the biases of a head are taken at the index of its kv head", .cite = "",
           .reveals = "biases of each head, grouped heads", .ops = SP_IN_ATTENTION,
           .needs = SP_OPT_KEY_BIAS | SP_OPT_GQA | SP_OPT_BIAS_PER_HEAD, .min_n = 2);

const sp_exhibit *const sp_exhibits_h[] = {&h1,  &h1b, &h2,  &h3,  &h4,  &h5,  &h6,  &h7,  &h8, &h9,
                                           &h10, &h11, &h12, &h13, &h14, &h16, &h17, &h18, NULL};
