/* SPDX-License-Identifier: Apache-2.0 */
/* One shard of a run: for each of its cases the oracle once, then the subject, then every fault of
 * the museum that is still alive, all against the same truth. spec: CT-3, CT-5, CT-8 */
#include <stdio.h>
#include <string.h>

#include "certify/profile/translate.h"
#include "certify/run/run.h"

/* A kernel that hangs costs its timeout each time: after this many, the rest is skipped. */
enum { MAX_TIMEOUTS = 4, MAX_PRECISION = 4096 };

/* Claims of invariance (NU-12) are put to every n-th case: each costs a call per row. */
enum { CLAIMS_EVERY = 4 };

typedef struct shard {
  const sp_run_config *config;
  const sp_kernel *kernel;
  const sp_class *cls;
  sp_tally *tally;
  sp_host *subject, *museum;
  const sp_fault *faults;
  size_t n_faults;
  unsigned n_timeouts;
} shard;

static bool tool_fault(shard *s, const char *what, const char *why) {
  if (!s->tally->tool_error[0])
    snprintf(s->tally->tool_error, sizeof s->tally->tool_error, "%s: %s", what, why);
  return false;
}

static sp_finding *new_finding(shard *s, uint32_t group, uint64_t index) {
  sp_tally *tally = s->tally;
  size_t kept = 0;
  for (size_t i = 0; i < tally->n_findings; i++) kept += tally->findings[i].group == group;
  if (kept == SP_FINDINGS_PER_GROUP) return NULL;
  sp_finding *finding = &tally->findings[tally->n_findings++];
  *finding = (sp_finding){.group = group, .index = index};
  snprintf(finding->clause, sizeof finding->clause, "%s", tally->groups[group].clause);
  return finding;
}

static const char *incident_clause(sp_incident_kind kind, const char *otherwise) {
  switch (kind) {
  case SP_INCIDENT_STATUS:
    return "KC-3";
  case SP_INCIDENT_ACCEPTED:
    return "KC-7";
  case SP_INCIDENT_CRASH:
  case SP_INCIDENT_TIMEOUT:
  case SP_INCIDENT_EXIT:
    return "KC-8";
  case SP_INCIDENT_WROTE_OUTSIDE:
  case SP_INCIDENT_UNWRITTEN:
    return "KC-5";
  case SP_INCIDENT_WROTE_INPUT:
    return "KC-4";
  case SP_INCIDENT_WROTE_DECLINED:
    return "KC-3";
  case SP_INCIDENT_FP_STATE:
    return "KC-6";
  case SP_INCIDENT_LIST:
    return "EV-6";
  case SP_INCIDENT_NONDETERMINISTIC:
  case SP_INCIDENT_VARIES:
    return "NU-12";
  default:
    return otherwise;
  }
}

static void record_incident(shard *s, uint32_t g, uint64_t index, const sp_incident *incident) {
  sp_group *group = &s->tally->groups[g];
  group->n_unsafe++;
  if (incident->kind == SP_INCIDENT_TIMEOUT) s->n_timeouts++;
  sp_finding *finding = new_finding(s, g, index);
  if (!finding) return;
  finding->unsafe = true;
  snprintf(finding->clause, sizeof finding->clause, "%s",
           incident_clause(incident->kind, group->clause));
  snprintf(finding->what, sizeof finding->what, "%s", incident->text);
}

static void count_path(sp_tally *tally, const char *path) {
  for (size_t i = 0; i < SP_MAX_PATHS; i++) {
    sp_path_count *count = &tally->paths[i];
    if (!count->calls) snprintf(count->name, sizeof count->name, "%s", path);
    if (strcmp(count->name, path) != 0) continue;
    count->calls++;
    return;
  }
}

static void record_judgement(shard *s, uint32_t g, uint64_t index, const sp_translation *t,
                             const sp_outputs *outputs) {
  const sp_truth *truth = t->expected;
  sp_group *group = &s->tally->groups[g];
  sp_judgement judgement;
  sp_judge(truth, outputs, &judgement);
  group->n_elements += judgement.n_elements;
  group->n_lse += judgement.n_lse;
  group->n_outside += truth->n_outside;
  group->n_sink_visible += truth->n_sink_visible > 0;
  group->n_rotated += t->meaning.rope_dims > 0;
  if (truth->resolution < group->resolution) group->resolution = truth->resolution;
  if (judgement.budget > group->budget) {
    group->budget = judgement.budget;
    group->budget_index = index;
  }
  group->n_passed += judgement.verdict == SP_PASS;
  group->n_undecided += judgement.verdict == SP_UNDECIDED;
  group->n_failed += judgement.verdict == SP_FAIL;
  if (judgement.verdict != SP_FAIL) return;
  sp_finding *finding = new_finding(s, g, index);
  if (!finding) return;
  sp_describe_judgement(&t->meaning, truth, &judgement, finding->what, sizeof finding->what);
  sp_translation_diagnose(t, outputs, finding->likely, sizeof finding->likely);
}

