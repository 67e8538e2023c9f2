/* SPDX-License-Identifier: Apache-2.0 */
/* The rotated part of a logit in exact arithmetic. Private to ref/. */
#ifndef SINKPROOF_REF_EXACT_TURN_H
#define SINKPROOF_REF_EXACT_TURN_H

#include <gmp.h>

#include "ref/ref.h"

/* scale times the rotated part of a product: sum_i along[i] cos(turn theta_i) + across[i]
 * sin(turn theta_i). Two of them with one turn and equal coefficients are equal numbers; whether
 * others are is left open, which costs at most a tie that is not recognised. (EV-11) */
typedef struct sp_ref_exact_turn {
  uint64_t turn;
  size_t n;              /* pairs */
  mpq_t *along, *across; /* [n] */
} sp_ref_exact_turn;

/* *turned := the rotated part of the logit of key vector k at a turn > 0; NULL when it is 0. False
 * when memory runs out. */
bool sp_ref_exact_turn_make(sp_ref_exact_turn **turned, const sp_ref_row_input *in, const double *k,
                            uint64_t turn);
void sp_ref_exact_turn_free(sp_ref_exact_turn *turned);

/* A total order in which NULL comes first. */
int sp_ref_exact_turn_cmp(const sp_ref_exact_turn *a, const sp_ref_exact_turn *b);

#endif
