/* SPDX-License-Identifier: Apache-2.0 */
/* Mutations that know what a case is. Each changes one thing that real kernels have gone wrong
 * about: where the maximum is, where a tile ends, what is masked, how large the sink logit is. */
#ifndef SINKPROOF_FUZZ_MUTATE_H
#define SINKPROOF_FUZZ_MUTATE_H

#include "certify/case/rng.h"
#include "fuzz/decode.h"

/* Change the header: sizes, options, types. Always possible. */
void sp_fuzz_mutate_header(sp_fuzz_header *h, sp_rng *rng);

/* Change elements, a step or a position. False when this draw changes nothing. */
bool sp_fuzz_mutate_case(sp_case *c, sp_rng *rng);

/* The whole mutator, for inputs that are read as one of these operations: the new size, at most
 * max_size. 0 when nothing worked. */
size_t sp_fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint32_t ops, uint64_t seed);

/* A child of two inputs: some fields of one header in the other, elements from one or both. */
size_t sp_fuzz_cross(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                     size_t max_size, uint64_t seed);

#endif
