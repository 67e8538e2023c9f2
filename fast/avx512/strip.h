/* SPDX-License-Identifier: Apache-2.0 */
/* A strip of rows and one tile of keys: from dot products to logits, by each row's rule, and from these
 * to the weights, whose sum joins the row's. Row by row: no row's arithmetic knows of another's. */
#ifndef SINKPROOF_FAST_AVX512_STRIP_H
#define SINKPROOF_FAST_AVX512_STRIP_H

#include "fast/avx512/exp.h"
#include "fast/avx512/group.h"
#include "fast/avx512/lanes.h"
#include "fast/impl.h"

#define ROWS SP_FAST_STRIP

/* What a strip of rows knows of one tile: for each row and group 16 dot products, then logits, then
 * weights. Lanes of absent keys hold anything, then -inf, then 0. */
typedef struct strip {
  float x[ROWS][GROUPS][LANES] __attribute__((aligned(64)));
  uint16_t present[ROWS][GROUPS]; /* where rows are not alike */
  const tile *keys;
  uint32_t n_groups;
  uint32_t n_rows;
  bool alike; /* every row sees the same keys and only scales: the usual case */
  sp_fast_row *rows;
} strip;

/* spec: AT-3 */
static inline uint32_t present_lanes(const sp_fast_logit_rule *rule, const tile *keys, uint32_t g) {
  uint32_t in_tile = group_lanes(keys, g);
  if (sp_fast_all_present(rule)) return in_tile;
  uint32_t present = 0;
  for (uint32_t k = g * LANES; in_tile >> (k % LANES) != 0; k++) {
    if (sp_fast_present(rule, key_number(keys, k))) present |= 1u << k % LANES;
    if (k % LANES == LANES - 1) break;
  }
  return present;
}

/* From dot products to logits, by the general rule, lane by lane in binary64. */
static inline __m512 general_logits(const sp_fast_logit_rule *rule, __m512 dots, const tile *keys,
                                    uint32_t g, uint32_t present) {
  float x[LANES];
  _mm512_storeu_ps(x, dots);
  for (uint32_t rest = present; rest != 0; rest &= rest - 1) {
    uint32_t lane = (uint32_t)__builtin_ctz(rest);
    x[lane] = (float)sp_fast_logit(rule, (double)x[lane], key_number(keys, g * LANES + lane));
  }
  return _mm512_loadu_ps(x);
}

/* The usual case of a logit. Where some present one is not a number, or is infinite because its q or k
 * is, that lane of `bad` is set. */
static inline __m512 scale_group(strip *s, uint32_t r, uint32_t g, __mmask16 in_tile, __m512 scale,
                                 __mmask16 *bad) {
  __m512 dots = _mm512_load_ps(s->x[r][g]);
  __m512 x = _mm512_mask_mul_ps(_mm512_set1_ps(-INFINITY), in_tile, scale, dots);
  *bad = _kor_mask16(*bad, _mm512_mask_fpclass_ps_mask(in_tile, dots, NOT_FINITE));
  _mm512_store_ps(s->x[r][g], x);
  return x;
}

static inline __m512 scale_row(strip *s, uint32_t r) {
  const __m512 scale = _mm512_set1_ps(s->rows[r].rule.scale);
  __m512 even = _mm512_set1_ps(-INFINITY), odd = even;
  __mmask16 bad = 0;
  uint32_t g = 0;
  for (; g + 2 < s->n_groups; g += 2) {
    even = _mm512_max_ps(scale_group(s, r, g, 0xffff, scale, &bad), even);
    odd = _mm512_max_ps(scale_group(s, r, g + 1, 0xffff, scale, &bad), odd);
  }
  for (; g < s->n_groups; g++)
    even = _mm512_max_ps(scale_group(s, r, g, group_lanes(s->keys, g), scale, &bad), even);
  if (bad != 0) s->rows[r].sum.invalid = true;
  return _mm512_max_ps(even, odd);
}

/* spec: AT-2; SM-5 a dot product that is not finite has a q or a k that is not. A logit of +inf is
 * found as the row's maximum. */
