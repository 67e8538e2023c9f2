/* SPDX-License-Identifier: Apache-2.0 */
/* The judge on lists of visible tokens. */
#include "tests/asserts.h"
#include <stdlib.h>
#include <string.h>

#include "certify/judge/judge.h"
#include "tests/judge_kernels.h"

Suite *suite_judge_lists(void);

static void stream_case(sp_case *c, uint64_t first_token) {
  sp_case_init(c, SP_OP_CACHE);
  c->n_q = c->n_kv = 9;
  c->window = 4;
  c->n_sink_tokens = 2;
  c->first_token = first_token;
  ck_assert(sp_array_alloc(&c->q, SP_F32, 9));
  ck_assert(sp_array_alloc(&c->k, SP_F32, 9));
  ck_assert(sp_array_alloc(&c->v, SP_F32, 9));
  static const sp_cache_step script[] = {{SP_STEP_VISIBLE, 0, false, 0},
                                         {SP_STEP_APPEND, 3, false, 0},
                                         {SP_STEP_VISIBLE, 0, false, 0},
                                         {SP_STEP_APPEND, 6, false, 0},
                                         {SP_STEP_VISIBLE, 0, false, 0}};
  c->n_steps = sizeof script / sizeof script[0];
  c->script = malloc(sizeof script);
  ck_assert(c->script != NULL);
  memcpy(c->script, script, sizeof script);
}

static sp_verdict judge_lists(const sp_truth *truth, const uint64_t *list, const size_t *lengths,
                              sp_judgement *judgement) {
  uint64_t entries[32];
  size_t n[3];
  memcpy(n, lengths, sizeof n);
  memcpy(entries, list, (n[0] + n[1] + n[2]) * sizeof *entries);
  sp_outputs outputs = {.visible = entries, .n_visible = n, .n_lists = 3};
  sp_judge(truth, &outputs, judgement);
  return judgement->verdict;
}

/* tests: EV-6, EV-8 */
START_TEST(visible_lists) {
  static const uint64_t first_tokens[] = {0, 1000, UINT64_MAX - 9};
  uint64_t f = first_tokens[_i];
  sp_case c;
  sp_truth truth;
  sp_judgement j;
  char error[200];
  sp_class cls = sim_class("w-seq");
  stream_case(&c, f);
  ck_assert(sp_truth_init(&truth, &c, &cls, 256, error, sizeof error));
  const uint64_t right[] = {f, f + 1, f + 2, f, f + 1, f + 5, f + 6, f + 7, f + 8};
  static const size_t lengths[] = {0, 3, 6};
  ck_assert(judge_lists(&truth, right, lengths, &j) == SP_PASS && j.n_elements >= 9);
  for (size_t i = 0; i < 9; i++) { /* off by one: also where a double cannot tell */
    uint64_t wrong[9];
    memcpy(wrong, right, sizeof wrong);
    wrong[i]++;
    ck_assert(judge_lists(&truth, wrong, lengths, &j) == SP_FAIL && j.output == SP_OUT_VISIBLE);
    ck_assert(j.row == (i < 3 ? 1 : 2) && j.element == (i < 3 ? i : i - 3));
  }
  static const size_t shorter[] = {0, 3, 5}, longer[] = {1, 3, 6};
  ck_assert(judge_lists(&truth, right, shorter, &j) == SP_FAIL && j.got == -1);
  const uint64_t early[] = {f, f, f + 1, f + 2, f, f + 1, f + 5, f + 6, f + 7, f + 8};
  ck_assert(judge_lists(&truth, early, longer, &j) == SP_FAIL && j.accept.exact == -1);
  sp_outputs none = {0};
  sp_judge(&truth, &none, &j);
  ck_assert(j.verdict == SP_FAIL);
  sp_truth_clear(&truth);
  sp_case_clear(&c);
}
END_TEST

Suite *suite_judge_lists(void) {
  Suite *suite = suite_create("judge_lists");
  TCase *tcase = tcase_create("EV-6");
  tcase_add_loop_test(tcase, visible_lists, 0, 3);
  suite_add_tcase(suite, tcase);
  return suite;
}
