/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of calls: every byte that is not an element is watched, data touch their guard zone,
 * and what a view of the call struct reaches is what the case holds. tests: KC-4, KC-5 */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/host/arena.h"
#include "certify/host/call.h"

Suite *suite_arena(void);

enum { ROWS = 3 * 2 * 4, LENGTH = 5 };

static sp_arena arena;
static float packed[ROWS * LENGTH];

static void open_arena(void) {
  ck_assert(sp_arena_open(&arena, (size_t)1 << 38)); /* no memory until it is touched */
  for (size_t i = 0; i < ROWS * LENGTH; i++) packed[i] = (float)i;
}

static void close_arena(void) {
  sp_arena_close(&arena);
}

static sp_tensor tensor(size_t pad, bool head_major, bool writable) {
  return (sp_tensor){.name = "t",
                     .dtype = SP_F32,
                     .element = sizeof(float),
                     .n = {3, 2, 4},
                     .length = LENGTH,
                     .pad = pad,
                     .head_major = head_major,
                     .writable = writable,
                     .packed = packed};
}

/* The layouts of a loop test: padding, order of the axes, direction, distance. */
enum { N_LAYOUTS = 16 };
static sp_tensor numbered(int i, bool writable) {
  sp_tensor t = tensor(i & 1 ? 3 : 0, (i & 2) != 0, writable);
  t.reversed = (i & 4) != 0;
  t.reach = i & 8 ? 31 : 0;
  return t;
}

static size_t address(const sp_tensor *t, size_t a, size_t b, size_t c, size_t e) {
  int64_t at = (int64_t)a * sp_tensor_stride(t, 0) + (int64_t)b * sp_tensor_stride(t, 1) +
               (int64_t)c * sp_tensor_stride(t, 2);
  return t->data + ((size_t)at + e) * t->element;
}

START_TEST(data_touch_the_guard) {
  sp_tensor t[2] = {numbered(_i, false), numbered(_i, true)};
  for (uint32_t misalign = 0; misalign < 64; misalign += 21)
    for (int before = 0; before < 2; before++) {
      sp_layout layout = {.guard_before = before != 0, .misalign = misalign};
      sp_arena_place(&arena, t, 2, &layout);
      for (int k = 0; k < 2; k++) {
        size_t end = t[k].start + sp_tensor_extent(&t[k]);
        size_t gap = before ? t[k].start - t[k].page : t[k].page + t[k].bytes - end;
        ck_assert_uint_eq(gap, misalign * sizeof(float));
        ck_assert_uint_eq(t[k].page % arena.page, 0);
        ck_assert_uint_eq(t[k].data % sizeof(float), 0);
        ck_assert_uint_ge(t[k].page, SP_GUARD_BYTES);
      }
      size_t span = (sp_tensor_parts(&t[0]) - 1) * sp_tensor_step(&t[0]) + t[0].bytes;
      ck_assert_uint_eq(t[1].page, t[0].page + span + SP_GUARD_BYTES);
      ck_assert_uint_le(t[1].page + t[1].bytes + SP_GUARD_BYTES, arena.bytes);
    }
}
END_TEST

START_TEST(calls_do_not_meet) {
  sp_layout layout = {0};
  sp_tensor t = tensor(0, false, false);
  sp_arena_place(&arena, &t, 1, &layout);
  size_t first = t.page;
  sp_arena_place(&arena, &t, 1, &layout);
  ck_assert_uint_ne(t.page, first);
  for (int i = 0; i < 1000; i++) {
    sp_arena_place(&arena, &t, 1, &layout);
    ck_assert_uint_le(t.page + t.bytes + SP_GUARD_BYTES, arena.bytes);
  }
}
END_TEST

/* The outermost axis spans 2^31 elements, in one direction or the other; its parts keep clear of one
 * another, and each is found from any address in it or near it. */
