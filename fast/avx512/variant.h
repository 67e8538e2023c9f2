/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of fast/avx512/ show each other. */
#ifndef SINKPROOF_FAST_AVX512_VARIANT_H
#define SINKPROOF_FAST_AVX512_VARIANT_H

#include "fast/impl.h"

void sp_fast_exp_avx512(float *y, const float *x, uint64_t n);
extern const sp_fast_split_ops sp_fast_split_avx512;
void sp_fast_softmax_avx512(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                            uint64_t begin, uint64_t end, void *scratch);
void sp_fast_store_avx512(sp_dtype dtype, void *out, const double *acc, double inverse, uint64_t n);
void sp_fast_spread_avx512(const sp_fast_shape *shape, const sp_fast_row *rows, uint64_t n_rows);
void sp_fast_tile_avx512(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                         sp_fast_row *rows, uint64_t n_rows);
void sp_fast_turn_avx512(const sp_fast_rope *rope, uint64_t position, sp_fast_angles *angles);
void sp_fast_rotate_avx512(const sp_fast_rope *rope, const sp_fast_angles *angles, sp_dtype dtype,
                           const void *from, uint64_t d, float *to);

#endif
