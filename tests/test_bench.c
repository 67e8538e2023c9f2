/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmark counts and what it puts to the judge: visible keys, the rows that are sampled,
 * and those rows as cases. Whether marks are right is tests/bench.py's matter.
 * tests: CT-3, EV-2, AT-5 */
#include "tests/asserts.h"
#include <math.h>
#include <string.h>

#include "certify/bench/bench.h"

Suite *suite_bench(void);

static bool small(const sp_bench_shape *s) {
  return s->n_batch * s->n_q * s->n_kv * s->n_heads <= 1U << 24 && s->n_kv <= 8192;
}

static size_t count_visible(const sp_bench_shape *s, size_t i) {
  const sp_ref_mask mask = {true, s->window, s->n_sink_tokens};
  size_t count = 0;
  for (size_t j = 0; j < s->n_kv; j++)
    count += s->op == SP_OP_SOFTMAX ||
             sp_ref_visible(&mask, (int64_t)(s->n_kv - s->n_q + i), (int64_t)j);
  return count;
}

START_TEST(visible_keys_are_those_of_the_oracle) {
  sp_bench_shape s;
  for (size_t k = 0; sp_bench_shape_get(k, &s); k++)
    for (size_t i = 0; i < s.n_q && i < 200 && small(&s); i++)
      ck_assert_msg(sp_bench_visible(&s, i) == count_visible(&s, i), "%s, query %zu", s.name, i);
}
END_TEST

START_TEST(sampled_rows_differ_and_reach_the_ends) {
  sp_bench_shape s;
  for (size_t k = 0; sp_bench_shape_get(k, &s); k++) {
    sp_bench_row rows[SP_BENCH_ROWS];
    size_t n = sp_bench_rows(&s, rows);
    ck_assert_msg(n >= 1 && sp_bench_row_bytes(&s) <= SP_BENCH_ROW_BYTES, "%s", s.name);
    for (size_t a = 0; a < n; a++) {
      ck_assert(rows[a].b < s.n_batch && rows[a].i < s.n_q && rows[a].h < s.n_heads);
      for (size_t b = 0; b < a; b++)
        ck_assert_msg(memcmp(&rows[a], &rows[b], sizeof *rows) != 0, "%s", s.name);
    }
    const sp_bench_row *last = &rows[n - 1];
    ck_assert(last->b + 1 == s.n_batch && last->i + 1 == s.n_q && last->h + 1 == s.n_heads);
  }
}
END_TEST

/* The exact inputs of one row, by way of the call's strides, against those of its case. */
static void compare_row(const sp_bench_memory *m, const sp_bench_row *row, const sp_case *c) {
  const sp_bench_shape *s = m->shape;
  sp_bench_call call;
  sp_bench_call_fill(m, 1, 0, &call);
  const sp_attention_call *a = &call.attention;
  size_t h_kv = row->h / (s->n_heads / s->n_kv_heads);
  for (size_t j = 0; j < s->n_kv; j++)
    for (size_t e = 0; e < s->d_head; e++) {
      int64_t at = (int64_t)row->b * a->k.stride[0] + (int64_t)j * a->k.stride[1] +
                   (int64_t)h_kv * a->k.stride[2] + (int64_t)e;
      double theirs = sp_ref_load(a->k.dtype, a->k.data, (size_t)at);
      ck_assert(theirs == sp_ref_load(c->k.dtype, c->k.bits, j * s->d_head + e));
    }
  for (size_t e = 0; e < s->d_head; e++) {
    int64_t at = (int64_t)row->b * a->q.stride[0] + (int64_t)row->i * a->q.stride[1] +
                 (int64_t)row->h * a->q.stride[2] + (int64_t)e;
    ck_assert(sp_ref_load(a->q.dtype, a->q.data, (size_t)at) ==
              sp_ref_load(c->q.dtype, c->q.bits, e));
  }
}

START_TEST(rows_become_well_formed_cases) {
  sp_bench_shape s;
  size_t n_seen = 0;
  for (size_t k = 0; sp_bench_shape_get(k, &s); k++) {
    if (strstr(s.name, "tiny") == NULL && strcmp(s.name, "decode-llama3-w128s4-bf16") != 0)
      continue;
    sp_bench_row rows[SP_BENCH_ROWS];
    sp_bench_memory m;
    ck_assert(sp_bench_memory_init(&m, &s, 7));
    for (size_t r = 0, n = sp_bench_rows(&s, rows); r < n; r++) {
      sp_case c;
      ck_assert(sp_bench_row_case(&m, &rows[r], &c));
      ck_assert_msg(sp_case_error(&c) == NULL, "%s: %s", s.name, sp_case_error(&c));
      if (s.op == SP_OP_ATTENTION) compare_row(&m, &rows[r], &c);
      sp_case_clear(&c);
    }
    sp_bench_memory_clear(&m);
    n_seen++;
  }
  ck_assert_uint_eq(n_seen, 4);
}
END_TEST

START_TEST(roofs_are_the_slower_of_arithmetic_and_memory) {
  sp_bench_shape s;
  const sp_limits fast_memory = {.n_threads = 1,
                                 .value = {[SP_LIMIT_FMA] = 1e9,
                                           [SP_LIMIT_READ_L1] = 1e15,
                                           [SP_LIMIT_READ_L2] = 1e15,
                                           [SP_LIMIT_READ_L3] = 1e15,
                                           [SP_LIMIT_READ_DRAM] = 1e15}};
  sp_limits slow_memory = fast_memory;
  for (sp_limit i = SP_LIMIT_READ_L1; i <= SP_LIMIT_READ_DRAM; i++) slow_memory.value[i] = 1;
  for (size_t k = 0; sp_bench_shape_get(k, &s); k++) {
    if (s.op != SP_OP_ATTENTION) continue;
    sp_bench_work work;
    sp_bench_work_of(&s, &work);
    sp_roof arithmetic = sp_bench_roof(&s, &fast_memory, NULL);
    sp_roof memory = sp_bench_roof(&s, &slow_memory, NULL);
    ck_assert(arithmetic.limit == SP_LIMIT_FMA && sp_limit_is_bandwidth(memory.limit));
    ck_assert(fabs(arithmetic.seconds - work.flops / 1e9) <= 1e-12 * arithmetic.seconds);
    ck_assert(fabs(memory.seconds - work.bytes) <= 1e-12 * memory.seconds);
  }
}
END_TEST

Suite *suite_bench(void) {
  Suite *suite = suite_create("bench");
  TCase *clause = tcase_create("CT-3");
  tcase_add_test(clause, sampled_rows_differ_and_reach_the_ends);
  tcase_add_test(clause, rows_become_well_formed_cases);
  tcase_add_test(clause, roofs_are_the_slower_of_arithmetic_and_memory);
  suite_add_tcase(suite, clause);
  clause = tcase_create("AT-5");
  tcase_add_test(clause, visible_keys_are_those_of_the_oracle);
  suite_add_tcase(suite, clause);
  return suite;
}
