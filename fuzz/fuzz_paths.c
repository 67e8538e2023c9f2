/* SPDX-License-Identifier: Apache-2.0 */
/* All paths on the same input, and each of them twice: every variant of fast/ within its own class
 * (so any two differ by no more than the sum of their budgets), the oracle's kernel within one
 * rounding, and the same bits wherever the data lie. */
#include "fuzz/ours.h"
#include "fuzz/target.h"

#define OPS ((1u << SP_N_OPS) - 1)

const uint32_t sp_fuzz_target_ops = OPS;
static sp_fuzz_ours ours = {.ops = OPS, .oracle = true, .twice = true};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return sp_fuzz_ours_input(&ours, data, size);
}
