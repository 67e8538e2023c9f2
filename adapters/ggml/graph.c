/* SPDX-License-Identifier: Apache-2.0 */
/* Running one ggml operator. The thread pool is kept between calls, because without one the library
 * starts its threads anew on every call, which no program that uses it does. */
#include "adapters/ggml/graph.h"

#include <ggml-cpu.h>

#include <pthread.h>
#include <stdlib.h>

enum { MAX_TENSORS = 16 };

static pthread_once_t initialised = PTHREAD_ONCE_INIT;

/* The pool of the last call with more than one thread; the lock is held while it works. */
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ggml_threadpool *pool;
static int pool_threads;

struct ggml_context *sp_ggml_open(void) {
  pthread_once(&initialised, ggml_cpu_init);
  struct ggml_init_params params = {
      .mem_size =
          MAX_TENSORS * ggml_tensor_overhead() + ggml_graph_overhead_custom(MAX_TENSORS, false),
      .mem_buffer = NULL,
      .no_alloc = true,
  };
  return ggml_init(params);
}

static sp_status compute(struct ggml_cgraph *graph, struct ggml_cplan *plan) {
  const size_t line = 64;
  if (plan->work_size > 0) {
    plan->work_data = aligned_alloc(line, (plan->work_size / line + 1) * line);
    if (plan->work_data == NULL) return SP_NOMEM;
  }
  enum ggml_status status = ggml_graph_compute(graph, plan);
  free(plan->work_data);
  if (status == GGML_STATUS_ALLOC_FAILED) return SP_NOMEM;
  return status == GGML_STATUS_SUCCESS ? SP_OK : SP_INTERNAL;
}

static sp_status compute_in_pool(struct ggml_cgraph *graph, int n_threads) {
  pthread_mutex_lock(&pool_lock);
  if (pool == NULL || pool_threads != n_threads) {
    if (pool != NULL) ggml_threadpool_free(pool);
    struct ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
    pool = ggml_threadpool_new(&params);
    pool_threads = n_threads;
  }
  sp_status status = SP_NOMEM;
  if (pool != NULL) {
    struct ggml_cplan plan = ggml_graph_plan(graph, n_threads, pool);
    status = compute(graph, &plan);
  }
  pthread_mutex_unlock(&pool_lock);
  return status;
}

sp_status sp_ggml_run(struct ggml_context *ctx, struct ggml_tensor *node, int n_threads) {
  struct ggml_cgraph *graph = ggml_new_graph_custom(ctx, MAX_TENSORS, false);
  ggml_build_forward_expand(graph, node);
  if (n_threads > 1) return compute_in_pool(graph, n_threads);
  struct ggml_cplan plan = ggml_graph_plan(graph, 1, NULL);
  return compute(graph, &plan);
}
