/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed and kept of a finding. */
#ifndef SINKPROOF_FUZZ_FINDING_H
#define SINKPROOF_FUZZ_FINDING_H

#include "fuzz/check.h"

/* Write the case as a file into the directory SINKPROOF_FINDINGS (default: here), named by its
 * contents, and print what is wrong and one line that replays it. */
void sp_fuzz_report(const sp_case *c, const sp_fuzz_finding *finding);

#endif
