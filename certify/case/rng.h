/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers for generators: counter-based, so that case number 41 is the same whether or not
 * cases 0 to 40 were made, and free of the C library's rand and libm, so that it is the same on
 * every machine. xoshiro256** (Blackman and Vigna), seeded by splitmix64 from the four numbers that
 * name a case. (CT-4) */
#ifndef SINKPROOF_RNG_H
#define SINKPROOF_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sp_rng {
  uint64_t s[4];
} sp_rng;

void sp_rng_init(sp_rng *rng, uint64_t seed, const char *name, uint64_t stream, uint64_t index);

uint64_t sp_rng_next(sp_rng *rng);

/* A number that shows no pattern over x = 0, 1, 2, … */
uint64_t sp_rng_mix(uint64_t x);

/* Uniform in 0 … n - 1; 0 when n is 0. */
uint64_t sp_rng_below(sp_rng *rng, uint64_t n);

/* Uniform in lo … hi, both included. */
uint64_t sp_rng_between(sp_rng *rng, uint64_t lo, uint64_t hi);

/* true once in n, on average. */
bool sp_rng_one_in(sp_rng *rng, uint64_t n);

/* Uniform in [lo, hi). */
double sp_rng_uniform(sp_rng *rng, double lo, double hi);

/* Mean 0, variance 1, within ±6: the sum of twelve uniforms. A libm-free bell is all that is
 * wanted; nothing depends on its tails. */
double sp_rng_bell(sp_rng *rng);

#endif
