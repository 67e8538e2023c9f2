/* SPDX-License-Identifier: Apache-2.0 */
/* The portable conversions of fast/tensor.h against arithmetic on doubles. tests: NU-1, NU-2 */
#include "fast/tensor.h"

#include "tests/test_fast_arena.h"

Suite *suite_fast_tensor(void);

static const sp_dtype narrow[] = {SP_F16, SP_BF16};

static bool same_number(double a, double b) {
  return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

static float widened(sp_dtype dtype, uint16_t bits) {
  return dtype == SP_F16 ? sp_fast_from_f16(bits) : sp_fast_from_bf16(bits);
}

static uint16_t narrowed(sp_dtype dtype, float x) {
  return dtype == SP_F16 ? sp_fast_to_f16(x) : sp_fast_to_bf16(x);
}

/* All 65536 patterns. */
START_TEST(every_pattern_is_read_exactly) {
  sp_dtype dtype = narrow[_i];
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    double got = (double)widened(dtype, (uint16_t)bits);
    double want = value16(dtype, (uint16_t)bits);
    ck_assert_msg(same_number(got, want), "pattern %04x became %a", bits, got);
  }
}
END_TEST

static void expect_rounded(sp_dtype dtype, float x) {
  uint16_t bits = narrowed(dtype, x);
  double want = rounded(dtype, (double)x);
  ck_assert_msg(same_number(value16(dtype, bits), want), "%a stored as %04x", (double)x, bits);
}

/* Around every value and every tie of the narrow type, and a sweep of all sizes. */
START_TEST(every_tie_is_rounded_to_even) {
  sp_dtype dtype = narrow[_i];
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    double a = value16(dtype, (uint16_t)bits);
    double b = value16(dtype, (uint16_t)(bits + 1)); /* the next larger, or of another sign */
    if (!isfinite(a) || !isfinite(b) || signbit(a) != signbit(b)) continue;
    float tie = (float)(a + (b - a) / 2);
    expect_rounded(dtype, (float)a);
    expect_rounded(dtype, tie);
    expect_rounded(dtype, nextafterf(tie, -INFINITY));
    expect_rounded(dtype, nextafterf(tie, INFINITY));
  }
}
END_TEST

START_TEST(numbers_of_all_sizes) {
  sp_dtype dtype = narrow[_i];
  for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 20011)
    expect_rounded(dtype, sp_fast_from_bits((uint32_t)bits));
  const float edges[] = {65504.0F,     65519.0F,         65520.0F,    65536.0F, 0x1.fep+127F,
                         0x1.ffp+127F, 0x1.fefffep+127F, 0x1p-24F,    0x1p-25F, 0x1.000002p-25F,
                         0x1p-133F,    0x1p-134F,        0x1.8p-134F, INFINITY, NAN,
                         0.0F};
  for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
    expect_rounded(dtype, edges[i]);
    expect_rounded(dtype, -edges[i]);
  }
}
END_TEST

START_TEST(a_nan_stays_one_whatever_its_bits) {
  const uint32_t patterns[] = {0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000};
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    uint16_t bits = narrowed(narrow[_i], sp_fast_from_bits(patterns[i]));
    ck_assert(isnan(value16(narrow[_i], bits)));
  }
}
END_TEST

Suite *suite_fast_tensor(void) {
  Suite *suite = suite_create("fast/tensor");
  TCase *exact = tcase_create("NU-1");
  tcase_add_loop_test(exact, every_pattern_is_read_exactly, 0, 2);
  suite_add_tcase(suite, exact);
  TCase *rounding = tcase_create("NU-2");
  tcase_set_timeout(rounding, 60);
  tcase_add_loop_test(rounding, every_tie_is_rounded_to_even, 0, 2);
  tcase_add_loop_test(rounding, numbers_of_all_sizes, 0, 2);
  tcase_add_loop_test(rounding, a_nan_stays_one_whatever_its_bits, 0, 2);
  suite_add_tcase(suite, rounding);
  return suite;
}
