/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 variant: 16 binary32 lanes. Its needs are the flags that the Makefile compiles this
 * folder with, so that the compiler may use any of them anywhere in it.
 *
 * accuracy: w-deep. The roundings on the longest path from an exponential to a result, in units of
 * u = 2^-24, against what NU-6 and NU-7 allow:
 *
 *   argument x - max                  1, relative to D                           c_D = 1
 *   exponential                       log-error below 2u (measured 1.27)         eps_exp = 2u
 *   sum of a softmax row of N         min(N, 256) / 16 - 1 additions in a lane, then binary64
 *   sum of an attention tile          15 in a lane, 4 across lanes, then binary64
 *   output, in a tile                 16 fused multiply-adds over a group of keys, 15 additions of
 *                                     groups, then binary64: min(N, 16) + ceil(min(N, 256) / 16) -
 * 1
 *                                     <= 31, where h(N) = 24 + ceil(log2(N + 1)) is 32 from N = 128
 *                                     on and the chain is below 24 before
 *   binary64 from tile to tile        2^-53 each: below one u up to 2^29 tiles
 *   normalisation                     1 / Z in binary64; weights: its rounding and a product,
 *                                     2 of c_n = 3; outputs: 1
 *
 * There is no rescale in binary32, so no tile is declared. A dot product of d elements has chains
 * of ceil(d / 16) fused multiply-adds and at most min(4, ceil(log2 d)) additions; scale, cap and
 * biases are in binary64 with one rounding, or are one product. */
#include "fast/avx512/variant.h"

#include "fast/cpu.h"
#include "fast/prepared.h"

static sp_status softmax(const sp_softmax_call *call) {
  return sp_fast_softmax(&sp_fast_avx512, call);
}

static sp_status prepare_softmax(sp_prepared **prepared, const sp_softmax_call *call) {
  return sp_fast_prepare_softmax(&sp_fast_avx512, prepared, call);
}

static sp_status attention(const sp_attention_call *call) {
  return sp_fast_attention(&sp_fast_avx512, call);
}

static sp_status cache_open(sp_cache **cache, const sp_cache_config *config) {
  return sp_fast_cache_open(&sp_fast_avx512, cache, config);
}

static const sp_cache_ops cache = {
    .size = sizeof cache,
    .open = cache_open,
    .append = sp_fast_cache_append,
    .attend = sp_fast_cache_attend,
    .visible = sp_fast_cache_visible,
    .close = sp_fast_cache_close,
};

static const sp_prepare_ops prepare = {
    .size = sizeof prepare,
    .softmax = prepare_softmax,
    .run = sp_fast_run,
    .release = sp_fast_release,
};

static const sp_kernel kernel = {
    .size = sizeof kernel,
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .claims = SP_FAST_CLAIMS,
    .name = "fast-avx512",
    .version = SP_VERSION,
    .accuracy_class = "w-deep",
    .options = SP_FAST_OPTIONS,
    .dtypes_softmax = SP_FAST_DTYPES,
    .dtypes_q = SP_FAST_DTYPES,
    .dtypes_kv = SP_FAST_DTYPES,
    .softmax = softmax,
    .attention = attention,
    .cache = &cache,
    .path = sp_fast_path,
    .prepare = &prepare,
};

const sp_fast_impl sp_fast_avx512 = {
    .name = "avx512",
    .needs = SP_FAST_CPU_AVX2 | SP_FAST_CPU_FMA | SP_FAST_CPU_F16C | SP_FAST_CPU_AVX512F |
             SP_FAST_CPU_AVX512BW | SP_FAST_CPU_AVX512DQ | SP_FAST_CPU_AVX512VL,
    .exp = sp_fast_exp_avx512,
    .softmax = sp_fast_softmax_avx512,
    .tile = sp_fast_tile_avx512,
    .kernel = &kernel,
};
