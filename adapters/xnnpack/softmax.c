/* SPDX-License-Identifier: Apache-2.0 */
/* XNNPACK's softmax over rows of f32. It offers nothing else here: no scale, bias, sink logit or
 * log-sum-exp. A logit of -inf is an ordinary input of it.
 *
 * The library may read XNN_EXTRA_BYTES past the end of its input. Where the caller's rows end that
 * close to the end of a page, which may be the last one that is mapped, they are copied first.
 *
 * The exponential of its sources flushes to 0 where the result would be subnormal (`flush=out`);
 * sums are kept in vector lanes (`w-lane16`). */
#include "adapters/call.h"
#include "adapters/prepared.h"
#include "adapters/tensor.h"

#include <pthreadpool.h>
#include <xnnpack.h>

#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

/* The pool of the last call with more than one thread; the lock is held while it works. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthreadpool_t pool;
static int pool_threads;

static void start(void) {
  ready = xnn_initialize(NULL) == xnn_status_success;
}

static pthreadpool_t pool_for(int n_threads) {
  if (n_threads == 1) return NULL; /* works on the caller's thread */
  if (pool != NULL && pool_threads == n_threads) return pool;
  if (pool != NULL) pthreadpool_destroy(pool);
  pool = pthreadpool_create((size_t)n_threads);
  pool_threads = n_threads;
  return pool;
}

/* A call made ready. */
typedef struct softmax {
  sp_prepared base;
  sp_softmax_call call;
  xnn_operator_t operation;
  sp_adapter_image logits; /* a copy, or the caller's rows with their stride */
  size_t logits_stride;
} softmax;

static sp_status translate(enum xnn_status status) {
  if (status == xnn_status_success) return SP_OK;
  if (status == xnn_status_out_of_memory) return SP_NOMEM;
  bool declined =
      status == xnn_status_unsupported_parameter || status == xnn_status_unsupported_hardware;
  return declined ? SP_UNSUPPORTED : SP_INTERNAL;
}

static sp_adapter_shape rows(const sp_softmax_call *call) {
  return (sp_adapter_shape){.n = {call->n_rows, 1, 1, call->n}};
}

/* The bytes that the library may read besides lie in a page of which the rows need some too. */
static bool may_be_read_past(const sp_softmax_call *call) {
  const size_t page = 4096;
  const char *last = sp_adapter_row(&call->logits, call->n_rows - 1, 0, 0);
  return ((uintptr_t)(last + call->n * sizeof(float) - 1) % page) + XNN_EXTRA_BYTES < page;
}

static bool strides_fit(const sp_softmax_call *call) {
  int64_t n = (int64_t)call->n;
  return call->n_rows == 1 || (call->logits.stride[0] >= n && call->weights.stride[0] >= n);
}

static bool place(softmax *s) {
  const sp_softmax_call *call = &s->call;
  bool one = call->n_rows == 1;
  if (may_be_read_past(call)) {
    s->logits.data = (void *)(uintptr_t)call->logits.data;
    s->logits_stride = one ? call->n : (size_t)call->logits.stride[0];
    return true;
  }
  uint64_t count = sp_adapter_count(rows(call)) + XNN_EXTRA_BYTES;
  s->logits.copy = s->logits.data = sp_adapter_alloc(SP_F32, count);
  s->logits_stride = call->n;
  return s->logits.copy != NULL;
}

static sp_status make(softmax *s, const sp_softmax_call *call) {
  pthread_once(&once, start);
  if (!ready) return SP_INTERNAL;
  s->call = *call;
  if (!place(s)) return SP_NOMEM;
  size_t stride = call->n_rows == 1 ? call->n : (size_t)call->weights.stride[0];
  return translate(xnn_create_softmax_nc_f32(call->n, s->logits_stride, stride, 0, &s->operation));
}

static sp_status compute(softmax *s) {
  const sp_softmax_call *call = &s->call;
  if (s->logits.copy != NULL) sp_adapter_pack(s->logits.copy, &call->logits, rows(call));
  pthread_mutex_lock(&lock);
  pthreadpool_t threads = pool_for(sp_adapter_threads(call->n_threads));
  enum xnn_status status = xnn_setup_softmax_nc_f32(s->operation, call->n_rows, s->logits.data,
                                                    call->weights.data, threads);
  if (status == xnn_status_success) status = xnn_run_operator(s->operation, threads);
  pthread_mutex_unlock(&lock);
  return translate(status);
}

static void clear(softmax *s) {
  if (s->operation != NULL) xnn_delete_operator(s->operation);
  sp_adapter_image_release(&s->logits);
}

static const sp_kernel kernel;

static sp_status admit(const sp_softmax_call *call) {
  sp_status status = sp_adapter_admit_softmax(&kernel, call);
  if (status != SP_OK) return status;
  return call->key_bias.data != NULL || !strides_fit(call) ? SP_UNSUPPORTED : SP_OK;
}

static sp_status one_step(const sp_softmax_call *call) {
  softmax s = {.operation = NULL};
  sp_status status = admit(call);
  if (status != SP_OK || call->n_rows == 0) return status;
  status = make(&s, call);
  if (status == SP_OK) status = compute(&s);
  clear(&s);
  return status;
}

static sp_status run_prepared(sp_prepared *base) {
  return compute((softmax *)base);
}

static void release_prepared(sp_prepared *base) {
  clear((softmax *)base);
  free(base);
}

static sp_status prepare(sp_prepared **prepared, const sp_softmax_call *call) {
  sp_status status = admit(call);
  if (status != SP_OK) return status;
  if (call->n_rows == 0) return SP_UNSUPPORTED;
  softmax *s = calloc(1, sizeof *s);
  if (s == NULL) return SP_NOMEM;
  s->base = (sp_prepared){run_prepared, release_prepared};
  status = make(s, call);
  *prepared = &s->base;
  if (status == SP_OK) return SP_OK;
  release_prepared(&s->base);
  *prepared = NULL;
  return status;
}

static const sp_prepare_ops prepare_ops = {.size = sizeof(sp_prepare_ops),
                                           .softmax = prepare,
                                           .run = sp_adapter_run,
                                           .release = sp_adapter_release};

static const sp_kernel kernel = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .name = "xnnpack-softmax",
    .version = "2022-02-16", /* the library has no number; Debian 12 packages this day's */
    .accuracy_class = "w-lane16:flush=out",
    .options = SP_OPT_MASK | SP_OPT_STRIDES,
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32),
    .softmax = one_step,
    .prepare = &prepare_ops,
};

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? &kernel : NULL;
}
