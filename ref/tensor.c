/* SPDX-License-Identifier: Apache-2.0 */
/* Strided tensors. An element is addressed, converted and forgotten: nothing between or beyond the
 * elements is touched. spec: KC-4, KC-5, AT-1 */
#include "ref/tensor.h"

bool sp_ref_present(const sp_in *in) {
  return in->data != NULL;
}

bool sp_ref_wanted_out(const sp_out *out) {
  return out->data != NULL;
}

static ptrdiff_t offset(const int64_t stride[3], uint64_t a, uint64_t b, uint64_t h,
                        sp_dtype dtype) {
  const int64_t index = (int64_t)a * stride[0] + (int64_t)b * stride[1] + (int64_t)h * stride[2];
  return (ptrdiff_t)index * (ptrdiff_t)sp_ref_format_bytes(dtype);
}

void sp_ref_load_row(double *row, const sp_in *in, uint64_t a, uint64_t b, uint64_t h, size_t n) {
  if (n == 0) return;
  const char *start = (const char *)in->data + offset(in->stride, a, b, h, in->dtype);
  for (size_t c = 0; c < n; c++) row[c] = sp_ref_load(in->dtype, start, c);
}

double sp_ref_load_or(double absent, const sp_in *in, uint64_t a, uint64_t b, uint64_t h,
                      uint64_t c) {
  if (!sp_ref_present(in)) return absent;
  const char *start = (const char *)in->data + offset(in->stride, a, b, h, in->dtype);
  return sp_ref_load(in->dtype, start, (size_t)c);
}

void sp_ref_store_row(const sp_out *out, uint64_t a, uint64_t b, uint64_t h, const double *row,
                      size_t n) {
  if (!sp_ref_wanted_out(out) || n == 0) return;
  char *start = (char *)out->data + offset(out->stride, a, b, h, out->dtype);
  for (size_t c = 0; c < n; c++) sp_ref_store(out->dtype, start, c, row[c]);
}

static sp_status check_type(sp_dtype dtype, uint32_t types) {
  if (sp_ref_format_bytes(dtype) == 0) return SP_UNSUPPORTED;
  return SP_DTYPE_BIT(dtype) & types ? SP_OK : SP_INVALID;
}

sp_status sp_ref_check_in(const sp_in *in, sp_ref_need need, uint32_t types) {
  if (sp_ref_present(in)) return check_type(in->dtype, types);
  return need == SP_REF_OPTIONAL ? SP_OK : SP_INVALID;
}

sp_status sp_ref_check_out(const sp_out *out, uint32_t types) {
  return sp_ref_wanted_out(out) ? check_type(out->dtype, types) : SP_OK;
}

sp_status sp_ref_first_refusal(const sp_status *status, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (status[i] != SP_OK) return status[i];
  return SP_OK;
}

uint32_t sp_ref_type_of(const sp_in *in) {
  const bool known = sp_ref_present(in) && sp_ref_format_bytes(in->dtype) != 0;
  return known ? SP_DTYPE_BIT(in->dtype) : SP_REF_ALL_TYPES;
}

uint32_t sp_ref_lse_type_of(const sp_in *in) {
  if (!sp_ref_present(in)) return SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64);
  return SP_DTYPE_BIT(in->dtype == SP_F64 ? SP_F64 : SP_F32);
}
