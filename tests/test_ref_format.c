/* SPDX-License-Identifier: Apache-2.0 */
/* The number formats, exhaustively for the 16-bit ones: every bit pattern, every pair of
 * neighbours, every midpoint and both of its sides. The expected values are computed here by
 * enumeration, not by a second copy of the conversion. binary32 and binary64 are held against the
 * machine. */
#include "tests/asserts.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ref/ref.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_format(void);

enum { N_PATTERNS = 65536 };

typedef struct small_format {
  sp_dtype dtype;
  int fraction_bits;
  double least; /* the least subnormal */
  uint16_t infinity;
} small_format;

static const small_format small_formats[] = {
    {SP_F16, 10, 0x1p-24, 0x7c00},
    {SP_BF16, 7, 0x1p-133, 0x7f80},
};

/* value[b] for the non-negative patterns b, by counting up: the spacing doubles each time that the
 * fraction field is full, but not from the subnormals to the first normal numbers. */
static void enumerate(const small_format *f, double *value) {
  double step = f->least;
  value[0] = 0;
  for (unsigned b = 1; b < f->infinity; b++) {
    const unsigned field = (b - 1) >> f->fraction_bits;
    const bool first_of_binade = ((b - 1) & ((1u << f->fraction_bits) - 1)) == 0;
    if (first_of_binade && field >= 2) step *= 2;
    value[b] = value[b - 1] + step;
  }
}

static double load(sp_dtype dtype, uint16_t bits) {
  return sp_ref_load(dtype, &bits, 0);
}

static uint16_t store(sp_dtype dtype, double value) {
  uint16_t bits = 0xdead;
  sp_ref_store(dtype, &bits, 0, value);
  return bits;
}

/* tests: NU-1 */
START_TEST(every_pattern_loads_and_stores) {
  const small_format *f = &small_formats[_i];
  static double value[N_PATTERNS / 2];
  enumerate(f, value);
  for (unsigned b = 0; b < N_PATTERNS; b++) {
    const unsigned magnitude = b & 0x7fff;
    const double got = load(f->dtype, (uint16_t)b);
    if (magnitude > f->infinity) {
      REQUIRE(isnan(got));
      REQUIRE(store(f->dtype, got) == (f->infinity | 1u << (f->fraction_bits - 1)));
      continue;
    }
    const double expected = magnitude == f->infinity ? INFINITY : value[magnitude];
    REQUIRE_MSG(fabs(got) == expected, "%04x loads as %a, not %a", b, got, expected);
    REQUIRE((signbit(got) != 0) == (b >> 15));
    REQUIRE(store(f->dtype, got) == (b));
  }
}
END_TEST

/* x + sign * 2^-200 * |step| for every finite x of the format, exactly: 300 bits are enough. */
static double round_beside(sp_dtype dtype, double x, double half, int side) {
  mpfr_t exact, nudge;
  mpfr_init2(exact, 400);
  mpfr_init2(nudge, 53);
  mpfr_set_d(exact, x, MPFR_RNDN);
  mpfr_add_d(exact, exact, half, MPFR_RNDN);
  mpfr_set_d(nudge, half, MPFR_RNDN);
  mpfr_mul_2si(nudge, nudge, -200, MPFR_RNDN);
  if (side > 0) mpfr_add(exact, exact, nudge, MPFR_RNDN);
  if (side < 0) mpfr_sub(exact, exact, nudge, MPFR_RNDN);
  const double rounded = sp_ref_round(dtype, exact);
  mpfr_clear(exact);
  mpfr_clear(nudge);
  return rounded;
}

/* tests: NU-2 (around every midpoint: below it down, above it up, on it to the even pattern; the
 * last midpoint is the one before infinity) */
START_TEST(every_midpoint_rounds) {
  const small_format *f = &small_formats[_i];
  static double value[N_PATTERNS / 2];
  enumerate(f, value);
  const unsigned last = f->infinity - 1u;
  for (unsigned b = 0; b <= last; b++) {
    const double half = (b < last ? value[b + 1] - value[b] : value[b] - value[b - 1]) / 2;
    const double above = b < last ? value[b + 1] : INFINITY;
    const double even = b % 2 == 0 ? value[b] : above;
    REQUIRE(round_beside(f->dtype, value[b], half, -1) == value[b]);
    REQUIRE(round_beside(f->dtype, value[b], half, 0) == even);
    REQUIRE(round_beside(f->dtype, value[b], half, 1) == above);
    REQUIRE(round_beside(f->dtype, -value[b], -half, 0) == -even);
    REQUIRE(round_beside(f->dtype, value[b], 0, 0) == value[b]);
  }
}
END_TEST

