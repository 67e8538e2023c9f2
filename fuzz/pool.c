/* SPDX-License-Identifier: Apache-2.0 */
/* One list of free blocks for each size class. Blocks are never given back to the system: a fuzzer
 * needs as many for the next input as it did for this one.
 *
 * A constructor: an engine that minimises calls the mutator, which computes with MPFR, before any
 * input is run, and a block of the old allocator must never come back to the new one. */
#include "fuzz/pool.h"

#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASS_BYTES = 32, N_CLASSES = 64, CHUNK_BYTES = 1 << 16 };

typedef struct block {
  struct block *next;
} block;

static block *free_list[N_CLASSES];
static unsigned char *chunk, *chunk_end;

/* GMP has no way to hear of a failure. */
static void *must(void *at) {
  if (at != NULL) return at;
  fputs("sinkproof fuzz: out of memory\n", stderr);
  abort();
}

static size_t class_of(size_t bytes) {
  return bytes > 0 ? (bytes - 1) / CLASS_BYTES : 0;
}

static void *take(size_t bytes) {
  size_t class = class_of(bytes);
  if (class >= N_CLASSES) return must(malloc(bytes));
  block *first = free_list[class];
  if (first != NULL) {
    free_list[class] = first->next;
    return first;
  }
  size_t size = (class + 1) * CLASS_BYTES;
  if ((size_t)(chunk_end - chunk) < size) {
    chunk = must(malloc(CHUNK_BYTES));
    chunk_end = chunk + CHUNK_BYTES;
  }
  chunk += size;
  return chunk - size;
}

static void give(void *at, size_t bytes) {
  size_t class = class_of(bytes);
  block *first = at;
  if (class >= N_CLASSES) {
    free(at);
    return;
  }
  first->next = free_list[class];
  free_list[class] = first;
}

static void *change(void *at, size_t old_bytes, size_t bytes) {
  size_t from = class_of(old_bytes), to = class_of(bytes);
  if (from >= N_CLASSES && to >= N_CLASSES) return must(realloc(at, bytes));
  if (from == to) return at;
  void *moved = take(bytes);
  memcpy(moved, at, old_bytes < bytes ? old_bytes : bytes);
  give(at, old_bytes);
  return moved;
}

__attribute__((constructor)) void sp_fuzz_pool_install(void) {
  mp_set_memory_functions(take, change, give);
}
