/* SPDX-License-Identifier: Apache-2.0 */
/* The three passes of a softmax over a row, in steps of 128 elements, alone and side by side.
 *
 * Roofline, on a core that starts two multiplications, two additions, two loads of a line and one
 * store of a line per cycle (Zen 5), for 16 elements of binary32; the counts are those of
 * `objdump -d --disassemble=f32_three` and `--disassemble=sp_exp128`, where scalef takes two
 * additions' places and a constant's broadcast, for eight registers, one load:
 *
 *     pass               multiplications   additions   loads   stores
 *     maximum                                  1         1
 *     exponential, sum         9               6         3.3     1
 *     scaling                  1                         1       1
 *     together              10: 5 cycles    7: 3.5    5.3: 2.6  2
 *
 * One after another the passes take 0.5 + 4.5 + 1 cycles at best, and each is held up by something
 * else: loads, multiplications, stores. Side by side on three different rows they need the 5 cycles
 * of the multiplications. What is lost above that is latency: a chain of 14 operations, of which
 * eight registers' worth are in flight per call of the leaf. spec: SM-2
 *
 * Sums: lane by lane over 128 elements in a tree of three levels, over up to 8 such steps in a
 * chain, and two of 64 where a row ends, in binary32; then in binary64, 16 lanes to 8, and blocks of 1024 in a balanced tree. */
#ifndef SINKPROOF_FAST_AVX512_PASSES_H
#define SINKPROOF_FAST_AVX512_PASSES_H

#include <stdbool.h>

#include "fast/avx512/exp.h"
#include "fast/avx512/lanes.h"
#include "fast/tensor.h"

#define STEP  128u
#define BLOCK 1024u

/* Sums of blocks of a row, joined as a binary counter counts: level[k] holds 2^k blocks. */
typedef struct block_sums {
  __m512d level[54]; /* 2^64 / 1024 blocks */
} block_sums;

/* One more beside n_blocks others. */
static inline void add_block(block_sums *s, uint64_t n_blocks, __m512 lanes) {
  __m512d sum = widen_sum(lanes);
  unsigned k = 0;
  for (; (n_blocks >> k & 1) != 0; k++) sum = _mm512_add_pd(s->level[k], sum);
  s->level[k] = sum;
}

/* Of n_blocks, and of what is left of the last. */
static inline __m512d total_of_blocks(const block_sums *s, uint64_t n_blocks, __m512 rest) {
  __m512d sum = widen_sum(rest);
  for (unsigned k = 0; n_blocks >> k != 0; k++)
    if ((n_blocks >> k & 1) != 0) sum = _mm512_add_pd(s->level[k], sum);
  return sum;
}

/* Three rows, each in its own pass, and what they have so far. */
typedef struct passes {
  __m512 max;        /* lane by lane */
  __m512 sum;        /* of the block at hand */
  float shift;       /* known long before … */
  const void *next;  /* logits whose maximum is looked for */
  const void *now;   /* logits whose exponentials are taken … */
  float *e;          /* … and where they go: e^(x - shift) */
  const float *done; /* exponentials whose weights are written … */
  void *weights;     /* … and where: at a multiple of 64 bytes when streamed */
  uint64_t n_blocks; /* whose sums are done */
  float factor; /* … this, which is not NaN: side by side they would be stored, and waited for,
                        as one */
} passes;

/* ---- the maximum ---- */

/* A NaN may hide a logit but never becomes the maximum; the sum will show it. */
SPECIALISED __m512 max64(sp_dtype dtype, const void *x, uint64_t j, __m512 max) {
  __m512 a = _mm512_max_ps(read16(dtype, x, j), read16(dtype, x, j + 16));
  __m512 b = _mm512_max_ps(read16(dtype, x, j + 32), read16(dtype, x, j + 48));
  return _mm512_max_ps(_mm512_max_ps(a, b), max);
}

