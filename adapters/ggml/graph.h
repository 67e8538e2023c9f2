/* SPDX-License-Identifier: Apache-2.0 */
/* ggml as this adapter uses it: a small graph over the caller's memory. */
#ifndef SINKPROOF_ADAPTERS_GGML_GRAPH_H
#define SINKPROOF_ADAPTERS_GGML_GRAPH_H

#include <ggml-cpu.h>
#include <ggml.h>

#include <stdbool.h>

#include "adapters/prepared.h"
#include "adapters/tensor.h"

/* A context that holds descriptions of tensors and no data; freed with ggml_free. NULL when memory
 * runs out. */
struct ggml_context *sp_ggml_open(void);

/* A graph and the memory it works in, for any number of runs. */
typedef struct sp_ggml_graph {
  struct ggml_cgraph *graph; /* lives in the context */
  struct ggml_cplan plan;
} sp_ggml_graph;

/* Plan the operators whose result is `node`. Clearing a zeroed graph is harmless. */
sp_status sp_ggml_graph_init(sp_ggml_graph *graph, struct ggml_context *ctx,
                             struct ggml_tensor *node, int n_threads);
sp_status sp_ggml_graph_run(sp_ggml_graph *graph);
void sp_ggml_graph_clear(sp_ggml_graph *graph);

/* Which keys a query sees, as ggml takes it: [n_batch][n_heads][n_q][n_kv] of 0 and -inf in f16;
 * the first two axes have length 1 where nothing differs. bits == NULL: all are visible. */
typedef struct sp_ggml_mask {
  uint16_t *bits;
  uint64_t n_batch, n_heads;
} sp_ggml_mask;

/* SP_UNSUPPORTED if a bias is neither 0 nor -inf. The caller frees bits. */
sp_status sp_ggml_mask_make(sp_ggml_mask *mask, const sp_attention_call *call);
struct ggml_tensor *sp_ggml_mask_tensor(struct ggml_context *ctx, const sp_ggml_mask *mask,
                                        const sp_attention_call *call);

/* [b][token][head][c] of a call as [c, token, head, b] of ggml, fastest axis first. Strides and data
 * are set after the operators were made, because their shape checks take a stride of 0 for a
 * transposed tensor. */
struct ggml_tensor *sp_ggml_describe(struct ggml_context *ctx, const sp_in *tensor, uint64_t c,
                                     uint64_t tokens, uint64_t heads, uint64_t batch);
void sp_ggml_place(struct ggml_tensor *to, const sp_in *tensor);

/* An attention call made ready: its mask, sinks, output and graph. */
typedef struct sp_ggml_attention {
  sp_prepared base;
  sp_attention_call call;
  struct ggml_context *ctx;
  sp_ggml_graph graph;
  sp_ggml_mask mask;
  float *sinks;
  sp_adapter_image out;
  void *memory; /* of tensors between operators */
} sp_ggml_attention;

/* Make the graph of a call whose mask and sinks are ready, and return its last node, whose data
 * become the output. */
typedef sp_status (*sp_ggml_builder)(sp_ggml_attention *attention, struct ggml_tensor **node);
sp_status sp_ggml_build_flash(sp_ggml_attention *attention, struct ggml_tensor **node);
sp_status sp_ggml_build_unfused(sp_ggml_attention *attention, struct ggml_tensor **node);

/* One step, or as a plan. */
sp_status sp_ggml_attend(const sp_kernel *kernel, const sp_attention_call *call,
                         sp_ggml_builder builder);
sp_status sp_ggml_prepare(const sp_kernel *kernel, sp_prepared **prepared,
                          const sp_attention_call *call, sp_ggml_builder builder);

sp_status sp_ggml_softmax(const sp_kernel *kernel, const sp_softmax_call *call);
sp_status sp_ggml_prepare_softmax(const sp_kernel *kernel, sp_prepared **prepared,
                                  const sp_softmax_call *call);

#endif
