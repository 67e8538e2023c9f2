/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential of an array: the door through which tests and proofs look at scalar_exp. */
#include "fast/scalar/exp.h"

#include "fast/scalar/variant.h"

void sp_fast_exp_scalar(float *y, const float *x, uint64_t n) {
  for (uint64_t i = 0; i < n; i++) y[i] = scalar_exp(x[i]);
}