SPECIALISED void max_rest(sp_dtype dtype, passes *p, uint64_t j, uint64_t n) {
  __m512 max = p->max;
  for (; n - j >= 64; j += 64) max = max64(dtype, p->next, j, max);
  for (; j < n; j += LANES)
    max = _mm512_max_ps(read16_or(dtype, p->next, j, first_lanes(n - j), -INFINITY), max);
  p->max = max;
}

/* ---- exponentials and their sum ---- */

SPECIALISED __m512 exp128(sp_dtype dtype, const void *from, float *e, uint64_t j, __m512 shift,
                          __m512 sum) {
  __m512 x[8];
#pragma GCC unroll 8
  for (unsigned i = 0; i < 8; i++) x[i] = read16(dtype, from, j + 16 * i);
  sum = exp128_sum(x, shift, sum);
#pragma GCC unroll 8
  for (unsigned i = 0; i < 8; i++) _mm512_storeu_ps(e + j + 16 * i, x[i]);
  return sum;
}

/* The sum begins anew where a block ends. */
SPECIALISED __m512 end_of_step(passes *p, block_sums *sums, uint64_t j, __m512 sum) {
  if ((j + STEP) % BLOCK != 0) return sum;
  add_block(sums, p->n_blocks++, sum);
  return _mm512_setzero_ps();
}

/* Up to 64 elements. Past the end there are absent keys: -inf, which adds 0 to the sum. */
SPECIALISED __m512 exp_end(sp_dtype dtype, const passes *p, uint64_t j, uint64_t n, __m512 sum) {
  __m512 x[4];
  __mmask16 lanes[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) {
    lanes[i] = j + 16 * i < n ? first_lanes(n - j - 16 * i) : (__mmask16)0;
    x[i] = read16_or(dtype, p->now, j + 16 * i, lanes[i], -INFINITY);
  }
  sum = exp64_sum(x, _mm512_set1_ps(p->shift), sum);
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) _mm512_mask_storeu_ps(p->e + j + 16 * i, lanes[i], x[i]);
  return sum;
}

SPECIALISED void exp_rest(sp_dtype dtype, passes *p, block_sums *sums, uint64_t j, uint64_t n) {
  const __m512 shift = _mm512_set1_ps(p->shift);
  const void *now = p->now;
  float *e = p->e;
  __m512 sum = p->sum;
  for (; n - j >= STEP; j += STEP)
    sum = end_of_step(p, sums, j, exp128(dtype, now, e, j, shift, sum));
  for (; j < n; j += 64) sum = exp_end(dtype, p, j, n, sum);
  p->sum = sum;
}

/* ---- weights ---- */

SPECIALISED void scale64(sp_dtype dtype, bool stream, const float *e, void *weights, uint64_t j,
                         __m512 factor) {
  __m512 w[4];
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) w[i] = _mm512_mul_ps(_mm512_loadu_ps(e + j + 16 * i), factor);
#pragma GCC unroll 4
  for (unsigned i = 0; i < 4; i++) {
    if (stream) {
      stream16(dtype, weights, j + 16 * i, w[i]);
    } else {
      write16(dtype, weights, j + 16 * i, w[i]);
    }
  }
}

SPECIALISED void scale_end(sp_dtype dtype, const passes *p, uint64_t j, uint64_t n) {
  for (; j < n; j += LANES) {
    __mmask16 lanes = first_lanes(n - j);
    __m512 e = _mm512_maskz_loadu_ps(lanes, p->done + j);
    store16(dtype, p->weights, j, lanes, _mm512_mul_ps(e, _mm512_set1_ps(p->factor)));
  }
}

SPECIALISED void scale_rest(sp_dtype dtype, bool stream, const passes *p, uint64_t j, uint64_t n) {
  const __m512 factor = _mm512_set1_ps(p->factor);
  const float *done = p->done;
  void *weights = p->weights;
  for (; n - j >= 64; j += 64) scale64(dtype, stream, done, weights, j, factor);
  scale_end(dtype, p, j, n);
}

/* ---- side by side ---- */

