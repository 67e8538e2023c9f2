/* SPDX-License-Identifier: Apache-2.0 */
/* Three plain passes. The flags of this file (adapters.mk) allow the compiler to reorder sums, which
 * is what a program that composes attention from a BLAS would be compiled with. */
#include "adapters/openblas/rows.h"

#include <math.h>

void sp_blas_softmax(float *x, size_t n, float scale, int has_sink, float sink_logit) {
  float most = x[0] * scale, sum = 0;
  for (size_t j = 0; j < n; j++) {
    x[j] *= scale;
    most = x[j] > most ? x[j] : most;
  }
  if (has_sink && sink_logit > most) most = sink_logit;
  for (size_t j = 0; j < n; j++) {
    x[j] = expf(x[j] - most);
    sum += x[j];
  }
  if (has_sink) sum += expf(sink_logit - most);
  float factor = 1 / sum;
  for (size_t j = 0; j < n; j++) x[j] *= factor;
}
