/* SPDX-License-Identifier: Apache-2.0 */
/* A plan is another way to the same bits. It is made while what it has to read anew holds other
 * numbers, so one that keeps too much of its call answers another one; it runs twice, over the two
 * poisons, so what it leaves unwritten differs too. spec: NU-12, KC-4, KC-5 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/host/host_run.h"
#include "fuzz/room_run.h"

static bool has_plan(const sp_kernel *kernel, sp_op op) {
  const sp_prepare_ops *plans = kernel->prepare;
  if (plans == NULL || op == SP_OP_CACHE) return false;
  return op == SP_OP_SOFTMAX ? plans->softmax != NULL : plans->attention != NULL;
}

static bool is_read_anew(const sp_tensor *t) {
  static const char *const names[] = {"logits", "q", "key_bias", "alibi_slope", "sink_logit"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (t->packed != NULL && strcmp(t->name, names[i]) == 0) return true;
  return false;
}

static bool make(sp_fuzz_run *r, const sp_call *one_step) {
  sp_call call = *one_step;
  size_t most = 1;
  for (size_t i = 0; i < call.n_tensors; i++)
    if (is_read_anew(&call.tensor[i])) {
      size_t bytes =
          sp_tensor_rows(&call.tensor[i]) * call.tensor[i].length * call.tensor[i].element;
      if (bytes > most) most = bytes;
    }
  void *zeros = calloc(most, 1);
  if (zeros == NULL) return false;
  for (size_t i = 0; i < call.n_tensors; i++)
    if (is_read_anew(&call.tensor[i])) call.tensor[i].packed = zeros;
  call.kind = r->c->op == SP_OP_SOFTMAX ? SP_CALL_PREPARE_SOFTMAX : SP_CALL_PREPARE_ATTENTION;
  bool ok = sp_fuzz_put(r, &call, 0);
  free(zeros);
  return ok;
}

/* The same answer as the one step's, each time. */
static bool run(sp_fuzz_run *r, const sp_call *one_step, const sp_outputs *outputs) {
  static const char *const which[2] = {"a plan", "a plan that runs again"};
  char difference[200];
  for (r->poison = 0; r->poison < 2 && r->incident->kind == SP_INCIDENT_NONE; r->poison++) {
    sp_call call = *one_step;
    call.kind = SP_CALL_RUN;
    r->n_rows = 0;
    if (!sp_fuzz_put(r, &call, 0)) return false;
    if (r->incident->kind == SP_INCIDENT_NONE &&
        !sp_same_outputs(r->c, outputs, r->outputs, difference, sizeof difference))
      sp_fuzz_accuse(r->incident, SP_INCIDENT_VARIES, "%s: %s", which[r->poison], difference);
  }
  return true;
}

static bool release(sp_fuzz_run *r) {
  sp_call call = {.kind = SP_CALL_RELEASE,
                  .args_at = -1,
                  .out_at = -1,
                  .lse_keys_at = -1,
                  .lse_total_at = -1,
                  .token_at = -1,
                  .n_at = -1};
  return sp_fuzz_put(r, &call, 0);
}

static bool compare(sp_fuzz_run *r, const sp_outputs *outputs) {
  sp_call call;
  if (r->c->op == SP_OP_SOFTMAX)
    sp_call_softmax(&call, r->c);
  else
    sp_call_attention(&call, r->c);
  if (!make(r, &call)) return false;
  if (r->incident->kind == SP_INCIDENT_NONE && r->plan == NULL)
    sp_fuzz_accuse(r->incident, SP_INCIDENT_STATUS, "a call was prepared, and there is no plan");
  if (r->plan == NULL) return true;
  bool ok = run(r, &call, outputs);
  return release(r) && ok;
}

bool sp_fuzz_room_plan(sp_fuzz_room *room, const sp_kernel *kernel, const sp_case *c,
                       const sp_outputs *outputs, sp_incident *incident) {
  sp_outputs got;
  *incident = (sp_incident){.kind = SP_INCIDENT_NONE};
  if (!has_plan(kernel, c->op)) return true;
  if (!sp_outputs_init(&got, c)) return false;
  sp_fuzz_run r = {.room = room, .kernel = kernel, .c = c, .outputs = &got, .incident = incident};
  bool ok = compare(&r, outputs);
  sp_outputs_clear(&got);
  return ok;
}
