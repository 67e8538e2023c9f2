/* SPDX-License-Identifier: Apache-2.0 */
/* Attention composed from OpenBLAS's sgemm: for each kv head, the queries of its heads times K,
 * softmax, times V. It is what people write who have a BLAS and no attention kernel, and decodes a
 * group of heads with one pass over K and V. Causality is a shorter row; a window is not offered,
 * since the products would compute what it hides.
 *
 * sgemm adds in lanes and blocks; the row sums in vector lanes (`w-lane16`); the exponential of the
 * C library's vectors documents 4 ulp (`exp=-21`). */
#include "adapters/call.h"
#include "adapters/openblas/rows.h"
#include "adapters/tensor.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>

/* One kv head of one batch entry: its g heads times n_q queries are rows of one matrix. */
typedef struct group {
  const sp_attention_call *call;
  float *q, *scores, *out;
  const float *sinks;
  size_t heads, rows;
} group;

static void gather(const group *g, uint64_t b, uint64_t h) {
  const sp_attention_call *call = g->call;
  for (size_t r = 0; r < g->rows; r++) {
    const float *row = sp_adapter_row(&call->q, b, r / g->heads, h + r % g->heads);
    for (size_t c = 0; c < call->d_head; c++) g->q[r * call->d_head + c] = row[c];
  }
}

static void scatter(const group *g, uint64_t b, uint64_t h) {
  const sp_attention_call *call = g->call;
  for (size_t r = 0; r < g->rows; r++) {
    int64_t at = (int64_t)b * call->out.stride[0] + (int64_t)(r / g->heads) * call->out.stride[1] +
                 (int64_t)(h + r % g->heads) * call->out.stride[2];
    float *row = (float *)call->out.data + at;
    for (size_t c = 0; c < call->d_value; c++) row[c] = g->out[r * call->d_value + c];
  }
}

/* Weights of every row; what a query does not see yet has weight 0. */
static void weigh(const group *g, uint64_t h) {
  const sp_attention_call *call = g->call;
  for (size_t r = 0; r < g->rows; r++) {
    float *x = g->scores + r * call->n_kv;
    size_t seen = call->n_kv;
    if (call->causal) seen -= call->n_q - 1 - r / g->heads;
    float sink_logit = g->sinks != NULL ? g->sinks[h + r % g->heads] : 0;
    bool has_sink = g->sinks != NULL && !isinf(sink_logit);
    sp_blas_softmax(x, seen, call->scale, has_sink, sink_logit);
    for (size_t j = seen; j < call->n_kv; j++) x[j] = 0;
  }
}

static void attend(const group *g, uint64_t b, uint64_t h_kv) {
  const sp_attention_call *call = g->call;
  const int rows = (int)g->rows, n = (int)call->n_kv, d = (int)call->d_head;
  const int d_value = (int)call->d_value;
  const float *k = sp_adapter_row(&call->k, b, 0, h_kv), *v = sp_adapter_row(&call->v, b, 0, h_kv);
  uint64_t h = h_kv * g->heads;
  gather(g, b, h);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, n, d, 1, g->q, d, k,
              (int)call->k.stride[1], 0, g->scores, n);
  weigh(g, h);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, d_value, n, 1, g->scores, n, v,
              (int)call->v.stride[1], 0, g->out, d_value);
  scatter(g, b, h);
}

static const sp_kernel kernel;

/* A leading dimension must reach over a row; a sink logit of NaN or +inf is not for these passes. */
static bool expressible(const sp_attention_call *call) {
  bool one = call->n_kv == 1;
  bool k = one || call->k.stride[1] >= (int64_t)call->d_head;
  bool v = one || call->v.stride[1] >= (int64_t)call->d_value;
  return k && v && call->n_q <= call->n_kv && call->key_bias.data == NULL &&
         call->k.stride[1] <= INT32_MAX && call->v.stride[1] <= INT32_MAX;
}

static bool make(group *g, const sp_attention_call *call, float **sinks) {
  g->call = call;
  g->heads = (size_t)(call->n_heads / call->n_kv_heads);
  g->rows = g->heads * (size_t)call->n_q;
  g->q = sp_adapter_alloc(SP_F32, g->rows * call->d_head);
  g->scores = sp_adapter_alloc(SP_F32, g->rows * call->n_kv);
  g->out = sp_adapter_alloc(SP_F32, g->rows * call->d_value);
  if (call->sink_logit.data != NULL) {
    *sinks = sp_adapter_alloc(SP_F32, call->n_heads);
    if (*sinks == NULL) return false;
    sp_adapter_sinks(*sinks, &call->sink_logit, call->sink_logit.stride[2], call->n_heads);
    g->sinks = *sinks;
  }
  return g->q != NULL && g->scores != NULL && g->out != NULL;
}

static sp_status attention(const sp_attention_call *call) {
  sp_status status = sp_adapter_admit_attention(&kernel, call);
  group g = {.call = NULL};
  float *sinks = NULL;
  if (status != SP_OK) return status;
  if (!expressible(call)) return SP_UNSUPPORTED;
  if (call->n_batch * call->n_q * call->n_heads == 0) return SP_OK;
  status = SP_NOMEM;
  if (!make(&g, call, &sinks)) goto done;
  for (uint64_t h = 0; sinks != NULL && h < call->n_heads; h++)
    if (isnan(sinks[h]) || (isinf(sinks[h]) && sinks[h] > 0)) {
      status = SP_UNSUPPORTED;
      goto done;
    }
  openblas_set_num_threads(sp_adapter_threads(call->n_threads));
  for (uint64_t b = 0; b < call->n_batch; b++)
    for (uint64_t h = 0; h < call->n_kv_heads; h++) attend(&g, b, h);
  status = SP_OK;
done:
  free(g.q);
  free(g.scores);
  free(g.out);
  free(sinks);
  return status;
}

static const sp_kernel kernel = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "openblas-attention-f32",
    .version = "0.3.21", /* Debian 12 */
    .accuracy_class = "w-lane16:exp=-21",
    .options = SP_OPT_SINK_LOGIT | SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_NONCAUSAL | SP_OPT_BATCH |
               SP_OPT_STRIDES | SP_OPT_D_VALUE,
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_F32),
    .attention = attention,
};

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? &kernel : NULL;
}
