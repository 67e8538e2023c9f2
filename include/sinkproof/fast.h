/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof/fast.h: softmax, attention and a streaming cache with sinks, vectorised by hand and
 * certified. The library is libsinkproof_fast (`pkg-config sinkproof`).
 *
 * The operations are those of sinkproof/kernel.h, and each variant is one sp_kernel: the same
 * mathematics for one family of processors. A program asks for a kernel once, plans a call once, and
 * runs it as often as it likes. This one is complete:
 *
 *     #include <sinkproof/fast.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *       float logits[2][4] = {{1, 2, 3, 4}, {4, 3, 2, 1}}, weights[2][4], sink_logit[2] = {0, 0};
 *       sp_softmax_call call = {.size = sizeof call, .n_threads = 1, .n_rows = 2, .n = 4, .scale = 1};
 *       call.logits = (sp_in){.data = logits, .stride = {4}, .dtype = SP_F32};
 *       call.sink_logit = (sp_in){.data = sink_logit, .stride = {1}, .dtype = SP_F32};
 *       call.weights = (sp_out){.data = weights, .stride = {4}, .dtype = SP_F32};
 *
 *       const sp_kernel *kernel;
 *       sp_prepared *plan;
 *       if (sp_fast_select(NULL, &kernel) != SP_OK) return 1; // the best variant of this machine
 *       if (kernel->prepare->softmax(&plan, &call) != SP_OK) return 1;
 *       for (int step = 0; step < 3; step++) {
 *         logits[0][0] += 1; // the same buffers, other numbers
 *         if (kernel->prepare->run(plan) != SP_OK) return 1;
 *         printf("%s %.6f %.6f\n", kernel->path(), (double)weights[0][0], (double)weights[1][0]);
 *       }
 *       kernel->prepare->release(plan);
 *       return 0;
 *     }
 *
 * Threads: a call and a plan use at most n_threads threads, the caller's among them; a plan starts
 * the others once and keeps them waiting. Kernels may be called from any number of threads at the
 * same time, a plan or a cache from one at a time. Results do not depend on n_threads, on the other
 * rows of a call, or on alignment, to the bit. (NU-12)
 *
 * Memory: a plan allocates what its call needs, and run allocates nothing. A call without a plan may
 * allocate, and answers SP_NOMEM when it cannot. Nothing is kept between calls, printed, or read from
 * anywhere but the environment variable below.
 *
 * A variant that was asked for by name and cannot be had is an error, never a silent fallback: a
 * result that claims to be AVX-512's must be AVX-512's. The environment variable SP_FAST_VARIANT,
 * when it is set and not empty, stands for a name wherever none was given. */
#ifndef SINKPROOF_FAST_H
#define SINKPROOF_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SP_FAST_API __attribute__((visibility("default")))
#else
#define SP_FAST_API
#endif

/* The variants of this build: those in binary32, best first, of which "scalar" runs on every
 * processor; then those that round more, which nobody gets who has not named them. */
SP_FAST_API size_t sp_fast_n_variants(void);

/* "avx512", "avx2", "scalar", "avx512bf16"; NULL past the last one.
 * "avx512bf16" offers attention and a cache without rotation over keys and values in bf16, rounds q
 * and the weights to bf16, and says so in its accuracy class. */
SP_FAST_API const char *sp_fast_variant_name(size_t index);

/* The processor has what the variant needs and the operating system lets it be used. */
SP_FAST_API bool sp_fast_variant_available(size_t index);

/* The kernel of a variant.
 * SP_OK           *kernel is it
 * SP_INVALID      no variant has this name; *kernel is as it was
 * SP_UNSUPPORTED  the variant exists, but not on this machine; *kernel is as it was
 * A name of NULL means SP_FAST_VARIANT, or the best available variant in binary32 when that is not set. */
SP_FAST_API sp_status sp_fast_select(const char *name, const sp_kernel **kernel);

/* The name of the variant that sp_fast_select(NULL, …) gives; NULL when it gives none. */
SP_FAST_API const char *sp_fast_active(void);

/* The kernels to offer to a host: one for each available variant, in order, so that each can be
 * certified; when SP_FAST_VARIANT is set, that one alone, and none at all if it cannot be had.
 * NULL past the last one, or when abi_major is not known. (KC-1, CT-10) */
SP_FAST_API const sp_kernel *sp_fast_kernel(uint32_t abi_major, uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
