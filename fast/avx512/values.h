/* SPDX-License-Identifier: Apache-2.0 */
/* Weights times values: what one group of 16 keys adds to the outputs of up to 4 rows. An output
 * element is one chain of multiply-adds over the group's keys, from zero, and the chain joins what
 * the groups before it gave. So sums stay shallow, and accumulators are stored once in 16 keys.
 * Only present keys are touched, and all of them, also where the weight is 0. spec: SM-4, SM-6, AT-3
 *
 * Roofline, 4 rows and 64 elements: for each key 16 multiply-adds (8 cycles) with 4 loads of values
 * and 4 broadcasts of weights (4 cycles); for each group 16 additions, 16 loads and 16 stores beside
 * 256 multiply-adds, on other pipes. Values of 16 bits are widened where they are loaded: 4 to 8
 * operations for 16 multiply-adds. */
#ifndef SINKPROOF_FAST_AVX512_VALUES_H
#define SINKPROOF_FAST_AVX512_VALUES_H

#include "fast/avx512/lanes.h"

/* The values of one group, and the keys of it that are present. */
typedef struct values {
  const char *lane0; /* where the value of lane 0 is, or would be */
  int64_t step;      /* bytes from one key to the next */
  uint32_t present;
} values;

/* Of one row: 16 weights, and the outputs so far. */
typedef struct weighed {
  const float *p;
  float *out;
} weighed;

/* 16 * n_vectors outputs from c on of n_rows rows; those before `end`, where it is not 0. */
SPECIALISED void weigh_key(int n_rows, int n_vectors, sp_dtype dtype, const values *v,
                           uint32_t lane, const weighed *row, uint64_t c, uint64_t end,
                           __m512 *sum) {
  const char *key = v->lane0 + (int64_t)lane * v->step;
  __m512 v16[4];
#pragma GCC unroll 4
  for (int i = 0; i < n_vectors; i++)
    v16[i] = end == 0 ? read16(dtype, key, c + LANES * (uint64_t)i)
                      : load16(dtype, key, c, first_lanes(end - c));
#pragma GCC unroll 4
  for (int r = 0; r < n_rows; r++) {
    const __m512 p = _mm512_set1_ps(row[r].p[lane]);
#pragma GCC unroll 4
    for (int i = 0; i < n_vectors; i++) sum[4 * r + i] = _mm512_fmadd_ps(p, v16[i], sum[4 * r + i]);
  }
}

SPECIALISED void weigh_vectors(int n_rows, int n_vectors, sp_dtype dtype, const values *v,
                               const weighed *row, uint64_t c, uint64_t end) {
  __m512 sum[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) sum[i] = _mm512_setzero_ps();
  if (v->present == 0xffff) {
#pragma GCC unroll 2
    for (uint32_t lane = 0; lane < LANES; lane++)
      weigh_key(n_rows, n_vectors, dtype, v, lane, row, c, end, sum);
  } else {
    for (uint32_t rest = v->present; rest != 0; rest &= rest - 1)
      weigh_key(n_rows, n_vectors, dtype, v, (uint32_t)__builtin_ctz(rest), row, c, end, sum);
  }
#pragma GCC unroll 4
  for (int r = 0; r < n_rows; r++) {
#pragma GCC unroll 4
    for (int i = 0; i < n_vectors; i++) {
      float *out = row[r].out + c + LANES * (uint64_t)i;
      _mm512_store_ps(out, _mm512_add_ps(_mm512_load_ps(out), sum[4 * r + i]));
    }
  }
}

/* All outputs of n_rows rows. */
SPECIALISED void weigh_rows(int n_rows, sp_dtype dtype, const values *v, const weighed *row,
                            uint64_t d_value) {
  uint64_t c = 0;
  for (; c + 4 * LANES <= d_value; c += 4 * LANES) weigh_vectors(n_rows, 4, dtype, v, row, c, 0);
  for (; c + LANES <= d_value; c += LANES) weigh_vectors(n_rows, 1, dtype, v, row, c, 0);
  if (c < d_value) weigh_vectors(n_rows, 1, dtype, v, row, c, d_value);
}

#endif
