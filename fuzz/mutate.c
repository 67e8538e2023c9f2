/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/mutate.h"

#include <stdlib.h>
#include <string.h>

/* Long rows, blocks of rows and wide heads are rare on purpose: most of their children are small. */
static void shorten(uint8_t *data, size_t size, sp_rng *rng) {
  sp_fuzz_header h;
  if (size < SP_FUZZ_HEADER_BYTES) return;
  sp_fuzz_header_read(&h, data, size);
  size_t n = sp_fuzz_size(h.n_kv);
  bool huge = n > SP_FUZZ_LARGE_N;
  if (huge && !sp_rng_one_in(rng, n < SP_FUZZ_HUGE_N ? 4 : 64))
    h.n_kv = sp_fuzz_size_code(sp_rng_below(rng, SP_FUZZ_LARGE_N));
  bool block = sp_fuzz_is_block(sp_fuzz_size(h.n_q) + 1, sp_fuzz_size(h.n_kv));
  if (block && !huge && !sp_rng_one_in(rng, 16)) h.n_q = sp_fuzz_size_code(sp_rng_below(rng, 16));
  bool wide = sp_fuzz_dim(h.d_head) > SP_FUZZ_LARGE_D;
  if (wide && !sp_rng_one_in(rng, 8)) h.d_head = sp_fuzz_dim_code(1 + sp_rng_below(rng, 48));
  sp_fuzz_header_write(&h, data);
}

/* The header can be changed in place: what follows keeps its meaning or is read anew. */
static size_t mutate_header(uint8_t *data, size_t size, size_t max_size, sp_rng *rng) {
  sp_fuzz_header h;
  if (max_size < SP_FUZZ_HEADER_BYTES) return 0;
  sp_fuzz_header_read(&h, data, size);
  sp_fuzz_mutate_header(&h, rng);
  while (sp_rng_one_in(rng, 3)) sp_fuzz_mutate_header(&h, rng);
  sp_fuzz_header_write(&h, data);
  return size > SP_FUZZ_HEADER_BYTES ? size : SP_FUZZ_HEADER_BYTES;
}

/* A changed script or mask may be one that no bytes decode to; then this was no mutation. */
static size_t mutate_elements(uint8_t *data, size_t size, size_t max_size, uint32_t ops,
                              sp_rng *rng) {
  sp_fuzz_offer all = sp_fuzz_offer_all();
  sp_fuzz_header h;
  sp_case c;
  all.ops = ops;
  sp_fuzz_header_read(&h, data, size);
  uint8_t *bytes = malloc(max_size);
  if (bytes == NULL || !sp_fuzz_decode(&c, data, size, &all)) {
    free(bytes);
    return 0;
  }
  bool changed = false;
  for (int tries = 0; tries < 8 && !changed; tries++) changed = sp_fuzz_mutate_case(&c, rng);
  while (sp_rng_one_in(rng, 3)) (void)sp_fuzz_mutate_case(&c, rng);
  size_t n = changed ? sp_fuzz_encode(&c, &h, bytes, max_size) : 0;
  if (n > 0) memcpy(data, bytes, n);
  sp_case_clear(&c);
  free(bytes);
  return n;
}

size_t sp_fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint32_t ops, uint64_t seed) {
  sp_rng rng;
  sp_rng_init(&rng, seed, "fuzz-mutate", size, 0);
  shorten(data, size, &rng);
  if (sp_rng_one_in(&rng, 3)) return mutate_header(data, size, max_size, &rng);
  size_t n = mutate_elements(data, size, max_size, ops, &rng);
  return n > 0 ? n : mutate_header(data, size, max_size, &rng);
}

size_t sp_fuzz_cross(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                     size_t max_size, uint64_t seed) {
  sp_rng rng;
  sp_rng_init(&rng, seed, "fuzz-cross", a_size, b_size);
  size_t size = a_size < max_size ? a_size : max_size;
  memcpy(out, a, size);
  shorten(out, size, &rng);
  if (size <= SP_FUZZ_HEADER_BYTES || b_size <= SP_FUZZ_HEADER_BYTES) return size;
  for (size_t at = 0; at < SP_FUZZ_HEADER_BYTES; at++)
    if (sp_rng_one_in(&rng, 6)) out[at] = b[at];
  if (sp_rng_one_in(&rng, 2)) return size;
  size_t from = SP_FUZZ_HEADER_BYTES + sp_rng_below(&rng, b_size - SP_FUZZ_HEADER_BYTES);
  size_t to = SP_FUZZ_HEADER_BYTES + sp_rng_below(&rng, size - SP_FUZZ_HEADER_BYTES);
  size_t n = b_size - from < max_size - to ? b_size - from : max_size - to;
  memcpy(out + to, b + from, n);
  return to + n > size ? to + n : size;
}
