/* SPDX-License-Identifier: Apache-2.0 */
/* What the adapters do before and after their library: admission, visibility, packing, f16. A
 * mistake here would accuse a kernel of somebody else, so it is tested apart from all of them. */
#include "tests/asserts.h"
#include <math.h>
#include <string.h>

#include "adapters/call.h"
#include "adapters/onnxruntime/half.h"
#include "adapters/tensor.h"
#include "adapters/torch/mask.h"
#include "adapters/visible.h"
#include "ref/ref.h"

Suite *suite_adapters(void);

static const sp_kernel offered = {
    .size = sizeof(sp_kernel),
    .options = SP_OPT_GQA | SP_OPT_MASK,
    .dtypes_softmax = SP_DTYPE_BIT(SP_F32),
    .dtypes_q = SP_DTYPE_BIT(SP_F32),
    .dtypes_kv = SP_DTYPE_BIT(SP_F32),
};

/* A decode call that `offered` admits. */
static sp_attention_call good_call(void) {
  static float some[4];
  sp_attention_call call = {.size = sizeof call, .n_threads = 1, .scale = 1.0F, .window = 1};
  call.window = SP_WINDOW_ALL;
  call.n_batch = call.n_q = call.n_kv_heads = 1;
  call.n_kv = call.n_heads = call.d_head = call.d_value = 2;
  call.q.data = call.k.data = call.v.data = call.out.data = some;
  call.q.dtype = call.k.dtype = call.v.dtype = call.out.dtype = SP_F32;
  return call;
}

static sp_status admit(const sp_attention_call *call) {
  return sp_adapter_admit_attention(&offered, call);
}

/* tests: KC-7 */
START_TEST(illegal_calls_are_invalid) {
  sp_attention_call call = good_call();
  ck_assert_int_eq(admit(&call), SP_OK);
  call.window = 0;
  ck_assert_int_eq(admit(&call), SP_INVALID);
  call = good_call();
  call.n_kv_heads = 0;
  ck_assert_int_eq(admit(&call), SP_INVALID);
  call.n_kv_heads = 3;
  ck_assert_int_eq(admit(&call), SP_INVALID);
  call = good_call();
  call.scale = INFINITY;
  ck_assert_int_eq(admit(&call), SP_INVALID);
  call = good_call();
  call.softcap = -1.0F;
  ck_assert_int_eq(admit(&call), SP_INVALID);
  call = good_call();
  call.bias_v = call.v;
  ck_assert_int_eq(admit(&call), SP_INVALID);
  call = good_call();
  call.out.data = NULL;
  ck_assert_int_eq(admit(&call), SP_INVALID);
}
END_TEST

/* tests: KC-2 */
START_TEST(what_is_not_declared_is_declined) {
  sp_attention_call call = good_call();
  call.key_bias = call.q; /* may be a mask, which is declared */
  ck_assert_int_eq(admit(&call), SP_OK);
  call.sink_logit = call.q;
  ck_assert_int_eq(admit(&call), SP_UNSUPPORTED);
  call = good_call();
  call.window = 3;
  ck_assert_int_eq(admit(&call), SP_UNSUPPORTED);
  call = good_call();
  call.d_value = 1;
  ck_assert_int_eq(admit(&call), SP_UNSUPPORTED);
  call = good_call();
  call.lse_total = call.out;
  ck_assert_int_eq(admit(&call), SP_UNSUPPORTED);
  call = good_call();
  call.k.dtype = call.v.dtype = SP_F16;
  ck_assert_int_eq(admit(&call), SP_UNSUPPORTED);
  call = good_call();
  call.n_kv = UINT64_MAX;
  ck_assert_int_eq(admit(&call), SP_UNSUPPORTED);
}
END_TEST

