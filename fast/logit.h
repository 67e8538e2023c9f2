/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys a query sees, and how a dot product becomes a logit: the two questions that every
 * variant must answer alike, so they are answered here, once, in binary64.
 *
 * Where positions are the usual ones the visible keys are at most two ranges, the pinned tokens and
 * the window, and nothing is tested key by key: the cost of a row is that of the keys it sees. */
#ifndef SINKPROOF_FAST_LOGIT_H
#define SINKPROOF_FAST_LOGIT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

/* The rule of one row. All zero, with scale set, it is that of a bias pair. */
typedef struct sp_fast_logit_rule {
  float scale;
  float softcap;         /* 0 = none */
  float alibi_slope;     /* 0 = none */
  const float *key_bias; /* key_bias[n_kv]; NULL = none */
  const int64_t *pos_k;  /* NULL = the index; then the ranges have settled what is visible */
  int64_t pos_q;
  uint64_t window, n_sink_tokens;
  bool causal;
} sp_fast_logit_rule;

/* The rule of query i of head h; without ALiBi and bias that is the same for all heads. */
sp_fast_logit_rule sp_fast_rule(const sp_attention_call *call, uint64_t b, uint64_t i, uint64_t h);

/* spec: AL-8 the pair is a key of its own: scaled and capped, but no position and no bias. */
sp_fast_logit_rule sp_fast_pair_rule(const sp_attention_call *call);

/* spec: AT-4 without positions the last query stands at the last key. */
int64_t sp_fast_pos_q(const sp_attention_call *call, uint64_t i);

/* Keys [begin, end). */
typedef struct sp_fast_range {
  uint64_t begin, end;
} sp_fast_range;

/* The ranges that hold every key visible to query i, ascending and disjoint; returns how many. With
 * pos_k it is the one range of all keys. spec: EV-2, AT-4, AT-5 */
unsigned sp_fast_ranges(const sp_attention_call *call, uint64_t i, sp_fast_range range[2]);

/* |a - b|, which may exceed the range of int64_t. */
static inline uint64_t sp_fast_distance(int64_t a, int64_t b) {
  return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static inline int64_t sp_fast_pos_k(const sp_fast_logit_rule *rule, uint64_t j) {
  return rule->pos_k != NULL ? rule->pos_k[j] : (int64_t)j;
}

/* spec: AT-4, AT-5, EV-2. A window counts the query's own key; pinned tokens obey causality too. */
static inline bool sp_fast_position_visible(const sp_fast_logit_rule *rule, int64_t pos_k) {
  if (rule->causal && pos_k > rule->pos_q) return false;
  if (pos_k >= rule->pos_q || (uint64_t)pos_k < rule->n_sink_tokens) return true;
  return sp_fast_distance(rule->pos_q, pos_k) < rule->window;
}

/* Key j of one of the row's ranges is present. spec: AT-3 a bias of -inf masks */
static inline bool sp_fast_present(const sp_fast_logit_rule *rule, uint64_t j) {
  if (rule->key_bias != NULL && rule->key_bias[j] == -INFINITY) return false;
  return rule->pos_k == NULL || sp_fast_position_visible(rule, rule->pos_k[j]);
}

/* Every key of the row's ranges is present. */
static inline bool sp_fast_all_present(const sp_fast_logit_rule *rule) {
  return rule->key_bias == NULL && rule->pos_k == NULL;
}

/* An infinite cap is the limit of large ones: no cap. */
static inline bool sp_fast_capped(const sp_fast_logit_rule *rule) {
  return rule->softcap > 0.0F && rule->softcap < INFINITY;
}

/* The logit is scale * dot and nothing more. */
static inline bool sp_fast_only_scaled(const sp_fast_logit_rule *rule) {
  return !sp_fast_capped(rule) && rule->alibi_slope == 0.0F && rule->key_bias == NULL;
}

/* The logit of present key j; NaN when the dot product says that q or k was not finite, which a
 * negative scale or a cap would hide. In binary64 the product is exact, tanh is libm's (below one
 * unit of binary64), and each addition errs by 2^-53: one rounding to binary32 follows, if any.
 * spec: AT-1, AT-2, AT-6, SM-5 */
static inline double sp_fast_logit(const sp_fast_logit_rule *rule, double dot, uint64_t j) {
  if (!isfinite(dot) || !isfinite(rule->alibi_slope)) return NAN;
  double x = (double)rule->scale * dot;
  double cap = (double)rule->softcap;
  if (sp_fast_capped(rule)) x = cap * tanh(x / cap);
  if (rule->key_bias != NULL) x += (double)rule->key_bias[j];
  if (rule->alibi_slope == 0.0F) return x;
  uint64_t distance = sp_fast_distance(rule->pos_q, sp_fast_pos_k(rule, j));
  return x - (double)rule->alibi_slope * (double)distance;
}

#endif
