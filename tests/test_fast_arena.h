/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors for the tests of fast/. Every tensor ends at an unmapped page, so an over-read is a
 * crash, and every byte that is not an element is 0xff: NaN in all four types to whoever reads it.
 * Element access and rounding are written here by arithmetic on doubles, apart from the code under
 * test. */
#ifndef SINKPROOF_TEST_FAST_ARENA_H
#define SINKPROOF_TEST_FAST_ARENA_H

#include "tests/asserts.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sinkproof/kernel.h"

/* ---- random numbers: splitmix64; a test prints the seed it was given when it fails ---- */

typedef struct rng {
  uint64_t state;
} rng;

static inline uint64_t rng_next(rng *r) {
  uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* 0 … n - 1 */
static inline size_t rng_below(rng *r, size_t n) {
  return (size_t)(rng_next(r) % n);
}

static inline double rng_uniform(rng *r) {
  return (double)(rng_next(r) >> 11) * 0x1p-53;
}

static inline double rng_normal(rng *r) {
  return sqrt(-2.0 * log(1.0 - rng_uniform(r))) * cos(6.283185307179586 * rng_uniform(r));
}

/* ---- elements ---- */

typedef struct format {
  int precision, least_exponent; /* of the value 1.xxx * 2^e */
  double overflow;               /* this and above round to infinity */
} format;

static inline format format_of(sp_dtype dtype) {
  if (dtype == SP_F16) return (format){11, -14, 65520.0};
  if (dtype == SP_BF16) return (format){8, -126, 0x1.ffp+127};
  return (format){24, -126, 0x1.ffffffp+127};
}

/* Half a unit in the last place of a value of this size. */
static inline double half_ulp(sp_dtype dtype, double x) {
  format f = format_of(dtype);
  int e = x == 0.0 ? f.least_exponent : ilogb(x);
  return ldexp(1.0, (e > f.least_exponent ? e : f.least_exponent) - f.precision);
}

/* To nearest even. */
static inline double rounded(sp_dtype dtype, double x) {
  if (x == 0.0 || !isfinite(x)) return x;
  if (fabs(x) >= format_of(dtype).overflow) return copysign(INFINITY, x);
  double ulp = 2.0 * half_ulp(dtype, x);
  return nearbyint(x / ulp) * ulp;
}

static inline size_t bytes_of(sp_dtype dtype) {
  return dtype == SP_F32 ? 4 : 2;
}

static inline double value16(sp_dtype dtype, uint16_t bits) {
  format f = format_of(dtype);
  int n_fraction = f.precision - 1;
  int exponent = (bits & 0x7fff) >> n_fraction;
  int fraction = bits & ((1 << n_fraction) - 1);
  double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 0x7fff >> n_fraction) return fraction != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * ldexp(fraction, f.least_exponent - n_fraction);
  return sign * ldexp(fraction | 1 << n_fraction, f.least_exponent + exponent - 1 - n_fraction);
}

static inline double load(sp_dtype dtype, const void *data, int64_t index) {
  if (dtype == SP_F32) return (double)((const float *)data)[index];
  return value16(dtype, ((const uint16_t *)data)[index]);
}

/* Only values of the type, infinities and NaN. */
static inline uint16_t bits16(sp_dtype dtype, double x) {
  format f = format_of(dtype);
  int n_fraction = f.precision - 1;
  int sign = signbit(x) ? 0x8000 : 0;
  int top = 0x7fff >> n_fraction << n_fraction;
  if (isnan(x)) return (uint16_t)(top | 1);
  if (isinf(x)) return (uint16_t)(sign | top);
  if (fabs(x) < ldexp(1.0, f.least_exponent))
    return (uint16_t)(sign | (int)ldexp(fabs(x), n_fraction - f.least_exponent));
  int e = ilogb(x);
  int significand = (int)ldexp(fabs(x), n_fraction - e);
  return (uint16_t)(sign | (((e - f.least_exponent) << n_fraction) + significand));
}

static inline void store(sp_dtype dtype, void *data, int64_t index, double x) {
  if (dtype == SP_F32) {
    ((float *)data)[index] = (float)x;
  } else {
    ((uint16_t *)data)[index] = bits16(dtype, rounded(dtype, x));
  }
}

