/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation against MPFR: angles at positions up to 2^64 within what fast/rope.h says, rows within
 * the rounding of their elements, and the same bits from every variant. */
#include <float.h>
#include <mpfr.h>

#include "fast/rope.h"
#include "tests/test_fast_arena.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_rope(void);

enum { DIMS = 128, PREC = 400 };

static const double bases[] = {1.0, 1.5, 10000.0, 150000.0, 0x1p40};
static const uint64_t positions[] = {0,
                                     1,
                                     1023,
                                     1000000,
                                     (UINT64_C(1) << 31) - 1,
                                     UINT64_C(1) << 32,
                                     (UINT64_C(1) << 32) + 12345,
                                     (UINT64_C(1) << 53) - 1};
static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};

/* position * base^(-2i/r) */
static void exact_angle(mpfr_t angle, double base, uint64_t i, uint64_t position) {
  mpfr_set_ui(angle, 2 * i, MPFR_RNDN);
  mpfr_div_ui(angle, angle, DIMS, MPFR_RNDN);
  mpfr_neg(angle, angle, MPFR_RNDN);
  mpfr_t b;
  mpfr_init2(b, PREC);
  mpfr_set_d(b, base, MPFR_RNDN);
  mpfr_pow(angle, b, angle, MPFR_RNDN);
  mpfr_mul_ui(angle, angle, position, MPFR_RNDN);
  mpfr_clear(b);
}

/* The larger of the two errors of pair i. */
static double angle_error(const sp_fast_angles *angles, uint64_t i, mpfr_t angle) {
  mpfr_t s;
  mpfr_t c;
  mpfr_inits2(PREC, s, c, (mpfr_ptr)NULL);
  mpfr_sin_cos(s, c, angle, MPFR_RNDN);
  mpfr_sub_d(s, s, angles->sine[i], MPFR_RNDN);
  mpfr_sub_d(c, c, angles->cosine[i], MPFR_RNDN);
  double error = fmax(fabs(mpfr_get_d(s, MPFR_RNDU)), fabs(mpfr_get_d(c, MPFR_RNDU)));
  mpfr_clears(s, c, (mpfr_ptr)NULL);
  return error;
}

static double worst_error(const sp_fast_impl *impl, double base, uint64_t position,
                          uint64_t position_told) {
  sp_fast_rope rope;
  sp_fast_angles angles;
  mpfr_t angle;
  double worst = 0.0;
  mpfr_init2(angle, PREC);
  ck_assert(sp_fast_rope_init(&rope, SP_ROPE_HALF, DIMS, base));
  ck_assert(sp_fast_angles_init(&angles, &rope));
  impl->turn(&rope, position_told, &angles);
  for (uint64_t i = 0; i < rope.n_pairs; i++) {
    exact_angle(angle, base, i, position);
    worst = fmax(worst, angle_error(&angles, i, angle));
  }
  mpfr_clear(angle);
  mpfr_free_cache();
  sp_fast_angles_clear(&angles);
  sp_fast_rope_clear(&rope);
  return worst;
}

/* tests: EV-11 */
START_TEST(angles_are_those_of_the_position) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  for (size_t b = 0; b < sizeof bases / sizeof *bases; b++)
    for (size_t p = 0; p < sizeof positions / sizeof *positions; p++) {
      double error = worst_error(impl, bases[b], positions[p], positions[p]);
      ck_assert_msg(error < 0x1p-49, "base %g position %llu: %g", bases[b],
                    (unsigned long long)positions[p], error);
    }
}
END_TEST

/* The yardstick can fail: the next position is another angle. */
START_TEST(the_next_position_is_another) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  ck_assert_double_gt(worst_error(impl, 10000.0, 1000, 1001), 0.1);
}
END_TEST

/* How far an element may be from a cos - b sin: two roundings of binary64, one of binary32. */
static void check_element(double got, long double want, long double size) {
  ck_assert(fabsl((long double)got - want) <= 0x1p-24L * fabsl(want) + 0x1p-48L * size + 0x1p-149L);
}

