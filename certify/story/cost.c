/* SPDX-License-Identifier: Apache-2.0 */
/* What one more token costs: through a window with pinned tokens, with everything kept, and with the
 * window computed anew. Attention alone, eight query heads on one kv head of 64 elements; the
 * smallest of a few repetitions, because whatever disturbs a measurement makes it longer. The kernel
 * is a library behind the ABI, and is trusted not to crash. See story.h. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certify/story/story.h"

enum { S = 4, W = 1020, HEADS = 8, D = 64, FIRST_LENGTH = 1024, REPEAT = 5, BLOCK = 256 };

typedef const sp_kernel *kernel_door(uint32_t, uint32_t);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static sp_in in_of(const float *data, int64_t token, int64_t head) {
  return (sp_in){.data = data, .stride = {0, token, head}, .dtype = SP_F32};
}

static sp_out out_of(float *data) {
  return (sp_out){.data = data, .stride = {0, HEADS * D, D}, .dtype = SP_F32};
}

/* Attention of one more query, once `length` tokens have come; NaN when the kernel refuses. */
static double one_token(const sp_kernel *kernel, const float *x, float *out, uint64_t window,
                        uint64_t length) {
  const sp_cache_config config = {.size = sizeof config,
                                  .dtype_kv = SP_F32,
                                  .n_sink_tokens = S,
                                  .window = window,
                                  .n_heads = HEADS,
                                  .n_kv_heads = 1,
                                  .d_head = D,
                                  .d_value = D};
  sp_cache_call call = {.size = sizeof call,
                        .n_threads = 1,
                        .n_tokens = BLOCK,
                        .k = in_of(x, D, D),
                        .v = in_of(x, D, D),
                        .scale = 0.125F};
  sp_cache *cache = NULL;
  double best = INFINITY;
  if (kernel->cache->open(&cache, &config) != SP_OK) return NAN;
  for (uint64_t t = 0; t < length; t += BLOCK)
    if (kernel->cache->append(cache, &call) != SP_OK) best = NAN;
  call.n_tokens = 1;
  call.q = in_of(x, HEADS * D, D);
  call.out = out_of(out);
  for (int i = 0; i < REPEAT && !isnan(best); i++) {
    double begin = now();
    if (kernel->cache->append(cache, &call) != SP_OK) best = NAN;
    best = fmin(best, now() - begin);
  }
  kernel->cache->close(cache);
  return best;
}

/* All queries of a window. */
static double window_anew(const sp_kernel *kernel, const float *x, float *out) {
  const sp_attention_call call = {.size = sizeof call,
                                  .n_threads = 1,
                                  .n_batch = 1,
                                  .n_q = S + W,
                                  .n_kv = S + W,
                                  .n_heads = HEADS,
                                  .n_kv_heads = 1,
                                  .d_head = D,
                                  .d_value = D,
                                  .window = SP_WINDOW_ALL,
                                  .causal = 1,
                                  .q = in_of(x, HEADS * D, D),
                                  .k = in_of(x, D, D),
                                  .v = in_of(x, D, D),
                                  .out = out_of(out),
                                  .scale = 0.125F};
  double best = INFINITY;
  for (int i = 0; i < REPEAT; i++) {
    double begin = now();
    if (kernel->attention(&call) != SP_OK) return NAN;
    best = fmin(best, now() - begin);
  }
  return best;
}

static const sp_kernel *find(void *library) {
  void *symbol = dlsym(library, "sinkproof_kernel");
  kernel_door *door;
  memcpy(&door, &symbol, sizeof door);
  for (uint32_t i = 0; symbol != NULL; i++) {
    const sp_kernel *kernel = door(SP_ABI_MAJOR, i);
    if (kernel == NULL) return NULL;
    if (kernel->cache != NULL && kernel->attention != NULL && kernel->options & SP_OPT_PREFILL)
      return kernel;
  }
  return NULL;
}

static const char *measure(const sp_kernel *kernel, sp_cost cost[SP_STORY_COSTS]) {
  const size_t n = (size_t)(S + W) * HEADS * D;
  float *x = malloc(n * sizeof *x);
  float *out = malloc(n * sizeof *out);
  double again = 0;
  const char *why = x != NULL && out != NULL ? NULL : "out of memory";
  for (size_t i = 0; why == NULL && i < n; i++) x[i] = (float)((i * 2654435761u >> 8 & 0xff)) / 256;
  if (why == NULL) again = window_anew(kernel, x, out);
  for (int i = 0; why == NULL && i < SP_STORY_COSTS; i++) {
    uint64_t length = (uint64_t)FIRST_LENGTH << 2 * i;
    cost[i] = (sp_cost){.length = length,
                        .window = one_token(kernel, x, out, W, length),
                        .whole = one_token(kernel, x, out, UINT64_MAX / 2, length),
                        .again = again};
    if (isnan(cost[i].window + cost[i].whole + again))
      why = "the kernel refuses the measured calls";
  }
  free(x);
  free(out);
  return why;
}

const char *sp_story_measure(const char *path, sp_cost cost[SP_STORY_COSTS], char name[64]) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return "the library cannot be loaded";
  const sp_kernel *kernel = find(library);
  const char *why = "no kernel with a cache and attention over several queries";
  if (kernel != NULL) {
    snprintf(name, 64, "%s", kernel->name);
    why = measure(kernel, cost);
  }
  dlclose(library);
  return why;
}
