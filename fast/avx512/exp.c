/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential of an array: the door through which tests and proofs look at both leaves. They
 * give the same bits, since x - 0 is x. */
#include "fast/avx512/exp.h"
#include "fast/avx512/lanes.h"
#include "fast/avx512/variant.h"

static void exp64(float *y, const float *x) {
  const __m512 zero = _mm512_setzero_ps();
  __m512 e[4] = {_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16), _mm512_loadu_ps(x + 32),
                 _mm512_loadu_ps(x + 48)};
  (void)exp64_sum(e, zero, zero);
  _mm512_storeu_ps(y, e[0]);
  _mm512_storeu_ps(y + 16, e[1]);
  _mm512_storeu_ps(y + 32, e[2]);
  _mm512_storeu_ps(y + 48, e[3]);
}

void sp_fast_exp_avx512(float *y, const float *x, uint64_t n) {
  uint64_t i = 0;
  for (; n - i >= 4 * (uint64_t)LANES; i += 4 * (uint64_t)LANES) exp64(y + i, x + i);
  for (; i < n; i += LANES) {
    __mmask16 lanes = first_lanes(n - i);
    store16(SP_F32, y, i, lanes, exp16(load16(SP_F32, x, i, lanes)));
  }
}
