/* SPDX-License-Identifier: Apache-2.0 */
/* A campaign of a second, for tests of the fuzz room: random bytes instead of an engine. */
#ifndef SINKPROOF_TESTS_FUZZ_FINDS_H
#define SINKPROOF_TESTS_FUZZ_FINDS_H

#include "certify/case/rng.h"
#include "fuzz/check.h"

/* At most `max` bytes; short rows more often than not. */
size_t fuzz_random_bytes(sp_rng *rng, uint8_t *data, size_t max);

/* Whether anything is found about a kernel in so many random inputs of these operations, in one
 * step and as plans. `what` becomes what was found, and may be NULL. */
bool fuzz_finds(const sp_kernel *kernel, uint32_t ops, int tries, sp_fuzz_finding *what);

/* The same by mutation of bare headers: what a campaign does, without coverage. */
bool fuzz_mutants_find(const sp_kernel *kernel, uint32_t ops, int tries);

#endif
