/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of fast/avx512bf16/ show each other. */
#ifndef SINKPROOF_FAST_AVX512BF16_VARIANT_H
#define SINKPROOF_FAST_AVX512BF16_VARIANT_H

#include "fast/impl.h"

void sp_fast_spread_avx512bf16(const sp_fast_shape *shape, const sp_fast_row *rows,
                               uint64_t n_rows);
void sp_fast_tile_avx512bf16(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
                             sp_fast_row *rows, uint64_t n_rows);

#endif
