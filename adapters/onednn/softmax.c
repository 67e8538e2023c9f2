/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's softmax (dnnl_softmax_accurate) over rows of f32 or bf16. It offers nothing else here:
 * no scale, no bias, no sink logit, no log-sum-exp. A logit of -inf is an ordinary input of it, so
 * masking by -inf logits is offered.
 *
 * A primitive is generated code for one shape. The last one is kept, as programs that use the
 * library keep theirs. */
#include "adapters/call.h"
#include "adapters/prepared.h"
#include "adapters/tensor.h"

#include <oneapi/dnnl/dnnl.h>

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR != 2
#error "this adapter is written for oneDNN 2 (Debian 12); version 3 makes its descriptors otherwise"
#endif

#define TEXT(x)                           #x
#define VERSION_TEXT(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

/* The library runs on libgomp, whose header only gcc ships. */
extern void omp_set_num_threads(int n_threads);

typedef struct plan {
  sp_dtype dtype;
  uint64_t n_rows, n;
  dnnl_memory_desc_t rows;
  dnnl_primitive_t primitive;
} plan;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static plan kept;

static sp_status translate(dnnl_status_t status) {
  if (status == dnnl_success) return SP_OK;
  if (status == dnnl_unimplemented) return SP_UNSUPPORTED;
  return status == dnnl_out_of_memory ? SP_NOMEM : SP_INTERNAL;
}

static dnnl_status_t start(void) {
  if (stream != NULL) return dnnl_success;
  dnnl_status_t status = dnnl_success;
  if (engine == NULL) status = dnnl_engine_create(&engine, dnnl_cpu, 0);
  if (status != dnnl_success) return status;
  return dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
}

static dnnl_status_t describe(plan *p, dnnl_softmax_v2_desc_t *operation) {
  const dnnl_dims_t dims = {(dnnl_dim_t)p->n_rows, (dnnl_dim_t)p->n};
  dnnl_data_type_t type = p->dtype == SP_BF16 ? dnnl_bf16 : dnnl_f32;
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&p->rows, 2, dims, type, dnnl_ab);
  if (status != dnnl_success) return status;
  return dnnl_softmax_v2_forward_desc_init(operation, dnnl_forward_inference, dnnl_softmax_accurate,
                                           &p->rows, &p->rows, 1);
}

static dnnl_status_t make(plan *p, const sp_softmax_call *call) {
  *p = (plan){.dtype = call->logits.dtype, .n_rows = call->n_rows, .n = call->n};
  dnnl_softmax_v2_desc_t operation;
  dnnl_primitive_desc_t descriptor = NULL;
  dnnl_status_t status = describe(p, &operation);
  if (status == dnnl_success)
    status = dnnl_primitive_desc_create(&descriptor, &operation, NULL, engine, NULL);
  if (status != dnnl_success) return status;
  status = dnnl_primitive_create(&p->primitive, descriptor);
  dnnl_primitive_desc_destroy(descriptor);
  return status;
}

/* The kept plan, remade if the shape is another one. */
static dnnl_status_t keep(const sp_softmax_call *call) {
  if (kept.primitive != NULL && kept.dtype == call->logits.dtype && kept.n == call->n &&
      kept.n_rows == call->n_rows)
    return dnnl_success;
  if (kept.primitive != NULL) dnnl_primitive_destroy(kept.primitive);
  memset(&kept, 0, sizeof kept);
  return make(&kept, call);
}

/* The two tensors of a call, as the library names them. */
typedef struct ends {
  dnnl_memory_t from, to;
} ends;

static dnnl_status_t wrap(ends *e, const plan *p, void *logits, void *weights) {
  dnnl_status_t status = dnnl_memory_create(&e->from, &p->rows, engine, logits);
  if (status == dnnl_success) status = dnnl_memory_create(&e->to, &p->rows, engine, weights);
  return status;
}

static void unwrap(ends *e) {
  if (e->from != NULL) dnnl_memory_destroy(e->from);
  if (e->to != NULL) dnnl_memory_destroy(e->to);
}

static dnnl_status_t execute(const plan *p, const ends *e) {
  const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, e->from}, {DNNL_ARG_DST, e->to}};
  dnnl_status_t status = dnnl_primitive_execute(p->primitive, stream, 2, args);
  return status == dnnl_success ? dnnl_stream_wait(stream) : status;
}

static sp_status run(const sp_softmax_call *call, void *logits, void *weights) {
  ends e = {NULL, NULL};
  pthread_mutex_lock(&lock);
  omp_set_num_threads(sp_adapter_threads(call->n_threads));
  dnnl_status_t status = start();
  if (status == dnnl_success) status = keep(call);
  if (status == dnnl_success) status = wrap(&e, &kept, logits, weights);
  if (status == dnnl_success) status = execute(&kept, &e);
  unwrap(&e);
  pthread_mutex_unlock(&lock);
  return translate(status);
}

static sp_status softmax(const sp_kernel *kernel, const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK) return status;
  if (call->key_bias.data != NULL) return SP_UNSUPPORTED;
  if (call->n_rows == 0) return SP_OK;
  sp_adapter_shape shape = {.n = {call->n_rows, 1, 1, call->n}};
  sp_adapter_image logits = {NULL, NULL}, weights = {NULL, NULL};
  status = SP_NOMEM;
  if (!sp_adapter_image_in(&logits, &call->logits, shape)) goto done;
  if (!sp_adapter_image_out(&weights, &call->weights, shape)) goto done;
  status = run(call, logits.data, weights.data);
  if (status == SP_OK) sp_adapter_image_store(&weights, &call->weights, shape);