/* What the subject made of the case, and so what it says about a fault that shows in it. */
typedef enum stance { ANSWERED, DECLINED, LEFT_OUT } stance;

/* spec: CT-11 */
static bool run_subject(shard *s, uint32_t g, uint64_t index, const sp_translation *t,
                        sp_outputs *outputs, stance *of_subject) {
  sp_group *group = &s->tally->groups[g];
  sp_incident incident = {0};
  char path[32] = "";
  size_t kernel = s->config->kernel;
  bool claims = index % CLAIMS_EVERY == 0 && !t->altered;
  if (!sp_host_run(s->subject, kernel, &t->put, false, outputs, &incident, path) ||
      (incident.kind == SP_INCIDENT_NONE && claims &&
       !sp_host_check_variants(s->subject, kernel, &t->put, outputs, &incident)))
    return tool_fault(s, "host", incident.text);
  if (!sp_translate_back(t, outputs)) return tool_fault(s, "profile", "out of memory");
  if (path[0]) count_path(s->tally, path);
  *of_subject = incident.kind == SP_INCIDENT_UNSUPPORTED ? DECLINED : ANSWERED;
  if (incident.kind == SP_INCIDENT_UNSUPPORTED)
    group->n_declined++;
  else if (incident.kind != SP_INCIDENT_NONE)
    record_incident(s, g, index, &incident);
  else
    record_judgement(s, g, index, t, outputs);
  return true;
}

/* Would it be seen if nobody compared a log-sum-exp? */
static uint32_t seen_in(const sp_truth *truth, const sp_outputs *outputs) {
  sp_judgement judgement;
  sp_truth without = *truth;
  sp_judge(truth, outputs, &judgement);
  if (judgement.verdict != SP_FAIL) return 0;
  without.lse_keys = without.lse_total = NULL;
  sp_judge(&without, outputs, &judgement);
  return judgement.verdict == SP_FAIL ? SP_SEEN_VALUES : SP_SEEN_LSE;
}

/* The case shows the fault if the fault's own kernel is judged to fail it; *seen is how, 0 if not. */
static bool run_fault(shard *s, size_t fault, const sp_case *c, const sp_truth *truth,
                      sp_outputs *outputs, uint32_t *seen) {
  sp_incident incident = {0};
  char path[32] = "";
  if (!sp_host_run(s->museum, fault, c, true, outputs, &incident, path))
    return tool_fault(s, "host of the museum", incident.text);
  *seen = 0;
  if (incident.kind > SP_INCIDENT_UNSUPPORTED) *seen = 1u << (SP_SEEN_INCIDENT + incident.kind);
  if (incident.kind == SP_INCIDENT_NONE) *seen = seen_in(truth, outputs);
  return true;
}

/* A note in `result` that there was such a case; NULL: the fault dies of it. */
static bool *note(sp_fault_result *result, stance of_subject) {
  if (of_subject == ANSWERED) return NULL;
  return of_subject == DECLINED ? &result->declined : &result->left_out;
}

/* spec: CT-5, CT-12 a fault that shows in cases only that the subject declined, or that the profile
 * leaves out, is not owed. */
static bool run_faults(shard *s, uint32_t g, uint64_t index, const sp_case *c,
                       const sp_truth *truth, sp_outputs *outputs, stance of_subject) {
  uint64_t options = sp_case_options(c);
  for (size_t i = 0; i < s->n_faults; i++) {
    sp_fault_result *result = &s->tally->faults[i];
    const sp_fault *fault = &s->faults[i];
    if (!result->applicable || (result->killed && !s->config->every_fault)) continue;
    bool *noted = note(result, of_subject);
    if (noted != NULL && *noted) continue;
    if (!(fault->ops >> c->op & 1u) || (fault->needs & ~options)) continue;
    uint32_t seen = 0;
    if (!run_fault(s, i, c, truth, outputs, &seen)) return false;
    if (seen == 0) continue;
    if (noted != NULL) {
      *noted = true;
      continue;
    }
    if (result->kills[g]++ == 0) result->first[g] = index;
    result->seen |= seen;
    if (!result->killed) {
      result->killed = true;
      result->group = g;
      result->index = index;
    }
  }
  return true;
}

/* The subject is asked in the terms of its profile; the museum, on the same case, in SPEC.md's. */
static bool judge_case(shard *s, uint32_t g, uint64_t index, sp_translation *t) {
  const sp_case *c = t->source;
  sp_truth truth = {0};
  sp_outputs asked = {0}, outputs = {0};
  char why[240] = "";
  stance of_subject = ANSWERED;
  bool ok = sp_truth_init(&truth, c, s->cls, MAX_PRECISION, why, sizeof why) &&
            sp_translation_expect(t, &truth, s->cls, MAX_PRECISION, why, sizeof why);
  if (!ok) tool_fault(s, "oracle", why);
  if (ok && !(sp_outputs_init(&asked, &t->put) && sp_outputs_init(&outputs, c)))
    ok = tool_fault(s, "outputs", "out of memory");
  ok = ok && run_subject(s, g, index, t, &asked, &of_subject) &&
       run_faults(s, g, index, c, &truth, &outputs, of_subject);
  sp_outputs_clear(&asked);
  sp_outputs_clear(&outputs);
  sp_truth_clear(&truth);
  return ok;
}

