/* SPDX-License-Identifier: Apache-2.0 */
/* One fuzz input against one or more kernels: decode, run the oracle once for each class that they
 * claim, run each kernel, judge. The judge, the classes and the verdicts are those of a run of
 * `sinkproof certify`. (CT-1, CT-3) */
#ifndef SINKPROOF_FUZZ_CHECK_H
#define SINKPROOF_FUZZ_CHECK_H

#include "certify/judge/judge.h"
#include "fuzz/decode.h"
#include "fuzz/room.h"

enum { SP_FUZZ_SUBJECTS = 8 };

typedef struct sp_fuzz_subject {
  const sp_kernel *kernel;
  const char *library; /* for replay lines: "build/lib/kernel_fast.so" */
  sp_class cls;
} sp_fuzz_subject;

typedef struct sp_fuzz_checker {
  sp_fuzz_room room;
  sp_fuzz_offer offer;
  size_t n_subjects;
  sp_fuzz_subject subject[SP_FUZZ_SUBJECTS];
  bool twice; /* run every case a second time elsewhere in memory: claims of determinism */
  bool plans; /* and as a prepared call, where there are any; of long rows even without this, since
                 only plans share them among threads */
} sp_fuzz_checker;

/* What is wrong, and with whom. */
typedef struct sp_fuzz_finding {
  const sp_fuzz_subject *subject;
  char text[400];
} sp_fuzz_finding;

/* Cases are those of the offer; a kernel that does not offer one is not asked. False with a sentence on
 * stderr. */
bool sp_fuzz_checker_open(sp_fuzz_checker *checker, const sp_kernel *const *kernel, size_t n,
                          const char *library, const sp_fuzz_offer *offer, bool pages);
void sp_fuzz_checker_close(sp_fuzz_checker *checker);

/* True when a kernel is at fault. Out of memory finds nothing. */
bool sp_fuzz_check(sp_fuzz_checker *checker, const sp_case *c, sp_fuzz_finding *finding);

/* What a fuzz target does: decode, check; on a finding write the case beside the fuzzer's own
 * artefact, print the line that replays it, and abort. */
void sp_fuzz_input(sp_fuzz_checker *checker, const uint8_t *data, size_t size);

#endif
