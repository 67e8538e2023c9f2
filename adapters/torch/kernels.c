/* SPDX-License-Identifier: Apache-2.0 */
/* What libtorch offers, and the accuracy classes.
 *
 * - softmax adds its exponentials, good to 1 ulp, in vector lanes of f32 (`w-lane16`);
 * - the fused attention walks the keys in tiles of 512 with a running maximum; its products are
 *   BLAS's, its exponential documents 20 ulp, below 2^-18 (`exp=-18`);
 * - the sink logit comes in through the log-sum-exp, after the fact: a form that is sensitive to
 *   shifts (`w-loose`);
 * - in bf16 and f16 the weights are rounded before the product with V (`p=`), and the output once
 *   more before the share of the keys is multiplied in, for which a class has room. */
#include "adapters/torch/api.h"

#include "adapters/prepared.h"

static sp_kernel softmax_kernel;

static sp_status softmax(const sp_softmax_call *call) {
  return sp_torch_softmax(&softmax_kernel, call);
}

static sp_status prepare_softmax(sp_prepared **prepared, const sp_softmax_call *call) {
  return sp_torch_prepare_softmax(&softmax_kernel, prepared, call);
}

static const sp_prepare_ops softmax_ops = {.size = sizeof(sp_prepare_ops),
                                           .softmax = prepare_softmax,
                                           .run = sp_adapter_run,
                                           .release = sp_adapter_release};

static sp_kernel softmax_kernel = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "torch-softmax",
    .accuracy_class = "w-lane16",
    .options = SP_OPT_SINK_LOGIT | SP_OPT_MASK | SP_OPT_STRIDES,
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16),
    .softmax = softmax,
    .prepare = &softmax_ops,
};

/* A class belongs to a kernel, so each type is a kernel of its own. */
#define SDPA(kernel, label, dtype, class_text)                                                     \
  static sp_kernel kernel;                                                                         \
  static sp_status kernel##_call(const sp_attention_call *call) {                                  \
    return sp_torch_sdpa(&kernel, call);                                                           \
  }                                                                                                \
  static sp_status kernel##_prepare(sp_prepared **prepared, const sp_attention_call *call) {       \
    return sp_torch_prepare_sdpa(&kernel, prepared, call);                                         \
  }                                                                                                \
  static const sp_prepare_ops kernel##_ops = {.size = sizeof(sp_prepare_ops),                      \
                                              .attention = kernel##_prepare,                       \
                                              .run = sp_adapter_run,                               \
                                              .release = sp_adapter_release};                      \
  static sp_kernel kernel = {                                                                      \
      .size = sizeof(sp_kernel),                                                                   \
      .abi_major = SP_ABI_MAJOR,                                                                   \
      .abi_minor = SP_ABI_MINOR,                                                                   \
      .name = label,                                                                               \
      .accuracy_class = class_text,                                                                \
      .options = SP_OPT_SINK_LOGIT | SP_OPT_KEY_BIAS | SP_OPT_MASK | SP_OPT_BIAS_PER_HEAD |        \
                 SP_OPT_WINDOW | SP_OPT_SINK_TOKENS | SP_OPT_POSITIONS | SP_OPT_GQA |              \
                 SP_OPT_PREFILL | SP_OPT_NONCAUSAL | SP_OPT_MORE_Q_THAN_KV | SP_OPT_BATCH |        \
                 SP_OPT_STRIDES | SP_OPT_LSE_KEYS,                                                 \
      .dtypes_q = SP_DTYPE_BIT(dtype),                                                             \
      .dtypes_kv = SP_DTYPE_BIT(dtype),                                                            \
      .attention = kernel##_call,                                                                  \
      .prepare = &kernel##_ops,                                                                    \
  }

SDPA(sdpa_f32, "torch-sdpa-f32", SP_F32, "w-loose:tile=512,exp=-18,flush=out");
SDPA(sdpa_f16, "torch-sdpa-f16", SP_F16, "w-loose:tile=512,exp=-18,p=f16,flush=out");
SDPA(sdpa_bf16, "torch-sdpa-bf16", SP_BF16, "w-loose:tile=512,exp=-18,p=bf16,flush=out");

/* Setting the version again writes the same pointer; a host loads a kernel from one thread. */
const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  static sp_kernel *const kernels[] = {&softmax_kernel, &sdpa_f32, &sdpa_f16, &sdpa_bf16};
  if (host_abi_major != SP_ABI_MAJOR || index >= sizeof kernels / sizeof *kernels) return NULL;
  kernels[index]->version = sp_torch_version();
  return kernels[index];
}
