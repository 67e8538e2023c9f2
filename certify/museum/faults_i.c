/* SPDX-License-Identifier: Apache-2.0 */
/* Class I, first half: wrong numbers from tails, padding, strides and indices. tests: AT-7 AT-8
 * NU-1 SM-2 */
#include "certify/museum/exhibit.h"

/* The padded lanes of the last vector of `width` keys count as logits of 0. */
static void pad_with_zeros(const sp_row *row, sp_state *state, uint64_t hi, uint64_t width) {
  double lanes = (double)((width - hi % width) % width);
  if (hi != row->n_keys || lanes == 0) return;
  state->l = sp_fl(row, state->l + sp_fl(row, lanes * sp_fl(row, exp(-state->m))));
}

static void padded_channels(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi) {
  (void)lo;
  pad_with_zeros(row, state, hi, 4);
}
static const sp_hooks i1_hooks = {.tile_done = padded_channels};
SP_EXHIBIT(i1, 'I', "I1-zero-padding-counted", .clause = "SM-2",
           .summary = "rows are padded with zeros to a multiple of 4, which count e^0 each",
           .cite = "tensorflow/tensorflow#108244", .reveals = "n not a multiple of 4",
           .ops = SP_IN_SOFTMAX, .min_n = 1);

static void padded_tile(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi) {
  (void)lo;
  pad_with_zeros(row, state, hi, 16);
}
static const sp_hooks i13_hooks = {.tile_done = padded_tile};
SP_EXHIBIT(i13, 'I', "I13-partial-tile-unmasked", .clause = "AT-3",
           .summary = "the columns of a partial tile of keys are not masked and count as logits of "
                      "0 (a review's remark)",
           .cite = "NVIDIA/cudnn-frontend#838", .reveals = "n_kv not a multiple of 16",
           .ops = SP_IN_HEADS, .min_n = 1);

static void raw_tail(const sp_row *row, sp_answer *answer) {
  double m = -INFINITY;
  if (isnan(answer->lse_keys)) return;
  for (uint64_t j = 0; j < row->n_keys; j++) m = fmax(m, row->logit[j]);
  for (uint64_t j = row->n_keys - row->n_keys % 16; j < row->n_keys; j++)
    if (row->logit[j] != -INFINITY) answer->value[j] = sp_fl(row, exp(row->logit[j] - m));
}
static const sp_hooks i3_hooks = {.answer = raw_tail};
SP_EXHIBIT(i3, 'I', "I3-tail-not-normalised", .clause = "SM-2",
           .summary = "the last n mod 16 weights are not divided by the sum",
           .cite = "Tencent/ncnn#6368", .reveals = "n not a multiple of 16", .ops = SP_IN_SOFTMAX,
           .min_n = 2);

static double no_tail(const sp_row *row, uint64_t j, uint64_t c) {
  return j >= row->n_keys - row->n_keys % 4 ? 0 : sp_base_value(row, j, c);
}
static const sp_hooks i3b_hooks = {.value = no_tail};
SP_EXHIBIT(i3b, 'I', "I3-tail-values-skipped", .clause = "SM-4",
           .summary = "the last n mod 4 keys are in the sum of weights and not in the output",
           .cite = "", .reveals = "n_kv not a multiple of 4", .ops = SP_IN_HEADS, .min_n = 1);

static double head_aligned(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  if (in != &row->softmax->logits) return sp_base_load(row, in, at);
  int64_t start = (int64_t)at[0] * in->stride[0];
  return sp_element(in->dtype, in->data, start - start % 4 + (int64_t)at[3]);
}
static const sp_hooks i4_hooks = {.load = head_aligned};
SP_EXHIBIT(i4, 'I', "I4-rows-shifted-to-alignment", .clause = "AT-8",
           .summary = "rows after the first start at an address rounded down to a vector",
           .cite = "pytorch/pytorch#36485", .reveals = "odd n and two or more rows",
           .ops = SP_IN_SOFTMAX, .min_n = 2);

static double index_15_bits(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  bool softmax = row->softmax && in == &row->softmax->logits;
  bool keys = row->attention && (in == &row->attention->k || in == &row->attention->v);
  const uint64_t narrow[4] = {at[0], keys ? at[1] & 0x7fff : at[1], at[2],
                              softmax ? at[3] & 0x7fff : at[3]};
  return sp_base_load(row, in, narrow);
}
static const sp_hooks i6_hooks = {.load = index_15_bits};
SP_EXHIBIT(i6, 'I', "I6-key-index-in-16-bits", .clause = "AT-8",
           .summary = "the key index is kept in a signed 16-bit number and wraps at 32768",
           .cite = "facebookresearch/xformers#719", .reveals = "more than 32768 keys",
           .ops = SP_IN_ROWS, .min_n = 32769);

