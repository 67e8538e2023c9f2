/* SPDX-License-Identifier: Apache-2.0 */
/* The three passes of a softmax over a row, in steps of 128 elements, alone and side by side.
 *
 * Roofline, for 16 elements of binary32; the counts are those of `objdump -d
 * --disassemble=f32_three` and `--disassemble=sp_exp128`, where scalef takes two additions' places:
 *
 *     pass               multiplications   additions   shuffles   lines loaded   stored
 *     maximum                                  1                       1
 *     exponential, sum         7               6           1           2            1
 *     scaling                  1                                       1            1
 *     together                 8               7           1           4            2
 *
 * Zen 4 starts one multiplication and one addition per cycle, or a shuffle in the place of either,
 * loads a line per cycle and stores one in two: 8 cycles, if all three passes go side by side on
 * different rows; Zen 5 starts twice as many: 4. One after another they would take 10 and 5. What
 * stands between two rows, some 100 instructions, costs its share of short ones; logits and weights
 * that lie in the second-level cache cost theirs. The other passes' operations stand together before
 * the leaf: on both sides of it they were measured slower by a cycle. `sinkproof bench --only
 * 'softmax-f32-*'` tells what is left of the roof. spec: SM-2
 *
 * Sums: lane by lane over 128 elements in a tree of three levels, over up to 8 such steps in a
 * chain, and two of 64 where a row ends, in binary32; then in binary64, 16 lanes to 8, and blocks of
 * 1024 in a balanced tree. */
#ifndef SINKPROOF_FAST_AVX512_PASSES_H
#define SINKPROOF_FAST_AVX512_PASSES_H

#include <stdbool.h>

#include "fast/avx512/exp.h"
#include "fast/avx512/lanes.h"
#include "fast/softmax.h"
#include "fast/tensor.h"
#include "fast/tile_constants.h"

#define STEP  SP_FAST_SOFTMAX_STEP
#define BLOCK SP_FAST_SOFTMAX_BLOCK

/* Sums of blocks of a row, joined as a binary counter counts: level[k] holds 2^k blocks. */
typedef struct block_sums {
  uint64_t n;
  __m512d level[54]; /* 2^64 / 1024 blocks */
} block_sums;

/* One more beside the others. */
static inline void add_block(block_sums *s, __m512d sum) {
  unsigned k = 0;
  for (; (s->n >> k & 1) != 0; k++) sum = _mm512_add_pd(s->level[k], sum);
  s->level[k] = sum;
  s->n++;
}

/* The next one's sum begins at 0. */
static inline __m512 end_of_block(block_sums *s, __m512 lanes) {
  add_block(s, widen_sum(lanes));
  return _mm512_setzero_ps();
}

/* Of all blocks, and of what is left of the last. */
static inline __m512d total_of_blocks(const block_sums *s, __m512d rest) {
  __m512d sum = rest;
  for (unsigned k = 0; s->n >> k != 0; k++)
    if ((s->n >> k & 1) != 0) sum = _mm512_add_pd(s->level[k], sum);
  return sum;
}

/* Where rows lie one after another, or, in scratch, in turn. */
typedef struct places {
  char *at;     /* the next row's */
  int64_t step; /* bytes from row to row */
  char *end;    /* of scratch: from here on at the beginning again; NULL = none */
  char *begin;
  char *of[4]; /* of rows that are on their way: row i at i & 3 */
} places;

/* Rows on their way through the passes. On turn t row t comes in as `next`; row t - lag is `now`, row
 * t - 2 lag is `done`. */
typedef struct line {
  const sp_softmax_call *call;
  const sp_fast_softmax_plan *plan;
  uint64_t begin, n_rows; /* of the call */
  uint64_t n, lag;
  places logits, e; /* e: e^(x - shift), perhaps where the weights will be */
  char *weights;    /* of the row that is done next */
  int64_t weights_step;
  bool plain; /* neither sink logits nor log-sum-exps */
  bool wants_lse;
  float shift[4];  /* of rows that are not now yet: row i at i & 3 */
  float factor[4]; /* of rows that are not done yet */
  __m512 max;      /* of next, lane by lane */
  __m512d sum[2];  /* of now, for turn t at t & 1 */
} line;

static inline char *next_place(places *p, uint64_t row) {
  char *at = p->at;
  p->of[row & 3] = at;
  p->at = at + p->step == p->end ? p->begin : at + p->step;
  return at;
}

/* ---- the maximum ---- */

