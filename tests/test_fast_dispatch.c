/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a variant: what the processor has, what the system permits, what the user forces. */
#include <stdlib.h>
#include <string.h>

#include "fast/cpu.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_dispatch(void);

/* A processor and a system that have it all: the bits of the manuals, not of fast/cpu.c. */
static const sp_fast_cpu_words complete = {
    .leaf1_ecx = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29,
    .leaf7_ebx = 1u << 5 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31,
    .leaf7_1_eax = 1u << 5,
    .xcr0 = 0xe7,
};
static const uint32_t avx512 =
    SP_FAST_CPU_AVX512F | SP_FAST_CPU_AVX512BW | SP_FAST_CPU_AVX512DQ | SP_FAST_CPU_AVX512VL;

/* tests: KC-9 */
START_TEST(complete_machine_has_all_features) {
  uint32_t all = avx512 | SP_FAST_CPU_AVX2 | SP_FAST_CPU_FMA | SP_FAST_CPU_F16C;
  ck_assert_uint_eq(sp_fast_cpu_decode(&complete), all | SP_FAST_CPU_AVX512_BF16);
}
END_TEST

START_TEST(system_that_saves_no_zmm_has_no_avx512) {
  sp_fast_cpu_words words = complete;
  for (int missing = 5; missing <= 7; missing++) {
    words.xcr0 = complete.xcr0 & ~(UINT64_C(1) << missing);
    uint32_t features = sp_fast_cpu_decode(&words);
    ck_assert_uint_eq(features & (avx512 | SP_FAST_CPU_AVX512_BF16), 0);
    ck_assert_uint_ne(features & SP_FAST_CPU_AVX2, 0);
  }
}
END_TEST

START_TEST(system_that_saves_no_ymm_has_nothing) {
  sp_fast_cpu_words words = complete;
  words.xcr0 = 0xe3;
  ck_assert_uint_eq(sp_fast_cpu_decode(&words), 0);
  words = complete;
  words.leaf1_ecx &= ~(1u << 27); /* no OSXSAVE: XCR0 says nothing */
  ck_assert_uint_eq(sp_fast_cpu_decode(&words), 0);
}
END_TEST

/* Every subset of features picks a variant that needs no more than it. */
START_TEST(every_subset_of_features_has_a_variant) {
  for (uint32_t features = 0; features < 1u << 8; features++) {
    const sp_fast_impl *impl = sp_fast_pick(features);
    ck_assert_ptr_nonnull(impl);
    ck_assert_uint_eq(impl->needs & ~features, 0);
  }
  ck_assert_str_eq(sp_fast_pick(0)->name, "scalar");
}
END_TEST

START_TEST(one_missing_feature_excludes_the_variant) {
  for (size_t i = 0; i < sp_fast_n_variants(); i++) {
    const sp_fast_impl *impl = sp_fast_variant(i);
    for (uint32_t bit = 1; bit != 0; bit <<= 1)
      if ((impl->needs & bit) != 0) ck_assert_ptr_ne(sp_fast_pick(UINT32_MAX & ~bit), impl);
  }
}
END_TEST

START_TEST(every_available_variant_can_be_forced) {
  const sp_kernel *kernel = variant_kernel(_i);
  char expected[64];
  (void)snprintf(expected, sizeof expected, "fast-%s", sp_fast_variant_name((size_t)_i));
  ck_assert_str_eq(kernel->name, expected);
  ck_assert_int_eq(setenv("SP_FAST_VARIANT", sp_fast_variant_name((size_t)_i), 1), 0);
  ck_assert_str_eq(sp_fast_active(), sp_fast_variant_name((size_t)_i));
  ck_assert_ptr_eq(sp_fast_kernel(SP_ABI_MAJOR, 0), kernel);
  ck_assert_ptr_null(sp_fast_kernel(SP_ABI_MAJOR, 1)); /* that one alone */
}
END_TEST

static void expect_nothing(const char *name, sp_status expected) {
  const sp_kernel *const untouched = sp_fast_kernel(SP_ABI_MAJOR, 0);
  const sp_kernel *kernel = untouched;
  ck_assert_int_eq(sp_fast_select(name, &kernel), expected);
  ck_assert_ptr_eq(kernel, untouched);
  ck_assert_int_eq(setenv("SP_FAST_VARIANT", name, 1), 0);
  ck_assert_int_eq(sp_fast_select(NULL, &kernel), expected);
  ck_assert_ptr_eq(kernel, untouched);
  ck_assert_ptr_null(sp_fast_active());
  ck_assert_ptr_null(sp_fast_kernel(SP_ABI_MAJOR, 0));
  ck_assert_int_eq(unsetenv("SP_FAST_VARIANT"), 0);
}

