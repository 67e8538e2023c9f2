/* SPDX-License-Identifier: Apache-2.0 */
/* A number as the comparisons with Coq read it: "mantissa exponent", of 2. */
#ifndef SINKPROOF_TESTS_PROOFS_PRINT_H
#define SINKPROOF_TESTS_PROOFS_PRINT_H

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static inline void print(double x) {
  int exponent;
  double mantissa = frexp(x, &exponent);
  printf(" %" PRId64 " %d", (int64_t)ldexp(mantissa, 53), exponent - 53);
}

#endif
