/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that a fuzzing engine calls. Every target is one file that defines the first. */
#ifndef SINKPROOF_FUZZ_TARGET_H
#define SINKPROOF_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* 1u << SP_OP_…: what the target reads its inputs as. The mutator has to read them alike. */
extern const uint32_t sp_fuzz_target_ops;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Optional, fuzz/mutator.c. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed);

/* The engine's own mutation of bytes; absent without an engine, and then a target has nothing to say
 * but what it finds. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

#endif
