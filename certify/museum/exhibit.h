/* SPDX-License-Identifier: Apache-2.0 */
/* What an exhibit is: the correct kernel with some hooks replaced, and the card beside it. */
#ifndef SINKPROOF_MUSEUM_EXHIBIT_H
#define SINKPROOF_MUSEUM_EXHIBIT_H

#include "certify/case/case.h"
#include "certify/museum/base.h"

typedef struct sp_exhibit {
  sp_fault fault;
  sp_kernel kernel;
} sp_exhibit;

#define SP_IN_SOFTMAX   (1u << SP_OP_SOFTMAX)
#define SP_IN_ATTENTION (1u << SP_OP_ATTENTION)
#define SP_IN_CACHE     (1u << SP_OP_CACHE)
#define SP_IN_ROWS      (SP_IN_SOFTMAX | SP_IN_ATTENTION) /* where keys can be masked */
#define SP_IN_HEADS     (SP_IN_ATTENTION | SP_IN_CACHE)   /* where there are q, k and v */
#define SP_IN_ALL       (SP_IN_ROWS | SP_IN_CACHE)

#define SP_DTYPES_16  (SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16))
#define SP_DTYPES_ALL (SP_DTYPES_16 | SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64))

/* The kernel offers everything, so that no case passes it by. One running sum, rescaled per tile of
 * 16 keys; merging splits of two tiles adds fewer rescales than it saves. */
#define SP_EXHIBIT_KERNEL(title, run_softmax, run_attention, cache_ops)                            \
  {                                                                                                \
    .size = sizeof(sp_kernel), .abi_major = SP_ABI_MAJOR, .abi_minor = SP_ABI_MINOR,               \
    .claims = SP_CLAIM_DETERMINISTIC | SP_CLAIM_BATCH_INVARIANT | SP_CLAIM_THREAD_INVARIANT,       \
    .name = title, .version = "1", .accuracy_class = "w-seq:tile=16",                              \
    .options = ((uint64_t)SP_OPT_BIAS_PER_HEAD << 1) - 1, .dtypes_softmax = SP_DTYPES_ALL,         \
    .dtypes_q = SP_DTYPES_ALL, .dtypes_kv = SP_DTYPES_ALL, .softmax = run_softmax,                 \
    .attention = run_attention, .cache = cache_ops                                                 \
  }

/* The functions of the ABI take no context, so each exhibit has an entry of its own that knows its
 * hooks; a cache carries them from open on. Operations that its card does not name (`shown`) run the
 * correct kernel, so hooks need not ask where they are. */
#define SP_EXHIBIT_ENTRIES(id, shown)                                                              \
  static sp_status id##_softmax(const sp_softmax_call *call) {                                     \
    return sp_base_softmax((shown)&SP_IN_SOFTMAX ? &id##_hooks : &sp_no_hooks, call);              \
  }                                                                                                \
  static sp_status id##_attention(const sp_attention_call *call) {                                 \
    return sp_base_attention((shown)&SP_IN_ATTENTION ? &id##_hooks : &sp_no_hooks, call);          \
  }                                                                                                \
  static sp_status id##_open(sp_cache **cache, const sp_cache_config *config) {                    \
    return sp_base_open((shown)&SP_IN_CACHE ? &id##_hooks : &sp_no_hooks, cache, config);          \
  }                                                                                                \
  static const sp_cache_ops id##_cache = {.size = sizeof(sp_cache_ops),                            \
                                          .open = id##_open,                                       \
                                          .append = sp_base_append,                                \
                                          .attend = sp_base_attend,                                \
                                          .visible = sp_base_list,                                 \
                                          .close = sp_base_close,                                  \
                                          .truncate = sp_base_truncate};

/* SP_EXHIBIT(a7, 'A', "A7-sink-omitted", .clause = …) after `static const sp_hooks a7_hooks`. */
#define SP_EXHIBIT(id, kind, title, ...)                                                           \
  static const sp_exhibit id;                                                                      \
  SP_EXHIBIT_ENTRIES(id, id.fault.ops)                                                             \
  static const sp_exhibit id = {                                                                   \
      .fault = {.name = title, .family = kind, __VA_ARGS__},                                       \
      .kernel = SP_EXHIBIT_KERNEL(title, id##_softmax, id##_attention, &id##_cache)}

/* The lists, one per file, each ended by NULL. */
typedef const sp_exhibit *const sp_exhibit_list[];
extern sp_exhibit_list sp_exhibits_null, sp_exhibits_a, sp_exhibits_b, sp_exhibits_c, sp_exhibits_d,
    sp_exhibits_d_nan, sp_exhibits_e, sp_exhibits_f, sp_exhibits_g, sp_exhibits_g_ring,
    sp_exhibits_g_rope, sp_exhibits_g_undo, sp_exhibits_h, sp_exhibits_i, sp_exhibits_i_memory,
    sp_exhibits_i_strides, sp_exhibits_j, sp_exhibits_k, sp_exhibits_k_store;

/* ---- hooks.c: replacements that several exhibits share ---- */
extern const sp_hooks sp_no_hooks; /* the correct kernel */
void sp_hook_no_fold(const sp_row *row,
                     sp_state *state); /* the sink logit is not added at the end */
double sp_hook_clean_value(const sp_row *row, uint64_t j,
                           uint64_t c); /* a masked value that is not finite is read as 0 */
void sp_hook_fold_unshifted(const sp_row *row, sp_state *state,
                            double logit);                 /* l += e^(logit - m) */
void sp_row_set_sink(sp_row *row, uint64_t index);         /* the sink logit of another head */
sp_dtype sp_row_dtype(const sp_row *row);                  /* of the logits, or of q */
unsigned sp_row_violations(const sp_row *row, uint64_t j); /* how many rules hide key j */

#endif
