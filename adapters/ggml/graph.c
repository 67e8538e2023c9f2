/* SPDX-License-Identifier: Apache-2.0 */
/* Running a ggml graph. The thread pool is kept between calls, because without one the library
 * starts its threads anew on every call, which no program that uses it does. */
#include "adapters/ggml/graph.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_TENSORS = 32 };

static pthread_once_t initialised = PTHREAD_ONCE_INIT;

/* The pool of the last call; the lock is held while it works. */
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

sp_status sp_ggml_graph_init(sp_ggml_graph *g, struct ggml_context *ctx, struct ggml_tensor *node,
                             int n_threads) {
  const size_t line = 64;
  g->n_threads = n_threads;
  g->graph = ggml_new_graph_custom(ctx, MAX_TENSORS, false);
  ggml_build_forward_expand(g->graph, node);
  g->plan = ggml_graph_plan(g->graph, n_threads, NULL);
  if (g->plan.work_size == 0) return SP_OK;
  g->plan.work_data = aligned_alloc(line, (g->plan.work_size / line + 1) * line);
  return g->plan.work_data != NULL ? SP_OK : SP_NOMEM;
}

/* The pool for n threads; the caller holds the lock. A pool of one thread saves the library from
 * making one for each run. */
static struct ggml_threadpool *pool_for(int n_threads) {
  if (pool != NULL && pool_threads == n_threads) return pool;
  if (pool != NULL) ggml_threadpool_free(pool);
  struct ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
  pool = ggml_threadpool_new(&params);
  pool_threads = n_threads;
  return pool;
}

sp_status sp_ggml_graph_run(sp_ggml_graph *g) {
  enum ggml_status status = GGML_STATUS_ALLOC_FAILED;
  pthread_mutex_lock(&pool_lock);
  g->plan.threadpool = pool_for(g->n_threads);
  if (g->plan.threadpool != NULL) status = ggml_graph_compute(g->graph, &g->plan);
  pthread_mutex_unlock(&pool_lock);
  if (status == GGML_STATUS_ALLOC_FAILED) return SP_NOMEM;
  return status == GGML_STATUS_SUCCESS ? SP_OK : SP_INTERNAL;
}

void sp_ggml_graph_clear(sp_ggml_graph *g) {
  free(g->plan.work_data);
  *g = (sp_ggml_graph){0};
}
