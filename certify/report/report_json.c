/* SPDX-License-Identifier: Apache-2.0 */
/* The report for machines; certify/report/report.schema.json describes it. 64-bit seeds are strings,
 * because JSON numbers are doubles. spec: CT-10 */
#include <cjson/cJSON.h>
#include <inttypes.h>

#include "certify/report/report.h"
#include "certify/report/report_code.h"

static const char *const op_names[] = {"softmax", "attention", "cache", "none"};
static const char *const level_names[] = {"smoke", "standard", "full"};

static void add_count(cJSON *object, const char *name, uint64_t value) {
  cJSON_AddNumberToObject(object, name, (double)value);
}

static void add_hex(cJSON *object, const char *name, uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "0x%016" PRIx64, value);
  cJSON_AddStringToObject(object, name, text);
}

static cJSON *group_json(const sp_group *group) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "op", op_names[group->op]);
  cJSON_AddStringToObject(json, "generator", group->name);
  cJSON_AddStringToObject(json, "clause", group->clause);
  cJSON_AddStringToObject(json, "state", sp_group_state(group));
  add_count(json, "passed", group->n_passed);
  add_count(json, "failed", group->n_failed);
  add_count(json, "undecided", group->n_undecided);
  add_count(json, "unsafe", group->n_unsafe);
  add_count(json, "declined", group->n_declined);
  add_count(json, "skipped", group->n_skipped);
  add_count(json, "no_case", group->n_none);
  add_count(json, "elements", group->n_elements);
  add_count(json, "rows_outside_domain", group->n_outside);
  cJSON_AddNumberToObject(json, "budget", group->budget);
  add_count(json, "budget_index", group->budget_index);
  cJSON_AddNumberToObject(json, "resolution", group->resolution);
  return json;
}

static cJSON *finding_json(const sp_report *report, const sp_finding *finding) {
  const sp_group *group = &report->tally->groups[finding->group];
  char line[768];
  sp_finding_line(report, finding, line, sizeof line);
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "kind", finding->unsafe ? "unsafe" : "fail");
  cJSON_AddStringToObject(json, "clause", finding->clause);
  cJSON_AddStringToObject(json, "op", op_names[group->op]);
  cJSON_AddStringToObject(json, "generator", group->name);
  cJSON_AddStringToObject(json, "what", finding->what);
  cJSON_AddStringToObject(json, "likely", finding->likely);
  cJSON_AddStringToObject(json, "replay", line);
  return json;
}

static cJSON *fault_json(const sp_report *report, size_t i, const sp_fault *fault) {
  const sp_fault_result *result = &report->tally->faults[i];
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "name", fault->name);
  cJSON_AddStringToObject(json, "clause", fault->clause);
  cJSON_AddStringToObject(json, "cite", fault->cite);
  cJSON_AddBoolToObject(json, "rejected", result->killed);
  if (result->killed)
    cJSON_AddStringToObject(json, "by", report->tally->groups[result->group].name);
  return json;
}

static cJSON *kernel_json(const sp_report *report) {
  const sp_kernel *kernel = &report->kernel;
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "name", kernel->name);
  cJSON_AddStringToObject(json, "version", kernel->version);
  cJSON_AddStringToObject(json, "sha256", report->digest);
  add_hex(json, "options", kernel->options);
  add_hex(json, "claims", kernel->claims);
  char shapes[256];
  sp_shapes_text(kernel->shapes, shapes, sizeof shapes);
  if (shapes[0]) cJSON_AddStringToObject(json, "shapes", shapes + 1);
  cJSON *paths = cJSON_AddObjectToObject(json, "paths");
  for (size_t i = 0; i < SP_MAX_PATHS; i++)
    if (report->tally->paths[i].calls)
      add_count(paths, report->tally->paths[i].name, report->tally->paths[i].calls);
  cJSON_AddItemToObject(json, "proved_code", sp_report_code_json(&report->evidence));
  return json;
}

/* spec: CT-12 */
static cJSON *profile_json(const sp_report *report) {
  const sp_profile *profile = report->config.profile;
  const char *sentence;
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "name", profile != NULL ? profile->text : "core");
  cJSON_AddStringToObject(json, "source", profile != NULL ? profile->source : "SPEC.md");
  cJSON *list = cJSON_AddArrayToObject(json, "left_out");
  for (size_t i = 0; (sentence = sp_profile_exclusion(profile, i)) != NULL; i++)
    cJSON_AddItemToArray(list, cJSON_CreateString(sentence));
  add_hex(json, "withheld_options", report->withheld);
  return json;
}

static cJSON *report_json(const sp_report *report) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddItemToObject(json, "kernel", kernel_json(report));
  cJSON_AddStringToObject(json, "class", report->cls.text);
  cJSON_AddItemToObject(json, "profile", profile_json(report));
  cJSON_AddStringToObject(json, "level", level_names[report->config.level]);
  add_hex(json, "seed", report->config.seed);
  cJSON_AddBoolToObject(json, "partial", report->partial);
  cJSON_AddStringToObject(json, "verdict", report->verdict);
  cJSON_AddNumberToObject(json, "exit", report->exit);
  cJSON *groups = cJSON_AddArrayToObject(json, "groups");
  for (size_t g = 0; g < report->tally->n_groups; g++)
    cJSON_AddItemToArray(groups, group_json(&report->tally->groups[g]));
  cJSON *findings = cJSON_AddArrayToObject(json, "findings");
  for (size_t i = 0; i < report->tally->n_findings; i++)
    cJSON_AddItemToArray(findings, finding_json(report, &report->tally->findings[i]));
  cJSON *power = cJSON_AddObjectToObject(json, "power");
  add_count(power, "applicable", report->n_applicable);
  add_count(power, "rejected", report->n_killed);
  add_count(power, "hidden_by_class", report->n_hidden);
  add_count(power, "only_in_declined", report->n_declined);
  add_count(power, "beyond_profile", report->n_left_out);
  add_count(power, "cases_with_visible_sink_logit", report->n_sink_visible);
  cJSON *faults = cJSON_AddArrayToObject(power, "faults");
  size_t count;
  const sp_fault *museum = sp_faults(&count);
  for (size_t i = 0; i < count; i++)
    if (report->tally->faults[i].applicable)
      cJSON_AddItemToArray(faults, fault_json(report, i, &museum[i]));
  cJSON *hidden = cJSON_AddArrayToObject(power, "hidden");
  for (size_t i = 0; i < count; i++)
    if (report->tally->faults[i].hidden)
      cJSON_AddItemToArray(hidden, fault_json(report, i, &museum[i]));
  cJSON *declined = cJSON_AddArrayToObject(power, "declined");
  for (size_t i = 0; i < count; i++)
    if (report->tally->faults[i].declined)
      cJSON_AddItemToArray(declined, fault_json(report, i, &museum[i]));
  cJSON_AddStringToObject(json, "tool_error", report->tally->tool_error);
  return json;
}

char *sp_report_json(const sp_report *reports, size_t count) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "format", "sinkproof-report-1");
  cJSON_AddStringToObject(json, "tool", SP_VERSION);
  cJSON_AddNumberToObject(json, "spec", 1);
  cJSON *list = cJSON_AddArrayToObject(json, "reports");
  for (size_t i = 0; i < count; i++) cJSON_AddItemToArray(list, report_json(&reports[i]));
  char *text = cJSON_Print(json);
  cJSON_Delete(json);
  return text;
}