done:
  sp_adapter_image_release(&logits);
  sp_adapter_image_release(&weights);
  return status;
}

/* A call made ready, with a primitive of its own. */
typedef struct prepared_softmax {
  sp_prepared base;
  sp_softmax_call call;
  sp_adapter_image logits, weights;
  plan p;
  ends e;
} prepared_softmax;

static sp_adapter_shape shape_of(const sp_softmax_call *call) {
  return (sp_adapter_shape){.n = {call->n_rows, 1, 1, call->n}};
}

static sp_status run_prepared(sp_prepared *base) {
  prepared_softmax *p = (prepared_softmax *)base;
  const sp_softmax_call *call = &p->call;
  if (p->logits.copy != NULL) sp_adapter_pack(p->logits.copy, &call->logits, shape_of(call));
  pthread_mutex_lock(&lock);
  omp_set_num_threads(sp_adapter_threads(call->n_threads));
  dnnl_status_t status = execute(&p->p, &p->e);
  pthread_mutex_unlock(&lock);
  if (status == dnnl_success) sp_adapter_image_store(&p->weights, &call->weights, shape_of(call));
  return translate(status);
}

static void release_prepared(sp_prepared *base) {
  prepared_softmax *p = (prepared_softmax *)base;
  unwrap(&p->e);
  if (p->p.primitive != NULL) dnnl_primitive_destroy(p->p.primitive);
  sp_adapter_image_release(&p->logits);
  sp_adapter_image_release(&p->weights);
  free(p);
}

static dnnl_status_t make_ready(prepared_softmax *p) {
  pthread_mutex_lock(&lock);
  omp_set_num_threads(sp_adapter_threads(p->call.n_threads));
  dnnl_status_t status = start();
  if (status == dnnl_success) status = make(&p->p, &p->call);
  if (status == dnnl_success) status = wrap(&p->e, &p->p, p->logits.data, p->weights.data);
  pthread_mutex_unlock(&lock);
  return status;
}

static sp_status prepare(const sp_kernel *kernel, sp_prepared **prepared,
                         const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(kernel, call);
  if (status != SP_OK) return status;
  if (call->key_bias.data != NULL || call->n_rows == 0) return SP_UNSUPPORTED;
  prepared_softmax *p = calloc(1, sizeof *p);
  if (p == NULL) return SP_NOMEM;
  p->base = (sp_prepared){run_prepared, release_prepared};
  p->call = *call;
  status = SP_NOMEM;
  if (sp_adapter_image_in(&p->logits, &call->logits, shape_of(call)) &&
      sp_adapter_image_out(&p->weights, &call->weights, shape_of(call)))
    status = translate(make_ready(p));
  *prepared = &p->base;
  if (status == SP_OK) return SP_OK;
  release_prepared(&p->base);
  *prepared = NULL;
  return status;
}

static const sp_kernel kernel_f32, kernel_bf16;

static sp_status softmax_f32(const sp_softmax_call *call) {
  return softmax(&kernel_f32, call);
}

static sp_status softmax_bf16(const sp_softmax_call *call) {
  return softmax(&kernel_bf16, call);
}

static sp_status prepare_f32(sp_prepared **prepared, const sp_softmax_call *call) {
  return prepare(&kernel_f32, prepared, call);
}

static sp_status prepare_bf16(sp_prepared **prepared, const sp_softmax_call *call) {
  return prepare(&kernel_bf16, prepared, call);
}

static const sp_prepare_ops ops_f32 = {.size = sizeof(sp_prepare_ops),
                                       .softmax = prepare_f32,
                                       .run = sp_adapter_run,
                                       .release = sp_adapter_release};
static const sp_prepare_ops ops_bf16 = {.size = sizeof(sp_prepare_ops),
                                        .softmax = prepare_bf16,
                                        .run = sp_adapter_run,
                                        .release = sp_adapter_release};

/* The generated code keeps one accumulator per vector lane and divides once (`w-lane16`). The
 * exponential of its sources is 0 by design below the least normal number (`flush=out`). It claims
 * f32 arithmetic inside for both types; they are two kernels because they are two programs. */
static const sp_kernel kernel_f32 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "onednn-softmax-f32",
    .version = VERSION_TEXT(DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH),
    .accuracy_class = "w-lane16:flush=out",
    .options = SP_OPT_MASK | SP_OPT_STRIDES,
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32),
    .softmax = softmax_f32,
    .prepare = &ops_f32,
};

static const sp_kernel kernel_bf16 = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "onednn-softmax-bf16",
    .version = VERSION_TEXT(DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH),
    .accuracy_class = "w-lane16:flush=out",
    .options = SP_OPT_MASK | SP_OPT_STRIDES,
    .dtypes_softmax = SP_DTYPE_BIT(SP_BF16),
    .softmax = softmax_bf16,
    .prepare = &ops_bf16,
};

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  static const sp_kernel *const kernels[] = {&kernel_f32, &kernel_bf16};
  if (host_abi_major != SP_ABI_MAJOR || index >= sizeof kernels / sizeof *kernels) return NULL;
  return kernels[index];
}
