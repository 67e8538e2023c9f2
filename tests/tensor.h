/* SPDX-License-Identifier: Apache-2.0 */
/* Strided tensors for the tests of a kernel: padded at random, with NaN in every gap of an input
 * and 0xa5 in every byte of an output, so that a wrong read poisons and a wrong write shows. */
#ifndef SINKPROOF_TESTS_TENSOR_H
#define SINKPROOF_TESTS_TENSOR_H

#include "ref/ref.h"

typedef struct tensor {
  void *bits;
  size_t n_bytes;
  int64_t stride[3];
  sp_dtype dtype;
} tensor;

/* An output [a][b][c][e], and an input of the same shape filled at random. */
tensor tensor_output(sp_dtype dtype, size_t a, size_t b, size_t c, size_t e, uint64_t *state);
tensor tensor_input(sp_dtype dtype, size_t a, size_t b, size_t c, size_t e, uint64_t *state);

double tensor_get(const tensor *t, size_t a, size_t b, size_t c, size_t e);

/* The ABI's view of it, from row b of the second axis on. */
sp_in tensor_in(const tensor *t, size_t b);
sp_out tensor_out(tensor *t, size_t b);

/* No byte was written. */
bool tensor_untouched(const tensor *t);

/* No byte between and beyond the elements was written; the elements become untouched. */
bool tensor_gaps_untouched(tensor *t, size_t a, size_t b, size_t c, size_t e);

/* The type of a log-sum-exp beside results of this type. */
sp_dtype tensor_lse_type(sp_dtype dtype);

#endif
