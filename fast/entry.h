/* SPDX-License-Identifier: Apache-2.0 */
/* What every variant in binary32 says in the same words: its entry points and its sp_kernel. Its
 * variant.c includes this file once, after it has said who it is:
 *
 *     #define SELF      sp_fast_avx2     // its sp_fast_impl, which it defines afterwards
 *     #define SELF_NAME "avx2"
 *     #include "fast/entry.h"            // gives the static `kernel`
 */
#ifndef SINKPROOF_FAST_ENTRY_H
#define SINKPROOF_FAST_ENTRY_H

#include "fast/entry_attention.h"

static sp_status softmax(const sp_softmax_call *call) {
  return sp_fast_softmax(&SELF, call);
}

static sp_status prepare_softmax(sp_prepared **prepared, const sp_softmax_call *call) {
  return sp_fast_prepare_softmax(&SELF, prepared, call);
}

static const sp_prepare_ops prepare = {
    .size = sizeof prepare,
    .softmax = prepare_softmax,
    .attention = prepare_attention,
    .run = sp_fast_run,
    .release = sp_fast_release,
};

static const sp_kernel kernel = {
    .size = sizeof kernel,
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .claims = SP_FAST_CLAIMS,
    .name = "fast-" SELF_NAME,
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

#endif
