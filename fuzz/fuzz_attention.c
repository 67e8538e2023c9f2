/* SPDX-License-Identifier: Apache-2.0 */
/* Attention with every option: the oracle against every variant of fast/; plans too for some inputs and
 * for long rows. */
#include "fuzz/ours.h"
#include "fuzz/target.h"

#define OPS (1u << SP_OP_ATTENTION)

const uint32_t sp_fuzz_target_ops = OPS;
static sp_fuzz_ours ours = {.ops = OPS, .sampled = true};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return sp_fuzz_ours_input(&ours, data, size);
}
