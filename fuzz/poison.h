/* SPDX-License-Identifier: Apache-2.0 */
/* AddressSanitizer's word on who may touch a byte; nothing in other builds. */
#ifndef SINKPROOF_FUZZ_POISON_H
#define SINKPROOF_FUZZ_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SP_FUZZ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SP_FUZZ_ASAN 1
#endif
#endif

#ifdef SP_FUZZ_ASAN
#include <sanitizer/asan_interface.h>
#define sp_fuzz_poison(at, bytes)   ASAN_POISON_MEMORY_REGION((at), (bytes))
#define sp_fuzz_unpoison(at, bytes) ASAN_UNPOISON_MEMORY_REGION((at), (bytes))
#else
static inline void sp_fuzz_poison(const void *at, size_t bytes) {
  (void)at;
  (void)bytes;
}
static inline void sp_fuzz_unpoison(const void *at, size_t bytes) {
  (void)at;
  (void)bytes;
}
#endif

#endif