/* tests: NU-1 */
START_TEST(every_neighbour_is_the_next_pattern) {
  const small_format *f = &small_formats[_i];
  static double value[N_PATTERNS / 2];
  enumerate(f, value);
  value[f->infinity] = INFINITY;
  for (unsigned b = 0; b < f->infinity; b++) {
    REQUIRE(sp_ref_next(f->dtype, value[b], true) == value[b + 1]);
    REQUIRE(sp_ref_next(f->dtype, value[b + 1], false) == value[b]);
    REQUIRE(sp_ref_next(f->dtype, -value[b], false) == -value[b + 1]);
    REQUIRE(sp_ref_next(f->dtype, -value[b + 1], true) == -value[b]);
    if (b + 1 < f->infinity) REQUIRE(sp_ref_ulp(f->dtype, value[b]) == value[b + 1] - value[b]);
    /* From between two numbers, to either. */
    const double between = value[b] + sp_ref_ulp(f->dtype, value[b]) / 4;
    REQUIRE(sp_ref_next(f->dtype, between, true) == value[b + 1]);
    REQUIRE(sp_ref_next(f->dtype, between, false) == value[b]);
    REQUIRE(sp_ref_next(f->dtype, -between, true) == -value[b]);
  }
  REQUIRE(isnan(sp_ref_next(f->dtype, NAN, true)));
  REQUIRE(sp_ref_next(f->dtype, INFINITY, true) == INFINITY);
  REQUIRE(sp_ref_next(f->dtype, 1e300, false) == value[f->infinity - 1]);
  REQUIRE(sp_ref_next(f->dtype, 1e300, true) == INFINITY);
}
END_TEST

static double any_double(uint64_t *state) {
  const uint64_t bits = sp_random_bits(state);
  double x;
  memcpy(&x, &bits, sizeof x);
  return isnan(x) ? 0 : x;
}

/* A double whose magnitude lies about the range of binary32, ends and subnormals included. */
static double near_float(uint64_t *state) {
  return ldexp(sp_random_unit(state) + sp_random_unit(state) * 0x1p-30,
               (int)sp_random_below(state, 285) - 152);
}

/* tests: NU-2 (the machine's own conversion, in its default rounding mode) */
START_TEST(binary32_rounds_as_the_machine_does) {
  uint64_t state = 1;
  MPFR_DECL_INIT(exact, 53);
  for (int i = 0; i < 400000; i++) {
    const double x = i % 2 ? near_float(&state) : any_double(&state);
    mpfr_set_d(exact, x, MPFR_RNDN);
    const float expected = (float)x;
    const double got = sp_ref_round(SP_F32, exact);
    REQUIRE_MSG(got == (double)expected, "%a rounds to %a, not %a", x, got, (double)expected);
    float stored;
    sp_ref_store(SP_F32, &stored, 0, got);
    REQUIRE(memcmp(&stored, &expected, sizeof stored) == 0 || stored == expected);
    REQUIRE(sp_ref_load(SP_F32, &expected, 0) == (double)expected);
    REQUIRE(sp_ref_next(SP_F32, (double)expected, true) == (double)nextafterf(expected, INFINITY));
    REQUIRE(sp_ref_next(SP_F32, (double)expected, false) ==
            (double)nextafterf(expected, -INFINITY));
  }
}
END_TEST

