/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** and splitmix64, from their public-domain descriptions, and the few distributions
 * that the generators use. Only exact integer operations and single IEEE operations: the same bits
 * everywhere. spec: CT-4 */
#include "certify/case/rng.h"

static uint64_t splitmix(uint64_t *state) {
  *state += 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Fold one more number into the state; the order of the numbers matters. */
static void absorb(uint64_t *state, uint64_t x) {
  uint64_t z = *state ^ x;
  *state = splitmix(&z);
}

void sp_rng_init(sp_rng *rng, uint64_t seed, const char *name, uint64_t stream, uint64_t index) {
  uint64_t state = seed;
  for (const char *p = name; *p != '\0'; p++) absorb(&state, (unsigned char)*p);
  absorb(&state, stream);
  absorb(&state, index);
  for (int i = 0; i < 4; i++) rng->s[i] = splitmix(&state);
}

uint64_t sp_rng_mix(uint64_t x) {
  return splitmix(&x);
}

static uint64_t rotate(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

uint64_t sp_rng_next(sp_rng *rng) {
  uint64_t *s = rng->s;
  uint64_t result = rotate(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 45);
  return result;
}

/* The bias of the remainder is below n / 2^64: no case can show it. */
uint64_t sp_rng_below(sp_rng *rng, uint64_t n) {
  return n == 0 ? 0 : sp_rng_next(rng) % n;
}

uint64_t sp_rng_between(sp_rng *rng, uint64_t lo, uint64_t hi) {
  return lo + sp_rng_below(rng, hi - lo + 1);
}

bool sp_rng_one_in(sp_rng *rng, uint64_t n) {
  return sp_rng_below(rng, n) == 0;
}

/* 53 random bits over 2^53. */
static double unit(sp_rng *rng) {
  return (double)(sp_rng_next(rng) >> 11) * 0x1p-53;
}

double sp_rng_uniform(sp_rng *rng, double lo, double hi) {
  return lo + (hi - lo) * unit(rng);
}

double sp_rng_bell(sp_rng *rng) {
  double sum = -6.0;
  for (int i = 0; i < 12; i++) sum += unit(rng);
  return sum;
}
