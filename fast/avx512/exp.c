/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential of an array: the door through which tests and proofs look at exp16. */
#include "fast/avx512/exp.h"
#include "fast/avx512/lanes.h"
#include "fast/avx512/variant.h"

void sp_fast_exp_avx512(float *y, const float *x, uint64_t n) {
  for (uint64_t i = 0; i < n; i += LANES) {
    __mmask16 lanes = first_lanes(n - i);
    store16(SP_F32, y, i, lanes, exp16(load16(SP_F32, x, i, lanes)));
  }
}
