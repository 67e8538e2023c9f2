/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that survive because the claimed class accepts what they do are named and do not cost the
 * verdict; faults that no case shows, null kernels, and a class that hides too much still do. The
 * subject is the museum's correct kernel, which is within every class here. tests: CT-5 */
#include "tests/asserts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/report/report.h"
#include "certify/run/run.h"

Suite *suite_hidden(void);

/* Its correct kernel with nothing but plain binary32 rows, so that a run is short. */
static const sp_kernel *plain_rows(uint32_t host_abi_major, uint32_t index) {
  static sp_kernel kernel;
  if (host_abi_major != SP_ABI_MAJOR || index != 0) return NULL;
  kernel = *sp_museum_base_kernel();
  kernel.options = 0;
  kernel.dtypes_softmax = SP_DTYPE_BIT(SP_F32);
  kernel.attention = NULL;
  kernel.cache = NULL;
  return &kernel;
}

/* The same, but it answers rows of one key only, and every kernel is right about most of those. */
static sp_status single_keys(const sp_softmax_call *call) {
  return call->n == 1 ? sp_museum_base_kernel()->softmax(call) : SP_UNSUPPORTED;
}
static const sp_kernel *mostly_declines(uint32_t host_abi_major, uint32_t index) {
  static sp_kernel kernel;
  const sp_kernel *rows = plain_rows(host_abi_major, index);
  if (rows == NULL) return NULL;
  kernel = *rows;
  kernel.softmax = single_keys;
  kernel.prepare = NULL;
  return &kernel;
}

static void run_kernel(sp_report *report, sp_kernel_entry entry, const char *cls,
                       const char *generator) {
  const sp_run_config config = {.entry = entry,
                                .class_text = cls,
                                .generator = generator,
                                .level = SP_LEVEL_SMOKE,
                                .seed = 1,
                                .n_shards = 1};
  sp_exit status;
  char error[240] = "";
  ck_assert_msg(sp_run(&config, report, &status, error, sizeof error), "%s", error);
  ck_assert_msg(!report->tally->tool_error[0], "%s", report->tally->tool_error);
}

static void run(sp_report *report, const char *cls, const char *generator) {
  run_kernel(report, plain_rows, cls, generator);
}

static bool is_hidden(const sp_report *report, const char *name) {
  size_t count;
  const sp_fault *faults = sp_faults(&count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(faults[i].name, name) == 0) return report->tally->faults[i].hidden;
  ck_abort_msg("no fault %s", name);
}

static char *text_of(const sp_report *report) {
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  ck_assert_ptr_nonnull(stream);
  sp_report_text(stream, report, &(sp_text_options){0});
  fclose(stream);
  return text;
}

/* Logits in bf16 cannot be told from a maximum that starts at the least half. */
START_TEST(hidden_faults_are_named) {
  static const char name[] = "B8-max-starts-at-lowest-half";
  sp_report report;
  run(&report, "w-seq:logit=bf16", NULL);
  ck_assert_str_eq(report.verdict, "CONFORMS");
  ck_assert_uint_gt(report.n_hidden, 0);
  ck_assert_uint_lt(report.n_hidden, report.n_killed);
  ck_assert(is_hidden(&report, name));
  char *text = text_of(&report), *json = sp_report_json(&report, 1);
  ck_assert_ptr_nonnull(strstr(text, "hidden by the class: B8-max-starts-at-lowest-half"));
  ck_assert_ptr_nonnull(strstr(text, "but class w-seq:logit=bf16 accepts what they do"));
  ck_assert_ptr_nonnull(strstr(json, "\"hidden_by_class\""));
  ck_assert_ptr_nonnull(strstr(json, name));
  free(text);
  free(json);
  sp_report_clear(&report);
}
END_TEST