static bool run_left_out(shard *s, uint32_t g, uint64_t index, const sp_case *c) {
  sp_truth truth = {0};
  sp_outputs outputs = {0};
  char why[240] = "";
  bool ok = sp_truth_init(&truth, c, s->cls, MAX_PRECISION, why, sizeof why);
  if (!ok) tool_fault(s, "oracle", why);
  ok = ok && sp_outputs_init(&outputs, c) && run_faults(s, g, index, c, &truth, &outputs, LEFT_OUT);
  sp_outputs_clear(&outputs);
  sp_truth_clear(&truth);
  return ok;
}

static bool run_case(shard *s, uint32_t g, uint64_t index, sp_case *c) {
  sp_group *group = &s->tally->groups[g];
  if (s->n_timeouts >= MAX_TIMEOUTS || !sp_case_offered(c, s->kernel)) {
    group->n_skipped++;
    return true;
  }
  if (sp_class_unbounded(s->cls, c->n_kv + 1)) {
    group->n_failed++;
    sp_finding *finding = new_finding(s, g, index);
    if (finding)
      snprintf(finding->what, sizeof finding->what,
               "class %s has no error bound for rows of %zu keys (NU-8)", s->cls->text, c->n_kv);
    return true;
  }
  sp_translation t;
  const char *left_out;
  if (!sp_translate(&t, s->config->profile, c, &left_out)) {
    if (left_out == NULL) return tool_fault(s, "profile", "out of memory");
    group->n_none++;
    return run_left_out(s, g, index, c);
  }
  bool ok = judge_case(s, g, index, &t);
  sp_translation_clear(&t);
  return ok;
}

static bool run_group(shard *s, uint32_t g, unsigned first, unsigned n_shards) {
  sp_group *group = &s->tally->groups[g];
  for (uint64_t index = first; index < group->n_cases; index += n_shards) {
    sp_generator_request request;
    sp_case c;
    sp_group_request(group, s->kernel, s->config->seed, index, &request);
    bool made = sp_case_make(&c, &request);
    if (!made) group->n_none++;
    bool ok = !made || run_case(s, g, index, &c);
    if (made) sp_case_clear(&c);
    if (!ok) return false;
    s->tally->done++;
  }
  return true;
}

/* One process suffices for these few calls: the first shard makes them. */
static bool run_illegal(shard *s, uint32_t g, unsigned first) {
  sp_group *group = &s->tally->groups[g];
  if (first != 0) return true;
  for (uint64_t which = 0; which < group->n_cases; which++) {
    sp_incident incident = {0};
    const char *name = "";
    if (!sp_host_run_illegal(s->subject, s->config->kernel, which, &name, &incident)) {
      if (incident.text[0]) return tool_fault(s, "host", incident.text);
      group->n_cases = which;
      return true;
    }
    if (sp_profile_allows(s->config->profile, name))
      group->n_none++;
    else if (incident.kind == SP_INCIDENT_NONE)
      group->n_passed++;
    else
      record_incident(s, g, which, &incident);
  }
  return true;
}

/* spec: CT-13 */
static bool run_conventions(shard *s, uint32_t g, unsigned first) {
  sp_finding finding = {0};
  char why[240] = "";
  if (first != 0) return true;
  if (!sp_ask_conventions(s->config, s->subject, &s->tally->groups[g], &finding, why, sizeof why))
    return tool_fault(s, "host", why);
  if (finding.what[0] == '\0') return true;
  finding.group = g;
  s->tally->findings[s->tally->n_findings++] = finding;
  return true;
}

/* Groups that are not made of cases. */
static bool run_other(shard *s, uint32_t g, unsigned first) {
  return s->tally->groups[g].conventions ? run_conventions(s, g, first) : run_illegal(s, g, first);
}

void sp_shard_run(const sp_run_config *config, const sp_kernel *kernel, const sp_class *cls,
                  unsigned first, unsigned n_shards, sp_tally *tally) {
  shard s = {.config = config, .kernel = kernel, .cls = cls, .tally = tally};
  s.faults = sp_faults(&s.n_faults);
  sp_host_config subject = {.path = config->path,
                            .entry = config->entry,
                            .timeout_ms = config->timeout_ms,
                            .keep_output = config->keep_output};
  sp_host_config museum = {.entry = sp_museum_kernel};
  char why[240] = "";
  s.subject = sp_host_open(&subject, why, sizeof why);
  s.museum = s.subject ? sp_host_open(&museum, why, sizeof why) : NULL;
  bool ok = s.museum || tool_fault(&s, "host", why);
  for (uint32_t g = 0; ok && g < tally->n_groups; g++)
    ok = tally->groups[g].generator ? run_group(&s, g, first, n_shards) : run_other(&s, g, first);
  if (s.museum) sp_host_close(s.museum);
  if (s.subject) sp_host_close(s.subject);
}
