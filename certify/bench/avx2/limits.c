/* SPDX-License-Identifier: Apache-2.0 */
/* Probes with registers of 256 bits. Fourteen independent chains hide every latency; loads and
 * stores are unrolled so that the loop is no part of what is measured. AVX2 and FMA are asked
 * of the processor before any of this runs. */
#include <immintrin.h>

#include "certify/bench/limits.h"

enum { LANES = 8, CHAINS = 14, LINE = 32 };

static bool available(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static void use(__m256 x) {
  __asm__ volatile("" ::"x"(x));
}

static double multiply_add(uint64_t n) {
  __m256 a[CHAINS], x = _mm256_set1_ps(0.5F);
  for (int i = 0; i < CHAINS; i++) a[i] = _mm256_set1_ps((float)i);
  for (uint64_t k = 0; k < n; k++) {
    __asm__ volatile("" : "+x"(x));
#pragma GCC unroll 14
    for (int i = 0; i < CHAINS; i++) a[i] = _mm256_fmadd_ps(a[i], x, x);
  }
  for (int i = 0; i < CHAINS; i++) use(a[i]);
  return 2.0 * LANES * CHAINS * (double)n;
}

/* Multiply-adds and additions go to different pipes on some processors: half of each. */
static double vector(uint64_t n) {
  __m256 a[CHAINS], x = _mm256_set1_ps(0.5F);
  for (int i = 0; i < CHAINS; i++) a[i] = _mm256_set1_ps((float)i);
  for (uint64_t k = 0; k < n; k++) {
    __asm__ volatile("" : "+x"(x));
#pragma GCC unroll 7
    for (int i = 0; i < CHAINS; i += 2) {
      a[i] = _mm256_fmadd_ps(a[i], x, x);
      a[i + 1] = _mm256_max_ps(a[i + 1], x);
    }
  }
  for (int i = 0; i < CHAINS; i++) use(a[i]);
  return 1.0 * LANES * CHAINS * (double)n;
}

static void read_all(const void *from, size_t bytes) {
  const char *p = from;
  for (size_t i = 0; i + 8 * LINE <= bytes; i += 8 * LINE)
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; k++)
      use(_mm256_load_ps((const float *)(const void *)(p + i + k * LINE)));
}

static void copy(void *to, const void *from, size_t bytes) {
  const char *p = from;
  char *q = to;
  for (size_t i = 0; i + 4 * LINE <= bytes; i += 4 * LINE)
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++)
      _mm256_store_ps((float *)(void *)(q + i + k * LINE),
                      _mm256_load_ps((const float *)(const void *)(p + i + k * LINE)));
  __asm__ volatile("" ::"r"(to) : "memory");
}

static void copy_nt(void *to, const void *from, size_t bytes) {
  const char *p = from;
  char *q = to;
  for (size_t i = 0; i + 4 * LINE <= bytes; i += 4 * LINE)
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++)
      _mm256_stream_ps((float *)(void *)(q + i + k * LINE),
                       _mm256_load_ps((const float *)(const void *)(p + i + k * LINE)));
  _mm_sfence();
}

const sp_probes sp_probes_avx2 = {.name = "avx2",
                                  .available = available,
                                  .fma = multiply_add,
                                  .vector = vector,
                                  .read = read_all,
                                  .copy = copy,
                                  .copy_nt = copy_nt};
