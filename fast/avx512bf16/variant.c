/* SPDX-License-Identifier: Apache-2.0 */
/* The variant that multiplies in bf16, for keys and values that are bf16 anyway: attention and the
 * cache, at twice the rate of binary32 and with an accuracy class of its own, so it never runs
 * unless it is named. What is not a product of two matrices is the AVX-512 variant's.
 *
 * accuracy: w-deep with what vdpbf16ps costs (pairs.h). q is rounded to bf16, once for a query:
 * qk=bf16. Weights are rounded to bf16 before they meet the values, and their sum is that of the
 * weights before: p=bf16. Subnormal numbers, of whichever of them, count as 0, and so do subnormal
 * sums, at each step: flush=both, where NU-7 grants every product and every sum an underflow unit,
 * the least normal, and a subnormal input its whole share.
 *
 * The products of two bf16 numbers are exact in binary32, and a step of a pair is two fused
 * multiply-adds, so the roundings on the longest path are those of the AVX-512 variant:
 *
 *   sum of a tile           as there, in binary32, nothing flushed
 *   output, in a tile       16 multiply-adds over a group of keys, 16 additions of groups (the first
 *                           to zero, exact), then binary64
 *   dot product of d        chains of 8 ceil(d / 32) multiply-adds, and 2 additions */
#include "fast/avx512bf16/variant.h"

#include "fast/avx512/variant.h"
#include "fast/cpu.h"

#define SELF sp_fast_avx512bf16
#include "fast/entry_attention.h"

static const sp_prepare_ops prepare = {
    .size = sizeof prepare,
    .attention = prepare_attention,
    .run = sp_fast_run,
    .release = sp_fast_release,
};

/* Rotated keys are kept in binary32, which this variant does not multiply. */
#define ROTATION                                                                                   \
  (SP_OPT_POSITION_ABS | SP_OPT_POSITION_CACHE | SP_OPT_ROPE_HALF | SP_OPT_ROPE_INTERLEAVED |      \
   SP_OPT_ROPE_PARTIAL)

static const sp_kernel kernel = {
    .size = sizeof kernel,
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .claims = SP_FAST_CLAIMS,
    .name = "fast-avx512bf16",
    .version = SP_VERSION,
    .accuracy_class = "w-deep:p=bf16,qk=bf16,flush=both",
    .options = SP_FAST_OPTIONS & ~(uint64_t)(ROTATION),
    .dtypes_q = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_BF16),
    .dtypes_kv = SP_DTYPE_BIT(SP_BF16),
    .attention = attention,
    .cache = &cache,
    .path = sp_fast_path,
    .prepare = &prepare,
};

const sp_fast_impl sp_fast_avx512bf16 = {
    .name = "avx512bf16",
    .needs = SP_FAST_CPU_AVX2 | SP_FAST_CPU_FMA | SP_FAST_CPU_F16C | SP_FAST_CPU_AVX512F |
             SP_FAST_CPU_AVX512BW | SP_FAST_CPU_AVX512DQ | SP_FAST_CPU_AVX512VL |
             SP_FAST_CPU_AVX512_BF16,
    .exp = sp_fast_exp_avx512,
    .spread = sp_fast_spread_avx512bf16,
    .tile = sp_fast_tile_avx512bf16,
    .store = sp_fast_store_avx512,
    .kernel = &kernel,
    .turn = sp_fast_turn_avx512,
    .rotate = sp_fast_rotate_avx512,
};
