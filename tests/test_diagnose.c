/* SPDX-License-Identifier: Apache-2.0 */
/* Every hypothesis of the diagnosis, on outputs that really have the fault: an honest simulated
 * kernel runs on a case that was changed in the way the sentence says (or its outputs are), and is
 * judged against the unchanged case. The last test sees that no hypothesis lacks such a trial. */
#include "tests/asserts.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/judge/diagnose.h"
#include "tests/diagnose/trials.h"

Suite *suite_diagnose(void);

static trial_list (*const trials[])(void) = {trials_special, trials_lse,   trials_sink,
                                             trials_mask,    trials_score, trials_data};

static size_t n_trials(void) {
  size_t n = 0;
  for (size_t t = 0; t < 6; t++) n += trials[t]().count;
  return n;
}

static const trial *trial_at(size_t i) {
  size_t t = 0;
  for (; i >= trials[t]().count; t++) i -= trials[t]().count;
  return &trials[t]().list[i];
}

static sp_hypotheses (*const tables[])(void) = {sp_hypotheses_special, sp_hypotheses_lse,
                                                sp_hypotheses_sink,    sp_hypotheses_mask,
                                                sp_hypotheses_score,   sp_hypotheses_data};

static bool has(const char *sentence, const char *part) {
  if (part[0] == '!') return strncmp(sentence, part + 1, strlen(part) - 1) == 0;
  size_t n = strlen(part);
  if (part[n - 1] != '$') return strstr(sentence, part) != NULL;
  size_t length = strlen(sentence);
  return length >= n - 1 && memcmp(sentence + length - (n - 1), part, n - 1) == 0;
}

/* The one sentence of the tables that a trial means. */
static const char *sentence_of(const char *part) {
  const char *found = NULL;
  for (size_t t = 0; t < 6; t++)
    for (size_t i = 0; i < tables[t]().count; i++) {
      const char *sentence = tables[t]().list[i].sentence;
      if (!has(sentence, part)) continue;
      ck_assert_msg(found == NULL, "\"%s\" is in two sentences", part);
      found = sentence;
    }
  ck_assert_msg(found != NULL, "\"%s\" is in no sentence", part);
  return found;
}

static void diagnose(const sp_case *c, const sp_outputs *outputs, const char *cls_text, char *text,
                     size_t capacity) {
  sp_class cls = sim_class(cls_text);
  sp_truth truth;
  char error[200];
  ck_assert(sp_truth_init(&truth, c, &cls, 1024, error, sizeof error));
  sp_diagnose(c, &truth, outputs, text, capacity);
  sp_truth_clear(&truth);
}

static const sim_style honest = {.name = "honest"};

/* tests: AL-2, AT-2, AT-4, AT-5, AT-6, AT-7, AT-9, EV-2, SM-3 */
START_TEST(a_fault_is_named) {
  const trial *t = trial_at((size_t)_i);
  sp_case c, wrong;
  sp_outputs outputs;
  char text[400];
  t->make(&c);
  t->make(&wrong);
  if (t->alter != NULL) t->alter(&wrong, t->x);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&honest, &wrong, &outputs);
  if (t->corrupt != NULL) t->corrupt(&c, &outputs, t->y);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  const char *sentence = sentence_of(t->sentence);
  ck_assert_msg(strncmp(text, sentence, strlen(sentence)) == 0, "expected \"%s\", got \"%s\"",
                sentence, text);
  ck_assert_msg(strstr(text, "failing rows examined") == NULL, "not in all rows: \"%s\"", text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&wrong);
  sp_case_clear(&c);
}
END_TEST

/* tests: CT-3 */
START_TEST(every_hypothesis_has_a_trial) {
  for (size_t t = 0; t < 6; t++)
    for (size_t i = 0; i < tables[t]().count; i++) {
      const char *sentence = tables[t]().list[i].sentence;
      bool tried = false;
      for (size_t k = 0; k < n_trials(); k++)
        tried |= sentence_of(trial_at(k)->sentence) == sentence;
      ck_assert_msg(tried, "no trial for \"%s\"", sentence);
    }
}
END_TEST

/* Nothing is said about outputs that are right, and of a fault in some rows the rest is not blamed.
 * tests: CT-1 */
