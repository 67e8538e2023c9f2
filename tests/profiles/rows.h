/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of this folder share: a row over a list of keys, and calls cut into rows. Each
 * kernel follows the conventions of one real system, written down from that system's own code or
 * documentation and not from the table of profiles. */
#ifndef SINKPROOF_TESTS_PROFILES_ROWS_H
#define SINKPROOF_TESTS_PROFILES_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

/* One query and the keys that it sees; logits are given by the caller's score. */
typedef struct row {
  uint64_t n;
  double *x;       /* x[n], -INFINITY = absent */
  const float **v; /* v[n][d_value] */
  uint64_t d_value;
  double sink_logit; /* -INFINITY = none */
} row;

typedef struct row_result {
  double *out; /* out[d_value] */
  double lse_keys, lse_total;
  bool empty;
} row_result;

/* In binary64, stored as binary32 by the caller. */
void row_attend(const row *r, row_result *result);

double dot(const float *q, const float *k, uint64_t d);
const float *in_at(const sp_in *view, uint64_t a, uint64_t b, uint64_t c);
float *out_at(const sp_out *view, uint64_t a, uint64_t b, uint64_t c);
double sink_at(const sp_in *view, uint64_t h);

/* What one system does with an attention call. */
typedef struct row_policy {
  bool (*sees)(const sp_attention_call *call, int64_t i, int64_t j); /* NULL: everything */
  uint64_t (*kv_head)(const sp_attention_call *call, uint64_t h);
  double (*score)(const sp_attention_call *call, double t, int64_t i, int64_t j, uint64_t h);
  void (*finish)(const sp_attention_call *call, uint64_t b, uint64_t h, row_result *result);
} row_policy;

/* The defaults of every policy here: grouped heads; cap(scale q·k) + bias. */
uint64_t grouped_head(const sp_attention_call *call, uint64_t h);
double capped(const sp_attention_call *call, double t);

/* Checks the call as KC-7 says, then computes it. `options` are those of the kernel. */
sp_status attention_by(const row_policy *policy, uint64_t options, const sp_attention_call *call);

#define PROFILE_KERNEL(label, opts, s, a, c)                                                       \
  {                                                                                                \
    .size = sizeof(sp_kernel), .abi_major = SP_ABI_MAJOR, .abi_minor = SP_ABI_MINOR,               \
    .name = (label), .version = "1", .accuracy_class = "w-seq", .options = (opts),                 \
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32), .dtypes_q = SP_DTYPE_BIT(SP_F32),                      \
    .dtypes_kv = SP_DTYPE_BIT(SP_F32), .softmax = (s), .attention = (a), .cache = (c)              \
  }

extern const sp_kernel flashinfer_kernel, fa2_kernel, wide_kernel, torch_kernel, modulo_kernel,
    softmax1_kernel, hf_kernel, after_kernel, before_kernel, mlx_kernel, llama_kernel, trt_kernel,
    stubborn_kernel, rotating_kernel, apart_kernel, grouped_kernel;

#endif
