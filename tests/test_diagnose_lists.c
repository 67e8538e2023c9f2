/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about a list of visible tokens that is wrong. */
#include "tests/asserts.h"
#include <stdlib.h>
#include <string.h>

#include "certify/judge/diagnose.h"
#include "tests/judge_kernels.h"

Suite *suite_diagnose_lists(void);

static void diagnose(const sp_case *c, const sp_outputs *outputs, char *text, size_t capacity) {
  sp_class cls = sim_class("w-seq");
  sp_truth truth;
  char error[200];
  ck_assert(sp_truth_init(&truth, c, &cls, 1024, error, sizeof error));
  sp_diagnose(c, &truth, outputs, text, capacity);
  sp_truth_clear(&truth);
}

typedef struct list_trial {
  uint64_t pinned, window, first;
  const char *meaning;
} list_trial;

static const list_trial list_trials[] = {
    {2, 4, 7, ""},
    {2, 5, 7, "one recent token too many"},
    {2, 3, 7, "one recent token too few"},
    {3, 4, 7, "too many is pinned"},
    {1, 4, 7, "too few is pinned"},
    {3, 3, 7, "at the cost of the window"},
    {1, 5, 7, "the window is one wider"},
    {2, 2, 7, "counted inside the window"},
    {0, 4, 7, "evicted or not listed"},
    {2, 100, 7, "nothing is ever evicted"},
    {2, 4, 0, "numbered from 0"},
    {5, 9, 3, ""},
};

/* tests: EV-1, EV-2, EV-6, EV-8 */
START_TEST(lists_are_explained) {
  const list_trial *t = &list_trials[_i];
  sp_case c;
  sp_outputs outputs;
  sp_ref_cache cache;
  char text[400];
  sp_case_init(&c, SP_OP_CACHE);
  c.n_q = c.n_kv = 12;
  c.window = 4;
  c.n_sink_tokens = 2;
  c.first_token = 7;
  ck_assert(sp_array_alloc(&c.q, SP_F32, 12) && sp_array_alloc(&c.k, SP_F32, 12));
  ck_assert(sp_array_alloc(&c.v, SP_F32, 12));
  c.n_steps = 24;
  c.script = calloc(24, sizeof *c.script);
  ck_assert(c.script != NULL && sp_outputs_init(&outputs, &c));
  for (size_t s = 0; s < 24; s++)
    c.script[s] = s % 2 ? (sp_cache_step){SP_STEP_VISIBLE, 0, false, 0}
                        : (sp_cache_step){SP_STEP_APPEND, 1, false, 0};
  sp_outputs_clear(&outputs);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_ref_cache_init(&cache, t->pinned, t->window, t->first));
  uint64_t *at = outputs.visible;
  for (size_t l = 0; l < 12; l++) {
    ck_assert(sp_ref_cache_append(&cache, 1));
    outputs.n_visible[l] = (size_t)cache.n_retained;
    for (uint64_t i = 0; i < cache.n_retained; i++) *at++ = cache.token[i];
  }
  diagnose(&c, &outputs, text, sizeof text);
  ck_assert_msg(t->meaning[0] ? strstr(text, t->meaning) != NULL : text[0] == '\0',
                "expected \"%s\", got \"%s\"", t->meaning, text);
  sp_ref_cache_clear(&cache);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

/* What is said of a truncation of a stream of 9 that can always take back one token. */
static void answer_truncation(size_t n_back, bool lost, char *text, size_t capacity) {
  sp_case c;
  sp_outputs outputs;
  sp_case_init(&c, SP_OP_CACHE);
  c.n_q = c.n_kv = 9;
  c.window = 2;
  c.n_undo = 1;
  ck_assert(sp_array_alloc(&c.q, SP_F32, 9) && sp_array_alloc(&c.k, SP_F32, 9));
  ck_assert(sp_array_alloc(&c.v, SP_F32, 9));
  c.n_steps = 2;
  c.script = calloc(2, sizeof *c.script);
  ck_assert(c.script != NULL);
  c.script[0] = (sp_cache_step){SP_STEP_APPEND, 9, false, 0};
  c.script[1] = (sp_cache_step){SP_STEP_TRUNCATE, n_back, false, 0};
  ck_assert(sp_outputs_init(&outputs, &c));
  outputs.n_lists = 1;
  outputs.n_visible[0] = lost;
  outputs.visible[0] = SP_LOST;
  diagnose(&c, &outputs, text, capacity);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}

/* tests: EV-15 */
START_TEST(truncations_are_explained) {
  char text[400];
  answer_truncation(1, false, text, sizeof text);
  ck_assert_str_eq(text, "");
  answer_truncation(2, true, text, sizeof text);
  ck_assert_str_eq(text, "");
  answer_truncation(2, false, text, sizeof text);
  ck_assert_msg(strstr(text, "the ring was rewound") != NULL, "%s", text);
  answer_truncation(1, true, text, sizeof text);
  ck_assert_msg(strstr(text, "was refused though") != NULL, "%s", text);
}
END_TEST

Suite *suite_diagnose_lists(void) {
  Suite *suite = suite_create("diagnose_lists");
  TCase *lists = tcase_create("EV-6");
  tcase_add_loop_test(lists, lists_are_explained, 0, sizeof list_trials / sizeof list_trials[0]);
  suite_add_tcase(suite, lists);
  TCase *truncations = tcase_create("EV-15");
  tcase_add_test(truncations, truncations_are_explained);
  suite_add_tcase(suite, truncations);
  return suite;
}
