/* SPDX-License-Identifier: Apache-2.0 */
/* What this CPU does: random operands through each modelled instruction and through the leaves, one
 * line "operation a b c result" in hexadecimal bits. The model reads the lines and must agree. The
 * operands are drawn so that all classes occur (NaN, infinities, zeros, subnormals, the largest
 * numbers) and so that exponents are often close, where cancellation happens. */
#include <immintrin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fast/avx512/exp.h"

enum { LANES = 16, N_OPERATIONS = 11 };

static uint64_t state;

static uint32_t next(void) { /* xorshift: reproducible everywhere */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16);
}

static uint32_t any_float(void) {
  uint32_t r = next();
  switch (next() % 8) {
  case 0:
    return r;
  case 1:
    return r & 0x807fffffu; /* subnormal or zero */
  case 2:
    return (r & 0x80000000u) | 0x7f800000u | ((r & 1u) != 0 ? r & 0x7fffffu : 0);
  case 3:
    return r & 0x80000000u;
  case 4:
    return (r & 0x807fffffu) | 0x7f000000u; /* huge */
  default:
    return (r & 0x807fffffu) | ((110u + next() % 30u) << 23);
  }
}

/* A scale that is small enough to matter, and seldom an integer. */
static void scale_operands(uint32_t *a, uint32_t *b) {
  float k = (float)((int)(next() % 6400) - 3200) / 16.0F;
  *a = (next() & 0x807fffffu) | ((60u + next() % 130u) << 23);
  memcpy(b, &k, sizeof *b);
}

/* x <= 0 down to far below the clamp, and -inf. */
static uint32_t exp_operand(void) {
  uint32_t r = next();
  if (r % 64 == 0) return 0xff800000u;
  if (r % 64 == 1) return 0x7fc00000u;
  return 0x80000000u + (next() % (0x43480000u + 1u));
}

/* The step on a, b, a, b with 1 for the maximum; all four exponentials are in the sum. */
static __m512 step(__m512 a, __m512 b, __m512 c) {
  __m512 x[4] = {a, b, a, b};
  return exp64_sum(x, _mm512_set1_ps(1.0F), c);
}

/* The wider one on a, b, four times. */
static __m512 wide_step(__m512 a, __m512 b, __m512 c) {
  __m512 x[8] = {a, b, a, b, a, b, a, b};
  return exp128_sum(x, _mm512_set1_ps(1.0F), c);
}

/* Sixteen different lanes that follow from the first of b. */
static __m512 table_of(__m512 b) {
  __m512i first = _mm512_set1_epi32(_mm_cvtsi128_si32(_mm_castps_si128(_mm512_castps512_ps128(b))));
  __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m512i distance = _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x01010101));
  return _mm512_castsi512_ps(_mm512_add_epi32(first, distance));
}

static __m512 apply(int operation, __m512 a, __m512 b, __m512 c) {
  switch (operation) {
  case 0:
    return _mm512_mul_ps(a, b);
  case 1:
    return _mm512_add_ps(a, b);
  case 2:
    return _mm512_sub_ps(a, b);
  case 3:
    return _mm512_fmadd_ps(a, b, c);
  case 4:
    return _mm512_fnmadd_ps(a, b, c);
  case 5:
    return _mm512_max_ps(a, b);
  case 6:
    return _mm512_permutexvar_ps(_mm512_castps_si512(a), table_of(b));
  case 7:
    return _mm512_scalef_ps(a, b);
  case 8:
    return exp16(a);
  case 9:
    return step(a, b, c);
  default:
    return wide_step(a, b, c);
  }
}

static void round_of(int operation) {
  uint32_t a[LANES], b[LANES], c[LANES], r[LANES];
  for (int j = 0; j < LANES; j++) {
    a[j] = operation >= 8 ? exp_operand() : any_float();
    b[j] = operation >= 8 ? exp_operand() : any_float();
    c[j] = any_float();
    if (operation == 6) b[j] = b[0];
    if (operation == 7) scale_operands(&a[j], &b[j]);
  }
  __m512 result = apply(operation, _mm512_loadu_ps(a), _mm512_loadu_ps(b), _mm512_loadu_ps(c));
  _mm512_storeu_ps(r, result);
  for (int j = 0; j < LANES; j++)
    printf("%d %" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIx32 "\n", operation, a[j], b[j], c[j],
           r[j]);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  long per_operation = strtol(argv[1], NULL, 10);
  state = strtoull(argv[2], NULL, 0) | 1u;
  for (long i = 0; i < per_operation; i += LANES)
    for (int operation = 0; operation < N_OPERATIONS; operation++) round_of(operation);
  return 0;
}