static inline __m512 rule_row(strip *s, uint32_t r) {
  const sp_fast_logit_rule *rule = &s->rows[r].rule;
  __m512 max = _mm512_set1_ps(-INFINITY);
  __mmask16 bad = 0;
  for (uint32_t g = 0; g < s->n_groups; g++) {
    __m512 dots = _mm512_load_ps(s->x[r][g]);
    __mmask16 present = (__mmask16)present_lanes(rule, s->keys, g);
    __m512 x = sp_fast_only_scaled(rule) ? _mm512_mul_ps(_mm512_set1_ps(rule->scale), dots)
                                         : general_logits(rule, dots, s->keys, g, present);
    x = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), present, x);
    bad = _kor_mask16(bad, _mm512_mask_fpclass_ps_mask(present, dots, NOT_FINITE));
    bad = _kor_mask16(bad, _mm512_mask_cmp_ps_mask(present, x, x, _CMP_UNORD_Q));
    max = _mm512_max_ps(x, max);
    _mm512_store_ps(s->x[r][g], x);
    s->present[r][g] = present;
  }
  if (bad != 0) s->rows[r].sum.invalid = true;
  return max;
}

/* Dot products become logits; returns the largest. Groups are made up to a multiple of 4. */
static inline float find_logits(strip *s, uint32_t r) {
  for (uint32_t g = s->n_groups; g % 4 != 0; g++)
    _mm512_store_ps(s->x[r][g], _mm512_set1_ps(-INFINITY));
  return _mm512_reduce_max_ps(s->alike ? scale_row(s, r) : rule_row(s, r));
}

/* Logits become exponentials; their sum: 128 or 64 keys at a time in each lane, then the lanes. What
 * is past the last group holds -inf. spec: SM-2 */
static inline float exponentiate(strip *s, uint32_t r, float max) {
  __m512 sum = _mm512_setzero_ps();
  uint32_t g = 0;
  for (; g + 8 <= s->n_groups; g += 8) {
    __m512 x[8];
#pragma GCC unroll 8
    for (uint32_t i = 0; i < 8; i++) x[i] = _mm512_load_ps(s->x[r][g + i]);
    sum = exp128_sum(x, _mm512_set1_ps(max), sum);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < 8; i++) _mm512_store_ps(s->x[r][g + i], x[i]);
  }
  for (; g < s->n_groups; g += 4) {
    __m512 x[4];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) x[i] = _mm512_load_ps(s->x[r][g + i]);
    sum = exp64_sum(x, _mm512_set1_ps(max), sum);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) _mm512_store_ps(s->x[r][g + i], x[i]);
  }
  return _mm512_reduce_add_ps(sum);
}

/* A larger maximum makes all that was summed before it smaller; 1 when it stays, 0 at the first. Later
 * it is never 0, so that a NaN among what was summed is not lost. spec: SM-6 */
static inline double raise_max(sp_fast_sum *sum, float max) {
  if ((double)max <= sum->max) return 1.0;
  double factor = sum->max == -INFINITY ? 0.0 : fmax(exp(sum->max - (double)max), 0x1p-1074);
  sum->max = (double)max;
  return factor;
}

/* What a variant does with row r: dot products become logits, of which it returns the largest; and,
 * given a maximum, logits become weights, of which it returns the sum. */
typedef float find_max(strip *s, uint32_t r);
typedef float sum_weights(strip *s, uint32_t r, float max);

/* The sum of a row moves on by the tile. Returns what its outputs so far are to be multiplied by;
 * negative if the tile gives it nothing. spec: SM-5 */
SPECIALISED double add_weights(strip *s, uint32_t r, float max, sum_weights *weights_of) {
  sp_fast_sum *sum = &s->rows[r].sum;
  if (max == INFINITY) sum->invalid = true;
  if (max == -INFINITY || sum->invalid) return -1.0;
  double factor = raise_max(sum, max);
  sum->sum = sum->sum * factor + (double)weights_of(s, r, (float)sum->max);
  return factor;
}

/* For each row, what add_weights returns; false if no row gets anything. */
SPECIALISED bool weigh_keys_by(strip *s, double factor[ROWS], find_max *max_of,
                               sum_weights *weights_of) {
  bool any = false;
  float max[ROWS];
  for (uint32_t r = 0; r < s->n_rows; r++) max[r] = max_of(s, r);
  for (uint32_t r = 0; r < s->n_rows; r++) {
    factor[r] = add_weights(s, r, max[r], weights_of);
    any = any || factor[r] >= 0.0;
  }
  return any;
}

static inline bool weigh_keys(strip *s, double factor[ROWS]) {
  return weigh_keys_by(s, factor, find_logits, exponentiate);
}

static inline bool rows_alike(const sp_fast_row *rows, uint32_t n_rows) {
  for (uint32_t r = 0; r < n_rows; r++)
    if (!sp_fast_all_present(&rows[r].rule) || !sp_fast_only_scaled(&rows[r].rule)) return false;
  return true;
}

#endif
