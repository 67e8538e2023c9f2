/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: text for people, JSON for machines (certify/report/report.schema.json), JUnit for CI. None
 * contains a time or a path of this machine, so the same run gives the same bytes. (CT-10) */
#ifndef SINKPROOF_REPORT_H
#define SINKPROOF_REPORT_H

#include <stdio.h>

#include "certify/run/run.h"

typedef struct sp_text_options {
  bool colour;
  size_t max_findings; /* 0 = all */
} sp_text_options;

void sp_report_text(FILE *stream, const sp_report *report, const sp_text_options *options);

/* Malloc'ed text; NULL when memory runs out. Several kernels of one library make one document. */
char *sp_report_json(const sp_report *reports, size_t count);
char *sp_report_junit(const sp_report *reports, size_t count);

/* The line that replays a finding. */
void sp_finding_line(const sp_report *report, const sp_finding *finding, char *line,
                     size_t capacity);

/* "PASS", "FAIL", "UNSAFE", "UNDECIDED", "UNTESTED": the state of a group. */
const char *sp_group_state(const sp_group *group);

#endif
