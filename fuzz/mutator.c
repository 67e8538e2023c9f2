/* SPDX-License-Identifier: Apache-2.0 */
/* The mutators under the names that fuzzing engines look for. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"

/* One time in four the engine's own: it finds what nobody thought of. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  if (LLVMFuzzerMutate != NULL && seed % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  size_t n = sp_fuzz_mutate(data, size, max_size, sp_fuzz_target_ops, seed);
  if (n == 0 && LLVMFuzzerMutate != NULL) return LLVMFuzzerMutate(data, size, max_size);
  return n;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed) {
  return sp_fuzz_cross(a, a_size, b, b_size, out, max_size, seed);
}
