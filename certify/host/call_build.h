/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces that calls are built from. For certify/call*.c only. */
#ifndef SINKPROOF_CALL_BUILD_H
#define SINKPROOF_CALL_BUILD_H

#include "certify/host/call.h"

/* An empty call with room for its struct (none when args_bytes is 0). */
void sp_call_begin(sp_call *call, sp_call_kind kind, uint32_t n_threads, size_t args_bytes);

/* A tensor of a x b x h rows, padded and ordered as the case's layout says. */
sp_tensor sp_call_tensor(const sp_case *c, const char *name, sp_dtype dtype, size_t a, size_t b,
                         size_t h, size_t length);

/* Add a tensor whose view is at offset `field` of the struct. Returns its index, -1 when it is
 * absent (packed == NULL, not wanted). */
int sp_call_input(sp_call *call, const sp_tensor *shape, const void *packed, size_t field);
int sp_call_output(sp_call *call, const sp_tensor *shape, bool wanted, size_t field);

/* The same for a tensor without a view: a plain pointer at `field`, or none (SP_NO_FIELD). */
#define SP_NO_FIELD SIZE_MAX
int sp_call_pointer(sp_call *call, const sp_tensor *tensor, size_t field);

#endif
