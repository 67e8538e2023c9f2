/* SPDX-License-Identifier: Apache-2.0 */
/* Error feedback: the share of the error budget that a case uses is shown to the fuzzer as if it
 * were coverage, so that a campaign climbs towards the worst rounding and not only towards code
 * that has not run yet. */
#ifndef SINKPROOF_FUZZ_FEEDBACK_H
#define SINKPROOF_FUZZ_FEEDBACK_H

#include "certify/judge/judge.h"

/* `path` numbers the kernel, `name` is its name. With SINKPROOF_FEEDBACK=0 in the environment nothing is shown, for
 * comparison. With SINKPROOF_WORST=DIRECTORY the worst case of each type and kernel is kept there
 * as a case file. */
void sp_fuzz_feedback(const sp_case *c, size_t path, const char *name, const sp_truth *truth,
                      const sp_judgement *judgement);

/* Print the largest shares since the start: over all, and of each kept case. */
void sp_fuzz_feedback_print(void);

#endif
