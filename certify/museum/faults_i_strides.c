/* SPDX-License-Identifier: Apache-2.0 */
/* Class I, third part: strides that are kept in the wrong integer. tests: KC-4 */
#include "certify/museum/exhibit.h"

static double load_at(const sp_in *in, int64_t row, uint64_t e) {
  return sp_element(in->dtype, in->data, row + (int64_t)e);
}

static double int_offset(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  uint32_t offset = 0; /* wraps where an int would, without undefined behaviour */
  (void)row;
  for (int axis = 0; axis < 3; axis++) offset += (uint32_t)at[axis] * (uint32_t)in->stride[axis];
  return load_at(in, (int32_t)offset, at[3]);
}
static const sp_hooks i21_hooks = {.load = int_offset};
SP_EXHIBIT(i21, 'I', "I21-offset-of-32-bits", .clause = "KC-4",
           .summary = "offsets are computed in int (out of bounds)",
           .cite = "thu-ml/SageAttention#386", .reveals = "rows 2^31 elements apart",
           .ops = SP_IN_ROWS, .needs = SP_OPT_STRIDES, .min_n = 1);

static double unsigned_offset(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  int64_t offset = 0;
  (void)row;
  for (int axis = 0; axis < 3; axis++)
    offset += (int64_t)at[axis] * (int64_t)(uint32_t)in->stride[axis];
  return load_at(in, offset, at[3]);
}
static const sp_hooks i22_hooks = {.load = unsigned_offset};
SP_EXHIBIT(i22, 'I', "I22-stride-taken-for-positive", .clause = "KC-4",
           .summary = "strides are kept in an unsigned int (out of bounds)", .cite = "",
           .reveals = "strides below 0 or above 2^32", .ops = SP_IN_ROWS, .needs = SP_OPT_STRIDES,
           .min_n = 1);

const sp_exhibit *const sp_exhibits_i_strides[] = {&i21, &i22, NULL};