/* tests: EV-2, AT-4, AT-5. The adapters' rule is their own; here it meets the oracle's. */
START_TEST(visibility_is_the_oracles) {
  sp_attention_call call = good_call();
  const int64_t far[] = {9, 0, 4, 7, 2, 5};
  for (unsigned world = 0; world < 7 * 6 * 7 * 4 * 2 * 2; world++) {
    unsigned w = world;
    call.n_q = w % 7, w /= 7;
    call.n_kv = w % 6 + 1, w /= 6;
    call.window = w % 7 == 6 ? SP_WINDOW_ALL : w % 7 + 1, w /= 7;
    call.n_sink_tokens = w % 4, w /= 4;
    call.causal = w % 2, w /= 2;
    call.pos_k = w == 1 ? far : NULL;
    call.pos_q = w == 1 ? far : NULL;
    const sp_ref_mask mask = {call.causal != 0, call.window, call.n_sink_tokens};
    bool all = true;
    for (uint64_t i = 0; i < call.n_q && i < 6; i++)
      for (uint64_t j = 0; j < call.n_kv; j++) {
        int64_t pos_q = (int64_t)call.n_kv - (int64_t)call.n_q + (int64_t)i;
        bool seen = w == 1 ? sp_ref_visible(&mask, far[i], far[j])
                           : sp_ref_visible(&mask, pos_q, (int64_t)j);
        ck_assert(sp_adapter_sees(&call, i, j) == seen);
        all = all && seen;
      }
    if (call.n_q <= 6) ck_assert(sp_adapter_sees_all(&call) == all);
  }
}
END_TEST

/* Does query i see key j by what libtorch is given: its flag, its keys, its mask? */
static bool shown(const torch_mask *m, uint64_t n_kv, uint64_t i, uint64_t j) {
  if (j < m->first || j - m->first >= m->n_keys) return false;
  if (m->causal) return j <= i;
  return m->bias == NULL || !isinf(m->bias[i * n_kv + j]);
}

/* tests: EV-2, AT-4, AT-5. The flag, fewer keys or a mask: all say what the oracle says. */
START_TEST(masks_of_torch_are_the_oracles) {
  sp_attention_call call = good_call();
  unsigned flags = 0, runs = 0, masks = 0;
  for (unsigned world = 0; world < 6 * 6 * 7 * 4 * 2; world++) {
    unsigned w = world;
    call.n_q = w % 6 + 1, w /= 6;
    call.n_kv = w % 6 + 1, w /= 6;
    call.window = w % 7 == 6 ? SP_WINDOW_ALL : w % 7 + 1, w /= 7;
    call.n_sink_tokens = w % 4, w /= 4;
    call.causal = w;
    const sp_ref_mask mask = {call.causal != 0, call.window, call.n_sink_tokens};
    torch_mask m;
    ck_assert_int_eq(sp_torch_mask_make(&m, &call), SP_OK);
    for (uint64_t i = 0; i < call.n_q; i++)
      for (uint64_t j = 0; j < call.n_kv; j++) {
        int64_t pos_q = (int64_t)call.n_kv - (int64_t)call.n_q + (int64_t)i;
        ck_assert(shown(&m, call.n_kv, i, j) == sp_ref_visible(&mask, pos_q, (int64_t)j));
      }
    flags += m.causal, runs += m.n_keys < call.n_kv, masks += m.bias != NULL;
    sp_torch_mask_clear(&m);
  }
  ck_assert(flags > 0 && runs > 0 && masks > 0);
}
END_TEST

/* tests: KC-4, KC-5 */
START_TEST(packing_touches_elements_only) {
  uint16_t strided[64], seen[64], packed[12];
  for (uint16_t i = 0; i < 64; i++) strided[i] = seen[i] = i;
  const sp_adapter_shape shape = {.n = {2, 3, 1, 2}};
  const sp_in in = {strided, {31, 3, 99}, SP_F16, 0};
  sp_adapter_pack(packed, &in, shape);
  const uint16_t expected[12] = {0, 1, 3, 4, 6, 7, 31, 32, 34, 35, 37, 38};
  ck_assert_mem_eq(packed, expected, sizeof packed);

  const sp_out out = {seen, {31, 3, 99}, SP_F16, 0};
  sp_adapter_image image;
  ck_assert(sp_adapter_image_out(&image, &out, shape));
  ck_assert_ptr_ne(image.data, seen);
  for (uint16_t i = 0; i < 12; i++) ((uint16_t *)image.data)[i] = (uint16_t)(100 + i);
  sp_adapter_image_store(&image, &out, shape);
  sp_adapter_image_release(&image);
  for (size_t i = 0; i < 12; i++) strided[expected[i]] = (uint16_t)(100 + i);
  ck_assert_mem_eq(seen, strided, sizeof seen);
}
END_TEST

