// SPDX-License-Identifier: Apache-2.0
// The public headers stand alone in C++, and a kernel can be written in it. tests: KC-1
#include "sinkproof/fast.h"
#include "sinkproof/kernel.h"

static_assert(sizeof(sp_in) == sizeof(sp_out), "views of inputs and outputs have one layout");

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t) {
  static sp_kernel kernel = {};
  kernel.size = sizeof kernel;
  return host_abi_major == SP_ABI_MAJOR ? &kernel : nullptr;
}
