/* SPDX-License-Identifier: Apache-2.0 */
/* Run everything that a JSON report holds again; the bytes must be the same. spec: CT-10 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/command/cli.h"
#include "certify/report/report.h"

static char *read_all(const char *path) {
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  size_t capacity = 0;
  if (!file) return NULL;
  ssize_t length = getdelim(&text, &capacity, '\0', file);
  fclose(file);
  if (length >= 0) return text;
  free(text);
  return NULL;
}

static const char *text_of(const cJSON *object, const char *name) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
  return text ? text : "";
}

/* One kernel of the report, run with the recorded class, level and seed. */
static sp_exit run_again(const sp_subject *subject, const cJSON *recorded, sp_report *report) {
  sp_subject one = *subject;
  size_t index, count = 0;
  const cJSON *kernel = cJSON_GetObjectItemCaseSensitive(recorded, "kernel");
  const cJSON *profile_json = cJSON_GetObjectItemCaseSensitive(recorded, "profile");
  static sp_profile profile; /* outlives the report */
  sp_run_config config = {.path = subject->path, .class_text = text_of(recorded, "class")};
  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(recorded, "partial")))
    return sp_usage_error("replay", "the report is of a partial run (--op, --generator, --clause)");
  if (!sp_parse_level(text_of(recorded, "level"), &config.level) ||
      !sp_parse_count(text_of(recorded, "seed"), &config.seed))
    return sp_usage_error("replay", "not a report of sinkproof: no level or seed");
  snprintf(one.name, sizeof one.name, "%s", text_of(kernel, "name"));
  sp_exit status = sp_subject_kernels(&one, &index, 1, &count);
  if (status != SP_EXIT_CONFORMS) return status;
  static char label[] = "replaying";
  char why[320] = "";
  const char *profile_text = text_of(profile_json, "name");
  if (!sp_profile_parse(profile_text, &profile, why, sizeof why))
    return sp_usage_error("replay", "%s", why);
  if (strcmp(profile_text, "core") != 0) config.profile = &profile;
  config.kernel = index;
  config.progress = sp_show_progress;
  config.context = label;
  if (sp_run(&config, report, &status, why, sizeof why)) {
    sp_hide_progress();
    return SP_EXIT_CONFORMS;
  }
  fprintf(stderr, "sinkproof replay: %s\n", why);
  return status;
}

static sp_exit compare(const char *recorded, char *again) {
  bool same = again && strcmp(recorded, again) == 0;
  free(again);
  printf("verdict %s\n", same ? "REPLAYED, bit for bit" : "DIFFERENT from the report");
  return same ? SP_EXIT_CONFORMS : SP_EXIT_NOT_CONFORMING;
}

sp_exit sp_replay_report(const sp_subject *subject, const char *path) {
  enum { MAX_REPORTS = 64 };
  static sp_report reports[MAX_REPORTS];
  char *text = read_all(path);
  cJSON *json = text ? cJSON_Parse(text) : NULL;
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "reports"), *recorded;
  size_t count = 0;
  sp_exit status = SP_EXIT_CONFORMS;
  if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > MAX_REPORTS)
    status = sp_usage_error("replay", "'%s' is not a report of sinkproof", path);
  cJSON_ArrayForEach(recorded, list) {
    if (status != SP_EXIT_CONFORMS) break;
    status = run_again(subject, recorded, &reports[count]);
    count += reports[count].tally != NULL;
  }
  if (status == SP_EXIT_CONFORMS) status = compare(text, sp_report_json(reports, count));
  for (size_t i = 0; i < count; i++) sp_report_clear(&reports[i]);
  cJSON_Delete(json);
  free(text);
  return status;
}
