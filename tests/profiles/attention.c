/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as other systems define it: windows, corners, heads, log-sum-exps, empty rows. */
#include <math.h>

#include "tests/profiles/rows.h"

enum {
  COMMON = SP_OPT_KEY_BIAS | SP_OPT_MASK | SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_NONCAUSAL |
           SP_OPT_MORE_Q_THAN_KV | SP_OPT_BATCH | SP_OPT_STRIDES | SP_OPT_D_VALUE
};

static double plain_score(const sp_attention_call *call, double t, int64_t i, int64_t j,
                          uint64_t h) {
  (void)i, (void)j, (void)h;
  return capped(call, t);
}

/* The last query sees the last key. */
static int64_t last_aligned(const sp_attention_call *call, int64_t i) {
  return (int64_t)call->n_kv - (int64_t)call->n_q + i;
}

/* ---- flashinfer: window_left (signed; -1 is none), ALiBi inside the cap, log-sum-exp in base 2 ---- */

static bool window_left(const sp_attention_call *call, int64_t i, int64_t j) {
  int64_t p = last_aligned(call, i);
  if (call->causal && j > p) return false;
  return (int64_t)call->window < 0 || p - j <= (int64_t)call->window ||
         (uint64_t)j < call->n_sink_tokens;
}

static double alibi_inside(const sp_attention_call *call, double t, int64_t i, int64_t j,
                           uint64_t h) {
  double slope = call->alibi_slope.data ? (double)*in_at(&call->alibi_slope, 0, 0, h) : 0;
  return capped(call, t - slope * fabs((double)(last_aligned(call, i) - j)));
}

static void base_two(const sp_attention_call *call, uint64_t b, uint64_t h, row_result *result) {
  (void)call, (void)b, (void)h;
  result->lse_keys *= 0x1.71547652b82fep+0;
  result->lse_total *= 0x1.71547652b82fep+0;
}

enum {
  FLASHINFER = COMMON | SP_OPT_SINK_LOGIT | SP_OPT_SOFTCAP | SP_OPT_ALIBI | SP_OPT_WINDOW |
               SP_OPT_SINK_TOKENS | SP_OPT_LSE_KEYS | SP_OPT_LSE_TOTAL
};

static sp_status flashinfer(const sp_attention_call *call) {
  static const row_policy p = {window_left, grouped_head, alibi_inside, base_two};
  return attention_by(&p, FLASHINFER, call);
}

const sp_kernel flashinfer_kernel =
    PROFILE_KERNEL("flashinfer", FLASHINFER, NULL, flashinfer, NULL);

/* ---- FlashAttention 2: window_left, plus infinity for an empty row ---- */

static void plus_infinity(const sp_attention_call *call, uint64_t b, uint64_t h,
                          row_result *result) {
  (void)call, (void)b, (void)h;
  if (result->empty) result->lse_total = INFINITY;
}

enum { FA2 = COMMON | SP_OPT_WINDOW | SP_OPT_SOFTCAP | SP_OPT_LSE_TOTAL };

static sp_status fa2(const sp_attention_call *call) {
  static const row_policy p = {window_left, grouped_head, plain_score, plus_infinity};
  return attention_by(&p, FA2, call);
}

const sp_kernel fa2_kernel = PROFILE_KERNEL("fa2", FA2, NULL, fa2, NULL);

/* ---- the same for heads of 64 only ---- */

static sp_status wide(const sp_attention_call *call) {
  bool fits = call->d_head == 64 && call->d_value == 64;
  return fits || call->window == 0 ? fa2(call) : SP_UNSUPPORTED;
}

const sp_kernel wide_kernel = PROFILE_KERNEL("wide", FA2, NULL, wide, NULL);

/* ---- … and for grouped heads only, without biases: corners are asked with more queries than keys ---- */

enum { TOP = SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_MORE_Q_THAN_KV | SP_OPT_STRIDES };

