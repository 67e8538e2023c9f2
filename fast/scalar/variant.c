/* SPDX-License-Identifier: Apache-2.0 */
/* The portable variant: plain C, no instruction beyond what the target always has. It is the path
 * of every processor that no other variant serves, and is certified like the others.
 *
 * accuracy: w-deep. Sums, dot products and outputs are kept in binary64 and rounded to binary32
 * once, so that of the roundings which NU-6 counts a weight suffers two (its argument, its
 * quotient) and the exponential's log-error of less than 2^-23; the chain of a sum of N terms is N
 * * 2^-53, below one rounding of binary32 up to 2^29 keys. */
#include "fast/scalar/variant.h"

#include "fast/prepared.h"

static sp_status softmax(const sp_softmax_call *call) {
  return sp_fast_softmax(&sp_fast_scalar, call);
}

static sp_status prepare_softmax(sp_prepared **prepared, const sp_softmax_call *call) {
  return sp_fast_prepare_softmax(&sp_fast_scalar, prepared, call);
}

static sp_status attention(const sp_attention_call *call) {
  return sp_fast_attention(&sp_fast_scalar, call);
}

static sp_status cache_open(sp_cache **cache, const sp_cache_config *config) {
  return sp_fast_cache_open(&sp_fast_scalar, cache, config);
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
    .name = "fast-scalar",
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

const sp_fast_impl sp_fast_scalar = {
    .name = "scalar",
    .needs = 0,
    .exp = sp_fast_exp_scalar,
    .softmax = sp_fast_softmax_scalar,
    .tile = sp_fast_tile_scalar,
    .kernel = &kernel,
};
