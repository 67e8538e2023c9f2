/* SPDX-License-Identifier: Apache-2.0 */
/* Attention with every option: the oracle against every variant of fast/. */
#include "fuzz/ours.h"
#include "fuzz/target.h"

static sp_fuzz_ours ours = {.ops = 1u << SP_OP_ATTENTION};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return sp_fuzz_ours_input(&ours, data, size);
}