/* tests: NU-2 (long double to double is the machine's; the exponents cover the subnormals) */
START_TEST(binary64_rounds_as_the_machine_does) {
  uint64_t state = 2;
  MPFR_DECL_INIT(exact, LDBL_MANT_DIG);
  for (int i = 0; i < 400000; i++) {
    const int exponent = i % 2 ? -(int)sp_random_below(&state, 60) - 1020
                               : (int)sp_random_below(&state, 2110) - 1080;
    const long double x = ldexpl((long double)(int64_t)sp_random_bits(&state), exponent - 63);
    mpfr_set_ld(exact, x, MPFR_RNDN);
    const double expected = (double)x, got = sp_ref_round(SP_F64, exact);
    REQUIRE_MSG(got == expected, "%La rounds to %a, not %a", x, got, expected);
    double stored;
    sp_ref_store(SP_F64, &stored, 0, got);
    REQUIRE(memcmp(&stored, &got, sizeof stored) == 0);
    REQUIRE(sp_ref_load(SP_F64, &got, 0) == got || isinf(got));
    REQUIRE(sp_ref_next(SP_F64, got, true) == nextafter(got, INFINITY));
    REQUIRE(sp_ref_next(SP_F64, got, false) == nextafter(got, -INFINITY));
  }
}
END_TEST

/* tests: NU-2 (MPFR numbers far outside every format) */
START_TEST(extremes_round) {
  static const sp_dtype all[] = {SP_F16, SP_BF16, SP_F32, SP_F64};
  MPFR_DECL_INIT(x, 64);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    mpfr_set_ui_2exp(x, 1, mpfr_get_emin(), MPFR_RNDN);
    mpfr_nextabove(x);
    ck_assert(sp_ref_round(all[i], x) == 0 && !signbit(sp_ref_round(all[i], x)));
    mpfr_neg(x, x, MPFR_RNDN);
    ck_assert(sp_ref_round(all[i], x) == 0 && signbit(sp_ref_round(all[i], x)));
    mpfr_set_inf(x, 1);
    ck_assert(sp_ref_round(all[i], x) == INFINITY);
    mpfr_nextbelow(x); /* the largest number that MPFR has */
    ck_assert(sp_ref_round(all[i], x) == INFINITY);
    mpfr_neg(x, x, MPFR_RNDN);
    ck_assert(sp_ref_round(all[i], x) == -INFINITY);
    mpfr_set_nan(x);
    ck_assert(isnan(sp_ref_round(all[i], x)));
    mpfr_set_zero(x, -1);
    ck_assert(signbit(sp_ref_round(all[i], x)));
    ck_assert(isnan(sp_ref_ulp(all[i], INFINITY)) && isnan(sp_ref_ulp(all[i], NAN)));
  }
}
END_TEST

/* tests: NU-1 */
START_TEST(names_and_sizes) {
  static const struct {
    sp_dtype dtype;
    const char *name;
    size_t bytes;
  } known[] = {{SP_F32, "f32", 4}, {SP_F64, "f64", 8}, {SP_F16, "f16", 2}, {SP_BF16, "bf16", 2}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    ck_assert_str_eq(sp_ref_format_name(known[i].dtype), known[i].name);
    ck_assert_uint_eq(sp_ref_format_parse(known[i].name), known[i].dtype);
    ck_assert_uint_eq(sp_ref_format_bytes(known[i].dtype), known[i].bytes);
  }
  ck_assert_uint_eq(sp_ref_format_bytes(0), 0);
  ck_assert_uint_eq(sp_ref_format_bytes(5), 0);
  ck_assert_uint_eq(sp_ref_format_bytes(UINT32_MAX), 0);
  ck_assert_ptr_null(sp_ref_format_name(5));
  ck_assert_uint_eq(sp_ref_format_parse("f8"), 0);
  ck_assert_uint_eq(sp_ref_format_parse(""), 0);
}
END_TEST

Suite *suite_ref_format(void) {
  const int n_small = sizeof small_formats / sizeof small_formats[0];
  Suite *suite = suite_create("ref_format");
  TCase *values = tcase_create("NU-1");
  tcase_add_loop_test(values, every_pattern_loads_and_stores, 0, n_small);
  tcase_add_loop_test(values, every_neighbour_is_the_next_pattern, 0, n_small);
  tcase_add_test(values, names_and_sizes);
  suite_add_tcase(suite, values);
  TCase *rounding = tcase_create("NU-2");
  tcase_add_loop_test(rounding, every_midpoint_rounds, 0, n_small);
  tcase_add_test(rounding, binary32_rounds_as_the_machine_does);
  tcase_add_test(rounding, binary64_rounds_as_the_machine_does);
  tcase_add_test(rounding, extremes_round);
  suite_add_tcase(suite, rounding);
  return suite;
}
