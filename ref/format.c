/* SPDX-License-Identifier: Apache-2.0 */
/* The four number formats as data: one table, one decoder, one encoder, one rounding. Every format
 * is an IEEE 754 interchange format with its own width, so nothing below is written twice, and no
 * step uses arithmetic of the format itself: a subnormal survives under DAZ, a rounding mode that
 * the caller set does not matter. spec: NU-1, NU-2 */
#include "ref/ref.h"

#include <math.h>
#include <string.h>

#include "ref/check.h"

typedef struct format {
  const char *name;
  int width;     /* bits of storage */
  int precision; /* significant bits, the hidden one included */
  int emin;      /* exponent of the least normal number 2^emin */
} format;

static const format formats[] = {
    [SP_F32] = {"f32", 32, 24, -126},
    [SP_F64] = {"f64", 64, 53, -1022},
    [SP_F16] = {"f16", 16, 11, -14},
    [SP_BF16] = {"bf16", 16, 8, -126},
};

enum { N_FORMATS = sizeof formats / sizeof formats[0] };

static bool known(sp_dtype dtype) {
  return dtype < N_FORMATS && formats[dtype].name != NULL;
}

size_t sp_ref_format_bytes(sp_dtype dtype) {
  return known(dtype) ? (size_t)formats[dtype].width / 8 : 0;
}

const char *sp_ref_format_name(sp_dtype dtype) {
  return known(dtype) ? formats[dtype].name : NULL;
}

sp_dtype sp_ref_format_parse(const char *name) {
  for (sp_dtype dtype = 0; dtype < N_FORMATS; dtype++)
    if (known(dtype) && strcmp(name, formats[dtype].name) == 0) return dtype;
  return 0;
}

/* Exponents of IEEE formats are symmetric: emax = 1 - emin. */
static double largest(const format *f) {
  return ldexp(ldexp(1.0, f->precision) - 1.0, 1 - f->emin - (f->precision - 1));
}

/* The exponent of the last place of a number in [2^e, 2^(e+1)). Below the least normal number the
 * spacing stays what it is there: that is what a subnormal is. */
static int last_place(const format *f, int e) {
  return (e > f->emin ? e : f->emin) - (f->precision - 1);
}

static uint64_t exponent_mask(const format *f) {
  return (UINT64_C(1) << (f->width - f->precision)) - 1;
}

static uint64_t raw_bits(int width, const void *bits, size_t index) {
  if (width == 16) {
    uint16_t raw;
    memcpy(&raw, (const char *)bits + 2 * index, 2);
    return raw;
  }
  if (width == 32) {
    uint32_t raw;
    memcpy(&raw, (const char *)bits + 4 * index, 4);
    return raw;
  }
  uint64_t raw;
  memcpy(&raw, (const char *)bits + 8 * index, 8);
  return raw;
}

static void put_raw_bits(int width, void *bits, size_t index, uint64_t raw) {
  const uint16_t raw16 = (uint16_t)raw;
  const uint32_t raw32 = (uint32_t)raw;
  if (width == 16) memcpy((char *)bits + 2 * index, &raw16, 2);
  if (width == 32) memcpy((char *)bits + 4 * index, &raw32, 4);
  if (width == 64) memcpy((char *)bits + 8 * index, &raw, 8);
}

double sp_ref_load(sp_dtype dtype, const void *bits, size_t index) {
  const format *f = &formats[dtype];
  const int stored = f->precision - 1; /* the hidden bit is not stored */
  const uint64_t raw = raw_bits(f->width, bits, index);
  const uint64_t fraction = raw & ((UINT64_C(1) << stored) - 1);
  const uint64_t exponent = raw >> stored & exponent_mask(f);
  const double sign = raw >> (f->width - 1) ? -1.0 : 1.0;
  if (exponent == exponent_mask(f)) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * ldexp((double)fraction, f->emin - stored);
  const uint64_t significand = fraction | UINT64_C(1) << stored;
  return sign * ldexp((double)significand, (int)exponent - 1 + f->emin - stored);
}

static uint64_t encode(const format *f, double value) {
  const int stored = f->precision - 1;
  const uint64_t infinity = exponent_mask(f) << stored;
  if (isnan(value)) return infinity | UINT64_C(1) << (stored - 1);
  const uint64_t sign = signbit(value) ? UINT64_C(1) << (f->width - 1) : 0;
  if (isinf(value)) return sign | infinity;
  if (value == 0) return sign;
  int e;
  (void)frexp(value, &e); /* |value| in [2^(e-1), 2^e) */
  const uint64_t significand = (uint64_t)ldexp(fabs(value), -last_place(f, e - 1));
  const uint64_t field = e - 1 > f->emin ? (uint64_t)(e - 1 - f->emin) : 0;
  /* Adding, not or-ing: the hidden bit of a normal number carries into the exponent field, and a
   * subnormal has none. */
  return sign | ((field << stored) + significand);
}

void sp_ref_store(sp_dtype dtype, void *bits, size_t index, double value) {
  const format *f = &formats[dtype];
  put_raw_bits(f->width, bits, index, encode(f, value));
  SP_CHECK(isnan(value) || sp_ref_load(dtype, bits, index) == value);
}

double sp_ref_round(sp_dtype dtype, mpfr_srcptr x) {
  const format *f = &formats[dtype];
  if (mpfr_nan_p(x)) return NAN;
  const double sign = mpfr_signbit(x) ? -1.0 : 1.0;
  if (mpfr_zero_p(x)) return sign * 0.0;
  if (mpfr_inf_p(x) || mpfr_get_exp(x) - 1 > 1 - f->emin) return sign * INFINITY;
  /* |x| below half the least subnormal: its exponent may lie beyond what an int holds. */
  if (mpfr_get_exp(x) - 1 < f->emin - f->precision) return sign * 0.0;

  /* Count x in units of its last place; the count rounds to an integer, once, ties to even. */
  const int unit = last_place(f, (int)mpfr_get_exp(x) - 1);
  mpfr_t count;
  mpfr_init2(count, mpfr_get_prec(x));
  mpfr_mul_2si(count, x, -unit, MPFR_RNDN);
  const double rounded = ldexp((double)mpfr_get_si(count, MPFR_RNDN), unit);
  mpfr_clear(count);
  if (fabs(rounded) > largest(f)) return sign * INFINITY;
  return copysign(rounded, sign);
}

double sp_ref_ulp(sp_dtype dtype, double x) {
  const format *f = &formats[dtype];
  if (!isfinite(x)) return NAN;
  int e = f->emin + 1;
  if (x != 0) (void)frexp(x, &e);
  return ldexp(1.0, last_place(f, e - 1));
}

double sp_ref_next(sp_dtype dtype, double x, bool up) {
  if (!up) return -sp_ref_next(dtype, -x, true);
  const format *f = &formats[dtype];
  if (isnan(x) || x == INFINITY) return x;
  if (x < -largest(f)) return -largest(f);
  int e;
  double step = sp_ref_ulp(dtype, x);
  /* From a power of two towards zero the spacing is half as wide, unless it is already least. */
  const bool at_power_of_two = x < 0 && frexp(x, &e) == -0.5 && e - 1 > f->emin;
  if (at_power_of_two) step /= 2;
  const double next = (floor(x / step) + 1) * step;
  return next > largest(f) ? INFINITY : next;
}