START_TEST(parts_are_far_apart) {
  sp_layout layout = {.misalign = 3};
  sp_tensor t = numbered(8 | _i, false);
  sp_arena_place(&arena, &t, 1, &layout);
  int64_t outermost = sp_tensor_stride(&t, 0);
  ck_assert_int_eq(outermost < 0, t.reversed);
  ck_assert_int_ge(llabs(2 * outermost), (int64_t)1 << 31);
  ck_assert_uint_eq(sp_tensor_parts(&t), 3);
  ck_assert_uint_ge(sp_tensor_step(&t), t.bytes + 2 * SP_GUARD_BYTES);
  for (size_t part = 0; part < 3; part++)
    for (size_t o = t.page - SP_GUARD_BYTES; o < t.page + t.bytes + SP_GUARD_BYTES; o += 1021) {
      size_t in_first = 0;
      ck_assert_uint_eq(sp_tensor_part_at(&t, o + part * sp_tensor_step(&t), &in_first), part);
      ck_assert_uint_eq(in_first, o);
    }
}
END_TEST

START_TEST(strides_reach_the_elements) {
  sp_layout layout = {.misalign = 3};
  sp_tensor t = numbered(_i, false);
  size_t i = 0;
  sp_arena_place(&arena, &t, 1, &layout);
  sp_arena_fill(&arena, &t, 0);
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 2; b++)
      for (size_t c = 0; c < 4; c++)
        for (size_t e = 0; e < LENGTH; e++, i++)
          ck_assert(memcmp(arena.base + address(&t, a, b, c, e), &packed[i], sizeof(float)) == 0);
  float gathered[ROWS * LENGTH];
  sp_arena_gather(&arena, &t, gathered);
  ck_assert_mem_eq(gathered, packed, sizeof packed);
}
END_TEST

/* Plant a change in every byte of the tensor's pages: none may go unseen, and only elements of an
 * output may change. */
START_TEST(every_byte_is_watched) {
  bool writable = _i >= N_LAYOUTS;
  unsigned run = _i & 1;
  sp_layout layout = {.misalign = 2, .guard_before = run == 1};
  sp_tensor t = numbered(_i % N_LAYOUTS, writable);
  static bool is_element[3][4 << 12]; /* of each part, from its first page on */
  memset(is_element, 0, sizeof is_element);
  sp_arena_place(&arena, &t, 1, &layout);
  ck_assert_uint_le(t.bytes, sizeof is_element[0]);
  for (size_t r = 0; r < ROWS; r++) {
    size_t at, part = sp_tensor_part_at(&t, address(&t, r / 8, r / 4 % 2, r % 4, 0), &at);
    memset(&is_element[part][at - t.page], true, LENGTH * sizeof(float));
  }
  sp_arena_fill(&arena, &t, run);
  ck_assert_uint_eq(sp_arena_changed(&arena, &t, run), SP_NO_CHANGE);
  for (size_t i = 0; i < sp_tensor_parts(&t) * t.bytes; i++) {
    size_t part = i / t.bytes, o = t.page + part * sp_tensor_step(&t) + i % t.bytes;
    size_t gap = is_element[part][i % t.bytes] ? SP_NO_CHANGE : o;
    arena.base[o] ^= 0x10;
    ck_assert_uint_eq(sp_arena_changed(&arena, &t, run), o);
    ck_assert_uint_eq(sp_arena_changed_gap(&arena, &t, run), gap);
    arena.base[o] ^= 0x10;
  }
}
END_TEST

/* A byte that equals the poison of one run cannot equal that of the other, and no poison is a
 * number that arithmetic makes. */
