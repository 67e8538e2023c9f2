/* SPDX-License-Identifier: Apache-2.0 */
/* The mutators of a case from inside; for fuzz/mutate_*.c only. Each says whether it changed anything. */
#ifndef SINKPROOF_FUZZ_MUTATION_H
#define SINKPROOF_FUZZ_MUTATION_H

#include "fuzz/mutate.h"

/* One draw in an expression: compilers evaluate operands in different orders. */
typedef struct sp_mutation {
  sp_case *c;
  sp_rng *rng;
} sp_mutation;

static inline size_t below(const sp_mutation *m, size_t n) {
  return (size_t)sp_rng_below(m->rng, n);
}

/* ---- mutate_order.c ---- */
bool sp_fuzz_change_step(const sp_mutation *m);
bool sp_fuzz_spread_sequences(const sp_mutation *m);
bool sp_fuzz_change_position(const sp_mutation *m);
bool sp_fuzz_far_positions(const sp_mutation *m);

#endif
