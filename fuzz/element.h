/* SPDX-License-Identifier: Apache-2.0 */
/* The elements of a fuzz input. Random bits make useless numbers: half of all binary32 patterns are
 * below 1e-19 and most others overflow a dot product. So bits are folded: what lies outside a range
 * of exponents, chosen in the header, is moved into it, and what lies inside stays as it is. Range
 * 0 folds nothing. (NU-4) */
#ifndef SINKPROOF_FUZZ_ELEMENT_H
#define SINKPROOF_FUZZ_ELEMENT_H

#include "fuzz/header.h"
#include "sinkproof/kernel.h"

/* What an array is for decides its range. */
typedef enum sp_fuzz_role {
  SP_FUZZ_SINK,
  SP_FUZZ_KEY_BIAS,
  SP_FUZZ_SLOPE,
  SP_FUZZ_LOGIT,
  SP_FUZZ_Q,
  SP_FUZZ_K,
  SP_FUZZ_V,
  SP_FUZZ_PAIR_K,
  SP_FUZZ_PAIR_V,
  SP_FUZZ_N_ROLES
} sp_fuzz_role;

/* The bits of an element, folded into the range. Folding twice changes nothing. */
uint64_t sp_fuzz_fold(sp_dtype dtype, sp_fuzz_role role, uint8_t range, uint64_t bits);

/* Element `index` of an array past the end of the input. It depends on nothing else, so an input
 * may be cut anywhere without a change to what stays. */
uint64_t sp_fuzz_fill(const sp_fuzz_header *h, sp_dtype dtype, sp_fuzz_role role, size_t index);

/* Not NaN and not infinite: the same exponent less its last bit, if it is all ones. */
uint64_t sp_fuzz_finite(sp_dtype dtype, uint64_t bits);

uint64_t sp_fuzz_get_bits(const void *array, size_t bytes, size_t index);
void sp_fuzz_set_bits(void *array, size_t bytes, size_t index, uint64_t bits);

#endif
