/* SPDX-License-Identifier: Apache-2.0 */
/* ggml as this adapter uses it: one operator in a graph of its own, over the caller's memory. */
#ifndef SINKPROOF_ADAPTERS_GGML_GRAPH_H
#define SINKPROOF_ADAPTERS_GGML_GRAPH_H

#include <ggml.h>

#include "sinkproof/kernel.h"

/* A context that holds descriptions of tensors and no data; freed with ggml_free. NULL when memory
 * runs out. */
struct ggml_context *sp_ggml_open(void);

/* Compute the operator whose result is `node`. */
sp_status sp_ggml_run(struct ggml_context *ctx, struct ggml_tensor *node, int n_threads);

sp_status sp_ggml_softmax(const sp_kernel *kernel, const sp_softmax_call *call);
sp_status sp_ggml_flash(const sp_kernel *kernel, const sp_attention_call *call);

#endif