static void check_row(const sp_fast_rope *rope, const sp_fast_angles *angles, const tensor *from,
                      const float *to) {
  bool half = rope->pairing == SP_ROPE_HALF;
  for (uint64_t i = 0; i < rope->n_pairs; i++) {
    uint64_t at_a = half ? i : 2 * i;
    uint64_t at_b = half ? i + rope->n_pairs : 2 * i + 1;
    long double a = (long double)tensor_get(from, 0, 0, 0, at_a);
    long double b = (long double)tensor_get(from, 0, 0, 0, at_b);
    long double c = (long double)angles->cosine[i];
    long double s = (long double)angles->sine[i];
    check_element((double)to[at_a], a * c - b * s, fabsl(a) + fabsl(b));
    check_element((double)to[at_b], a * s + b * c, fabsl(a) + fabsl(b));
  }
  for (uint64_t c = 2 * rope->n_pairs; c < from->length; c++)
    ck_assert_double_eq((double)to[c], tensor_get(from, 0, 0, 0, c));
}

/* One row of each type, both kinds of pairs, any part of the row turned; rows end at unmapped
 * pages. tests: EV-11, KC-4 */
START_TEST(rows_are_turned) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  for (uint64_t seed = 0; seed < 2000; seed++) {
    rng r = {seed};
    size_t d = 2 + rng_below(&r, 90);
    uint64_t dims = 2 * (1 + rng_below(&r, d / 2));
    tensor from = tensor_new(dtypes[rng_below(&r, 3)], 1, 1, 1, d, PACKED, 0);
    tensor to = tensor_new(SP_F32, 1, 1, 1, d, PACKED, 0);
    tensor same = tensor_new(SP_F32, 1, 1, 1, d, PACKED, 0);
    sp_fast_rope rope;
    sp_fast_angles angles;
    tensor_normal(&from, &r, 0.0, 3.0);
    ck_assert(sp_fast_rope_init(&rope, (uint32_t)rng_below(&r, 2), dims, 10000.0));
    ck_assert(sp_fast_angles_init(&angles, &rope));
    impl->turn(&rope, rng_next(&r) >> rng_below(&r, 64), &angles);
    impl->rotate(&rope, &angles, from.dtype, from.data, d, (float *)(void *)to.data);
    check_row(&rope, &angles, &from, (const float *)(void *)to.data);
    sp_fast_rotate_scalar(&rope, &angles, from.dtype, from.data, d, (float *)(void *)same.data);
    ck_assert_mem_eq(to.data, same.data, d * sizeof(float));
    sp_fast_angles_clear(&angles);
    sp_fast_rope_clear(&rope);
    tensor_free(&from);
    tensor_free(&to);
    tensor_free(&same);
  }
}
END_TEST

/* Same bits from every variant. */
START_TEST(angles_have_the_same_bits) {
  const sp_fast_impl *impl = sp_fast_variant((size_t)_i);
  rng r = {77};
  sp_fast_rope rope;
  sp_fast_angles angles;
  sp_fast_angles same;
  ck_assert(sp_fast_rope_init(&rope, SP_ROPE_HALF, DIMS, 10000.0));
  ck_assert(sp_fast_angles_init(&angles, &rope));
  ck_assert(sp_fast_angles_init(&same, &rope));
  for (int i = 0; i < 1000; i++) {
    uint64_t position = rng_next(&r) >> rng_below(&r, 64);
    impl->turn(&rope, position, &angles);
    sp_fast_turn_scalar(&rope, position, &same);
    ck_assert_mem_eq(angles.cosine, same.cosine, rope.n_pairs * sizeof(double));
    ck_assert_mem_eq(angles.sine, same.sine, rope.n_pairs * sizeof(double));
  }
  sp_fast_angles_clear(&angles);
  sp_fast_angles_clear(&same);
  sp_fast_rope_clear(&rope);
}
END_TEST

Suite *suite_fast_rope(void) {
  Suite *suite = suite_create("fast/rope");
  ADD_CASE_FOR(needs_nothing, suite, "EV-11", angles_are_those_of_the_position,
               the_next_position_is_another, rows_are_turned, angles_have_the_same_bits);
  report_missing_variants("rotation");
  return suite;
}
