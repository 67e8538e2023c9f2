/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of a call as libraries want them: contiguous. Where the caller's memory is contiguous
 * already it is handed on as it is, so that the library itself is what meets the guard page; where
 * it is not, a copy stands in. */
#ifndef SINKPROOF_ADAPTERS_TENSOR_H
#define SINKPROOF_ADAPTERS_TENSOR_H

#include <stdbool.h>

#include "sinkproof/kernel.h"

/* The four axes of a tensor, [n[0]][n[1]][n[2]][n[3]]. Where a library wants longer rows, its
 * contiguous tensor has rows of `row` elements, zeros behind the n[3] that count; 0 means n[3]. */
typedef struct sp_adapter_shape {
  uint64_t n[4];
  uint64_t row;
} sp_adapter_shape;

/* A contiguous tensor: the caller's memory, or a copy that `copy` owns. */
typedef struct sp_adapter_image {
  void *data;
  void *copy;
} sp_adapter_image;

size_t sp_adapter_element_size(sp_dtype dtype);
uint64_t sp_adapter_count(sp_adapter_shape shape); /* with the zeros */

/* Storage for `count` elements, 64-byte aligned; NULL when memory runs out. */
void *sp_adapter_alloc(sp_dtype dtype, uint64_t count);

/* The address of row [a][b][c]. */
const void *sp_adapter_row(const sp_in *tensor, uint64_t a, uint64_t b, uint64_t c);

/* Copy the elements of `tensor` to contiguous memory, which has room for sp_adapter_count. */
void sp_adapter_pack(void *to, const sp_in *tensor, sp_adapter_shape shape);

/* False when memory runs out. Releasing a zeroed or failed image is harmless. */
bool sp_adapter_image_in(sp_adapter_image *image, const sp_in *tensor, sp_adapter_shape shape);
bool sp_adapter_image_out(sp_adapter_image *image, const sp_out *tensor, sp_adapter_shape shape);

/* Bring a finished output to the caller: nothing to do where it was written in place. */
void sp_adapter_image_store(const sp_adapter_image *image, const sp_out *tensor,
                            sp_adapter_shape shape);
void sp_adapter_image_release(sp_adapter_image *image);

/* `count` sink logits, stride elements apart, as binary32: exact from f32 and bf16. */
void sp_adapter_sinks(float *to, const sp_in *sink_logit, int64_t stride, uint64_t count);

#endif
