/* SPDX-License-Identifier: Apache-2.0 */
/* fast/: softmax, attention and a streaming cache with sinks, vectorised by hand.
 *
 * The operations are those of sinkproof/kernel.h, and each variant is one sp_kernel: the same
 * mathematics for one family of processors. A program asks for a kernel once and calls it many
 * times, from any number of threads:
 *
 *     const sp_kernel *kernel;
 *     if (sp_fast_select(NULL, &kernel) != SP_OK) …   // best variant, or what the user has forced
 *     kernel->softmax(&call);
 *
 * A variant that was asked for by name and cannot be had is an error, never a silent fallback: a
 * result that claims to be AVX-512's must be AVX-512's.
 *
 * The environment variable SP_FAST_VARIANT, when it is set and not empty, stands for a name
 * wherever none was given. Nothing here keeps state, allocates, or prints. */
#ifndef SINKPROOF_FAST_H
#define SINKPROOF_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The variants of this build, best first; the last one runs on every processor. */
size_t sp_fast_n_variants(void);

/* "avx512", "scalar"; NULL past the last one. */
const char *sp_fast_variant_name(size_t index);

/* The processor has what the variant needs and the operating system lets it be used. */
bool sp_fast_variant_available(size_t index);

/* The kernel of a variant.
 * SP_OK           *kernel is it
 * SP_INVALID      no variant has this name; *kernel is as it was
 * SP_UNSUPPORTED  the variant exists, but not on this machine; *kernel is as it was
 * A name of NULL means SP_FAST_VARIANT, or the best available variant when that is not set. */
sp_status sp_fast_select(const char *name, const sp_kernel **kernel);

/* The name of the variant that sp_fast_select(NULL, …) gives; NULL when it gives none. */
const char *sp_fast_active(void);

/* The kernels to offer to a host: one for each available variant, best first, so that each can be
 * certified; when SP_FAST_VARIANT is set, that one alone, and none at all if it cannot be had.
 * NULL past the last one, or when abi_major is not known. (KC-1, CT-10) */
const sp_kernel *sp_fast_kernel(uint32_t abi_major, uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
