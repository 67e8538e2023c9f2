/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors, threads, and the state that a program which uses the library is in. */
#include "adapters/torch/api.h"

#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/call.h"

const char *sp_torch_version(void) {
  static char text[32];
  const uint64_t abi = aoti_torch_abi_version(); /* one byte each, from the top */
  snprintf(text, sizeof text, "%u.%u.%u", (unsigned)(abi >> 56), (unsigned)(abi >> 48) & 255U,
           (unsigned)(abi >> 40) & 255U);
  return text;
}

static void read_pages(uintptr_t from, uintptr_t to) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (uintptr_t at = from; at < to; at += page) (void)*(const volatile unsigned char *)at;
}

static int read_constants(struct dl_phdr_info *object, size_t size, void *context) {
  (void)size;
  (void)context;
  if (strstr(object->dlpi_name, "libtorch_cpu.so") == NULL) return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    const uintptr_t from = object->dlpi_addr + part->p_vaddr;
    if (part->p_type == PT_LOAD && (part->p_flags & (PF_R | PF_W)) == PF_R)
      read_pages(from, from + part->p_filesz);
  }
  return 1;
}

/* The library's exponential loads the constant for overflow under a mask that softmax never sets. A
 * page that is only ever read so is never marked as accessed, and each such load then costs a Zen 4
 * core some 250 cycles: five sixths of softmax's time. In a program that has run for long enough
 * something else will have read that page. */
static void make_present(void) {
  dl_iterate_phdr(read_constants, NULL);
}

/* The library's own function for this also starts a second pool of as many threads, for operators
 * that are not used here; OpenMP's setting is what the ones that are used go by. The library asks
 * for it once in each thread, and then puts its default there. */
void sp_torch_begin(uint32_t n_threads) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static _Thread_local int set;
  const int wanted = sp_adapter_threads(n_threads);
  pthread_once(&once, make_present);
  if (set == 0) torch_get_num_threads();
  if (wanted != set) omp_set_num_threads(wanted);
  set = wanted;
}

static int32_t type_of(sp_dtype dtype) {
  if (dtype == SP_F16) return aoti_torch_dtype_float16();
  return dtype == SP_BF16 ? aoti_torch_dtype_bfloat16() : aoti_torch_dtype_float32();
}

torch_tensor *sp_torch_view(const void *data, sp_dtype dtype, size_t n_axes, const int64_t *sizes,
                            const int64_t *strides) {
  torch_tensor *tensor = NULL;
  void *memory = (void *)(uintptr_t)data; /* the interface has no tensors of constants */
  if (aoti_torch_create_tensor_from_blob(memory, (int64_t)n_axes, sizes, strides, 0, type_of(dtype),
                                         aoti_torch_device_type_cpu(), -1, &tensor) != 0)
    return NULL;
  return tensor;
}

void sp_torch_release(torch_tensor *tensor) {
  if (tensor != NULL) aoti_torch_delete_tensor_object(tensor);
}

uint64_t sp_torch_lend(torch_tensor *tensor) {
  torch_tensor *handle = NULL;
  aoti_torch_new_tensor_handle(tensor, &handle);
  return (uint64_t)(uintptr_t)handle;
}
