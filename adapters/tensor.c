/* SPDX-License-Identifier: Apache-2.0 */
/* Packing and unpacking of strided tensors. Only elements are touched, never the gaps between
 * them: those may hold anything, or not be mapped. */
#include "adapters/tensor.h"

#include <stdlib.h>
#include <string.h>

size_t sp_adapter_element_size(sp_dtype dtype) {
  if (dtype == SP_F64) return 8;
  return dtype == SP_F32 ? 4 : 2;
}

static uint64_t row_length(sp_adapter_shape shape) {
  return shape.row != 0 ? shape.row : shape.n[3];
}

uint64_t sp_adapter_count(sp_adapter_shape shape) {
  return shape.n[0] * shape.n[1] * shape.n[2] * row_length(shape);
}

void *sp_adapter_alloc(sp_dtype dtype, uint64_t count) {
  const size_t line = 64;
  size_t size = 0;
  if (__builtin_mul_overflow(count, sp_adapter_element_size(dtype), &size)) return NULL;
  if (size > SIZE_MAX - line) return NULL;
  return aligned_alloc(line, (size / line + 1) * line);
}

/* Bytes from the first element of a tensor to row [a][b][c]. */
static ptrdiff_t row_offset(const int64_t stride[3], sp_dtype dtype, const uint64_t index[3]) {
  int64_t elements = 0;
  for (int axis = 0; axis < 3; axis++) elements += (int64_t)index[axis] * stride[axis];
  return (ptrdiff_t)(elements * (int64_t)sp_adapter_element_size(dtype));
}

const void *sp_adapter_row(const sp_in *tensor, uint64_t a, uint64_t b, uint64_t c) {
  const uint64_t index[3] = {a, b, c};
  return (const char *)tensor->data + row_offset(tensor->stride, tensor->dtype, index);
}

/* The stride of an axis of length 1 is never used. */
static bool contiguous(const int64_t stride[3], sp_adapter_shape shape) {
  uint64_t expected = shape.n[3];
  if (row_length(shape) != expected) return false;
  for (int axis = 2; axis >= 0; axis--) {
    if (shape.n[axis] > 1 && stride[axis] != (int64_t)expected) return false;
    expected *= shape.n[axis];
  }
  return true;
}

/* Copies row by row, in the order of contiguous memory. */
static void each_row(char *packed, char *strided, const int64_t stride[3], sp_dtype dtype,
                     sp_adapter_shape shape, bool to_packed) {
  size_t row_size = (size_t)shape.n[3] * sp_adapter_element_size(dtype);
  size_t step = (size_t)row_length(shape) * sp_adapter_element_size(dtype);
  uint64_t i[3];
  for (i[0] = 0; i[0] < shape.n[0]; i[0]++)
    for (i[1] = 0; i[1] < shape.n[1]; i[1]++)
      for (i[2] = 0; i[2] < shape.n[2]; i[2]++, packed += step) {
        char *row = strided + row_offset(stride, dtype, i);
        memcpy(to_packed ? packed : row, to_packed ? row : packed, row_size);
        if (to_packed) memset(packed + row_size, 0, step - row_size);
      }
}

void sp_adapter_pack(void *to, const sp_in *tensor, sp_adapter_shape shape) {
  /* The cast drops const for the walk in both directions; this one only reads. */
  each_row(to, (char *)(uintptr_t)tensor->data, tensor->stride, tensor->dtype, shape, true);
}

bool sp_adapter_image_in(sp_adapter_image *image, const sp_in *tensor, sp_adapter_shape shape) {
  *image = (sp_adapter_image){(void *)(uintptr_t)tensor->data, NULL};
  if (contiguous(tensor->stride, shape)) return true;
  image->copy = sp_adapter_alloc(tensor->dtype, sp_adapter_count(shape));
  image->data = image->copy;
  if (image->copy == NULL) return false;
  sp_adapter_pack(image->copy, tensor, shape);
  return true;
}

bool sp_adapter_image_out(sp_adapter_image *image, const sp_out *tensor, sp_adapter_shape shape) {
  *image = (sp_adapter_image){tensor->data, NULL};
  if (contiguous(tensor->stride, shape)) return true;
  image->copy = sp_adapter_alloc(tensor->dtype, sp_adapter_count(shape));
  image->data = image->copy;
  return image->copy != NULL;
}

void sp_adapter_image_store(const sp_adapter_image *image, const sp_out *tensor,
                            sp_adapter_shape shape) {
  if (image->copy == NULL) return;
  each_row(image->copy, tensor->data, tensor->stride, tensor->dtype, shape, false);
}

void sp_adapter_image_release(sp_adapter_image *image) {
  free(image->copy);
  *image = (sp_adapter_image){NULL, NULL};
}

void sp_adapter_sinks(float *to, const sp_in *sink_logit, int64_t stride, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    int64_t at = (int64_t)i * stride;
    if (sink_logit->dtype == SP_F32) {
      memcpy(&to[i], (const float *)sink_logit->data + at, sizeof *to);
      continue;
    }
    uint16_t half = 0; /* a bfloat16 is the upper half of a binary32 */
    memcpy(&half, (const uint16_t *)sink_logit->data + at, sizeof half);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(&to[i], &bits, sizeof bits);
  }
}
