/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the reports about proved machine code. (KC-9) */
#ifndef SINKPROOF_REPORT_CODE_H
#define SINKPROOF_REPORT_CODE_H

#include <cjson/cJSON.h>

#include "certify/report/report.h"

void sp_report_code_text(FILE *stream, const sp_report *report);
cJSON *sp_report_code_json(const sp_evidence *evidence);

#endif
