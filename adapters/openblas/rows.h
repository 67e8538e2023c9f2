/* SPDX-License-Identifier: Apache-2.0 */
/* The softmax between two matrix products, compiled with the flags that let the compiler use the
 * C library's vector exponential. */
#ifndef SINKPROOF_ADAPTERS_OPENBLAS_ROWS_H
#define SINKPROOF_ADAPTERS_OPENBLAS_ROWS_H

#include <stddef.h>

/* x[0 … n-1] become weights in place; all are finite. `sink_logit` joins the sum when has_sink. */
void sp_blas_softmax(float *x, size_t n, float scale, int has_sink, float sink_logit);

#endif