static bool to_the_left(const sp_attention_call *call, int64_t i, int64_t j) {
  return !call->causal || j <= i;
}

static sp_status grouped(const sp_attention_call *call) {
  static const row_policy p = {to_the_left, grouped_head, plain_score, NULL};
  bool fits = call->n_heads > call->n_kv_heads;
  return fits || call->window == 0 ? attention_by(&p, TOP, call) : SP_UNSUPPORTED;
}

const sp_kernel grouped_kernel = PROFILE_KERNEL("grouped", TOP, NULL, grouped, NULL);

/* ---- PyTorch: is_causal is aligned to the upper left ---- */

static bool upper_left(const sp_attention_call *call, int64_t i, int64_t j) {
  return !call->causal || j <= i;
}

static sp_status torch_sdpa(const sp_attention_call *call) {
  static const row_policy p = {upper_left, grouped_head, plain_score, NULL};
  return attention_by(&p, COMMON, call);
}

const sp_kernel torch_kernel = PROFILE_KERNEL("torch", COMMON, NULL, torch_sdpa, NULL);

/* ---- heads dealt out in turn ---- */

static bool self_window(const sp_attention_call *call, int64_t i, int64_t j) {
  int64_t p = last_aligned(call, i);
  if (call->causal && j > p) return false;
  return p < j || (uint64_t)(p - j) < call->window || (uint64_t)j < call->n_sink_tokens;
}

static uint64_t head_in_turn(const sp_attention_call *call, uint64_t h) {
  return h % call->n_kv_heads;
}

enum { MODULO = COMMON | SP_OPT_SINK_LOGIT | SP_OPT_WINDOW | SP_OPT_SINK_TOKENS };

static sp_status modulo(const sp_attention_call *call) {
  static const row_policy p = {self_window, head_in_turn, plain_score, NULL};
  return attention_by(&p, MODULO, call);
}

const sp_kernel modulo_kernel = PROFILE_KERNEL("modulo", MODULO, NULL, modulo, NULL);

/* ---- Hugging Face, eager: a finite mask, so that an empty row averages ---- */

static void average(const sp_attention_call *call, uint64_t b, uint64_t h, row_result *result) {
  if (!result->empty || call->n_kv == 0 || sink_at(&call->sink_logit, h) > -INFINITY) return;
  for (uint64_t c = 0; c < call->d_value; c++) {
    result->out[c] = 0;
    for (uint64_t j = 0; j < call->n_kv; j++)
      result->out[c] += (double)in_at(&call->v, b, j, grouped_head(call, h))[c];
    result->out[c] /= (double)call->n_kv;
  }
}

enum { HF = COMMON | SP_OPT_SINK_LOGIT | SP_OPT_WINDOW };

static sp_status hf_sliding(const sp_attention_call *call) {
  static const row_policy p = {self_window, grouped_head, plain_score, average};
  return attention_by(&p, HF, call);
}

const sp_kernel hf_kernel = PROFILE_KERNEL("hf-sliding", HF, NULL, hf_sliding, NULL);

/* ---- softmax-off-by-one ---- */

static void one_more(const sp_attention_call *call, uint64_t b, uint64_t h, row_result *result) {
  (void)b, (void)h;
  double total = log1p(exp(result->lse_keys));
  if (result->lse_keys > 700) total = result->lse_keys;
  if (result->empty) total = 0;
  for (uint64_t c = 0; c < call->d_value && !result->empty; c++)
    result->out[c] *= exp(result->lse_keys - total);
  result->lse_total = total;
}

enum { OFF_BY_ONE = COMMON | SP_OPT_LSE_TOTAL };

static sp_status softmax1(const sp_attention_call *call) {
  static const row_policy p = {self_window, grouped_head, plain_score, one_more};
  return attention_by(&p, OFF_BY_ONE, call);
}

const sp_kernel softmax1_kernel = PROFILE_KERNEL("softmax1", OFF_BY_ONE, NULL, softmax1, NULL);
