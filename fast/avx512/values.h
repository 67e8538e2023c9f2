/* SPDX-License-Identifier: Apache-2.0 */
/* Weights times values: what one group of 16 keys adds to the outputs of up to 8 rows. An output
 * element is one chain of multiply-adds over the group's keys, from zero, and the chain joins what
 * the groups before it gave. So sums stay shallow, and accumulators are stored once in 16 keys.
 * Only present keys are touched, and all of them, also where the weight is 0. spec: SM-4, SM-6, AT-3
 *
 * Roofline, 8 rows and 32 elements: for each key 16 multiply-adds with 2 loads of values and 12 of
 * weights; for each group 16 additions, 16 loads and 16 stores beside 256 multiply-adds. Zen 4 starts
 * one multiply-add and one load in a cycle: 256 cycles. But there a weight that is broadcast into a
 * register costs more than a slot of its own, and a stored sum takes the turn of a multiply-add,
 * unless that needs a register less: half of the weights are broadcast by the multiply-adds that use
 * them, once for each. Values of 16 bits are widened where they are loaded, 4 operations for 16
 * multiply-adds, and there it is three quarters, with 16 loads in all. Where two multiply-adds and two
 * loads start in a cycle: 8 cycles for a key, and its loads take 7 or 8. */
#ifndef SINKPROOF_FAST_AVX512_VALUES_H
#define SINKPROOF_FAST_AVX512_VALUES_H

#include "fast/avx512/group.h"
#include "fast/impl.h"
#include "fast/tensor.h"

/* Floats between the weights of one row and the next, and between vectors of outputs. */
#define P_STEP   SP_FAST_TILE
#define OUT_STEP (SP_FAST_STRIP * LANES)

/* One group of some rows, or several in which every key is present. */
typedef struct weighing {
  const char *first; /* where all keys are present, their rows of v lie from here on, */
  int64_t step;      /* so many bytes apart; otherwise NULL, and each lies where `row` says */
  const char *row[LANES];
  const float *p;    /* the first row's weights */
  float *out;        /* its first 16 outputs so far */
  uint32_t n_groups; /* 1 where `row` says */
  uint32_t present;  /* the keys that are, for all these rows */
  bool fresh;        /* there are no outputs so far */
} weighing;

/* sum + weight * v, where the weight is broadcast by the multiply-add itself: a compiler that sees two
 * of them broadcasts once. */
SPECIALISED __m512 fmadd_broadcast(const float *weight, __m512 v, __m512 sum) {
  __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(v), "m"(*weight));
  return sum;
}

/* 16 * n_vectors outputs from c on of n_rows rows; those before `end`, where it is not 0. */
SPECIALISED void weigh_key(uint32_t n_rows, uint32_t n_vectors, sp_dtype dtype, const float *weight,
                           const char *key, uint64_t c, uint64_t end, __m512 sum[16]) {
  const uint32_t apart = dtype == SP_F32 ? 2 : 4; /* every which weight is broadcast by itself */
  __m512 v[4];
#pragma GCC unroll 4
  for (uint32_t i = 0; i < 4; i++)
    if (i < n_vectors)
      v[i] = end == 0 ? read16(dtype, key, c + LANES * i)
                      : load16(dtype, key, c, first_lanes(end - c));
#pragma GCC unroll 8
  for (uint32_t r = 0; r < 8; r++) {
    if (r >= n_rows) continue;
    const float *p = weight + r * P_STEP;
#pragma GCC unroll 4
    for (uint32_t i = 0; i < n_vectors; i++) {
      __m512 *to = sum + r * n_vectors + i;
      *to = r % apart == 0 ? _mm512_fmadd_ps(_mm512_set1_ps(*p), v[i], *to)
                           : fmadd_broadcast(p, v[i], *to);
    }
  }
}

/* A group's sums join the outputs so far. */
SPECIALISED void join_sums(uint32_t n_rows, uint32_t n_vectors, bool fresh, float *out,
                           const __m512 sum[16]) {
#pragma GCC unroll 16
  for (uint32_t j = 0; j < 16; j++) {
    if (j >= n_rows * n_vectors) continue;
    float *at = out + j % n_vectors * OUT_STEP + j / n_vectors * LANES;
    _mm512_store_ps(at, fresh ? sum[j] : _mm512_add_ps(_mm512_load_ps(at), sum[j]));
  }
}

