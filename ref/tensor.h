/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of the ABI's strided tensors as exact doubles. Private to ref/. */
#ifndef SINKPROOF_REF_TENSOR_H
#define SINKPROOF_REF_TENSOR_H

#include "ref/ref.h"

bool sp_ref_present(const sp_in *in);
bool sp_ref_wanted_out(const sp_out *out);

/* row[c] := in[a][b][h][c] for c < n. Only these n elements are read. */
void sp_ref_load_row(double *row, const sp_in *in, uint64_t a, uint64_t b, uint64_t h, size_t n);

/* One element in[a][b][h][c], or `absent` when the tensor is. */
double sp_ref_load_or(double absent, const sp_in *in, uint64_t a, uint64_t b, uint64_t h,
                      uint64_t c);

/* out[a][b][h][c] := row[c] for c < n. Does nothing when the tensor is absent. */
void sp_ref_store_row(const sp_out *out, uint64_t a, uint64_t b, uint64_t h, const double *row,
                      size_t n);

/* The checks below answer SP_OK or the status that refuses the call. `types` is a set of
 * SP_DTYPE_BIT: a type outside the format table belongs to some later version and is not offered; a
 * known type in the wrong place is illegal. spec: KC-3, KC-7 */
typedef enum sp_ref_need {
  SP_REF_REQUIRED,
  SP_REF_OPTIONAL /* absent by choice, or because it has no element */
} sp_ref_need;

sp_status sp_ref_check_in(const sp_in *in, sp_ref_need need, uint32_t types);
sp_status sp_ref_check_out(const sp_out *out, uint32_t types);
sp_status sp_ref_first_refusal(const sp_status *status, size_t n);

/* The types that a tensor "of the dtype of `in`" may have, and a log-sum-exp beside it; everything
 * sensible when `in` is absent. spec: AL-5 */
uint32_t sp_ref_type_of(const sp_in *in);
uint32_t sp_ref_lse_type_of(const sp_in *in);

#define SP_REF_ALL_TYPES                                                                           \
  (SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16))
#define SP_REF_SINK_TYPES (SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_BF16))

#endif
