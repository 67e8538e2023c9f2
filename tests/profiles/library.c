/* SPDX-License-Identifier: Apache-2.0 */
/* The library's one export. */
#include "tests/profiles/rows.h"

const sp_kernel *sinkproof_kernel(uint32_t host_abi_major, uint32_t index) {
  static const sp_kernel *const kernels[] = {
      &flashinfer_kernel, &fa2_kernel,      &wide_kernel,  &torch_kernel,
      &modulo_kernel,     &softmax1_kernel, &hf_kernel,    &after_kernel,
      &before_kernel,     &mlx_kernel,      &llama_kernel, &trt_kernel,
      &stubborn_kernel,   &rotating_kernel, &apart_kernel, &grouped_kernel};
  if (host_abi_major != SP_ABI_MAJOR || index >= sizeof kernels / sizeof *kernels) return NULL;
  return kernels[index];
}
