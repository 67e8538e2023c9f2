/* SPDX-License-Identifier: Apache-2.0 */
/* All exhibits in one row: null kernels first, then class A to K. The cards are copied into one
 * array on first use because the interface promises an array; it never changes afterwards. */
#include <threads.h>

#include "certify/museum/exhibit.h"

enum { ROOM = 256 };

static sp_fault faults[ROOM];
static const sp_kernel *kernels[ROOM];
static size_t n_faults;
static once_flag hung = ONCE_FLAG_INIT;

static void hang(void) {
  const sp_exhibit *const *const lists[] = {
      sp_exhibits_null, sp_exhibits_a,      sp_exhibits_b,        sp_exhibits_c,
      sp_exhibits_d,    sp_exhibits_d_nan,  sp_exhibits_e,        sp_exhibits_f,
      sp_exhibits_g,    sp_exhibits_g_ring, sp_exhibits_g_rope,   sp_exhibits_g_undo,
      sp_exhibits_h,    sp_exhibits_i,      sp_exhibits_i_memory, sp_exhibits_i_strides,
      sp_exhibits_j,    sp_exhibits_k,      sp_exhibits_k_store};
  for (size_t c = 0; c < sizeof lists / sizeof *lists; c++)
    for (const sp_exhibit *const *e = lists[c]; *e && n_faults < ROOM; e++) {
      faults[n_faults] = (*e)->fault;
      kernels[n_faults++] = &(*e)->kernel;
    }
}

const sp_fault *sp_faults(size_t *count) {
  call_once(&hung, hang);
  *count = n_faults;
  return faults;
}

const sp_kernel *sp_museum_kernel(uint32_t host_abi_major, uint32_t index) {
  call_once(&hung, hang);
  return host_abi_major == SP_ABI_MAJOR && index < n_faults ? kernels[index] : NULL;
}

static const sp_hooks base_hooks = {0};
SP_EXHIBIT_ENTRIES(base, SP_IN_ALL)

const sp_kernel *sp_museum_base_kernel(void) {
  static const sp_kernel kernel =
      SP_EXHIBIT_KERNEL("museum-base", base_softmax, base_attention, &base_cache);
  return &kernel;
}