/* The class that the reference claims hides nothing: what survives was shown by no case. */
START_TEST(a_fault_that_no_case_shows_is_not_hidden) {
  sp_report report;
  run(&report, "w-seq:logit=bf16", "known-answer");
  ck_assert(!is_hidden(&report, "B8-max-starts-at-lowest-half"));
  ck_assert_uint_lt(report.n_killed, report.n_applicable);
  ck_assert(report.mistrusted);
  sp_report_clear(&report);
  run(&report, sp_museum_base_kernel()->accuracy_class, NULL);
  ck_assert_uint_eq(report.n_hidden, 0);
  ck_assert(!report.mistrusted);
  sp_report_clear(&report);
}
END_TEST

/* What is seen in cases that the subject declined is no evidence about it, in any class. */
START_TEST(declined_cases_show_nothing) {
  sp_report report;
  run_kernel(&report, mostly_declines, NULL, NULL);
  ck_assert_uint_eq(report.n_hidden, 0);
  ck_assert_str_eq(report.verdict, "MISTRUSTED");
  ck_assert_uint_gt(report.n_declined, report.n_killed);
  sp_report_clear(&report);
}
END_TEST

/* Asked about every fault as if all had survived: those that the cases show would be hidden by the
 * class, but a kernel that computes nothing is not, whatever the class. */
START_TEST(null_kernels_are_never_hidden) {
  const sp_run_config config = {
      .entry = plain_rows, .generator = "known-answer", .level = SP_LEVEL_SMOKE, .seed = 1};
  const sp_kernel *kernel = plain_rows(SP_ABI_MAJOR, 0);
  sp_class cls;
  char why[240] = "";
  size_t count, n_hidden = 0;
  const sp_fault *faults = sp_faults(&count);
  sp_tally *tally = calloc(1, sizeof *tally);
  ck_assert_ptr_nonnull(tally);
  ck_assert(sp_class_parse("w-loose:u=bf16", &cls, why, sizeof why));
  sp_plan(&config, kernel, tally);
  for (size_t i = 0; i < count; i++)
    tally->faults[i].applicable = sp_fault_applicable(&faults[i], kernel, tally, config.level);
  sp_shard_hidden(&config, kernel, &cls, 0, 1, tally);
  ck_assert_msg(!tally->tool_error[0], "%s", tally->tool_error);
  for (size_t i = 0; i < count; i++) {
    ck_assert_msg(!(faults[i].family == '0' && tally->faults[i].hidden), "%s", faults[i].name);
    n_hidden += tally->faults[i].hidden;
  }
  ck_assert_uint_gt(n_hidden, 0);
  free(tally);
}
END_TEST

START_TEST(a_class_that_hides_as_much_as_is_noticed_is_not_trusted) {
  static const struct {
    size_t killed, applicable, hidden, declined;
    bool suffices;
  } probes[] = {{36, 36, 5, 0, true},   {36, 36, 35, 0, true},  {36, 36, 36, 0, false},
                {36, 36, 40, 0, false}, {35, 36, 0, 0, false},  {0, 0, 0, 0, false},
                {36, 36, 0, 35, true},  {36, 36, 10, 26, false}};
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    const sp_report report = {.n_killed = probes[i].killed,
                              .n_applicable = probes[i].applicable,
                              .n_hidden = probes[i].hidden,
                              .n_declined = probes[i].declined};
    ck_assert_msg(sp_power_suffices(&report) == probes[i].suffices, "probe %zu", i);
  }
}
END_TEST

Suite *suite_hidden(void) {
  Suite *suite = suite_create("hidden");
  TCase *tcase = tcase_create("CT-5");
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, hidden_faults_are_named);
  tcase_add_test(tcase, a_fault_that_no_case_shows_is_not_hidden);
  tcase_add_test(tcase, declined_cases_show_nothing);
  tcase_add_test(tcase, null_kernels_are_never_hidden);
  tcase_add_test(tcase, a_class_that_hides_as_much_as_is_noticed_is_not_trusted);
  suite_add_tcase(suite, tcase);
  return suite;
}