/* tests: CT-10 never a fallback */
START_TEST(unknown_name_is_an_error) {
  expect_nothing("avx1024", SP_INVALID);
  expect_nothing("AVX512", SP_INVALID);
  expect_nothing("scala", SP_INVALID);
  for (size_t i = 0; i < sp_fast_n_variants(); i++)
    if (!sp_fast_variant_available(i)) expect_nothing(sp_fast_variant_name(i), SP_UNSUPPORTED);
}
END_TEST

/* … also on a machine that has less than this one. */
START_TEST(a_variant_that_needs_more_is_an_error) {
  for (size_t i = 0; i < sp_fast_n_variants(); i++) {
    const sp_fast_impl *impl = NULL;
    const char *name = sp_fast_variant_name(i);
    uint32_t needs = sp_fast_variant(i)->needs;
    ck_assert_int_eq(sp_fast_find(name, needs, &impl), SP_OK);
    ck_assert_str_eq(impl->name, name);
    impl = NULL;
    sp_status expected = needs == 0 ? SP_OK : SP_UNSUPPORTED;
    ck_assert_int_eq(sp_fast_find(name, 0, &impl), expected);
    ck_assert_int_eq(impl != NULL, needs == 0);
  }
}
END_TEST

START_TEST(an_empty_variable_forces_nothing) {
  const char *best = sp_fast_active();
  ck_assert_int_eq(setenv("SP_FAST_VARIANT", "", 1), 0);
  ck_assert_str_eq(sp_fast_active(), best);
}
END_TEST

/* tests: KC-1 */
START_TEST(kernels_are_the_available_variants_in_order) {
  uint32_t n = 0;
  for (size_t i = 0; i < sp_fast_n_variants(); i++) {
    if (!sp_fast_variant_available(i)) continue;
    const sp_kernel *kernel = sp_fast_kernel(SP_ABI_MAJOR, n++);
    ck_assert_ptr_eq(kernel, sp_fast_variant(i)->kernel);
    ck_assert_uint_eq(kernel->size, sizeof *kernel);
    ck_assert_uint_eq(kernel->abi_major, SP_ABI_MAJOR);
  }
  ck_assert_uint_ge(n, 1);
  ck_assert_ptr_null(sp_fast_kernel(SP_ABI_MAJOR, n));
  ck_assert_ptr_null(sp_fast_kernel(SP_ABI_MAJOR + 1, 0));
  ck_assert_ptr_null(sp_fast_variant_name(sp_fast_n_variants()));
  ck_assert(!sp_fast_variant_available(sp_fast_n_variants()));
}
END_TEST

/* tests: KC-9 path is evidence: it names what ran, and only once it has. */
START_TEST(path_names_what_ran) {
  const sp_kernel *kernel = variant_kernel(_i);
  uint16_t x[3] = {0x3f80, 0x4000, 0x4040};
  float lse = 0.0F;
  sp_attention_call call = {.size = sizeof call, .n_threads = 1, .n_batch = 1, .n_q = 1, .n_kv = 1};
  call.n_heads = call.n_kv_heads = 1;
  call.d_head = call.d_value = 3;
  call.window = SP_WINDOW_ALL;
  call.q = call.k = call.v = (sp_in){.data = x, .dtype = SP_BF16};
  call.lse_keys = (sp_out){.data = &lse, .dtype = SP_F32};
  call.scale = NAN;
  ck_assert_int_eq(kernel->attention(&call), SP_INVALID);
  ck_assert_str_eq(kernel->path(), "");
  call.scale = 1.0F;
  ck_assert_int_eq(kernel->attention(&call), SP_OK);
  ck_assert_str_eq(kernel->path(), sp_fast_variant_name((size_t)_i));
}
END_TEST

Suite *suite_fast_dispatch(void) {
  Suite *suite = suite_create("fast/dispatch");
  TCase *paths = tcase_create("KC-9");
  tcase_add_test(paths, complete_machine_has_all_features);
  tcase_add_test(paths, system_that_saves_no_zmm_has_no_avx512);
  tcase_add_test(paths, system_that_saves_no_ymm_has_nothing);
  tcase_add_test(paths, every_subset_of_features_has_a_variant);
  tcase_add_test(paths, one_missing_feature_excludes_the_variant);
  add_for_each_variant(paths, path_names_what_ran, needs_nothing);
  suite_add_tcase(suite, paths);
  TCase *forced = tcase_create("CT-10");
  add_for_each_variant(forced, every_available_variant_can_be_forced, needs_nothing);
  tcase_add_test(forced, unknown_name_is_an_error);
  tcase_add_test(forced, a_variant_that_needs_more_is_an_error);
  tcase_add_test(forced, an_empty_variable_forces_nothing);
  suite_add_tcase(suite, forced);
  TCase *door = tcase_create("KC-1");
  tcase_add_test(door, kernels_are_the_available_variants_in_order);
  suite_add_tcase(suite, door);
  report_missing_variants("dispatch");
  return suite;
}
