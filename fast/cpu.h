/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor can do and the operating system lets us use. Nothing else in fast/ knows the
 * CPU. A feature that CPUID reports but whose registers the system does not save (XCR0) is absent:
 * using it would fault, or worse, lose its registers at the next context switch. */
#ifndef SINKPROOF_FAST_CPU_H
#define SINKPROOF_FAST_CPU_H

#include <stdint.h>

enum {
  SP_FAST_CPU_AVX2 = 1 << 0,
  SP_FAST_CPU_FMA = 1 << 1,
  SP_FAST_CPU_F16C = 1 << 2,
  SP_FAST_CPU_AVX512F = 1 << 3,
  SP_FAST_CPU_AVX512BW = 1 << 4,
  SP_FAST_CPU_AVX512DQ = 1 << 5,
  SP_FAST_CPU_AVX512VL = 1 << 6,
  SP_FAST_CPU_AVX512_BF16 = 1 << 7
};

/* The words of CPUID and XCR0 that decide; 0 where the processor has no such leaf. */
typedef struct sp_fast_cpu_words {
  uint32_t leaf1_ecx;
  uint32_t leaf7_ebx;
  uint32_t leaf7_1_eax;
  uint64_t xcr0;
} sp_fast_cpu_words;

/* SP_FAST_CPU_… bits. Pure, so that tests can ask about machines they do not run on. */
uint32_t sp_fast_cpu_decode(const sp_fast_cpu_words *words);

/* The bits of this machine. Asks the processor each time: it is asked when a variant is chosen,
 * never in a call, and so needs no state. */
uint32_t sp_fast_cpu_features(void);

#endif
