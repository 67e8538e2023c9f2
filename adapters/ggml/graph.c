/* SPDX-License-Identifier: Apache-2.0 */
/* Running a ggml graph. Its threads are OpenMP's, as in the library's own default build, so they are
 * kept between calls. */
#include "adapters/ggml/graph.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_TENSORS = 32 };

static pthread_once_t initialised = PTHREAD_ONCE_INIT;

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
  g->graph = ggml_new_graph_custom(ctx, MAX_TENSORS, false);
  ggml_build_forward_expand(g->graph, node);
  g->plan = ggml_graph_plan(g->graph, n_threads, NULL);
  if (g->plan.work_size == 0) return SP_OK;
  g->plan.work_data = aligned_alloc(line, (g->plan.work_size / line + 1) * line);
  return g->plan.work_data != NULL ? SP_OK : SP_NOMEM;
}

sp_status sp_ggml_graph_run(sp_ggml_graph *g) {
  const enum ggml_status status = ggml_graph_compute(g->graph, &g->plan);
  if (status == GGML_STATUS_ALLOC_FAILED) return SP_NOMEM;
  return status == GGML_STATUS_SUCCESS ? SP_OK : SP_INTERNAL;
}

void sp_ggml_graph_clear(sp_ggml_graph *g) {
  free(g->plan.work_data);
  *g = (sp_ggml_graph){0};
}
