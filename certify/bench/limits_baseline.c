/* SPDX-License-Identifier: Apache-2.0 */
/* Probes in plain C with the compiler's vectors of 128 bits, for processors without AVX2: roofs of
 * what a portable program reaches there. */
#include "certify/bench/limits.h"

#include <string.h>

typedef float vec __attribute__((vector_size(16)));
enum { LANES = 4, CHAINS = 12 };

/* Keeps a value alive without storing it. */
static void use(vec x) {
  __asm__ volatile("" ::"x"(x));
}

static bool always(void) {
  return true;
}

static double multiply_add(uint64_t n) {
  vec a[CHAINS], x = {1, 1, 1, 1}, y = {0.5F, 0.5F, 0.5F, 0.5F};
  for (int i = 0; i < CHAINS; i++) a[i] = x;
  for (uint64_t k = 0; k < n; k++) {
    __asm__ volatile("" : "+x"(x), "+x"(y));
    for (int i = 0; i < CHAINS; i++) a[i] = a[i] * y + x;
  }
  for (int i = 0; i < CHAINS; i++) use(a[i]);
  return 2.0 * LANES * CHAINS * (double)n;
}

static void read_all(const void *from, size_t bytes) {
  const vec *p = from;
  vec sum[4] = {{0}, {0}, {0}, {0}};
  for (size_t i = 0; i + 4 <= bytes / sizeof *p; i += 4)
    for (size_t k = 0; k < 4; k++) sum[k] += p[i + k];
  for (size_t k = 0; k < 4; k++) use(sum[k]);
}

static void copy(void *to, const void *from, size_t bytes) {
  memcpy(to, from, bytes);
  __asm__ volatile("" ::"r"(to) : "memory");
}

const sp_probes sp_probes_baseline = {.name = "baseline",
                                      .available = always,
                                      .fma = multiply_add,
                                      .vector = multiply_add,
                                      .read = read_all,
                                      .copy = copy,
                                      .copy_nt = copy};
