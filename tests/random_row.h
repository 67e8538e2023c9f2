/* SPDX-License-Identifier: Apache-2.0 */
/* Small rows for the tests of the oracle, one family per hazard. A row is a pure function of
 * (family, seed), so a failing test needs to print only these two. */
#ifndef SINKPROOF_TESTS_RANDOM_ROW_H
#define SINKPROOF_TESTS_RANDOM_ROW_H

#include "ref/ref.h"

enum { SP_ROW_KEYS = 24, SP_ROW_HEAD = 6, SP_ROW_VALUE = 3 };

typedef enum sp_row_family {
  SP_ROW_PLAIN,       /* logits of moderate size */
  SP_ROW_TIES,        /* few distinct logits and values */
  SP_ROW_SPREAD,      /* logits from -1e30 to 1e30 */
  SP_ROW_OFFSET,      /* all logits moved by +-3000 */
  SP_ROW_SUBNORMAL,   /* the smallest numbers of each format */
  SP_ROW_SINK_AT_LSE, /* the sink logit takes half of the mass */
  SP_ROW_SINK_FAR,    /* sink logits from -inf to 1e5 */
  SP_ROW_BIASED,      /* key biases, some -inf, some over garbage */
  SP_ROW_EMPTY,       /* no visible key */
  SP_ROW_NONFINITE,   /* NaN and infinities, visible and masked, in any input */
  SP_ROW_ATTENTION,   /* q, k, v with causal mask, window, pinned tokens, sink logit */
  SP_ROW_CANCELLING,  /* dot products whose terms nearly cancel */
  SP_ROW_ALIBI,
  SP_ROW_POSITIONS, /* positions from one end of int64 to the other */
  SP_ROW_SOFTCAP,
  SP_ROW_BIAS_PAIR,
  SP_ROW_ROTATED, /* rotary positions, near and far, or ranks in a cache */
  SP_N_ROW_FAMILIES
} sp_row_family;

typedef struct sp_random_row {
  sp_ref_row_input in; /* points into the arrays below */
  double logits[SP_ROW_KEYS], key_bias[SP_ROW_KEYS];
  double q[SP_ROW_HEAD], k[SP_ROW_KEYS * SP_ROW_HEAD], bias_k[SP_ROW_HEAD];
  double v[SP_ROW_KEYS * SP_ROW_VALUE], bias_v[SP_ROW_VALUE];
  int64_t pos_k[SP_ROW_KEYS];
} sp_random_row;

void sp_random_row_make(sp_random_row *row, sp_row_family family, uint64_t seed);

/* splitmix64, and what the tests draw from it. */
uint64_t sp_random_bits(uint64_t *state);
uint64_t sp_random_below(uint64_t *state, uint64_t n);
double sp_random_unit(uint64_t *state); /* [-1, 1), a multiple of 2^-23: every format but bf16 and
                                           f16 holds it */

#endif
