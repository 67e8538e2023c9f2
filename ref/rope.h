/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions: the dot product of a rotated query with a rotated key. Private to ref/. */
#ifndef SINKPROOF_REF_ROPE_H
#define SINKPROOF_REF_ROPE_H

#include <gmp.h>

#include "ref/ref.h"

/* p_q - p_k of a key that the query sees; 0 for a bias pair and without rotation. */
uint64_t sp_ref_turn(const sp_ref_row_input *in, size_t key);

/* Pair i of the rotated elements: (*a, *b). */
void sp_ref_rope_pair(const sp_ref_rope *rope, size_t i, size_t *a, size_t *b);

/* x := the product of q with a key that is turn > 0 positions before it. */
void sp_ref_rope_product(mpfi_ptr x, const sp_ref_row_input *in, const double *k, uint64_t turn);

/* x := sum_i along[i] cos(turn theta_i) + across[i] sin(turn theta_i), exact coefficients. */
void sp_ref_rope_sum(mpfi_ptr x, const sp_ref_rope *rope, mpq_t *along, mpq_t *across,
                     uint64_t turn);

#endif
