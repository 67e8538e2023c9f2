/* SPDX-License-Identifier: Apache-2.0 */
/* The honest kernels and what each of them claims. */
#include "tests/honest/honest.h"

#define DTYPES (SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_BF16) | SP_DTYPE_BIT(SP_F16))
#define CLAIMS (SP_CLAIM_DETERMINISTIC | SP_CLAIM_BATCH_INVARIANT | SP_CLAIM_THREAD_INVARIANT)

#define ENTRIES(style)                                                                             \
  static sp_status style##_softmax(const sp_softmax_call *call) {                                  \
    return sp_honest_softmax(sp_honest_##style, call);                                             \
  }                                                                                                \
  static sp_status style##_attention(const sp_attention_call *call) {                              \
    return sp_honest_attention(sp_honest_##style, call);                                           \
  }

#define KERNEL(title, class_text, run_softmax, run_attention, cache_ops)                           \
  {                                                                                                \
    .size = sizeof(sp_kernel), .abi_major = SP_ABI_MAJOR, .abi_minor = SP_ABI_MINOR,               \
    .claims = CLAIMS, .name = "honest-" title, .version = "1", .accuracy_class = class_text,       \
    .options = ((uint64_t)SP_OPT_BIAS_PER_HEAD << 1) - 1, .dtypes_softmax = DTYPES,                \
    .dtypes_q = DTYPES, .dtypes_kv = DTYPES, .softmax = run_softmax, .attention = run_attention,   \
    .cache = cache_ops                                                                             \
  }

#define STYLE(title, class_text, style)                                                            \
  KERNEL(title, class_text, style##_softmax, style##_attention, NULL)

ENTRIES(three_pass)
ENTRIES(reciprocal)
ENTRIES(online_key)
ENTRIES(online_64)
ENTRIES(backwards)
ENTRIES(exp2)
ENTRIES(exp2_online)
ENTRIES(split_first)
ENTRIES(split_merge)
ENTRIES(split_last)
ENTRIES(split_lse)
ENTRIES(pairwise)
ENTRIES(lazy)
ENTRIES(inside_f64)
ENTRIES(minus_lse)
ENTRIES(blend)
ENTRIES(lanes)

/* Softmax has no values to multiply, so this style is attention only. */
static sp_status p_bf16_attention(const sp_attention_call *call) {
  return sp_honest_attention(sp_honest_p_bf16, call);
}

static const sp_kernel kernels[] = {
    STYLE("three-pass", "w-seq", three_pass),
    STYLE("reciprocal", "w-seq", reciprocal),
    STYLE("online-key", "w-seq:tile=1", online_key),
    STYLE("online-64", "w-seq:tile=64", online_64),
    STYLE("backwards", "w-seq:tile=16", backwards),
    STYLE("exp2", "w-seq-b2", exp2),
    STYLE("exp2-online", "w-seq-b2:tile=32", exp2_online),
    STYLE("split-sink-first", "w-seq:tile=32", split_first),
    STYLE("split-sink-merge", "w-seq:tile=32", split_merge),
    STYLE("split-sink-last", "w-seq:tile=32", split_last),
    STYLE("split-lse", "w-loose:tile=64", split_lse),
    STYLE("pairwise", "w-deep", pairwise),
    STYLE("lazy", "w-seq:tile=16", lazy),
    STYLE("inside-f64", "w-deep", inside_f64),
    KERNEL("p-bf16", "w-seq:p=bf16", NULL, p_bf16_attention, NULL),
    STYLE("minus-lse", "w-loose", minus_lse),
    STYLE("blend", "w-lane16", blend),
    STYLE("lanes", "w-lane16:tile=64", lanes),
    KERNEL("list-cache", "w-seq", NULL, NULL, &sp_honest_list_cache),
    KERNEL("query-twice-cache", "w-seq", NULL, NULL, &sp_honest_query_twice_cache),
    KERNEL("stored-bf16-cache", "w-seq:rk=bf16", NULL, NULL, &sp_honest_stored_bf16_cache),
    KERNEL("rotate-query-cache", "w-seq", NULL, NULL, &sp_honest_rotate_query_cache),
};

const sp_kernel *sp_honest_kernel(uint32_t host_abi_major, uint32_t index) {
  bool known = host_abi_major == SP_ABI_MAJOR && index < sizeof kernels / sizeof *kernels;
  return known ? &kernels[index] : NULL;
}
