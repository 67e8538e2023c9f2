/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID and XGETBV. See cpu.h. The bit numbers are those of the processor manuals. */
#include "fast/cpu.h"

#include <stdbool.h>

static bool bit(uint64_t word, int n) {
  return (word >> n & 1) != 0;
}

uint32_t sp_fast_cpu_decode(const sp_fast_cpu_words *words) {
  const uint64_t ymm_state = 0x06; /* SSE and AVX registers */
  const uint64_t zmm_state = 0xe6; /* … and mask registers, upper halves, zmm16 to zmm31 */
  const int osxsave = 27;
  uint32_t features = 0;
  if (!bit(words->leaf1_ecx, osxsave)) return 0; /* the system has never heard of XCR0 */
  if ((words->xcr0 & ymm_state) != ymm_state) return 0;
  if (bit(words->leaf1_ecx, 12)) features |= SP_FAST_CPU_FMA;
  if (bit(words->leaf1_ecx, 29)) features |= SP_FAST_CPU_F16C;
  if (bit(words->leaf7_ebx, 5)) features |= SP_FAST_CPU_AVX2;
  if ((words->xcr0 & zmm_state) != zmm_state) return features;
  if (bit(words->leaf7_ebx, 16)) features |= SP_FAST_CPU_AVX512F;
  if (bit(words->leaf7_ebx, 17)) features |= SP_FAST_CPU_AVX512DQ;
  if (bit(words->leaf7_ebx, 30)) features |= SP_FAST_CPU_AVX512BW;
  if (bit(words->leaf7_ebx, 31)) features |= SP_FAST_CPU_AVX512VL;
  if (bit(words->leaf7_1_eax, 5)) features |= SP_FAST_CPU_AVX512_BF16;
  return features;
}

#if defined(__x86_64__)

#include <cpuid.h>

/* XGETBV faults unless the system has enabled XSAVE, so OSXSAVE is looked at first. */
static uint64_t read_xcr0(uint32_t leaf1_ecx) {
  if (!bit(leaf1_ecx, 27)) return 0;
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

uint32_t sp_fast_cpu_features(void) {
  sp_fast_cpu_words words = {0};
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  words.leaf1_ecx = c;
  words.xcr0 = read_xcr0(c);
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    words.leaf7_ebx = b;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) words.leaf7_1_eax = a;
  }
  return sp_fast_cpu_decode(&words);
}

#else

uint32_t sp_fast_cpu_features(void) {
  return 0;
}

#endif
