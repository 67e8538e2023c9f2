/* SPDX-License-Identifier: Apache-2.0 */
/* JUnit XML: a suite per kernel, a test case per group; untested groups are skipped, not passed.
 * spec: CT-8 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "certify/report/report.h"

static const char *const op_names[] = {"softmax", "attention", "cache", "contract"};

static void print_escaped(FILE *stream, const char *text) {
  for (; *text; text++) {
    switch (*text) {
    case '<':
      fputs("&lt;", stream);
      break;
    case '>':
      fputs("&gt;", stream);
      break;
    case '&':
      fputs("&amp;", stream);
      break;
    case '"':
      fputs("&quot;", stream);
      break;
    default:
      fputc((unsigned char)*text < ' ' ? ' ' : *text, stream);
    }
  }
}

static void print_failures(FILE *stream, const sp_report *report, size_t g) {
  for (size_t i = 0; i < report->tally->n_findings; i++) {
    const sp_finding *finding = &report->tally->findings[i];
    if (finding->group != g) continue;
    char line[768];
    sp_finding_line(report, finding, line, sizeof line);
    fprintf(stream, "      <failure type=\"%s\" message=\"", finding->clause);
    print_escaped(stream, finding->what);
    fputs("\">", stream);
    print_escaped(stream, finding->likely);
    fputs("\nreplay: ", stream);
    print_escaped(stream, line);
    fputs("</failure>\n", stream);
  }
}

static void print_case(FILE *stream, const sp_report *report, size_t g) {
  const sp_group *group = &report->tally->groups[g];
  const char *state = sp_group_state(group);
  fprintf(stream, "    <testcase classname=\"%s\" name=\"%s %s\">\n", op_names[group->op],
          group->clause, group->name);
  if (strcmp(state, "UNTESTED") == 0) fputs("      <skipped message=\"no case ran\"/>\n", stream);
  if (strcmp(state, "UNDECIDED") == 0)
    fputs("      <error type=\"undecided\" message=\"undecided or skipped cases\"/>\n", stream);
  print_failures(stream, report, g);
  fputs("    </testcase>\n", stream);
}

static void print_verdict(FILE *stream, const sp_report *report) {
  fputs("    <testcase classname=\"run\" name=\"verdict\">\n", stream);
  if (report->exit != SP_EXIT_CONFORMS)
    fprintf(stream, "      <failure type=\"CT-7\" message=\"%s\"/>\n", report->verdict);
  fputs("    </testcase>\n", stream);
}

char *sp_report_junit(const sp_report *reports, size_t count) {
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  if (!stream) return NULL;
  fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"sinkproof\">\n", stream);
  for (size_t i = 0; i < count; i++) {
    fputs("  <testsuite name=\"", stream);
    print_escaped(stream, reports[i].kernel.name);
    fprintf(stream,
            "\" tests=\"%zu\">\n    <properties>\n      <property name=\"profile\" value=\"",
            reports[i].tally->n_groups + 1);
    print_escaped(stream, reports[i].config.profile ? reports[i].config.profile->text : "core");
    fputs("\"/>\n    </properties>\n", stream);
    for (size_t g = 0; g < reports[i].tally->n_groups; g++) print_case(stream, &reports[i], g);
    print_verdict(stream, &reports[i]);
    fputs("  </testsuite>\n", stream);
  }
  fputs("</testsuites>\n", stream);
  if (fclose(stream) == 0) return text;
  free(text);
  return NULL;
}
