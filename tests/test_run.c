/* SPDX-License-Identifier: Apache-2.0 */
/* From the tallies of shards to a verdict, without a run: nothing is lost when they are merged, and
 * of several verdicts that apply the first counts. tests: CT-7, CT-8, CT-10 */
#include "tests/asserts.h"
#include <stdlib.h>
#include <string.h>

#include "certify/run/run.h"

Suite *suite_run(void);

static sp_tally *whole, *part;

static void set_up(void) {
  whole = calloc(1, sizeof *whole);
  part = calloc(1, sizeof *part);
  ck_assert(whole != NULL && part != NULL);
}

static void tear_down(void) {
  free(whole);
  free(part);
}

/* ---- merging ---- */

static void count(sp_tally *tally, uint64_t times) {
  tally->n_groups = 1;
  tally->groups[0] = (sp_group){.n_cases = 9,
                                .n_none = times,
                                .n_passed = 2 * times,
                                .n_failed = 3 * times,
                                .n_undecided = 4 * times,
                                .n_declined = 5 * times,
                                .n_unsafe = 6 * times,
                                .n_skipped = 7 * times,
                                .n_elements = 8 * times,
                                .n_outside = 9 * times,
                                .n_sink_visible = 10 * times,
                                .n_rotated = 11 * times,
                                .resolution = 1.0 / (double)times};
}

START_TEST(every_count_is_added) {
  count(whole, 1);
  count(part, 2);
  sp_tally_merge(whole, part);
  count(part, 3);
  part->groups[0].resolution = 0.5;
  ck_assert_mem_eq(&whole->groups[0], &part->groups[0], sizeof whole->groups[0]);
}
END_TEST

START_TEST(findings_keep_their_order) {
  part->n_groups = whole->n_groups = 2;
  for (uint32_t i = 0; i < 3; i++) {
    whole->findings[whole->n_findings++] = (sp_finding){.group = i / 2, .index = 10 * i};
    part->findings[part->n_findings++] = (sp_finding){.group = i / 2, .index = 10 * i + 5};
  }
  sp_tally_merge(whole, part);
  static const uint64_t index[] = {0, 5, 10, 20, 25};
  ck_assert_uint_eq(whole->n_findings, 5); /* the fourth of the first group is dropped */
  for (size_t i = 0; i < 5; i++) ck_assert_uint_eq(whole->findings[i].index, index[i]);
}
END_TEST

START_TEST(a_fault_seen_by_one_is_seen) {
  part->faults[3] = (sp_fault_result){.applicable = true, .killed = true, .group = 1, .index = 7};
  whole->faults[3] = (sp_fault_result){.applicable = true};
  sp_tally_merge(whole, part);
  ck_assert(whole->faults[3].killed && whole->faults[3].index == 7);
  part->faults[3].group = 0;
  sp_tally_merge(whole, part);
  ck_assert_uint_eq(whole->faults[3].group, 0);
}
END_TEST

/* ---- concluding ---- */

static const sp_generator generator = {.name = "some"};

static void conclude(sp_report *report, const sp_group *group, bool power) {
  *report = (sp_report){.tally = whole};
  memset(whole, 0, sizeof *whole);
  whole->n_groups = 1;
  whole->groups[0] = *group;
  whole->groups[0].generator = &generator;
  whole->faults[0] = (sp_fault_result){.applicable = true, .killed = power};
  whole->faults[1] = (sp_fault_result){.applicable = true, .killed = true};
}

START_TEST(each_count_has_its_verdict) {
  static const struct {
    sp_group group;
    bool power;
    sp_exit exit;
    const char *verdict;
  } table[] = {{{.n_passed = 5}, true, SP_EXIT_CONFORMS, "CONFORMS"},
               {{.n_passed = 5, .n_declined = 3}, true, SP_EXIT_CONFORMS, "CONFORMS"},
               {{.n_passed = 5, .n_undecided = 1}, true, SP_EXIT_INCOMPLETE, "UNDECIDED"},
               {{.n_passed = 5, .n_skipped = 1}, true, SP_EXIT_INCOMPLETE, "UNDECIDED"},
               {{.n_passed = 5}, false, SP_EXIT_INCOMPLETE, "MISTRUSTED"},
               {{.n_declined = 5}, true, SP_EXIT_INCOMPLETE, "UNTESTED"},
               {{.n_passed = 5, .n_failed = 1}, false, SP_EXIT_NOT_CONFORMING, "DOES NOT CONFORM"},
               {{.n_passed = 5, .n_failed = 1, .n_unsafe = 1}, true, SP_EXIT_UNSAFE, "UNSAFE"}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    sp_report report;
    conclude(&report, &table[i].group, table[i].power);
    sp_conclude(&report);
    ck_assert_str_eq(report.verdict, table[i].verdict);
    ck_assert_int_eq(report.exit, table[i].exit);
  }
}
END_TEST

START_TEST(what_comes_first_counts) {
  const sp_group bad = {.n_passed = 1, .n_failed = 1, .n_unsafe = 1}, good = {.n_passed = 1};
  sp_report report;
  conclude(&report, &bad, true);
  strcpy(whole->tool_error, "out of luck");
  sp_conclude(&report);
  ck_assert_int_eq(report.exit, SP_EXIT_TOOL_FAULT);
  conclude(&report, &good, true);
  report.config.require_path = "avx512";
  sp_conclude(&report);
  ck_assert_int_eq(report.exit, SP_EXIT_PATH_MISSING);
  conclude(&report, &good, true);
  report.config.require_path = "avx512";
  whole->paths[1] = (sp_path_count){"avx512", 1};
  sp_conclude(&report);
  ck_assert_int_eq(report.exit, SP_EXIT_CONFORMS);
  /* spec: CT-6 it offers sink logits, and none was large enough to be noticed */
  conclude(&report, &good, true);
  report.kernel.options = SP_OPT_SINK_LOGIT;
  sp_conclude(&report);
  ck_assert_str_eq(report.verdict, "MISTRUSTED");
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tcase = tcase_create(clause);
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_add_test(tcase, test);
  suite_add_tcase(suite, tcase);
}

Suite *suite_run(void) {
  Suite *suite = suite_create("run");
  add(suite, "CT-10", every_count_is_added);
  add(suite, "CT-10", findings_keep_their_order);
  add(suite, "CT-10", a_fault_seen_by_one_is_seen);
  add(suite, "CT-7", each_count_has_its_verdict);
  add(suite, "CT-7", what_comes_first_counts);
  return suite;
}
