/* SPDX-License-Identifier: Apache-2.0 */
/* What ggml offers, and the accuracy classes, which come from its sources and comments:
 *
 * - its vector exponential documents an error of at most 1.95 ulp, below 2^-22 (`exp=-22`);
 * - soft_max adds its exponentials in blocks of one vector to a double (`w-deep`);
 * - flash_attn_ext walks the keys with a running maximum, one at a time or in tiles of 64, and says
 *   that it uses f32 accumulators (`w-seq:tile=1` covers both);
 * - before the product with K, q is converted to the type that the library pairs with that of K
 *   (vec_dot_type): binary16 for f16, bfloat16 for bf16 (`qk=`). A class belongs to a kernel, so
 *   each type of K and V is a kernel of its own.
 */
#include "adapters/ggml/graph.h"

#include <ggml-version.h>

#include <stddef.h>

static const sp_kernel softmax_kernel, flash_f32, flash_f16, flash_bf16;

static sp_status softmax(const sp_softmax_call *call) {
  return sp_ggml_softmax(&softmax_kernel, call);
}

static sp_status attention_f32(const sp_attention_call *call) {
  return sp_ggml_flash(&flash_f32, call);
}

static sp_status attention_f16(const sp_attention_call *call) {
  return sp_ggml_flash(&flash_f16, call);
}

static sp_status attention_bf16(const sp_attention_call *call) {
  return sp_ggml_flash(&flash_bf16, call);
}

#define FLASH_OPTIONS                                                                              \
  (SP_OPT_SINK_LOGIT | SP_OPT_MASK | SP_OPT_SOFTCAP | SP_OPT_WINDOW | SP_OPT_SINK_TOKENS |         \
   SP_OPT_POSITIONS | SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_NONCAUSAL | SP_OPT_MORE_Q_THAN_KV |     \
   SP_OPT_BATCH | SP_OPT_STRIDES | SP_OPT_D_VALUE)

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
    .attention = attention_f32,
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
    .attention = attention_f16,
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
    .attention = attention_bf16,
};

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  static const sp_kernel *const kernels[] = {&softmax_kernel, &flash_f32, &flash_f16, &flash_bf16};
  if (host_abi_major != SP_ABI_MAJOR || index >= sizeof kernels / sizeof *kernels) return NULL;
  return kernels[index];
}
