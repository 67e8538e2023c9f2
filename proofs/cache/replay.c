/* SPDX-License-Identifier: Apache-2.0 */
/* Random streams through the caches of kernel libraries and through the ring of the fast path, one
 * line per block: its length, what the ring holds read slot by slot, and what each kernel lists as
 * visible. The extracted state machine replays the lines (replay.ml). */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fast/ring.h"
#include "sinkproof/kernel.h"

enum { MOST = 64, MOST_KERNELS = 4 };

typedef const sp_kernel *kernel_door(uint32_t, uint32_t);

static uint64_t state;

static uint64_t below(uint64_t n) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (state >> 16) % n;
}

/* The first kernel of a library that has a cache. */
static const sp_cache_ops *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return NULL;
  void *symbol = dlsym(library, "sinkproof_kernel");
  kernel_door *door;
  memcpy(&door, &symbol, sizeof door);
  for (uint32_t i = 0; symbol != NULL; i++) {
    const sp_kernel *kernel = door(SP_ABI_MAJOR, i);
    if (kernel == NULL) return NULL;
    if (kernel->cache != NULL) return kernel->cache;
  }
  return NULL;
}

static void print_tokens(const uint64_t *token, uint64_t n) {
  printf(" %" PRIu64, n);
  for (uint64_t i = 0; i < n; i++) printf(" %" PRIu64, token[i]);
}

/* The tokens of the ring in ascending order: pinned slots, then from the oldest on. */
static void print_ring(const sp_fast_ring *ring, const uint64_t *slots) {
  uint64_t token[MOST];
  uint64_t n = 0;
  for (uint64_t t = 0; t < ring->n_seen && t < ring->n_sink_tokens; t++) token[n++] = slots[t];
  for (uint64_t t = sp_fast_ring_oldest(ring); t < ring->n_seen; t++)
    token[n++] = slots[sp_fast_ring_slot(ring, t)];
  print_tokens(token, n);
}

static int append_and_list(const sp_cache_ops *ops, sp_cache *cache, uint64_t n_tokens) {
  static const float zero[MOST];
  uint64_t token[MOST];
  uint64_t n = 0;
  sp_in rows = {.data = zero, .stride = {0, 1, 1}, .dtype = SP_F32};
  sp_cache_call call = {.size = sizeof call,
                        .n_threads = 1,
                        .n_tokens = n_tokens,
                        .k = rows,
                        .v = rows,
                        .scale = 1.0F};
  if (ops->append(cache, &call) != SP_OK) return 1;
  if (ops->visible(cache, 0, token, MOST, &n) != SP_OK || n > MOST) return 1;
  print_tokens(token, n);
  return 0;
}

static int stream(const sp_cache_ops *const *ops, int n_kernels) {
  uint64_t n_sink_tokens = below(6);
  sp_fast_ring ring = sp_fast_ring_new(n_sink_tokens, 1 + below(8), 1, 0);
  uint64_t slots[MOST] = {0};
  sp_cache *cache[MOST_KERNELS] = {NULL};
  sp_cache_config config = {.size = sizeof config,
                            .dtype_kv = SP_F32,
                            .n_sink_tokens = ring.n_sink_tokens,
                            .window = ring.window,
                            .n_heads = 1,
                            .n_kv_heads = 1,
                            .d_head = 1,
                            .d_value = 1};
  int status = 0;
  for (int k = 0; k < n_kernels; k++) status |= ops[k]->open(&cache[k], &config) != SP_OK;
  printf("stream %" PRIu64 " %" PRIu64 " %d\n", ring.n_sink_tokens, ring.window, 1 + n_kernels);
  while (status == 0 && ring.n_seen < 40) {
    uint64_t block = 1 + below(12);
    for (uint64_t i = 0; i < block; i++) {
      slots[sp_fast_ring_slot(&ring, ring.n_seen)] = ring.n_seen;
      sp_fast_ring_append(&ring);
    }
    printf("block %" PRIu64, block);
    print_ring(&ring, slots);
    for (int k = 0; k < n_kernels; k++) status |= append_and_list(ops[k], cache[k], block);
    printf("\n");
  }
  for (int k = 0; k < n_kernels; k++)
    if (cache[k] != NULL) ops[k]->close(cache[k]);
  return status;
}

int main(int argc, char **argv) {
  const sp_cache_ops *ops[MOST_KERNELS];
  int n_kernels = argc - 3;
  if (n_kernels < 0 || n_kernels > MOST_KERNELS) return 2;
  for (int k = 0; k < n_kernels; k++) {
    ops[k] = load(argv[3 + k]);
    if (ops[k] == NULL) return 1;
  }
  state = strtoull(argv[2], NULL, 0) | 1U;
  for (long i = strtol(argv[1], NULL, 10); i > 0; i--)
    if (stream(ops, n_kernels) != 0) return 1;
  return 0;
}
