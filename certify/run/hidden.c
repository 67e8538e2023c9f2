/* SPDX-License-Identifier: Apache-2.0 */
/* Why a fault survived: because the class that the subject claims accepts what it does, because it
 * shows in shapes only that the subject does not serve, or because no case shows it. The last makes a run worthless, the first says how little the class promises.
 * They are told apart by the same cases under the class that the museum's correct kernel meets: a
 * fault that fails there is hidden by the subject's class. A kernel that computes nothing is wrong
 * under every class worth a verdict, so no class may hide one. spec: CT-5 */
#include <stdio.h>

#include "certify/profile/translate.h"
#include "certify/run/run.h"

typedef enum reason { HIDDEN, UNSERVED } reason;

typedef struct search {
  const sp_run_config *config;
  reason looked_for;
  const sp_kernel *kernel;
  const sp_class *cls; /* the subject's */
  sp_class reference;
  sp_tally *tally;
  sp_host *subject, *museum;
  const sp_fault *faults;
  size_t n_faults;
} search;

static bool survived(const search *s, size_t i) {
  const sp_fault_result *result = &s->tally->faults[i];
  return result->applicable && !result->killed && !result->left_out && !result->declined &&
         !result->hidden && s->faults[i].family != '0';
}

static bool concerns(const search *s, size_t i, const sp_case *c) {
  return survived(s, i) && (s->faults[i].ops >> c->op & 1u) &&
         !(s->faults[i].needs & ~sp_case_options(c));
}

static bool tool_fault(search *s, const char *what, const char *why) {
  if (!s->tally->tool_error[0])
    snprintf(s->tally->tool_error, sizeof s->tally->tool_error, "%s: %s", what, why);
  return false;
}

static bool run_survivors(search *s, const sp_case *c, const sp_truth *truth, sp_outputs *outputs) {
  for (size_t i = 0; i < s->n_faults; i++) {
    sp_incident incident = {0};
    sp_judgement judgement;
    char path[32] = "";
    if (!concerns(s, i, c)) continue;
    if (!sp_host_run(s->museum, i, c, true, outputs, &incident, path))
      return tool_fault(s, "host of the museum", incident.text);
    if (incident.kind > SP_INCIDENT_UNSUPPORTED && s->looked_for == UNSERVED)
      s->tally->faults[i].declined = true;
    if (incident.kind != SP_INCIDENT_NONE) continue;
    sp_judge(truth, outputs, &judgement);
    sp_fault_result *result = &s->tally->faults[i];
    *(s->looked_for == HIDDEN ? &result->hidden : &result->declined) = judgement.verdict == SP_FAIL;
  }
  return true;
}

static bool search_case(search *s, const sp_case *c) {
  enum { MAX_PRECISION = 4096 };
  sp_truth truth = {0};
  sp_outputs outputs = {0};
  char why[240] = "";
  bool ok = sp_truth_init(&truth, c, &s->reference, MAX_PRECISION, why, sizeof why);
  if (!ok) tool_fault(s, "oracle", why);
  if (ok && !sp_outputs_init(&outputs, c)) ok = tool_fault(s, "outputs", "out of memory");
  ok = ok && run_survivors(s, c, &truth, &outputs);
  sp_outputs_clear(&outputs);
  sp_truth_clear(&truth);
  return ok;
}

/* Not UNSUPPORTED. */
static bool answers(search *s, const sp_translation *t, bool *yes) {
  sp_outputs outputs = {0};
  sp_incident incident = {0};
  char path[32] = "";
  bool ok = sp_outputs_init(&outputs, &t->put) || tool_fault(s, "outputs", "out of memory");
  ok = ok &&
       (sp_host_run(s->subject, s->config->kernel, &t->put, false, &outputs, &incident, path) ||
        tool_fault(s, "host", incident.text));
  *yes = incident.kind != SP_INCIDENT_UNSUPPORTED;
  sp_outputs_clear(&outputs);
  return ok;
}

/* Only cases that the subject answers count. */
static bool visit_hidden(search *s, const sp_case *c) {
  bool wanted = false, answered = false;
  sp_translation t;
  const char *left_out;
  for (size_t i = 0; i < s->n_faults && !wanted; i++) wanted = concerns(s, i, c);
  if (!wanted || !sp_case_offered(c, s->kernel)) return true;
  if (sp_class_unbounded(s->cls, c->n_kv + 1)) return true;
  if (!sp_translate(&t, s->config->profile, c, &left_out))
    return left_out != NULL || tool_fault(s, "profile", "out of memory");
  bool ok = answers(s, &t, &answered);
  sp_translation_clear(&t);
  return ok && (!answered || search_case(s, c));
}

/* spec: KC-11 */
static bool visit_unserved(search *s, const sp_case *c) {
  bool wanted = !sp_case_served(c, s->kernel->shapes);
  for (size_t i = 0; wanted && i < s->n_faults; i++)
    if (concerns(s, i, c)) return search_case(s, c);
  return true;
}

static bool visit(search *s, const sp_case *c) {
  return s->looked_for == HIDDEN ? visit_hidden(s, c) : visit_unserved(s, c);
}

static bool visit_group(search *s, const sp_group *group, unsigned first, unsigned n_shards) {
  for (uint64_t index = first; index < group->n_cases; index += n_shards) {
    sp_generator_request request;
    sp_case c;
    sp_group_request(group, s->kernel, s->config->seed, index, &request);
    if (s->looked_for == UNSERVED) request.shapes = (sp_shapes){0};
    if (!sp_case_make(&c, &request)) continue;
    bool ok = visit(s, &c);
    sp_case_clear(&c);
    if (!ok) return false;
  }
  return true;
}

void sp_shard_hidden(const sp_run_config *config, const sp_kernel *kernel, const sp_class *cls,
                     unsigned first, unsigned n_shards, sp_tally *tally) {
  search s = {.config = config, .kernel = kernel, .cls = cls, .tally = tally};
  sp_host_config subject = {
      .path = config->path, .entry = config->entry, .timeout_ms = config->timeout_ms};
  sp_host_config museum = {.entry = sp_museum_kernel};
  char why[240] = "";
  s.faults = sp_faults(&s.n_faults);
  const char *reference = sp_museum_base_kernel()->accuracy_class;
  bool ok = sp_class_parse(reference, &s.reference, why, sizeof why) ||
            tool_fault(&s, "class of the museum", why);
  s.subject = ok ? sp_host_open(&subject, why, sizeof why) : NULL;
  s.museum = s.subject ? sp_host_open(&museum, why, sizeof why) : NULL;
  ok = ok && (s.museum || tool_fault(&s, "host", why));
  for (; ok && s.looked_for <= (kernel->shapes != NULL ? UNSERVED : HIDDEN); s.looked_for++)
    for (size_t g = 0; ok && g < tally->n_groups; g++)
      if (tally->groups[g].generator) ok = visit_group(&s, &tally->groups[g], first, n_shards);
  if (s.museum) sp_host_close(s.museum);
  if (s.subject) sp_host_close(s.subject);
}