START_TEST(poison_is_poisonous) {
  for (sp_dtype dtype = 0; dtype <= SP_BF16; dtype++) {
    uint64_t a = sp_poison(dtype, 0), b = sp_poison(dtype, 1);
    for (int byte = 0; byte < 8; byte++)
      ck_assert_uint_ne(a >> 8 * byte & 255, b >> 8 * byte & 255);
    if (dtype == 0) continue;
    ck_assert(isnan(sp_ref_load(dtype, &a, 0)) && isnan(sp_ref_load(dtype, &b, 0)));
    uint64_t c = sp_hostile(dtype, 0), d = sp_hostile(dtype, 1);
    ck_assert(isnan(sp_ref_load(dtype, &c, 0)));
    ck_assert(isfinite(sp_ref_load(dtype, &d, 0)));
    ck_assert(isinf(sp_ref_next(dtype, sp_ref_load(dtype, &d, 0), true)));
  }
}
END_TEST

START_TEST(nothing_has_no_pages) {
  sp_layout layout = {.misalign = 5};
  sp_tensor t = tensor(2, false, true);
  t.n[1] = 0;
  sp_arena_place(&arena, &t, 1, &layout);
  ck_assert_uint_eq(t.bytes, 0);
  sp_arena_fill(&arena, &t, 0);
  ck_assert_uint_eq(sp_arena_changed(&arena, &t, 0), SP_NO_CHANGE);
}
END_TEST

START_TEST(growing_keeps_the_contents) {
  arena.base[12345] = 77;
  size_t more = arena.bytes + (64 << 20);
  ck_assert(sp_arena_grow(&arena, more));
  ck_assert_uint_ge(arena.bytes, more);
  ck_assert_uint_eq(arena.base[12345], 77);
  arena.base[arena.bytes - 1] = 1;
}
END_TEST

/* ---- calls ---- */

static void number_array(sp_array *array, sp_dtype dtype, size_t count, double first) {
  ck_assert(sp_array_alloc(array, dtype, count));
  for (size_t i = 0; i < count; i++) sp_ref_store(dtype, array->bits, i, first + (double)i);
}

static float at(const sp_in *view, size_t a, size_t b, size_t c, size_t e) {
  return ((const float *)view->data)[(int64_t)a * view->stride[0] + (int64_t)b * view->stride[1] +
                                     (int64_t)c * view->stride[2] + (int64_t)e];
}

/* Batch 2, queries 3, keys 4, heads 4 and 2, d 5 and 6. */
static void full_case(sp_case *c) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_batch = 2;
  c->n_q = c->bias_rows = 3;
  c->n_kv = c->n_heads = 4;
  c->n_kv_heads = 2;
  c->d_head = 5;
  c->d_value = 6;
  c->want_lse_keys = c->want_lse_total = true;
  number_array(&c->q, SP_F32, 2 * 3 * 4 * 5, 1000);
  number_array(&c->k, SP_F32, 2 * 4 * 2 * 5, 2000);
  number_array(&c->v, SP_F32, 2 * 4 * 2 * 6, 3000);
  number_array(&c->key_bias, SP_F32, 3 * 4, 4000);
  number_array(&c->sink_logit, SP_F32, 4, 5000);
  number_array(&c->alibi_slope, SP_F32, 4, 6000);
  number_array(&c->bias_k, SP_F32, 2 * 5, 7000);
  number_array(&c->bias_v, SP_F32, 2 * 6, 8000);
  ck_assert_ptr_null(sp_case_error(c));
}

static sp_layout numbered_layout(int i) {
  return (sp_layout){.head_major = (i & 1) != 0,
                     .row_pad = i & 2 ? 7 : 0,
                     .misalign = 1,
                     .reversed = (i & 4) != 0,
                     .reach = i & 8 ? 32 : 0};
}