/* Until a row ends, maxima of narrow types are 16-bit integers in the order of the numbers that they
 * stand for: those below 0 have all other bits turned. spec: SM-5 a NaN may hide a logit, or be the
 * maximum; the sum will show it. */
static inline __m512i ordered16(__m512i x) {
  const __m512i others = _mm512_set1_epi16(0x7fff);
  return _mm512_ternarylogic_epi64(x, _mm512_srai_epi16(x, 15), others,
                                   0x78); /* x ^ (sign & 7fff) */
}

/* Sixteen bits of -inf. */
SPECIALISED __m512i absent32(sp_dtype dtype) {
  return _mm512_set1_epi16((short)(dtype == SP_F16 ? 0xfc00 : 0xff80));
}

SPECIALISED __m512 no_maximum(sp_dtype dtype) {
  if (dtype == SP_F32) return _mm512_set1_ps(-INFINITY);
  return _mm512_castsi512_ps(ordered16(absent32(dtype)));
}

SPECIALISED __m512 greater16(__m512i x, __m512 max) {
  return _mm512_castsi512_ps(_mm512_max_epi16(ordered16(x), _mm512_castps_si512(max)));
}

SPECIALISED __m512 max64(sp_dtype dtype, const void *x, uint64_t j, __m512 max) {
  if (dtype != SP_F32) {
    const uint16_t *bits = (const uint16_t *)x + j;
    return greater16(_mm512_loadu_si512(bits + 32), greater16(_mm512_loadu_si512(bits), max));
  }
#pragma GCC unroll 4
  for (unsigned i = 0; i < 64; i += 16) max = _mm512_max_ps(max, read16(dtype, x, j + i));
  return max;
}

SPECIALISED __m512 max_rest(sp_dtype dtype, const void *x, uint64_t j, uint64_t n, __m512 max) {
  for (; n - j >= 64; j += 64) max = max64(dtype, x, j, max);
  if (dtype != SP_F32) {
    for (; j < n; j += 32) {
      __mmask32 some = n - j < 32 ? (__mmask32)(1u << (n - j)) - 1 : UINT32_MAX;
      max = greater16(_mm512_mask_loadu_epi16(absent32(dtype), some, (const uint16_t *)x + j), max);
    }
  } else {
    for (; j < n; j += LANES)
      max = _mm512_max_ps(read16_or(dtype, x, j, first_lanes(n - j), -INFINITY), max);
  }
  return max;
}

/* Lane by lane as binary32. */
SPECIALISED __m512 maxima(sp_dtype dtype, __m512 max) {
  if (dtype == SP_F32) return max;
  uint16_t bits[32];
  _mm512_storeu_si512(bits, ordered16(_mm512_castps_si512(max)));
  return _mm512_max_ps(read16(dtype, bits, 0), read16(dtype, bits, 16));
}

/* ---- exponentials and their sum ---- */

SPECIALISED __m512 exp128(sp_dtype dtype, const void *from, float *e, uint64_t j, __m512 shift,
                          __m512 sum) {
  __m512 x[8];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 8; i += 2) read32(dtype, from, j + 16 * i, x + i);
  sum = exp128_sum(x, shift, sum);
#pragma GCC unroll 8
  for (unsigned i = 0; i < 8; i++) _mm512_storeu_ps(e + j + 16 * i, x[i]);
  return sum;
}

/* Up to 64 elements. Past the end there are absent keys: -inf, which adds 0 to the sum. */
SPECIALISED __m512 exp_end(sp_dtype dtype, const void *from, float *e, uint64_t j, uint64_t n,
                           __m512 shift, __m512 sum) {
  __m512 x[4];
  __mmask16 lanes[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) {
    lanes[i] = j + 16 * i < n ? first_lanes(n - j - 16 * i) : (__mmask16)0;
    x[i] = read16_or(dtype, from, j + 16 * i, lanes[i], -INFINITY);
  }
  sum = exp64_sum(x, shift, sum);
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) _mm512_mask_storeu_ps(e + j + 16 * i, lanes[i], x[i]);
  return sum;
}

/* What is less than a step of streamed weights can be more than one of logits. */
SPECIALISED __m512 exp_rest(sp_dtype dtype, const void *from, float *e, uint64_t j, uint64_t n,
                            uint64_t end, __m512 shift, block_sums *sums, __m512 sum) {
  for (; n - j >= STEP; j += STEP) {
    sum = exp128(dtype, from, e, j, shift, sum);
    if (j + STEP == end) sum = end_of_block(sums, sum);
  }
  for (; j < n; j += 64) sum = exp_end(dtype, from, e, j, n, shift, sum);
  return sum;
}