static void all_ones(const sp_row *row, sp_answer *answer) {
  (void)row;
  for (uint64_t j = 0; j < answer->n_value; j++) answer->value[j] = 1;
}
static const sp_hooks i10_hooks = {.answer = all_ones};
SP_EXHIBIT(i10, 'I', "I10-softmax-over-wrong-axis", .clause = "SM-2",
           .summary = "each element is normalised alone, over an axis of length 1",
           .cite = "openxla/xla#11772", .reveals = "any row of two or more keys",
           .ops = SP_IN_SOFTMAX, .min_n = 2);

static double packed(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  uint64_t n = 1, heads = 1, width = 0;
  if (row->softmax && in == &row->softmax->logits) {
    return sp_element(in->dtype, in->data, (int64_t)(at[0] * row->n_kv + at[3]));
  } else if (row->attention && in == &row->attention->q) {
    n = row->attention->n_q, heads = row->attention->n_heads, width = row->d_head;
  } else if (row->attention && (in == &row->attention->k || in == &row->attention->v)) {
    n = row->n_kv, heads = row->attention->n_kv_heads;
    width = in == &row->attention->k ? row->d_head : row->n_value;
  } else {
    return sp_base_load(row, in, at);
  }
  return sp_element(in->dtype, in->data,
                    (int64_t)(((at[0] * n + at[1]) * heads + at[2]) * width + at[3]));
}
static const sp_hooks i11_hooks = {.load = packed};
SP_EXHIBIT(i11, 'I', "I11-strides-ignored", .clause = "AT-8",
           .summary = "inputs are read as if they were packed", .cite = "ROCm/rocm-libraries#5240",
           .reveals = "padded or reordered strides", .ops = SP_IN_ROWS, .needs = SP_OPT_STRIDES);

static void head_modulo(sp_row *row) {
  row->kv_head = row->h % row->attention->n_kv_heads;
}
static const sp_hooks i17_hooks = {.prepare = head_modulo};
SP_EXHIBIT(i17, 'I', "I17-kv-head-by-modulo", .clause = "AT-7",
           .summary = "the kv head is h mod n_kv_heads", .cite = "",
           .reveals = "grouped heads, two or more kv heads", .ops = SP_IN_HEADS,
           .needs = SP_OPT_GQA, .min_n = 1);

static double narrow_value(const sp_row *row, uint64_t j, uint64_t c) {
  return c < row->d_head ? sp_base_value(row, j, c) : 0;
}
static const sp_hooks i18_hooks = {.value = narrow_value};
SP_EXHIBIT(i18, 'I', "I18-d-value-is-d-head", .clause = "SM-4",
           .summary = "only d_head components of a value are summed", .cite = "",
           .reveals = "d_value > d_head", .ops = SP_IN_HEADS, .needs = SP_OPT_D_VALUE, .min_n = 1);

static double value_of_batch_0(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  const uint64_t first[4] = {0, at[1], at[2], at[3]};
  return sp_base_load(row, in, in == &row->attention->v ? first : at);
}
static const sp_hooks i19_hooks = {.load = value_of_batch_0};
SP_EXHIBIT(i19, 'I', "I19-values-of-first-batch", .clause = "AT-8",
           .summary = "the batch stride of v is taken to be 0", .cite = "",
           .reveals = "two or more batch entries", .ops = SP_IN_ATTENTION, .needs = SP_OPT_BATCH,
           .min_n = 1);

static double bf16_as_f16(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  sp_in other = *in;
  bool sink = in == (row->softmax ? &row->softmax->sink_logit : &row->attention->sink_logit);
  if (in->dtype == SP_BF16 && !sink) other.dtype = SP_F16;
  return sp_base_load(row, &other, at);
}
static const sp_hooks i22_hooks = {.load = bf16_as_f16};
SP_EXHIBIT(i22, 'I', "I22-bf16-read-as-f16", .clause = "NU-1",
           .summary = "all 16-bit inputs are taken for f16", .cite = "", .reveals = "bf16 inputs",
           .ops = SP_IN_ALL, .min_n = 1, .dtypes = SP_DTYPE_BIT(SP_BF16));

static double exp_limit(const sp_row *row, double t) {
  if (isnan(t)) return t;
  return t <= -1024 ? 0 : sp_fl(row, pow(1 + t / 1024, 1024));
}
static const sp_hooks i12_hooks = {.exponential = exp_limit};
SP_EXHIBIT(i12, 'I', "I12-exp-to-four-digits", .clause = "NU-7",
           .summary = "the exponential of one instruction set is good to 1e-4",
           .cite = "Maratyszcza/NNPACK#174", .reveals = "any two different logits",
           .ops = SP_IN_ALL, .min_n = 2, .precision = true);

const sp_exhibit *const sp_exhibits_i[] = {&i1,  &i3,  &i3b, &i4,  &i6,  &i10, &i11,
                                           &i12, &i13, &i17, &i18, &i19, &i22, NULL};
