/* SPDX-License-Identifier: Apache-2.0 */
/* The portable variant: plain C, no instruction beyond what the target always has. It is the path
 * of every processor that no other variant serves, and is certified like the others.
 *
 * accuracy: w-deep. Sums, dot products and outputs are kept in binary64 and rounded to binary32
 * once, so that of the roundings which NU-6 counts a weight suffers two (its argument, its
 * quotient) and the exponential's log-error of less than 2^-23; the chain of a sum of N terms is N
 * * 2^-53, below one rounding of binary32 up to 2^29 keys. */
#include "fast/scalar/variant.h"

#define SELF      sp_fast_scalar
#define SELF_NAME "scalar"
#include "fast/entry.h"

const sp_fast_impl sp_fast_scalar = {
    .name = SELF_NAME,
    .needs = 0,
    .exp = sp_fast_exp_scalar,
    .softmax = sp_fast_softmax_scalar,
    .tile = sp_fast_tile_scalar,
    .store = sp_fast_store_row,
    .kernel = &kernel,
    .turn = sp_fast_turn_scalar,
    .rotate = sp_fast_rotate_scalar,
};
