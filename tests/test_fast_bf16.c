/* SPDX-License-Identifier: Apache-2.0 */
/* The variant in bf16: that the processor's dot product is what fast/avx512bf16/pairs.h says it is,
 * what the variant refuses, and where its class ends. That it keeps to its class where the others
 * keep to theirs, and all else that holds of every variant, is with the tests of every variant. */
#include "tests/test_fast_call.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_bf16(void);

static bool rounds_to_bf16(const sp_kernel *kernel) {
  return strstr(kernel->accuracy_class, "qk=bf16") != NULL;
}

#if defined(__x86_64__)
#include <immintrin.h>

#include "fast/cpu.h"

/* ---- one pair of products ---- */

static float value_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static float flushed(float x) {
  return fabsf(x) < 0x1p-126F ? copysignf(0.0F, x) : x;
}

/* pairs.h, as it is written. `low_first` is the plausible mistake. */
static float model(float sum, const float a[2], const float b[2], bool low_first) {
  for (int i = 0; i < 2; i++) {
    int of = (i == 0) == low_first ? 0 : 1;
    sum = flushed(fmaf(flushed(a[of]), flushed(b[of]), flushed(sum)));
  }
  return sum;
}

__attribute__((target("avx512vl,avx512bf16"))) static float processor(float sum, const float a[2],
                                                                      const float b[2]) {
  uint32_t bits[4];
  memcpy(bits, a, 8);
  memcpy(bits + 2, b, 8);
  __m128i of_a = _mm_set1_epi32((int)(bits[0] >> 16 | bits[1]));
  __m128i of_b = _mm_set1_epi32((int)(bits[2] >> 16 | bits[3]));
  return _mm_cvtss_f32(_mm_dpbf16_ps(_mm_set1_ps(sum), (__m128bh)of_a, (__m128bh)of_b));
}

/* A number whose exponent is one of `n` from `least` on, with `fraction` for the rest. */
static float number(rng *r, uint32_t fraction, uint32_t least, uint32_t n) {
  uint32_t exponent = least + (uint32_t)rng_below(r, n);
  return value_of(((uint32_t)rng_next(r) & (0x80000000u | fraction)) | exponent << 23);
}

/* How many of a million random steps differ from the model: of products and sums alike in size, of
 * any size and kind, and around the least normal number. */
static uint64_t differences(uint64_t seed, bool low_first) {
  static const uint32_t range[3][4] = {{120, 16, 115, 26}, {0, 256, 0, 256}, {40, 50, 0, 24}};
  rng r = {seed};
  uint64_t n = 0;
  for (size_t i = 0; i < 1000000; i++) {
    const uint32_t *of = range[i % 3];
    float a[2], b[2];
    for (int k = 0; k < 2; k++) {
      a[k] = number(&r, 0x7f0000, of[0], of[1]);
      b[k] = number(&r, 0x7f0000, of[0], of[1]);
    }
    float sum = number(&r, 0x7fffff, of[2], of[3]);
    float x = processor(sum, a, b), y = model(sum, a, b, low_first);
    if (isnan(x) ? !isnan(y) : memcmp(&x, &y, sizeof x) != 0) n++;
  }
  return n;
}

/* Whatever MXCSR says. tests: NU-6, NU-10 */
START_TEST(a_pair_is_two_links_of_a_chain) {
  const uint32_t before = _mm_getcsr();
  for (uint32_t rounding = 0; rounding < 4; rounding++) {
    _mm_setcsr(before | rounding << 13);
    float a[2] = {0x1.02p0F, 0x1.04p0F}, b[2] = {0x1.06p0F, 0x1.08p-20F};
    float x = processor(0x1.000002p0F, a, b);
    _mm_setcsr(before);
    ck_assert(x == model(0x1.000002p0F, a, b, false));
  }
  ck_assert_uint_eq(differences(1, false), 0);
  ck_assert_uint_gt(differences(1, true), 10000); /* the comparison can fail */
}
END_TEST

static bool has_instruction(void) {
  return (sp_fast_cpu_features() & SP_FAST_CPU_AVX512_BF16) != 0;
}
#endif

/* ---- what is refused ---- */

static bool untouched(const tensor *t) {
  for (size_t i = 0; i < t->bytes; i++)
    if (t->data[i] != 0xff) return false;
  return true;
}

static void expect(const sp_kernel *kernel, sp_dtype dtype_q, sp_dtype dtype_kv, sp_status status) {
  rng r = {2};
  shape s = plain_shape(5, 8);
  s.dtype_q = dtype_q;
  s.dtype_kv = dtype_kv;
  attention a = attention_new(&r, &s);
  attention_fill(&a, &r);
  ck_assert_int_eq(kernel->attention(&a.call), status);
  if (status != SP_OK)
    ck_assert(untouched(&a.out) && untouched(&a.lse_keys) && untouched(&a.lse_total));
  attention_free(&a);
}