/* tests: KC-5 */
START_TEST(padded_rows_end_in_zeros) {
  const float x[6] = {1, 2, 3, 4, 5, 6};
  float y[6] = {0};
  const sp_adapter_shape shape = {{1, 2, 1, 3}, 4};
  const sp_in in = {x, {6, 3, 3}, SP_F32, 0};
  const sp_out out = {y, {6, 3, 3}, SP_F32, 0};
  sp_adapter_image from, to;
  ck_assert(sp_adapter_image_in(&from, &in, shape) && sp_adapter_image_out(&to, &out, shape));
  const float padded[8] = {1, 2, 3, 0, 4, 5, 6, 0};
  ck_assert_mem_eq(from.data, padded, sizeof padded);
  memcpy(to.data, from.data, sizeof padded);
  sp_adapter_image_store(&to, &out, shape);
  ck_assert_mem_eq(y, x, sizeof x);
  sp_adapter_image_release(&from);
  sp_adapter_image_release(&to);
}
END_TEST

/* tests: KC-4. A contiguous tensor is handed on, so the library itself meets the guard page. */
START_TEST(contiguous_memory_is_not_copied) {
  float x[6];
  const sp_in in = {x, {77, 2, 88}, SP_F32, 0};
  sp_adapter_image image;
  ck_assert(sp_adapter_image_in(&image, &in, (sp_adapter_shape){.n = {1, 3, 1, 2}}));
  ck_assert_ptr_eq(image.data, x);
  ck_assert_ptr_null(image.copy);
}
END_TEST

/* tests: NU-1, AL-2. Every binary16 number; just above it and half way to the next lies none. */
START_TEST(half_is_exact_or_declined) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    uint16_t half = (uint16_t)bits, back = 0;
    float x = (float)sp_ref_load(SP_F16, &half, 0);
    if (isnan(x)) {
      ck_assert(!sp_ort_half(x, &back));
      continue;
    }
    ck_assert(sp_ort_half(x, &back));
    ck_assert_uint_eq(back, half);
    if (isinf(x)) continue;
    double up = sp_ref_next(SP_F16, (double)x, true);
    ck_assert(!sp_ort_half(nextafterf(x, INFINITY), &back));
    if (!isinf(up)) ck_assert(!sp_ort_half((float)(((double)x + up) / 2.0), &back));
  }
  uint16_t unused = 0;
  ck_assert(!sp_ort_half(65536.0F, &unused));
}
END_TEST

/* tests: AL-2 */
START_TEST(sink_logits_convert_exactly) {
  const uint16_t bf16[] = {0x3f80, 0, 0xff80, 0, 0xbfc0}; /* 1, -inf, -1.5, every other one */
  const sp_in in = {bf16, {0, 0, 2}, SP_BF16, 0};
  float to[3];
  sp_adapter_sinks(to, &in, 2, 3);
  ck_assert(to[0] >= 1.0F && to[0] <= 1.0F && isinf(to[1]) && to[1] < 0.0F);
  ck_assert(to[2] >= -1.5F && to[2] <= -1.5F);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tcase = tcase_create(clause);
  tcase_add_test(tcase, test);
  suite_add_tcase(suite, tcase);
}

Suite *suite_adapters(void) {
  Suite *suite = suite_create("adapters");
  add(suite, "KC-7", illegal_calls_are_invalid);
  add(suite, "KC-2", what_is_not_declared_is_declined);
  add(suite, "EV-2", visibility_is_the_oracles);
  add(suite, "EV-2", masks_of_torch_are_the_oracles);
  add(suite, "KC-5", packing_touches_elements_only);
  add(suite, "KC-5", padded_rows_end_in_zeros);
  add(suite, "KC-4", contiguous_memory_is_not_copied);
  add(suite, "NU-1", half_is_exact_or_declined);
  add(suite, "AL-2", sink_logits_convert_exactly);
  return suite;
}
