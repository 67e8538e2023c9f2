/* SPDX-License-Identifier: Apache-2.0 */
/* Probes with registers of 512 bits. Fourteen independent chains hide every latency; loads and
 * stores are unrolled so that the loop is no part of what is measured. The AVX-512 subsets are asked
 * of the processor before any of this runs. */
#include <immintrin.h>

#include "certify/bench/limits.h"

enum { LANES = 16, CHAINS = 14, LINE = 64 };

static bool available(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_dot(void) {
  return __builtin_cpu_supports("avx512bf16");
}

static void use(__m512 x) {
  __asm__ volatile("" ::"v"(x));
}

static double multiply_add(uint64_t n) {
  __m512 a[CHAINS], x = _mm512_set1_ps(0.5F);
  for (int i = 0; i < CHAINS; i++) a[i] = _mm512_set1_ps((float)i);
  for (uint64_t k = 0; k < n; k++) {
    __asm__ volatile("" : "+v"(x));
#pragma GCC unroll 14
    for (int i = 0; i < CHAINS; i++) a[i] = _mm512_fmadd_ps(a[i], x, x);
  }
  for (int i = 0; i < CHAINS; i++) use(a[i]);
  return 2.0 * LANES * CHAINS * (double)n;
}

__attribute__((target("avx512bf16"))) static double dot(uint64_t n) {
  __m512 a[CHAINS];
  __m512i x = _mm512_set1_epi16(0x3F00);
  for (int i = 0; i < CHAINS; i++) a[i] = _mm512_set1_ps((float)i);
  for (uint64_t k = 0; k < n; k++) {
    __asm__ volatile("" : "+v"(x));
#pragma GCC unroll 14
    for (int i = 0; i < CHAINS; i++) a[i] = _mm512_dpbf16_ps(a[i], (__m512bh)x, (__m512bh)x);
  }
  for (int i = 0; i < CHAINS; i++) use(a[i]);
  return 4.0 * LANES * CHAINS * (double)n;
}

/* Multiply-adds and additions go to different pipes on some processors: half of each. */
static double vector(uint64_t n) {
  __m512 a[CHAINS], x = _mm512_set1_ps(0.5F);
  for (int i = 0; i < CHAINS; i++) a[i] = _mm512_set1_ps((float)i);
  for (uint64_t k = 0; k < n; k++) {
    __asm__ volatile("" : "+v"(x));
#pragma GCC unroll 7
    for (int i = 0; i < CHAINS; i += 2) {
      a[i] = _mm512_fmadd_ps(a[i], x, x);
      a[i + 1] = _mm512_max_ps(a[i + 1], x);
    }
  }
  for (int i = 0; i < CHAINS; i++) use(a[i]);
  return 1.0 * LANES * CHAINS * (double)n;
}

static void read_all(const void *from, size_t bytes) {
  const char *p = from;
  for (size_t i = 0; i + 8 * LINE <= bytes; i += 8 * LINE)
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; k++) use(_mm512_load_ps(p + i + k * LINE));
}

static void copy(void *to, const void *from, size_t bytes) {
  const char *p = from;
  char *q = to;
  for (size_t i = 0; i + 4 * LINE <= bytes; i += 4 * LINE)
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++)
      _mm512_store_ps(q + i + k * LINE, _mm512_load_ps(p + i + k * LINE));
  __asm__ volatile("" ::"r"(to) : "memory");
}

static void copy_nt(void *to, const void *from, size_t bytes) {
  const char *p = from;
  char *q = to;
  for (size_t i = 0; i + 4 * LINE <= bytes; i += 4 * LINE)
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++)
      _mm512_stream_ps((float *)(void *)(q + i + k * LINE), _mm512_load_ps(p + i + k * LINE));
  _mm_sfence();
}

const sp_probes sp_probes_avx512 = {.name = "avx512",
                                    .available = available,
                                    .fma = multiply_add,
                                    .dot_bf16 = dot,
                                    .has_dot_bf16 = has_dot,
                                    .vector = vector,
                                    .read = read_all,
                                    .copy = copy,
                                    .copy_nt = copy_nt};
