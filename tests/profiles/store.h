/* SPDX-License-Identifier: Apache-2.0 */
/* A cache as a list of tokens, in the order in which they came. Each system decides what leaves it
 * when, and what a query sees of it. */
#ifndef SINKPROOF_TESTS_PROFILES_STORE_H
#define SINKPROOF_TESTS_PROFILES_STORE_H

#include "tests/profiles/rows.h"

typedef struct held {
  uint64_t number; /* counted from 0 */
  float *k, *v;    /* [n_kv_heads][d_head], [n_kv_heads][d_value]; keys before rotation */
} held;

struct sp_cache {
  sp_cache_config config;
  const struct store_policy *policy;
  uint64_t n_seen, n;
  held *token; /* token[n] */
};

typedef struct store_policy {
  /* Before a block of n tokens comes, and after it has been seen. */
  void (*before)(sp_cache *cache, uint64_t n);
  void (*after)(sp_cache *cache);
  bool by_rank; /* rotate by the place in the cache, not by the number of the token */
  bool half;    /* pairs of halves, whatever is asked */
  bool dense;   /* a block is stored at once; otherwise its tokens come one by one */
  bool masked;  /* … and its queries see the newest `window` tokens, whichever they are */
  bool rotates; /* a cache without rotation is declined */
  bool apart;   /* queries come by attend only */
} store_policy;

void store_drop(sp_cache *cache, uint64_t first, uint64_t n); /* n tokens from place `first` on */

sp_status store_open(const store_policy *policy, sp_cache **cache, const sp_cache_config *config);
sp_status store_append(sp_cache *cache, const sp_cache_call *call);
sp_status store_attend(sp_cache *cache, const sp_cache_call *call);
sp_status store_visible(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                        uint64_t *n);
void store_close(sp_cache *cache);

#define STORE_OPS(open_function)                                                                   \
  {                                                                                                \
    .size = sizeof(sp_cache_ops), .open = (open_function), .append = store_append,                 \
    .attend = store_attend, .visible = store_visible, .close = store_close                         \
  }

#endif