START_TEST(views_reach_the_case) {
  sp_case c;
  sp_call call;
  full_case(&c);
  c.layout = numbered_layout(_i);
  sp_call_attention(&call, &c);
  sp_call_place(&call, &arena, &c.layout, arena.base);
  sp_call_write(&call, &arena, 0);
  const sp_attention_call *args = &call.args.attention;
  for (size_t b = 0; b < 2; b++)
    for (size_t i = 0; i < 3; i++)
      for (size_t h = 0; h < 4; h++) {
        for (size_t e = 0; e < 5; e++)
          ck_assert(at(&args->q, b, i, h, e) == 1000.0F + (float)(((b * 3 + i) * 4 + h) * 5 + e));
        for (size_t j = 0; j < 4; j++)
          ck_assert(at(&args->key_bias, b, i, h, j) == 4000.0F + (float)(i * 4 + j));
        ck_assert(at(&args->sink_logit, 0, 0, h, 0) == 5000.0F + (float)h);
        ck_assert(at(&args->alibi_slope, 0, 0, h, 0) == 6000.0F + (float)h);
      }
  for (size_t b = 0; b < 2; b++)
    for (size_t j = 0; j < 4; j++)
      for (size_t h = 0; h < 2; h++) {
        size_t row = (b * 4 + j) * 2 + h;
        ck_assert(at(&args->k, b, j, h, 4) == 2000.0F + (float)(row * 5 + 4));
        ck_assert(at(&args->v, b, j, h, 5) == 3000.0F + (float)(row * 6 + 5));
        ck_assert(at(&args->bias_k, 0, 0, h, 4) == 7000.0F + (float)(h * 5 + 4));
        ck_assert(at(&args->bias_v, 0, 0, h, 5) == 8000.0F + (float)(h * 6 + 5));
      }
  sp_case_clear(&c);
}
END_TEST

/* What is stored through the views of the outputs is what the host collects. */
START_TEST(outputs_are_collected) {
  sp_case c;
  sp_call call;
  sp_outputs outputs;
  full_case(&c);
  c.layout = numbered_layout(_i);
  ck_assert(sp_outputs_init(&outputs, &c));
  sp_call_attention(&call, &c);
  sp_call_place(&call, &arena, &c.layout, arena.base);
  sp_call_write(&call, &arena, 0);
  const sp_attention_call *args = &call.args.attention;
  for (size_t b = 0; b < 2; b++)
    for (size_t i = 0; i < 3; i++)
      for (size_t h = 0; h < 4; h++) {
        const int64_t *s = args->out.stride;
        const int64_t *t = args->lse_total.stride;
        float row = (float)((b * 3 + i) * 4 + h);
        float *out =
            (float *)args->out.data + (int64_t)b * s[0] + (int64_t)i * s[1] + (int64_t)h * s[2];
        for (size_t e = 0; e < 6; e++) out[e] = row * 6.0F + (float)e;
        ((float *)args->lse_total.data)[(int64_t)b * t[0] + (int64_t)i * t[1] + (int64_t)h * t[2]] =
            row;
      }
  sp_call_gather(&call, &arena, &outputs, 0);
  for (size_t i = 0; i < 24 * 6; i++)
    ck_assert(sp_ref_load(SP_F32, outputs.values.bits, i) == (double)i);
  for (size_t i = 0; i < 24; i++)
    ck_assert(sp_ref_load(SP_F32, outputs.lse_total.bits, i) == (double)i);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int n) {
  TCase *tcase = tcase_create(clause);
  tcase_add_checked_fixture(tcase, open_arena, close_arena);
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test, 0, n);
  suite_add_tcase(suite, tcase);
}

Suite *suite_arena(void) {
  Suite *suite = suite_create("arena");
  add(suite, "KC-4", data_touch_the_guard, N_LAYOUTS);
  add(suite, "KC-4", calls_do_not_meet, 1);
  add(suite, "KC-4", parts_are_far_apart, 8);
  add(suite, "KC-1", strides_reach_the_elements, N_LAYOUTS);
  add(suite, "KC-5", every_byte_is_watched, 2 * N_LAYOUTS);
  add(suite, "KC-5", poison_is_poisonous, 1);
  add(suite, "KC-5", nothing_has_no_pages, 1);
  add(suite, "KC-5", growing_keeps_the_contents, 1);
  add(suite, "KC-1", views_reach_the_case, N_LAYOUTS);
  add(suite, "KC-5", outputs_are_collected, N_LAYOUTS);
  return suite;
}
