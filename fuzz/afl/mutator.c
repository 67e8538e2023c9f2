/* SPDX-License-Identifier: Apache-2.0 */
/* The mutators for AFL++, which loads them from a library that AFL_CUSTOM_MUTATOR_LIBRARY names. Its
 * own mutations go on beside them. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/mutate.h"
#include "fuzz/target.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct mutator {
  sp_rng rng;
  size_t capacity;
  uint8_t *out;
} mutator;

EXPORT void *afl_custom_init(void *afl, unsigned seed);
EXPORT size_t afl_custom_fuzz(void *data, uint8_t *in, size_t size, uint8_t **out, uint8_t *other,
                              size_t other_size, size_t max_size);
EXPORT void afl_custom_deinit(void *data);

void *afl_custom_init(void *afl, unsigned seed) {
  (void)afl;
  mutator *m = calloc(1, sizeof *m);
  if (m != NULL) sp_rng_init(&m->rng, seed, "fuzz-afl", 0, 0);
  return m;
}

static bool make_room(mutator *m, size_t capacity) {
  if (capacity <= m->capacity) return true;
  uint8_t *more = realloc(m->out, capacity);
  if (more == NULL) return false;
  m->out = more;
  m->capacity = capacity;
  return true;
}

/* One child in four has two parents. */
size_t afl_custom_fuzz(void *data, uint8_t *in, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max_size) {
  mutator *m = data;
  *out = in;
  if (!make_room(m, max_size)) return size;
  uint64_t seed = sp_rng_next(&m->rng);
  size_t n = size < max_size ? size : max_size;
  memcpy(m->out, in, n);
  if (other != NULL && other_size > 0 && sp_rng_one_in(&m->rng, 4))
    n = sp_fuzz_cross(in, size, other, other_size, m->out, max_size, seed);
  else
    n = sp_fuzz_mutate(m->out, n, max_size, sp_fuzz_target_ops, seed);
  if (n == 0) return size;
  *out = m->out;
  return n;
}

void afl_custom_deinit(void *data) {
  mutator *m = data;
  if (m != NULL) free(m->out);
  free(m);
}