/* tests: KC-2, KC-3 */
START_TEST(other_types_are_refused) {
  const sp_kernel *kernel = variant_kernel(_i);
  expect(kernel, SP_F32, SP_BF16, SP_OK);
  expect(kernel, SP_BF16, SP_BF16, SP_OK);
  expect(kernel, SP_F16, SP_BF16, SP_UNSUPPORTED);
  expect(kernel, SP_F32, SP_F32, SP_UNSUPPORTED);
  expect(kernel, SP_BF16, SP_F16, SP_UNSUPPORTED);
  ck_assert(kernel->softmax == NULL && kernel->prepare->softmax == NULL);
}
END_TEST

/* tests: KC-2, KC-3, EV-11 */
START_TEST(a_cache_that_rotates_is_refused) {
  const sp_kernel *kernel = variant_kernel(_i);
  sp_cache_config config = {.size = sizeof config, .window = 4, .n_heads = 1, .n_kv_heads = 1};
  config.d_head = config.d_value = 8;
  config.dtype_kv = SP_BF16;
  sp_cache *cache = NULL;
  ck_assert_int_eq(kernel->cache->open(&cache, &config), SP_OK);
  kernel->cache->close(cache);
  cache = NULL;
  config.dtype_kv = SP_F32;
  ck_assert_int_eq(kernel->cache->open(&cache, &config), SP_UNSUPPORTED);
  config.dtype_kv = SP_BF16;
  config.rope_dims = 8;
  config.rope_base = 10000.0;
  config.position = SP_POSITION_ABS;
  ck_assert_int_eq(kernel->cache->open(&cache, &config), SP_UNSUPPORTED);
  ck_assert_ptr_null(cache);
}
END_TEST

/* ---- where its class ends ---- */

/* It is no w-deep kernel: judged as one it is wrong, in q and in the weights. tests: NU-5 */
START_TEST(it_does_not_keep_to_a_class_in_binary32) {
  const sp_kernel *kernel = variant_kernel(_i);
  for (int exact_q = 0; exact_q < 2; exact_q++) {
    rng r = {3};
    shape s = plain_shape(100, 64);
    s.dtype_kv = SP_BF16;
    attention a = attention_new(&r, &s);
    if (exact_q) tensor_set(&a.q, 0, 0, 0, 0, 1.0);
    for (size_t c = 1; exact_q && c < 64; c++) tensor_set(&a.q, 0, 0, 0, c, 0.0);
    attention_fill(&a, &r);
    attention_check(kernel, &a, "own class", 3);
    ck_assert_int_ge(naive_wrong_attention(sp_fast_pick(0)->kernel, &a.call), 0);
    attention_free(&a);
  }
}
END_TEST

/* Keys without elements have equal logits, and nothing of them is read. tests: KC-4 */
START_TEST(keys_of_no_length) {
  const sp_kernel *kernel = variant_kernel(_i);
  rng r = {4};
  shape s = plain_shape(40, 0);
  s.d_value = 3;
  s.dtype_kv = SP_BF16;
  attention a = attention_new(&r, &s);
  a.call.scale = 1.0F;
  attention_fill(&a, &r);
  attention_check(kernel, &a, "no length", 4);
  attention_free(&a);
}
END_TEST

/* Nobody gets it who has not asked for it by name. tests: CT-10 */
START_TEST(it_is_never_chosen) {
  const sp_kernel *kernel = variant_kernel(_i), *chosen = NULL;
  ck_assert_int_eq(unsetenv("SP_FAST_VARIANT"), 0);
  ck_assert_int_eq(sp_fast_select(NULL, &chosen), SP_OK);
  ck_assert_ptr_ne(chosen, kernel);
  ck_assert_ptr_ne(sp_fast_pick(UINT32_MAX)->kernel, kernel);
}
END_TEST

Suite *suite_fast_bf16(void) {
  Suite *suite = suite_create("fast/bf16");
#if defined(__x86_64__)
  TCase *pairs = tcase_create("NU-6");
  if (has_instruction())
    tcase_add_test(pairs, a_pair_is_two_links_of_a_chain);
  else
    printf("NOT TESTED: bf16 dot products, which this processor does not have\n");
  suite_add_tcase(suite, pairs);
#endif
  ADD_CASE_FOR(rounds_to_bf16, suite, "KC-3", other_types_are_refused,
               a_cache_that_rotates_is_refused);
  ADD_CASE_FOR(rounds_to_bf16, suite, "KC-4", keys_of_no_length);
  ADD_CASE_FOR(rounds_to_bf16, suite, "NU-5", it_does_not_keep_to_a_class_in_binary32);
  ADD_CASE_FOR(rounds_to_bf16, suite, "CT-10", it_is_never_chosen);
  report_missing_variants("bf16");
  return suite;
}