/* Whole groups, one after another. */
SPECIALISED void weigh_vectors(uint32_t n_rows, uint32_t n_vectors, sp_dtype dtype,
                               const weighing *w, uint64_t c, uint64_t end) {
  __m512 sum[16];
  float *out = w->out + c / LANES * OUT_STEP;
  const char *key = w->first;
  const float *weight = w->p;
  const int64_t step = w->step;
  bool fresh = w->fresh;
  for (uint32_t g = 0; g < w->n_groups; g++) {
#pragma GCC unroll 16
    for (uint32_t i = 0; i < 16; i++) sum[i] = _mm512_setzero_ps();
#pragma GCC unroll 2
    for (uint32_t lane = 0; lane < LANES; lane++, key += step) {
      fetch_later(key, step, c * sp_fast_bytes(dtype), n_vectors * LANES * sp_fast_bytes(dtype));
      weigh_key(n_rows, n_vectors, dtype, weight++, key, c, end, sum);
    }
    if (fresh)
      join_sums(n_rows, n_vectors, true, out, sum);
    else
      join_sums(n_rows, n_vectors, false, out, sum);
    fresh = false;
  }
}

/* A group whose keys lie apart, or are not all present. */
SPECIALISED void weigh_some(uint32_t n_rows, uint32_t n_vectors, sp_dtype dtype, const weighing *w,
                            uint64_t c, uint64_t end) {
  __m512 sum[16];
#pragma GCC unroll 16
  for (uint32_t i = 0; i < 16; i++) sum[i] = _mm512_setzero_ps();
  for (uint32_t rest = w->present; rest != 0; rest &= rest - 1) {
    uint32_t lane = (uint32_t)__builtin_ctz(rest);
    weigh_key(n_rows, n_vectors, dtype, w->p + lane, w->row[lane], c, end, sum);
  }
  join_sums(n_rows, n_vectors, w->fresh, w->out + c / LANES * OUT_STEP, sum);
}

/* The usual shapes are functions of their own: in one, loops compete for registers, and an address
 * that waits in a vector register comes back through the pipes of multiply-adds. */
#define WHOLE_GROUPS(name, n_rows, n_vectors, dtype)                                               \
  static __attribute__((noinline)) void name(const weighing *w, uint64_t c) {                      \
    weigh_vectors(n_rows, n_vectors, dtype, w, c, 0);                                              \
  }

WHOLE_GROUPS(weigh_8_f32, 8, 2, SP_F32)
WHOLE_GROUPS(weigh_8_f16, 8, 2, SP_F16)
WHOLE_GROUPS(weigh_8_bf16, 8, 2, SP_BF16)
WHOLE_GROUPS(weigh_4_f32, 4, 4, SP_F32)
WHOLE_GROUPS(weigh_4_f16, 4, 4, SP_F16)
WHOLE_GROUPS(weigh_4_bf16, 4, 4, SP_BF16)

SPECIALISED void weigh_whole(uint32_t n_rows, sp_dtype dtype, const weighing *w, uint64_t c) {
  if (dtype == SP_F32) n_rows == 8 ? weigh_8_f32(w, c) : weigh_4_f32(w, c);
  if (dtype == SP_F16) n_rows == 8 ? weigh_8_f16(w, c) : weigh_4_f16(w, c);
  if (dtype == SP_BF16) n_rows == 8 ? weigh_8_bf16(w, c) : weigh_4_bf16(w, c);
}

SPECIALISED void weigh_part(uint32_t n_rows, uint32_t n_vectors, sp_dtype dtype, const weighing *w,
                            uint64_t c, uint64_t end) {
  if (w->first != NULL && n_rows * n_vectors == 16)
    weigh_whole(n_rows, dtype, w, c);
  else if (w->first != NULL)
    weigh_vectors(n_rows, n_vectors, dtype, w, c, end);
  else
    weigh_some(n_rows, n_vectors, dtype, w, c, end);
}

/* All outputs of 8, 4 or 1 rows. */
SPECIALISED void weigh_rows(uint32_t n_rows, sp_dtype dtype, const weighing *w, uint64_t d_value) {
  const uint32_t n = n_rows == 8 ? 2 : 4;
  uint64_t c = 0;
  for (; c + n * LANES <= d_value; c += n * LANES) weigh_part(n_rows, n, dtype, w, c, 0);
  for (; c + LANES <= d_value; c += LANES) weigh_part(n_rows, 1, dtype, w, c, 0);
  if (c < d_value) weigh_part(n_rows, 1, dtype, w, c, d_value);
}

#endif
