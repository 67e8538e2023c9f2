/* SPDX-License-Identifier: Apache-2.0 */
/* What ggml offers, and the accuracy classes, which come from its sources and comments:
 *
 * - its vector exponential documents an error of at most 1.95 ulp, below 2^-22 (`exp=-22`);
 * - soft_max adds its exponentials in blocks of one vector to a double (`w-deep`);
 * - flash_attn_ext walks the keys with a running maximum, one at a time or in tiles of 64, and says
 *   that it uses f32 accumulators (`w-seq:tile=1` covers both);
 * - the matrix products of the graph without flash attention add in vector lanes (`w-lane16`), and
 *   convert the weights as well as q to the type of their other factor (`qk=`, `p=`);
 * - before the product with K, q is converted to the type that the library pairs with that of K
 *   (vec_dot_type): binary16 for f16, bfloat16 for bf16 (`qk=`). A class belongs to a kernel, so
 *   each type of K and V is a kernel of its own.
 */
#include "adapters/ggml/graph.h"

#include <ggml-version.h>

#include <stddef.h>

static const sp_kernel softmax_kernel;

static sp_status softmax(const sp_softmax_call *call) {
  return sp_ggml_softmax(&softmax_kernel, call);
}

static sp_status prepare_softmax(sp_prepared **prepared, const sp_softmax_call *call) {
  return sp_ggml_prepare_softmax(&softmax_kernel, prepared, call);
}

static const sp_prepare_ops softmax_ops = {.size = sizeof(sp_prepare_ops),
                                           .softmax = prepare_softmax,
                                           .run = sp_adapter_run,
                                           .release = sp_adapter_release};

/* The two entries of an attention kernel, and its plan. */
#define ATTENTION(kernel, builder)                                                                 \
  static const sp_kernel kernel;                                                                   \
  static sp_status kernel##_call(const sp_attention_call *call) {                                  \
    return sp_ggml_attend(&kernel, call, builder);                                                 \
  }                                                                                                \
  static sp_status kernel##_prepare(sp_prepared **prepared, const sp_attention_call *call) {       \
    return sp_ggml_prepare(&kernel, prepared, call, builder);                                      \
  }                                                                                                \
  static const sp_prepare_ops kernel##_ops = {.size = sizeof(sp_prepare_ops),                      \
                                              .attention = kernel##_prepare,                       \
                                              .run = sp_adapter_run,                               \
                                              .release = sp_adapter_release}

ATTENTION(flash_f32, sp_ggml_build_flash);
ATTENTION(flash_f16, sp_ggml_build_flash);
ATTENTION(flash_bf16, sp_ggml_build_flash);
ATTENTION(unfused_f32, sp_ggml_build_unfused);
ATTENTION(unfused_f16, sp_ggml_build_unfused);
ATTENTION(unfused_bf16, sp_ggml_build_unfused);

#define FLASH_OPTIONS                                                                              \
  (SP_OPT_SINK_LOGIT | SP_OPT_MASK | SP_OPT_BIAS_PER_HEAD | SP_OPT_SOFTCAP | SP_OPT_WINDOW |       \
   SP_OPT_SINK_TOKENS | SP_OPT_POSITIONS | SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_NONCAUSAL |        \
   SP_OPT_MORE_Q_THAN_KV | SP_OPT_BATCH | SP_OPT_STRIDES | SP_OPT_D_VALUE)

static const sp_kernel softmax_kernel = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "ggml-softmax",
    .version = GGML_VERSION,
    .accuracy_class = "w-deep:exp=-22",
    .options = SP_OPT_SINK_LOGIT | SP_OPT_KEY_BIAS | SP_OPT_MASK | SP_OPT_SCALE | SP_OPT_STRIDES,
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32),
    .softmax = softmax,
    .prepare = &softmax_ops,
};

static const sp_kernel flash_f32 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "ggml-flash-f32",
    .version = GGML_VERSION,
    .accuracy_class = "w-seq:tile=1,exp=-22",
    .options = FLASH_OPTIONS,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_F32),
    .attention = flash_f32_call,
    .prepare = &flash_f32_ops,
};

static const sp_kernel flash_f16 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "ggml-flash-f16",
    .version = GGML_VERSION,
    .accuracy_class = "w-seq:tile=1,qk=f16,exp=-22",
    .options = FLASH_OPTIONS,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_F16),
    .attention = flash_f16_call,
    .prepare = &flash_f16_ops,
};

static const sp_kernel flash_bf16 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "ggml-flash-bf16",
    .version = GGML_VERSION,
    .accuracy_class = "w-seq:tile=1,qk=bf16,exp=-22",
    .options = FLASH_OPTIONS,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_BF16),
    .attention = flash_bf16_call,
    .prepare = &flash_bf16_ops,
};

static const sp_kernel unfused_f32 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "ggml-unfused-f32",
    .version = GGML_VERSION,
    .accuracy_class = "w-lane16:exp=-22",
    .options = FLASH_OPTIONS & ~(uint64_t)SP_OPT_SOFTCAP,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_F32),
    .attention = unfused_f32_call,
    .prepare = &unfused_f32_ops,
};

static const sp_kernel unfused_f16 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "ggml-unfused-f16",
    .version = GGML_VERSION,
    .accuracy_class = "w-lane16:qk=f16,p=f16,exp=-22",
    .options = FLASH_OPTIONS & ~(uint64_t)SP_OPT_SOFTCAP,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_F16),
    .attention = unfused_f16_call,
    .prepare = &unfused_f16_ops,
};

static const sp_kernel unfused_bf16 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "ggml-unfused-bf16",
    .version = GGML_VERSION,
    .accuracy_class = "w-lane16:qk=bf16,p=bf16,exp=-22",
    .options = FLASH_OPTIONS & ~(uint64_t)SP_OPT_SOFTCAP,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_BF16),
    .attention = unfused_bf16_call,
    .prepare = &unfused_bf16_ops,
};

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  static const sp_kernel *const kernels[] = {&softmax_kernel, &flash_f32,   &flash_f16,
                                             &flash_bf16,     &unfused_f32, &unfused_f16,
                                             &unfused_bf16};
  if (host_abi_major != SP_ABI_MAJOR || index >= sizeof kernels / sizeof *kernels) return NULL;
  return kernels[index];
}