/* What is streamed comes from memory too, at a pace that the processor's own prefetching does not
 * expect: logits are asked for this many bytes before their maximum, some 900 cycles. */
#define AHEAD 8192u

SPECIALISED void fetch_ahead(sp_dtype dtype, const void *x, uint64_t j) {
  const char *from = sp_fast_step(x, dtype, (int64_t)j);
#pragma GCC unroll 4
  for (uint64_t line = 0; line < STEP * sp_fast_bytes(dtype); line += 64)
    __builtin_prefetch(from + AHEAD + line);
}

/* Which passes go beside the exponentials. */
typedef struct beside {
  bool max, scale;
} beside;

/* Elements 0 to n of the rows, n a multiple of 64. The loads and stores of the other passes stand on
 * both sides of the arithmetic, which they would hold up in one heap. */
SPECIALISED void side_by_side(sp_dtype from, sp_dtype to, bool stream, beside with, passes *p,
                              block_sums *sums, uint64_t n) {
  const __m512 shift = _mm512_set1_ps(p->shift);
  const __m512 factor = _mm512_set1_ps(p->factor);
  const void *next = p->next;
  const void *now = p->now;
  const float *done = p->done;
  float *e = p->e;
  void *weights = p->weights;
  __m512 max = p->max;
  __m512 sum = p->sum;
  for (uint64_t j = 0; j < n; j += STEP) {
    if (with.max && stream) fetch_ahead(from, next, j);
    if (with.max) max = max64(from, next, j, max);
    if (with.scale) scale64(to, stream, done, weights, j, factor);
    sum = exp128(from, now, e, j, shift, sum);
    if (with.max) max = max64(from, next, j + 64, max);
    if (with.scale) scale64(to, stream, done, weights, j + 64, factor);
    sum = end_of_step(p, sums, j, sum);
  }
  p->max = max;
  p->sum = sum;
}

/* ---- for each type ---- */

/* The loops for logits of one type and weights of another. They are functions, not inlined into what
 * walks over rows: the compiler, short of registers there, would keep addresses in vector
 * registers, and they would queue behind the arithmetic. */
typedef struct loops {
  sp_dtype to;
  bool stream;
  void (*three)(passes *p, block_sums *sums, uint64_t n);
  void (*max_exp)(passes *p, block_sums *sums, uint64_t n);
  void (*exp_scale)(passes *p, block_sums *sums, uint64_t n);
  void (*max)(passes *p, uint64_t j, uint64_t n);
  void (*exp)(passes *p, block_sums *sums, uint64_t j, uint64_t n);
  void (*scale)(const passes *p, uint64_t j, uint64_t n);
} loops;

#define LOOPS(name, from, to_, stream_)                                                            \
  static void name##_three(passes *p, block_sums *sums, uint64_t n) {                              \
    side_by_side(from, to_, stream_, (beside){.max = true, .scale = true}, p, sums, n);            \
  }                                                                                                \
  static void name##_max_exp(passes *p, block_sums *sums, uint64_t n) {                            \
    side_by_side(from, to_, stream_, (beside){.max = true}, p, sums, n);                           \
  }                                                                                                \
  static void name##_exp_scale(passes *p, block_sums *sums, uint64_t n) {                          \
    side_by_side(from, to_, stream_, (beside){.scale = true}, p, sums, n);                         \
  }                                                                                                \
  static void name##_max(passes *p, uint64_t j, uint64_t n) {                                      \
    max_rest(from, p, j, n);                                                                       \
  }                                                                                                \
  static void name##_exp(passes *p, block_sums *sums, uint64_t j, uint64_t n) {                    \
    exp_rest(from, p, sums, j, n);                                                                 \
  }                                                                                                \
  static void name##_scale(const passes *p, uint64_t j, uint64_t n) {                              \
    scale_rest(to_, stream_, p, j, n);                                                             \
  }                                                                                                \
  static const loops name = {                                                                      \
      to_,        stream_,    name##_three, name##_max_exp, name##_exp_scale,                      \
      name##_max, name##_exp, name##_scale};

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