/* ---- weights ---- */

SPECIALISED void scale64(sp_dtype dtype, bool stream, const float *e, void *weights, uint64_t j,
                         __m512 factor) {
  __m512 w[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) w[i] = _mm512_mul_ps(_mm512_loadu_ps(e + j + 16 * i), factor);
#pragma GCC unroll 2
  for (unsigned i = 0; i < 4; i += 2) {
    if (stream) {
      stream32(dtype, weights, j + 16 * i, w + i);
    } else {
      write32(dtype, weights, j + 16 * i, w + i);
    }
  }
}

SPECIALISED void scale_end(sp_dtype dtype, const float *from, void *weights, uint64_t j, uint64_t n,
                           __m512 factor) {
  for (; j < n; j += LANES) {
    __mmask16 lanes = first_lanes(n - j);
    __m512 e = _mm512_maskz_loadu_ps(lanes, from + j);
    store16(dtype, weights, j, lanes, _mm512_mul_ps(e, factor));
  }
}

SPECIALISED void scale_rest(sp_dtype dtype, bool stream, const float *e, void *weights, uint64_t j,
                            uint64_t n, __m512 factor) {
  for (; n - j >= 64; j += 64) scale64(dtype, stream, e, weights, j, factor);
  scale_end(dtype, e, weights, j, n, factor);
}

/* Streamed stores want whole lines. How many elements come before the first. */
SPECIALISED uint64_t before_line(sp_dtype dtype, const void *weights, uint64_t n) {
  uint64_t head = (64 - ((uintptr_t)weights & 63)) % 64 / sp_fast_bytes(dtype);
  return head < n ? head : n;
}

/* ---- side by side ---- */

/* What is streamed comes from memory too, at a pace that the processor's own prefetching does not
 * expect. Logits are asked for this many bytes before their maximum, some 900 cycles, into the
 * second-level cache: the first has few misses under way at once, and a burst of them would hold up
 * the loads behind it. Exponentials, which may have left for the second level, are asked for some
 * 200 cycles before their weights. */
#define AHEAD      8192u
#define AHEAD_KEPT 2048u

/* Loops, though short: sixteen in a row were measured slower. */
SPECIALISED void fetch_logits(const void *from, uint64_t bytes) {
#pragma GCC unroll 1
  for (uint64_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)from + at, 0, 2);
}

SPECIALISED void fetch_kept(const float *from, uint64_t n) {
#pragma GCC unroll 1
  for (uint64_t i = 0; i < n; i += LANES) __builtin_prefetch(from + i);
}

/* Which passes there are rows for. */
typedef struct beside {
  bool max, exp, scale;
} beside;

/* A row in each pass. */
SPECIALISED void row_abreast(sp_dtype from, sp_dtype to, bool stream, beside with, line *l,
                             uint64_t t) {
  const uint64_t now_row = t - l->lag, done_row = t - 2 * l->lag;
  const char *next = NULL, *now = NULL;
  float *e = NULL;
  const float *done = NULL;
  char *weights = NULL;
  if (with.scale) done = (const float *)(void *)l->e.of[done_row & 3];
  if (with.scale) weights = l->weights;
  if (with.scale) l->weights += l->weights_step;
  if (with.exp) now = l->logits.of[now_row & 3];
  if (with.exp) e = (float *)(void *)next_place(&l->e, now_row);
  if (with.max) next = next_place(&l->logits, t);
  const __m512 shift = _mm512_set1_ps(with.exp ? l->shift[now_row & 3] : 0.0F);
  const __m512 factor = _mm512_set1_ps(with.scale ? l->factor[done_row & 3] : 0.0F);
  const uint64_t n = l->n;
  uint64_t n_done = n;
  if (with.scale && stream) {
    uint64_t head = before_line(to, weights, n_done);
    if (head > 0) scale_end(to, done, weights, 0, head, factor);
    weights += head * sp_fast_bytes(to);
    done += head;
    n_done -= head;
  }
  __m512 max = no_maximum(from);
  __m512 sum = _mm512_setzero_ps();
  block_sums sums;
  sums.n = 0;                          /* and no level has a meaning yet */
  const bool sum_waits = n < 2 * STEP; /* and the row's end waits for it */
  uint64_t left = n_done / STEP;
  for (;;) {
    uint64_t steps = left < BLOCK / STEP ? left : BLOCK / STEP;
    left -= steps;
    for (; steps > 0; steps--) {
      if (with.max && stream) fetch_logits(next + AHEAD, STEP * sp_fast_bytes(from));
      if (with.scale && stream) fetch_kept(done + AHEAD_KEPT / sizeof(float), STEP);
      if (with.exp && sum_waits) sum = exp128(from, now, e, 0, shift, sum);
      if (with.max) max = max64(from, next, 0, max);
      if (with.scale) scale64(to, stream, done, weights, 0, factor);
      if (with.max) max = max64(from, next, 64, max);
      if (with.scale) scale64(to, stream, done, weights, 64, factor);
      if (with.exp && !sum_waits) sum = exp128(from, now, e, 0, shift, sum);
      if (with.max) next += STEP * sp_fast_bytes(from);
      if (with.exp) now += STEP * sp_fast_bytes(from);
      if (with.exp) e += STEP;
      if (with.scale) done += STEP;
      if (with.scale) weights += STEP * sp_fast_bytes(to);
    }
    if (left == 0) break;
    if (with.exp) sum = end_of_block(&sums, sum);
  }
  const uint64_t whole = n_done / STEP * STEP;
  if (whole < n) {
    if (with.exp && whole > 0 && whole % BLOCK == 0) sum = end_of_block(&sums, sum);
    if (with.max) max = max_rest(from, next, 0, n - whole, max);
    if (with.exp)
      sum = exp_rest(from, now, e, 0, n - whole, BLOCK - whole % BLOCK, shift, &sums, sum);
    if (with.scale) scale_rest(to, stream, done, weights, 0, n_done - whole, factor);
  }
  if (with.max) l->max = maxima(from, max);
  if (with.exp) l->sum[t & 1] = total_of_blocks(&sums, widen_sum(sum));
}

