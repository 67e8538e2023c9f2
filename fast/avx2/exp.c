/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential of an array: the door through which tests look at exp8. */
#include "fast/avx2/exp.h"
#include "fast/avx2/lanes.h"
#include "fast/avx2/variant.h"

void sp_fast_exp_avx2(float *y, const float *x, uint64_t n) {
  for (uint64_t i = 0; i < n; i += LANES)
    store8(SP_F32, y, i, n, exp8(load8(SP_F32, x, i, n, 0.0F)));
}
