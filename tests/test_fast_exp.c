/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential of each variant: against long double on a dense sweep, at the edges, and each
 * variant's bits against the others'. The class of fast/ says that its log-error is below 2u. */
#include <string.h>

#include "fast/exp_constants.h"
#include "tests/test_fast_arena.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_exp(void);

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static bool same(float a, float b) {
  return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

/* |ln(got / e^x)|, with the half unit that rounding into the subnormals costs taken off. */
static long double log_error(float x, float got) {
  long double exact = expl((long double)x);
  long double error = fabsl((long double)got - exact);
  long double floor = exact < 0x1p-126L ? 0x1p-150L : 0.0L;
  return error <= floor ? 0.0L : (error - floor) / exact;
}

/* Chunks of negative numbers in the order of their bits: every `step`-th binary32 of [-104, -2^-60]
 * is some 1.2 million arguments. tests: NU-7 */
#define STEP  929u
#define CHUNK 1024u

START_TEST(log_error_is_below_two_units) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  float x[CHUNK];
  float y[CHUNK];
  uint32_t bits = bits_of(-0x1p-60F);
  while (bits <= bits_of(-104.0F)) {
    for (uint32_t i = 0; i < CHUNK; i++, bits += STEP) x[i] = float_of(bits);
    impl->exp(y, x, CHUNK);
    for (uint32_t i = 0; i < CHUNK; i++)
      ck_assert_msg(log_error(x[i], y[i]) < 0x1p-23L, "exp(%a) = %a", (double)x[i], (double)y[i]);
  }
}
END_TEST

/* Where the reduction changes its k: the worst arguments of the polynomial. */
START_TEST(arguments_at_the_ends_of_the_reduction) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  for (int k = -150 * 16; k <= 127 * 16; k++) {
    float x[64];
    float y[64];
    uint32_t middle = bits_of((float)(((double)k + 0.5) / 16.0 * 0.6931471805599453));
    for (uint32_t i = 0; i < 64; i++) x[i] = float_of(middle + i - 32);
    impl->exp(y, x, 64);
    for (uint32_t i = 0; i < 64; i++)
      if (x[i] <= 88.0F)
        ck_assert_msg(log_error(x[i], y[i]) < 0x1p-23L, "exp(%a) = %a", (double)x[i], (double)y[i]);
  }
}
END_TEST

/* tests: NU-10, SM-1 */
START_TEST(special_arguments) {
  const struct {
    float x, y;
  } expected[] = {
      {0.0F, 1.0F},
      {-0.0F, 1.0F},
      {-INFINITY, 0.0F},
      {-0x1.fffffep+127F, 0.0F},
      {-1e30F, 0.0F},
      {-300000.0F, 0.0F},
      {-150.0F, 0.0F},
      {-104.0F, 0.0F},
      {-0x1.9fe36ap+6F, 0.0F},      /* first below ln 2^-150: nearer to 0 than to 2^-149 */
      {-0x1.9fe368p+6F, 0x1p-149F}, /* last above */
      {-0x1p-149F, 1.0F},
      {-0x1p-26F, 1.0F},
  };
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    float y = 7.0F;
    impl->exp(&y, &expected[i].x, 1);
    ck_assert_msg(y == expected[i].y, "exp(%a) = %a", (double)expected[i].x, (double)y);
  }
}
END_TEST

START_TEST(nan_stays_nan) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  const float x[] = {NAN, -NAN, float_of(0x7f800001), float_of(0xffffffff)};
  float y[4] = {0};
  impl->exp(y, x, 4);
  for (int i = 0; i < 4; i++) ck_assert(isnan(y[i]));
}
END_TEST

/* A lane's result does not depend on what its neighbours hold. */
START_TEST(lanes_do_not_meet) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  for (uint32_t lane = 0; lane < 16; lane++) {
    float x[16];
    float y[16];
    float alone = 0.0F;
    for (uint32_t i = 0; i < 16; i++) x[i] = i % 2 ? NAN : -INFINITY;
    x[lane] = -1.5F;
    impl->exp(y, x, 16);
    impl->exp(&alone, &x[lane], 1);
    ck_assert(same(y[lane], alone));
  }
}
END_TEST

/* The same operations in the same order: equal bits, everywhere. */
START_TEST(variants_agree_bit_for_bit) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  const sp_fast_impl *scalar = sp_fast_pick(0);
  float x[CHUNK];
  float y[CHUNK];
  float z[CHUNK];
  for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += UINT64_C(6007) * CHUNK) {
    for (uint32_t i = 0; i < CHUNK; i++) {
      x[i] = float_of((uint32_t)(bits + UINT64_C(6007) * i));
      if (x[i] > 88.0F) x[i] = -x[i]; /* outside the domain */
    }
    impl->exp(y, x, CHUNK);
    scalar->exp(z, x, CHUNK);
    for (uint32_t i = 0; i < CHUNK; i++)
      ck_assert_msg(same(y[i], z[i]), "exp(%a): %a, %a", (double)x[i], (double)y[i], (double)z[i]);
  }
}
END_TEST

/* The polynomial with one coefficient wrong by 2^-10, otherwise without any error. */
static float faulty_exp(float x) {
  double r = (double)x;
  return (float)(1.0 + r +
                 r * r * ((double)SP_FAST_EXP_C2 * (1.0 + 0x1p-10) + r * (double)SP_FAST_EXP_C3));
}

START_TEST(the_sweep_notices_a_wrong_coefficient) {
  long double worst = 0.0L;
  for (float x = -0.0216F; x < 0.0F; x += 0x1p-18F) {
    long double error = log_error(x, faulty_exp(x));
    if (error > worst) worst = error;
  }
  ck_assert(worst > 0x1p-23L);
}
END_TEST

Suite *suite_fast_exp(void) {
  Suite *suite = suite_create("fast/exp");
  TCase *accuracy = tcase_create("NU-7");
  tcase_set_timeout(accuracy, 60);
  add_for_each_variant(accuracy, log_error_is_below_two_units, needs_nothing);
  add_for_each_variant(accuracy, arguments_at_the_ends_of_the_reduction, needs_nothing);
  add_for_each_variant(accuracy, variants_agree_bit_for_bit, needs_nothing);
  tcase_add_test(accuracy, the_sweep_notices_a_wrong_coefficient);
  suite_add_tcase(suite, accuracy);
  TCase *special = tcase_create("NU-10");
  add_for_each_variant(special, special_arguments, needs_nothing);
  add_for_each_variant(special, nan_stays_nan, needs_nothing);
  add_for_each_variant(special, lanes_do_not_meet, needs_nothing);
  suite_add_tcase(suite, special);
  report_missing_variants("exp");
  return suite;
}
