/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming cache as a state machine: blocks appended with and without queries, further queries,
 * truncations and lists of what is visible, in any order, against the oracle's own eviction machine.
 * One sequence of operations drives every variant of fast/, the oracle's kernel and a plug-in. */
#include "fuzz/ours.h"
#include "fuzz/target.h"

#define OPS (1u << SP_OP_CACHE)

const uint32_t sp_fuzz_target_ops = OPS;
static sp_fuzz_ours ours = {.ops = OPS, .oracle = true, .sampled = true, .plugin = true};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return sp_fuzz_ours_input(&ours, data, size);
}
