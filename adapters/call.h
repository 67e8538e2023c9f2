/* SPDX-License-Identifier: Apache-2.0 */
/* What every adapter settles before it calls its library: whether the call is an error, and
 * whether it stays within what the kernel declared. A library is only ever asked for what it
 * offers, so it cannot be blamed for the rest. */
#ifndef SINKPROOF_ADAPTERS_CALL_H
#define SINKPROOF_ADAPTERS_CALL_H

#include "sinkproof/kernel.h"

/* SP_OK if the library may be called; SP_INVALID for what SPEC.md calls an error (KC-7);
 * SP_UNSUPPORTED for an option, a type or a size that `kernel` does not declare (KC-2). Finite
 * biases and masks of -inf look alike here; who offers only one of them tells them apart. */
sp_status sp_adapter_admit_softmax(const sp_kernel *kernel, const sp_softmax_call *call);
sp_status sp_adapter_admit_attention(const sp_kernel *kernel, const sp_attention_call *call);

/* How many threads a call allows: at least 1, at most what an int of a library can say. */
int sp_adapter_threads(uint32_t n_threads);

#endif
