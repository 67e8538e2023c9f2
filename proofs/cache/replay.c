/* SPDX-License-Identifier: Apache-2.0 */
/* Random streams through the C of both rooms, one line per block: S, W, the block's length, what
 * the oracle's cache retains, and what the fast path's ring holds, read slot by slot. The extracted
 * state machine replays the lines (replay.ml). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fast/ring.h"
#include "ref/ref.h"

enum { MOST = 64 };

static uint64_t state;

static uint64_t below(uint64_t n) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (state >> 16) % n;
}

static void print_tokens(const uint64_t *token, uint64_t n) {
  printf(" %" PRIu64, n);
  for (uint64_t i = 0; i < n; i++) printf(" %" PRIu64, token[i]);
}

/* The tokens of the ring in ascending order: pinned slots, then from the oldest on. */
static uint64_t read_ring(const sp_fast_ring *ring, const uint64_t *slots, uint64_t *token) {
  uint64_t n = 0;
  for (uint64_t t = 0; t < ring->n_seen && t < ring->n_sink_tokens; t++) token[n++] = slots[t];
  for (uint64_t t = sp_fast_ring_oldest(ring); t < ring->n_seen; t++)
    token[n++] = slots[sp_fast_ring_slot(ring, t)];
  return n;
}

static int stream(void) {
  sp_fast_ring ring = {.n_sink_tokens = below(6), .window = 1 + below(8), .n_seen = 0};
  uint64_t slots[MOST], token[MOST];
  sp_ref_cache cache;
  if (!sp_ref_cache_init(&cache, ring.n_sink_tokens, ring.window, 0)) return 1;
  printf("stream %" PRIu64 " %" PRIu64 "\n", ring.n_sink_tokens, ring.window);
  while (ring.n_seen < 40) {
    uint64_t block = 1 + below(12);
    if (!sp_ref_cache_append(&cache, block)) return 1;
    for (uint64_t i = 0; i < block; i++) {
      slots[sp_fast_ring_slot(&ring, ring.n_seen)] = ring.n_seen;
      ring.n_seen++;
    }
    printf("block %" PRIu64, block);
    print_tokens(cache.token, cache.n_retained);
    print_tokens(token, read_ring(&ring, slots, token));
    printf("\n");
  }
  sp_ref_cache_clear(&cache);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  long n = strtol(argv[1], NULL, 10);
  state = strtoull(argv[2], NULL, 0) | 1u;
  for (long i = 0; i < n; i++)
    if (stream() != 0) return 1;
  return 0;
}
