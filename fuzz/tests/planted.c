/* SPDX-License-Identifier: Apache-2.0 */
/* Two kernels with a planted fault, for fuzz/tests/room.py: softmax as anybody writes it, but for a row of
 * 24 keys and more that has two equal neighbours. There one writes through a null pointer, the other forgets
 * the sink logit. tests: KC-8 AL-2 */
#include <math.h>
#include <stdbool.h>

#include "sinkproof/kernel.h"

static float bf16(const uint16_t *at) {
  union {
    uint32_t bits;
    float x;
  } u = {.bits = (uint32_t)*at << 16};
  return u.x;
}

static float sink_of(const sp_in *sink, uint64_t r) {
  if (sink->data == NULL) return -INFINITY;
  int64_t at = (int64_t)r * sink->stride[0];
  return sink->dtype == SP_BF16 ? bf16((const uint16_t *)sink->data + at)
                                : ((const float *)sink->data)[at];
}

static bool has_twins(const float *x, uint64_t n) {
  for (uint64_t j = 1; j < n && n >= 24; j++)
    if (x[j] == x[j - 1]) return true;
  return false;
}

static void row(const float *x, float *out, uint64_t n, float sink) {
  float m = sink, l = 0;
  for (uint64_t j = 0; j < n; j++) m = x[j] > m ? x[j] : m;
  for (uint64_t j = 0; j < n; j++) l += out[j] = m == -INFINITY ? 0 : expf(x[j] - m);
  if (sink > -INFINITY) l += expf(sink - m);
  for (uint64_t j = 0; j < n && l > 0; j++) out[j] /= l;
}

static sp_status softmax(const sp_softmax_call *call, bool crashes) {
  for (uint64_t r = 0; r < call->n_rows; r++) {
    const float *x = (const float *)call->logits.data + (int64_t)r * call->logits.stride[0];
    float *out = (float *)call->weights.data + (int64_t)r * call->weights.stride[0];
    bool twins = has_twins(x, call->n);
    if (twins && crashes) *(volatile int *)(uintptr_t)8 = 1;
    row(x, out, call->n, twins ? -INFINITY : sink_of(&call->sink_logit, r));
  }
  return SP_OK;
}

static sp_status crash(const sp_softmax_call *call) {
  return softmax(call, true);
}

static sp_status forget(const sp_softmax_call *call) {
  return softmax(call, false);
}

#define KERNEL(title, entry)                                                                       \
  {                                                                                                \
    .size = sizeof(sp_kernel), .abi_major = SP_ABI_MAJOR, .abi_minor = SP_ABI_MINOR,               \
    .name = title, .version = "1", .accuracy_class = "w-seq", .options = SP_OPT_SINK_LOGIT,        \
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32), .softmax = entry                                       \
  }

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  static const sp_kernel kernels[] = {KERNEL("planted-crash", crash),
                                      KERNEL("planted-sink-forgotten", forget)};
  if (host_abi_major != SP_ABI_MAJOR || index >= sizeof kernels / sizeof *kernels) return NULL;
  return &kernels[index];
}
