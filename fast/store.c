/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of a row, in portable C: an output element is rounded once to binary32, and from
 * there to its type. spec: SM-4, NU-2 */
#include "fast/impl.h"
#include "fast/tensor.h"

void sp_fast_store_row(sp_dtype dtype, void *out, const double *acc, double inverse, uint64_t n) {
  for (uint64_t c = 0; c < n; c++) sp_fast_store(dtype, out, c, (float)(acc[c] * inverse));
}
