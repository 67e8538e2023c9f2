/* SPDX-License-Identifier: Apache-2.0 */
/* The rule and the visible ranges of a row. See logit.h. */
#include "fast/logit.h"

#include "fast/tensor.h"

int64_t sp_fast_pos_q(const sp_attention_call *call, uint64_t i) {
  if (call->pos_q != NULL) return call->pos_q[i];
  return (int64_t)call->n_kv - (int64_t)call->n_q + (int64_t)i;
}

sp_fast_logit_rule sp_fast_rule(const sp_attention_call *call, uint64_t b, uint64_t i, uint64_t h) {
  sp_fast_logit_rule rule = {
      .scale = call->scale,
      .softcap = call->softcap,
      .pos_k = call->pos_k,
      .pos_q = sp_fast_pos_q(call, i),
      .window = call->window,
      .n_sink_tokens = call->n_sink_tokens,
      .causal = call->causal != 0,
  };
  if (call->alibi_slope.data != NULL)
    rule.alibi_slope = sp_fast_load(SP_F32, sp_fast_in(&call->alibi_slope, 0, 0, h), 0);
  if (call->key_bias.data != NULL) rule.key_bias = sp_fast_in(&call->key_bias, b, i, h);
  return rule;
}

sp_fast_logit_rule sp_fast_pair_rule(const sp_attention_call *call) {
  return (sp_fast_logit_rule){.scale = call->scale, .softcap = call->softcap};
}

/* One past the last key that causality admits. */
static uint64_t causal_end(const sp_attention_call *call, int64_t pos_q) {
  if (call->causal == 0) return call->n_kv;
  if (pos_q < 0) return 0;
  uint64_t end = (uint64_t)pos_q + 1;
  return end < call->n_kv ? end : call->n_kv;
}

/* The first key of the window; pos_q - j < window there and after. */
static uint64_t window_begin(const sp_attention_call *call, int64_t pos_q) {
  if (pos_q < 0 || (uint64_t)pos_q < call->window) return 0;
  return (uint64_t)pos_q - call->window + 1;
}

/* Two ranges merged, never a mask: [0, S) and [pos_q - W + 1, pos_q]. */
unsigned sp_fast_ranges(const sp_attention_call *call, uint64_t i, sp_fast_range range[2]) {
  if (call->pos_k != NULL) {
    range[0] = (sp_fast_range){0, call->n_kv};
    return call->n_kv > 0 ? 1 : 0;
  }
  int64_t pos_q = sp_fast_pos_q(call, i);
  uint64_t end = causal_end(call, pos_q);
  uint64_t begin = window_begin(call, pos_q);
  uint64_t pinned = call->n_sink_tokens < end ? call->n_sink_tokens : end;
  unsigned n = 0;
  if (pinned >= begin) begin = 0;
  if (begin > 0 && pinned > 0) range[n++] = (sp_fast_range){0, pinned};
  if (begin < end) range[n++] = (sp_fast_range){begin, end};
  return n;
}
