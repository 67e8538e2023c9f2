/* SPDX-License-Identifier: Apache-2.0 */
/* The part of libtorch's plain C interface that is used here, declared by hand.
 *
 * The archive that the library comes in has no headers. What compiled models call (`aoti_torch_…`)
 * is an interface in C that is kept compatible: tensors over the caller's memory, operators, and a
 * dispatcher that takes any operator by name. Every function of it returns 0 or says on standard
 * error what the library did not like. */
#ifndef SINKPROOF_ADAPTERS_TORCH_API_H
#define SINKPROOF_ADAPTERS_TORCH_API_H

#include <stdbool.h>

#include "sinkproof/kernel.h"

typedef struct torch_tensor torch_tensor; /* a handle, owned by who received it */
typedef int32_t torch_error;

int32_t aoti_torch_dtype_float32(void);
int32_t aoti_torch_dtype_float16(void);
int32_t aoti_torch_dtype_bfloat16(void);
int32_t aoti_torch_device_type_cpu(void);
uint64_t aoti_torch_abi_version(void);

torch_error aoti_torch_create_tensor_from_blob(void *data, int64_t n_axes, const int64_t *sizes,
                                               const int64_t *strides, int64_t offset,
                                               int32_t dtype, int32_t device, int32_t device_index,
                                               torch_tensor **tensor);
torch_error aoti_torch_new_tensor_handle(torch_tensor *tensor, torch_tensor **handle);
torch_error aoti_torch_delete_tensor_object(torch_tensor *tensor);
torch_error aoti_torch_copy_(torch_tensor *to, torch_tensor *from, int32_t non_blocking);
torch_error aoti_torch_cpu_add_Tensor(torch_tensor *a, torch_tensor *b, double factor,
                                      torch_tensor **sum);
torch_error aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu(
    torch_tensor *q, torch_tensor *k, torch_tensor *v, double dropout, int32_t causal,
    torch_tensor **mask, double *scale, torch_tensor **out, torch_tensor **lse);

/* Arguments in, results out; argument tensors are consumed, results owned by the caller. */
torch_error aoti_torch_call_dispatcher(const char *name, const char *overload, uint64_t *stack);

/* at::get_num_threads(), the one function here that has no plain C name, and OpenMP's own. */
int torch_get_num_threads(void) __asm__("_ZN2at15get_num_threadsEv");
void omp_set_num_threads(int n_threads);

/* ---- adapters/torch/api.c ---- */

const char *sp_torch_version(void);

/* What comes before a call: the number of threads, and once, what makes the library's constants
 * present. */
void sp_torch_begin(uint32_t n_threads);

enum { TORCH_MAX_AXES = 4 };

/* A tensor over memory of ours; NULL when the library refuses. */
torch_tensor *sp_torch_view(const void *data, sp_dtype dtype, size_t n_axes, const int64_t *sizes,
                            const int64_t *strides);
void sp_torch_release(torch_tensor *tensor); /* NULL is harmless */

/* An argument for the dispatcher, which consumes what it is given. */
uint64_t sp_torch_lend(torch_tensor *tensor);
static inline torch_tensor *sp_torch_result(uint64_t value) {
  return (torch_tensor *)(uintptr_t)value;
}

sp_status sp_torch_softmax(const sp_kernel *kernel, const sp_softmax_call *call);
sp_status sp_torch_prepare_softmax(const sp_kernel *kernel, sp_prepared **prepared,
                                   const sp_softmax_call *call);
sp_status sp_torch_sdpa(const sp_kernel *kernel, const sp_attention_call *call);
sp_status sp_torch_prepare_sdpa(const sp_kernel *kernel, sp_prepared **prepared,
                                const sp_attention_call *call);

#endif