START_TEST(nothing_to_say) {
  sp_case c;
  sp_outputs outputs;
  char text[400] = "left over";
  diag_plain(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&honest, &c, &outputs);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_str_eq(text, "");
  for (size_t i = 0; i < 8; i++) /* noise fits no hypothesis */
    sim_put(&outputs.values, 40 + i, sim_get(&outputs.values, 40 + i) * (1 + 0.37 * (double)i) + 1);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_str_eq(text, "");
  diagnose(&c, &outputs, "w-seq", text, 0);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

/* tests: CT-1 */
START_TEST(a_fault_in_some_rows) {
  sp_case c, wrong;
  sp_outputs outputs, dropped;
  char text[400];
  diag_plain(&c);
  diag_plain(&wrong);
  diag_sink_is(&wrong, -INFINITY);
  ck_assert(sp_outputs_init(&outputs, &c) && sp_outputs_init(&dropped, &c));
  sim_run(&honest, &c, &outputs);
  sim_run(&honest, &wrong, &dropped);
  for (size_t i = 5 * 8; i < 9 * 8; i++) sim_put(&outputs.values, i, sim_get(&dropped.values, i));
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_msg(strstr(text, "missing from the denominator") && strstr(text, "[0][1][1]"), "%s",
                text);
  for (size_t i = 20 * 8; i < 21 * 8; i++) sim_put(&outputs.values, i, 77 + (double)(i * i));
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_msg(strstr(text, "missing from the denominator") && strstr(text, "in 4 of the 5"), "%s",
                text);
  sp_outputs_clear(&dropped);
  sp_outputs_clear(&outputs);
  sp_case_clear(&wrong);
  sp_case_clear(&c);
}
END_TEST

/* A factor that no hypothesis explains is still told. tests: CT-1 */
START_TEST(an_unknown_factor) {
  sp_case c;
  sp_outputs outputs;
  char text[400];
  diag_softmax(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&honest, &c, &outputs);
  diag_scale_values(&c, &outputs, 0.8125);
  diagnose(&c, &outputs, "w-seq", text, sizeof text);
  ck_assert_msg(strstr(text, "0.8125 times the exact"), "%s", text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

typedef struct overclaim {
  sim_style style;
  const char *claim, *meaning;
} overclaim;

static const overclaim overclaims[] = {
    {{.name = "P in bf16", .p_bits = 8}, "w-seq", "p=bf16"},
    {{.name = "logits in bf16", .logit_bits = 8}, "w-seq", "logit=bf16"},
    {{.name = "exp to 2^-13", .exp_error = 0x1p-13}, "w-seq", "exp=-12"},
    {{.name = "not correctly rounded"}, "cr", "w-deep"},
};

/* Where nothing is wrong but the claim, the class that fits is told. tests: NU-5 */
START_TEST(a_claim_too_strong) {
  const overclaim *o = &overclaims[_i];
  sp_case c;
  sp_outputs outputs;
  char text[400];
  diag_without_sink(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  sim_run(&o->style, &c, &outputs);
  diagnose(&c, &outputs, o->claim, text, sizeof text);
  ck_assert_msg(strstr(text, o->meaning) && strstr(text, "weaker class"), "%s: %s", o->style.name,
                text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}
END_TEST

Suite *suite_diagnose(void) {
  Suite *suite = suite_create("diagnose");
  TCase *trial_case = tcase_create("AL-2");
  tcase_set_timeout(trial_case, 60);
  tcase_add_loop_test(trial_case, a_fault_is_named, 0, (int)n_trials());
  tcase_add_test(trial_case, every_hypothesis_has_a_trial);
  suite_add_tcase(suite, trial_case);
  TCase *manner = tcase_create("CT-1");
  tcase_add_test(manner, nothing_to_say);
  tcase_add_test(manner, a_fault_in_some_rows);
  tcase_add_test(manner, an_unknown_factor);
  suite_add_tcase(suite, manner);
  TCase *claims = tcase_create("NU-5");
  tcase_add_loop_test(claims, a_claim_too_strong, 0, 4);
  suite_add_tcase(suite, claims);
  return suite;
}