/* ---- for each type ---- */

/* Rows [t, end) for logits of one type and weights of another, and what is between two rows. */
static inline void enter(line *l, uint64_t t);
static inline void after_turn(beside with, line *l, uint64_t t);

typedef void rows_abreast(line *l, uint64_t t, uint64_t end);
typedef struct loops {
  sp_dtype to;
  bool stream;
  rows_abreast *three, *max_exp, *exp_scale, *max, *exp, *scale, *none;
} loops;

#define ROWS(name, from, to_, stream_, ...)                                                        \
  static void name(line *l, uint64_t t, uint64_t end) {                                            \
    for (; t < end; t++) {                                                                         \
      enter(l, t);                                                                                 \
      row_abreast(from, to_, stream_, (beside){__VA_ARGS__}, l, t);                                \
      after_turn((beside){__VA_ARGS__}, l, t);                                                     \
    }                                                                                              \
  }
#define LOOPS(name, from, to_, stream_)                                                            \
  ROWS(name##_three, from, to_, stream_, .max = true, .exp = true, .scale = true)                  \
  ROWS(name##_max_exp, from, to_, stream_, .max = true, .exp = true)                               \
  ROWS(name##_exp_scale, from, to_, stream_, .exp = true, .scale = true)                           \
  ROWS(name##_max, from, to_, stream_, .max = true)                                                \
  ROWS(name##_exp, from, to_, stream_, .exp = true)                                                \
  ROWS(name##_scale, from, to_, stream_, .scale = true)                                            \
  ROWS(name##_none, from, to_, stream_, .max = false)                                              \
  static const loops name = {                                                                      \
      to_,        stream_,    name##_three, name##_max_exp, name##_exp_scale,                      \
      name##_max, name##_exp, name##_scale, name##_none};

LOOPS(f32, SP_F32, SP_F32, false)
LOOPS(f16, SP_F16, SP_F16, false)
LOOPS(bf16, SP_BF16, SP_BF16, false)
LOOPS(f32_streamed, SP_F32, SP_F32, true)
LOOPS(f16_streamed, SP_F16, SP_F16, true)
LOOPS(bf16_streamed, SP_BF16, SP_BF16, true)
LOOPS(f32_to_f16, SP_F32, SP_F16, false)
LOOPS(f32_to_bf16, SP_F32, SP_BF16, false)

/* An open type, where no row has a key, is as good as binary32. */
static const loops *loops_of(sp_dtype dtype, bool prepared, bool stream) {
  if (dtype == SP_F16) return stream ? &f16_streamed : prepared ? &f32_to_f16 : &f16;
  if (dtype == SP_BF16) return stream ? &bf16_streamed : prepared ? &f32_to_bf16 : &bf16;
  return stream ? &f32_streamed : &f32;
}

#endif
