/* SPDX-License-Identifier: Apache-2.0 */
/* The frequencies of the pairs, base^(-i/m) / 2 pi for i < m = r/2, to about 2^-100. See rope.h.
 *
 * Pairs of binary64 numbers carry them: x = base^(-1/m) is the root of base * x^m = 1, found by
 * Newton's method from libm's guess, and the others are its powers. So no logarithm in more than
 * binary64 is needed. This runs once per cache. */
#include "fast/rope.h"

#include <math.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

/* high + low, |low| at most half a unit of high. */
typedef struct twofold {
  double high, low;
} twofold;

/* a + b exactly, for |a| >= |b| or a = 0. (Dekker) */
static twofold fast_sum(double a, double b) {
  double sum = a + b;
  return (twofold){sum, b - (sum - a)};
}

static twofold product(twofold a, twofold b) {
  double high = a.high * b.high;
  double low = fma(a.high, b.high, -high) + (a.high * b.low + a.low * b.high);
  return fast_sum(high, low);
}

static twofold power(twofold x, uint64_t n) {
  twofold result = {1.0, 0.0};
  for (; n > 0; n >>= 1) {
    if ((n & 1) != 0) result = product(result, x);
    x = product(x, x);
  }
  return result;
}

/* base^(-1/m). The second step starts within 2^-90 and ends where the arithmetic does. */
static twofold root(double base, uint64_t m) {
  twofold x = {pow(base, -1.0 / (double)m), 0.0};
  for (int step = 0; step < 2; step++) {
    twofold one = product((twofold){base, 0.0}, power(x, m));
    double excess = (1.0 - one.high) - one.low;
    x = fast_sum(x.high, x.low + x.high * (excess / (double)m));
  }
  return x;
}

/* x * 2^128, for |x| < 1, as a two's complement. */
static u128 fixed_point(double x) {
  int exponent = 0;
  double mantissa = frexp(fabs(x), &exponent);
  u128 bits = (u128)(uint64_t)ldexp(mantissa, 53);
  int shift = exponent + 128 - 53;
  if (shift <= -53) return 0;
  bits = shift >= 0 ? bits << shift : bits >> -shift;
  return x < 0 ? -bits : bits;
}

static void fill(sp_fast_rope *rope, double base) {
  const twofold per_turn = {0x1.45f306dc9c883p-3, -0x1.6b01ec5417056p-57}; /* 1 / 2 pi */
  twofold x = root(base, rope->n_pairs);
  twofold frequency = {1.0, 0.0};
  for (uint64_t i = 0; i < rope->n_pairs; i++) {
    twofold turns = product(frequency, per_turn);
    u128 bits = fixed_point(turns.high) + fixed_point(turns.low);
    rope->high[i] = (uint64_t)(bits >> 64);
    rope->low[i] = (uint64_t)bits;
    frequency = product(frequency, x);
  }
}

static uint64_t padded(uint64_t n_pairs) {
  return (n_pairs + SP_FAST_ROPE_PAD - 1) / SP_FAST_ROPE_PAD * SP_FAST_ROPE_PAD;
}

bool sp_fast_rope_init(sp_fast_rope *rope, uint32_t pairing, uint64_t rope_dims, double rope_base) {
  *rope = (sp_fast_rope){.n_pairs = rope_dims / 2, .pairing = pairing};
  if (rope->n_pairs == 0) return true;
  rope->high = calloc(padded(rope->n_pairs), sizeof *rope->high);
  rope->low = calloc(padded(rope->n_pairs), sizeof *rope->low);
  if (rope->high == NULL || rope->low == NULL) {
    sp_fast_rope_clear(rope);
    return false;
  }
  fill(rope, rope_base);
  return true;
}

void sp_fast_rope_clear(sp_fast_rope *rope) {
  free(rope->high);
  free(rope->low);
  *rope = (sp_fast_rope){0};
}

bool sp_fast_angles_init(sp_fast_angles *angles, const sp_fast_rope *rope) {
  *angles = (sp_fast_angles){NULL, NULL};
  if (rope->n_pairs == 0) return true;
  angles->cosine = calloc(padded(rope->n_pairs), sizeof *angles->cosine);
  angles->sine = calloc(padded(rope->n_pairs), sizeof *angles->sine);
  if (angles->cosine != NULL && angles->sine != NULL) return true;
  sp_fast_angles_clear(angles);
  return false;
}

void sp_fast_angles_clear(sp_fast_angles *angles) {
  free(angles->cosine);
  free(angles->sine);
  *angles = (sp_fast_angles){NULL, NULL};
}
