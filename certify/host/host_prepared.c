/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared calls: a plan is another way to the same bits. It is made while what it must read anew
 * (logits or q, biases, sink logits) still holds other numbers, it must write nothing then, and it
 * runs twice without the struct that it was made from. What a plan that kept too much returns is the
 * answer to another call. spec: KC-10, NU-12, KC-4, KC-5 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/host/host_run.h"

typedef struct trial {
  sp_host *host;
  size_t kernel;
  const sp_case *c;
  sp_incident *incident;
} trial;

static bool is_read_anew(const sp_tensor *t) {
  static const char *const names[] = {"logits", "q", "key_bias", "alibi_slope", "sink_logit"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (t->packed != NULL && strcmp(t->name, names[i]) == 0) return true;
  return false;
}

static size_t packed_bytes(const sp_tensor *t) {
  return t->n[0] * t->n[1] * t->n[2] * t->length * t->element;
}

/* Zeros for the largest of the tensors that are read anew. */
static void *make_zeros(const sp_call *call) {
  size_t most = 1;
  for (size_t i = 0; i < call->n_tensors; i++)
    if (is_read_anew(&call->tensor[i]) && packed_bytes(&call->tensor[i]) > most)
      most = packed_bytes(&call->tensor[i]);
  return calloc(most, 1);
}

static bool put(const trial *t, const char *where, sp_status *status) {
  snprintf(t->host->where, sizeof t->host->where, "%s", where);
  if (!sp_host_put(t->host, t->kernel, status, t->incident, NULL)) return false;
  if (t->incident->kind == SP_INCIDENT_NONE) sp_check_status(t->host, *status, t->incident);
  return true;
}

/* Make the plan of the placed call. *made: there is one to run. */
static bool prepare(const trial *t, bool *made) {
  sp_call *call = &t->host->call;
  const sp_call real = *call;
  sp_status status = SP_OK;
  void *zeros = make_zeros(call);
  *made = false;
  if (zeros == NULL) {
    sp_incident_set(t->incident, SP_INCIDENT_NONE, "out of memory");
    return false;
  }
  for (size_t i = 0; i < call->n_tensors; i++)
    if (is_read_anew(&call->tensor[i])) call->tensor[i].packed = zeros;
  call->kind = t->c->op == SP_OP_SOFTMAX ? SP_CALL_PREPARE_SOFTMAX : SP_CALL_PREPARE_ATTENTION;
  bool ok = put(t, "preparing the call", &status);
  if (ok && t->incident->kind == SP_INCIDENT_NONE) sp_check_untouched(t->host, status, t->incident);
  *made = ok && t->incident->kind == SP_INCIDENT_NONE;
  *call = real;
  free(zeros);
  return ok;
}

static bool run_twice(const trial *t, sp_outputs *got) {
  sp_status status = SP_OK;
  t->host->call.kind = SP_CALL_RUN;
  bool ok = put(t, "the prepared call", &status);
  if (ok && t->incident->kind == SP_INCIDENT_NONE)
    ok = put(t, "the prepared call, run again", &status);
  if (ok && t->incident->kind == SP_INCIDENT_NONE)
    sp_call_gather(&t->host->call, &t->host->link.arena, got, 0);
  return ok;
}

static bool release(const trial *t) {
  sp_call nothing = t->host->call;
  sp_status status = SP_OK;
  nothing.kind = SP_CALL_RELEASE;
  nothing.n_tensors = 0;
  nothing.args_at = nothing.out_at = nothing.lse_keys_at = nothing.lse_total_at = -1;
  t->host->call = nothing;
  return put(t, "releasing the prepared call", &status);
}

static bool compare(const trial *t, const sp_outputs *outputs, sp_outputs *got) {
  char difference[160];
  bool made = false;
  if (!prepare(t, &made)) return false;
  if (!made) return true;
  if (!run_twice(t, got)) return false;
  if (t->incident->kind > SP_INCIDENT_UNSUPPORTED) return true;
  bool ran = t->incident->kind == SP_INCIDENT_NONE;
  bool same = !ran || sp_same_outputs(t->c, outputs, got, difference, sizeof difference);
  if (!release(t)) return false;
  if (!same && t->incident->kind == SP_INCIDENT_NONE)
    sp_incident_set(t->incident, SP_INCIDENT_VARIES, "as a prepared call: %s", difference);
  return true;
}

bool sp_host_check_prepared(sp_host *host, size_t kernel, const sp_case *c,
                            const sp_outputs *outputs, sp_incident *incident) {
  const sp_prepare_ops *ops = kernel < host->n_kernels ? host->kernels[kernel].prepare : NULL;
  bool softmax = c->op == SP_OP_SOFTMAX;
  trial t = {host, kernel, c, incident};
  sp_outputs got;
  sp_call call;
  *incident = (sp_incident){0};
  if (ops == NULL || (softmax ? ops->softmax == NULL : ops->attention == NULL)) return true;
  if (!sp_outputs_init(&got, c)) {
    sp_incident_set(incident, SP_INCIDENT_NONE, "out of memory");
    return false;
  }
  if (softmax) {
    sp_call_softmax(&call, c);
  } else {
    sp_call_attention(&call, c);
  }
  bool ok = sp_host_place(host, &call, "preparing the call", &c->layout, 0, incident) &&
            compare(&t, outputs, &got);
  /* A plan that is declined says nothing: the one step is what was offered. */
  if (ok && incident->kind == SP_INCIDENT_UNSUPPORTED) *incident = (sp_incident){0};
  sp_outputs_clear(&got);
  return ok;
}
