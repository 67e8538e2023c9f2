/* SPDX-License-Identifier: Apache-2.0 */
/* The entry points of a variant for attention and the cache, which pass the variant on because the
 * ABI's functions have no context. A variant.c defines SELF, its sp_fast_impl, and includes this
 * file once, by way of entry.h or, where its sp_kernel is its own, directly. */
#ifndef SINKPROOF_FAST_ENTRY_ATTENTION_H
#define SINKPROOF_FAST_ENTRY_ATTENTION_H

#include "fast/impl.h"
#include "fast/prepared.h"

static sp_status prepare_attention(sp_prepared **prepared, const sp_attention_call *call) {
  return sp_fast_prepare_attention(&SELF, prepared, call);
}

static sp_status attention(const sp_attention_call *call) {
  return sp_fast_attention(&SELF, call);
}

static sp_status cache_open(sp_cache **cache, const sp_cache_config *config) {
  return sp_fast_cache_open(&SELF, cache, config);
}

static const sp_cache_ops cache = {
    .size = sizeof cache,
    .open = cache_open,
    .append = sp_fast_cache_append,
    .attend = sp_fast_cache_attend,
    .visible = sp_fast_cache_visible,
    .close = sp_fast_cache_close,
    .truncate = sp_fast_cache_truncate,
};

#endif
