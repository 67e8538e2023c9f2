/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/host/host_run.h"
#include "certify/run/run.h"
#include "fuzz/feedback.h"
#include "fuzz/finding.h"
#include "ref/ref.h"

/* What stays open at this precision does so at any that a fuzzer has time for. spec: CT-1 */
enum { MAX_PRECISION = 1024 };

bool sp_fuzz_checker_open(sp_fuzz_checker *checker, const sp_kernel *const *kernel, size_t n,
                          const char *library, const sp_fuzz_offer *offer, bool pages) {
  char why[240] = "no kernel";
  memset(checker, 0, sizeof *checker);
  checker->n_subjects = n < SP_FUZZ_SUBJECTS ? n : SP_FUZZ_SUBJECTS;
  checker->offer = *offer;
  bool ok = n > 0;
  for (size_t i = 0; ok && i < checker->n_subjects; i++) {
    sp_fuzz_subject *subject = &checker->subject[i];
    *subject = (sp_fuzz_subject){.kernel = kernel[i], .library = library};
    ok = sp_class_parse(kernel[i]->accuracy_class, &subject->cls, why, sizeof why);
  }
  if (ok && checker->offer.ops == 0) {
    snprintf(why, sizeof why, "the kernels share no operation");
    ok = false;
  }
  if (ok && !sp_fuzz_room_open(&checker->room, pages)) {
    snprintf(why, sizeof why, "out of memory");
    ok = false;
  }
  if (!ok) fprintf(stderr, "sinkproof fuzz: %s\n", why);
  return ok;
}

void sp_fuzz_checker_close(sp_fuzz_checker *checker) {
  sp_fuzz_room_close(&checker->room);
}

static bool accuse(sp_fuzz_finding *finding, const sp_fuzz_subject *subject, const char *text) {
  finding->subject = subject;
  snprintf(finding->text, sizeof finding->text, "%s", text);
  return true;
}

/* The same call with data elsewhere in their pages gives the same bits, if that was promised.
 * spec: NU-12 */
static bool differs_elsewhere(sp_fuzz_checker *checker, const sp_fuzz_subject *subject,
                              const sp_case *c, const sp_outputs *outputs,
                              sp_fuzz_finding *finding) {
  sp_outputs again;
  sp_incident incident;
  char difference[240] = "";
  sp_case moved = *c; /* its arrays are only read */
  if ((subject->kernel->claims & SP_CLAIM_DETERMINISTIC) == 0) return false;
  moved.layout.guard_before = !c->layout.guard_before;
  moved.layout.misalign = (c->layout.misalign + 5) % 64;
  if (!sp_outputs_init(&again, &moved)) return false;
  bool found = false;
  if (sp_fuzz_room_run(&checker->room, subject->kernel, &moved, &again, &incident)) {
    if (incident.kind != SP_INCIDENT_NONE)
      found = accuse(finding, subject, incident.text);
    else if (!sp_same_outputs(c, outputs, &again, difference, sizeof difference))
      found = accuse(finding, subject, difference);
  }
  sp_outputs_clear(&again);
  return found;
}

/* spec: NU-12 a prepared call gives the bits of the one step; declining it is no fault. */
static bool differs_prepared(sp_fuzz_checker *checker, const sp_fuzz_subject *subject,
                             const sp_case *c, const sp_outputs *outputs,
                             sp_fuzz_finding *finding) {
  sp_incident incident;
  return sp_fuzz_room_plan(&checker->room, subject->kernel, c, outputs, &incident) &&
         incident.kind > SP_INCIDENT_UNSUPPORTED && accuse(finding, subject, incident.text);
}

static bool check_subject(sp_fuzz_checker *checker, size_t index, const sp_case *c,
                          const sp_truth *truth, sp_fuzz_finding *finding) {
  const sp_fuzz_subject *subject = &checker->subject[index];
  sp_outputs outputs;
  sp_incident incident;
  sp_judgement judgement = {.verdict = SP_PASS};
  if (!sp_outputs_init(&outputs, c)) return false;
  bool found = false;
  bool ran = sp_fuzz_room_run(&checker->room, subject->kernel, c, &outputs, &incident);
  if (ran && incident.kind == SP_INCIDENT_NONE) {
    sp_judge(truth, &outputs, &judgement);
    sp_fuzz_feedback(c, index, subject->kernel->name, truth, &judgement);
  }
  if (ran && incident.kind > SP_INCIDENT_UNSUPPORTED) {
    found = accuse(finding, subject, incident.text);
  } else if (judgement.verdict == SP_FAIL) {
    found = accuse(finding, subject, "");
    sp_describe_judgement(c, truth, &judgement, finding->text, sizeof finding->text);
  } else if (ran && incident.kind == SP_INCIDENT_NONE) {
    found = (checker->twice && differs_elsewhere(checker, subject, c, &outputs, finding)) ||
            ((checker->plans || c->n_kv > SP_FUZZ_LARGE_N) &&
             differs_prepared(checker, subject, c, &outputs, finding));
  }
  sp_outputs_clear(&outputs);
  return found;
}

/* A softcap may leave a rounding open at every precision, and the oracle's own kernel then takes a good
 * part of a second for each output. spec: NU-3 */
static bool takes_long(const sp_fuzz_subject *subject, const sp_case *c) {
  enum { FEW_OUTPUTS = 32 };
  return subject->kernel == sp_ref_kernel() && c->softcap != 0 &&
         c->n_batch * c->n_q * c->n_heads * c->d_value > FEW_OUTPUTS;
}

bool sp_fuzz_check(sp_fuzz_checker *checker, const sp_case *c, sp_fuzz_finding *finding) {
  sp_truth truth = {0};
  const char *known = NULL; /* the class that `truth` is for */
  char why[240];
  bool found = false;
  for (size_t i = 0; i < checker->n_subjects && !found; i++) {
    const sp_fuzz_subject *subject = &checker->subject[i];
    if (!sp_case_offered(c, subject->kernel) || takes_long(subject, c)) continue;
    if (known == NULL || strcmp(known, subject->cls.text) != 0) {
      sp_truth_clear(&truth);
      known = NULL;
      if (!sp_truth_init(&truth, c, &subject->cls, MAX_PRECISION, why, sizeof why)) continue;
      known = subject->cls.text;
    }
    found = check_subject(checker, i, c, &truth, finding);
  }
  sp_truth_clear(&truth);
  return found;
}

void sp_fuzz_input(sp_fuzz_checker *checker, const uint8_t *data, size_t size) {
  sp_case c;
  sp_fuzz_finding finding = {0};
  if (!sp_fuzz_decode(&c, data, size, &checker->offer)) return;
  bool found = sp_fuzz_check(checker, &c, &finding);
  if (found) sp_fuzz_report(&c, &finding);
  sp_case_clear(&c);
  if (found) abort();
}