/* ---- tensors ---- */

typedef enum layout { PACKED, HEAD_MAJOR, REVERSED, N_LAYOUTS } layout;

typedef struct tensor {
  sp_dtype dtype;
  size_t n[3], length;
  int64_t stride[3];
  unsigned char *data;
  size_t bytes;
  void *map;
  size_t map_bytes;
} tensor;

/* bytes that end where an unmapped page begins */
static inline unsigned char *guarded(tensor *t, size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t pages = (bytes + page - 1) / page + 1;
  t->map_bytes = pages * page;
  t->map = mmap(NULL, t->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(t->map != MAP_FAILED);
  unsigned char *guard = (unsigned char *)t->map + (pages - 1) * page;
  ck_assert_int_eq(mprotect(guard, page, PROT_NONE), 0);
  return guard - bytes;
}

/* t[n[0]][n[1]][n[2]][length] with the axes in the order of the layout and `pad` unused elements
 * after each row. */
static inline tensor tensor_new(sp_dtype dtype, size_t a, size_t b, size_t c, size_t length,
                                layout order, size_t pad) {
  static const int axes[N_LAYOUTS][3] = {{0, 1, 2}, {0, 2, 1}, {2, 1, 0}};
  tensor t = {.dtype = dtype, .n = {a, b, c}, .length = length};
  size_t row = length + pad;
  for (int i = 2; i >= 0; i--) {
    t.stride[axes[order][i]] = (int64_t)row;
    row *= t.n[axes[order][i]];
  }
  size_t count = row > pad ? row - pad : 0;
  t.bytes = count * bytes_of(dtype);
  t.data = guarded(&t, t.bytes);
  memset(t.data, 0xff, t.bytes);
  return t;
}

static inline void tensor_free(tensor *t) {
  if (t->map != NULL) munmap(t->map, t->map_bytes);
  *t = (tensor){0};
}

static inline int64_t tensor_index(const tensor *t, size_t a, size_t b, size_t c, size_t e) {
  return (int64_t)a * t->stride[0] + (int64_t)b * t->stride[1] + (int64_t)c * t->stride[2] +
         (int64_t)e;
}

static inline void tensor_set(tensor *t, size_t a, size_t b, size_t c, size_t e, double x) {
  store(t->dtype, t->data, tensor_index(t, a, b, c, e), x);
}

static inline double tensor_get(const tensor *t, size_t a, size_t b, size_t c, size_t e) {
  return load(t->dtype, t->data, tensor_index(t, a, b, c, e));
}

static inline void tensor_normal(tensor *t, rng *r, double mean, double deviation) {
  for (size_t a = 0; a < t->n[0]; a++)
    for (size_t b = 0; b < t->n[1]; b++)
      for (size_t c = 0; c < t->n[2]; c++)
        for (size_t e = 0; e < t->length; e++)
          tensor_set(t, a, b, c, e, mean + deviation * rng_normal(r));
}

static inline sp_in as_in(const tensor *t) {
  sp_in in = {.data = t->data, .dtype = t->dtype};
  memcpy(in.stride, t->stride, sizeof in.stride);
  return in;
}

static inline sp_out as_out(const tensor *t) {
  sp_out out = {.data = t->data, .dtype = t->dtype};
  memcpy(out.stride, t->stride, sizeof out.stride);
  return out;
}

/* tests: KC-5 what lies between the rows of an output is as it was. */
static inline bool gaps_untouched(const tensor *t) {
  size_t size = bytes_of(t->dtype);
  unsigned char *used = calloc(t->bytes + 1, 1);
  ck_assert_ptr_nonnull(used);
  for (size_t a = 0; a < t->n[0]; a++)
    for (size_t b = 0; b < t->n[1]; b++)
      for (size_t c = 0; c < t->n[2]; c++)
        memset(used + (size_t)tensor_index(t, a, b, c, 0) * size, 1, t->length * size);
  bool untouched = true;
  for (size_t i = 0; i < t->bytes; i++)
    if (used[i] == 0 && t->data[i] != 0xff) untouched = false;
  free(used);
  return untouched;
}

#endif
