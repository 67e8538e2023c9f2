/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_ref.so: the oracle behind the door that every stranger's kernel uses. spec: KC-1 */
#include "ref/ref.h"

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? sp_ref_kernel() : NULL;
}
