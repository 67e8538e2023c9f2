/* SPDX-License-Identifier: Apache-2.0 */
/* What ONNX Runtime offers, and the accuracy classes. Its softmax adds exponentials in vector lanes
 * (`w-lane16`); its attention multiplies the finished weights with V in a matrix product, which
 * adds along the keys one after another (`w-seq`). Both compute in f32, also from f16 tensors. */
#include "adapters/onnxruntime/session.h"

#include "adapters/prepared.h"

static sp_kernel softmax_kernel, gqa_f32, gqa_f16;

static sp_status softmax(const sp_softmax_call *call) {
  return sp_ort_softmax(&softmax_kernel, call);
}

static sp_status attention_f32(const sp_attention_call *call) {
  return sp_ort_gqa(&gqa_f32, call);
}

static sp_status attention_f16(const sp_attention_call *call) {
  return sp_ort_gqa(&gqa_f16, call);
}

static sp_status prepare_softmax(sp_prepared **prepared, const sp_softmax_call *call) {
  return sp_ort_prepare_softmax(&softmax_kernel, prepared, call);
}

static sp_status prepare_f32(sp_prepared **prepared, const sp_attention_call *call) {
  return sp_ort_prepare_gqa(&gqa_f32, prepared, call);
}

static sp_status prepare_f16(sp_prepared **prepared, const sp_attention_call *call) {
  return sp_ort_prepare_gqa(&gqa_f16, prepared, call);
}

static const sp_prepare_ops softmax_ops = {.size = sizeof(sp_prepare_ops),
                                           .softmax = prepare_softmax,
                                           .run = sp_adapter_run,
                                           .release = sp_adapter_release};
static const sp_prepare_ops f32_ops = {.size = sizeof(sp_prepare_ops),
                                       .attention = prepare_f32,
                                       .run = sp_adapter_run,
                                       .release = sp_adapter_release};
static const sp_prepare_ops f16_ops = {.size = sizeof(sp_prepare_ops),
                                       .attention = prepare_f16,
                                       .run = sp_adapter_run,
                                       .release = sp_adapter_release};

#define GQA_OPTIONS                                                                                \
  (SP_OPT_SINK_LOGIT | SP_OPT_KEY_BIAS | SP_OPT_MASK | SP_OPT_BIAS_PER_HEAD | SP_OPT_SOFTCAP |     \
   SP_OPT_WINDOW | SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_BATCH | SP_OPT_STRIDES)

static sp_kernel softmax_kernel = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "onnxruntime-softmax",
    .accuracy_class = "w-lane16",
    .options = SP_OPT_MASK | SP_OPT_STRIDES,
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F16),
    .softmax = softmax,
    .prepare = &softmax_ops,
};

static sp_kernel gqa_f32 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "onnxruntime-gqa-f32",
    .accuracy_class = "w-seq",
    .options = GQA_OPTIONS,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_F32),
    .attention = attention_f32,
    .prepare = &f32_ops,
};

static sp_kernel gqa_f16 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "onnxruntime-gqa-f16",
    .accuracy_class = "w-seq",
    .options = GQA_OPTIONS,
    .dtypes_q = SP_DTYPE_BIT(SP_F16),
    .dtypes_kv = SP_DTYPE_BIT(SP_F16),
    .attention = attention_f16,
    .prepare = &f16_ops,
};

/* Setting the version again writes the same pointer; a host loads a kernel from one thread. */
const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  static sp_kernel *const kernels[] = {&softmax_kernel, &gqa_f32, &gqa_f16};
  if (host_abi_major != SP_ABI_MAJOR || index >= sizeof kernels / sizeof *kernels) return NULL;
  kernels[index]->version = sp_ort_version();
  return kernels[index];
}
