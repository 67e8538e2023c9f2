/* SPDX-License-Identifier: Apache-2.0 */
/* A whole case: one call, or a stream of them. spec: KC-5 */
#include "certify/case/sequence.h"
#include "fuzz/room_run.h"

static bool put_step(sp_fuzz_run *r, size_t index) {
  const sp_cache_step *step = &r->c->script[index];
  sp_call call;
  size_t n_rows = 1;
  if (step->kind == SP_STEP_APPEND) {
    sp_call_append(&call, r->c, r->n_tokens, step->n_tokens, step->with_queries);
    r->n_tokens += step->n_tokens;
    n_rows = step->n_tokens;
  } else if (step->kind == SP_STEP_ATTEND) {
    sp_call_attend(&call, r->c, sp_case_attend_token(r->c, index));
  } else if (step->kind == SP_STEP_TRUNCATE) {
    sp_call_truncate(&call, step->n_tokens);
  } else {
    sp_call_visible(&call, r->n_tokens + 1);
  }
  sp_call_of(&call, step->sequence);
  if (!sp_fuzz_put(r, &call, n_rows)) return false;
  if (step->kind != SP_STEP_VISIBLE || r->incident->kind != SP_INCIDENT_NONE) return true;
  r->n_whole = r->outputs->n_visible[r->n_lists - 1];
  if (r->n_whole == 0) return true;
  sp_call_visible(&call, r->n_whole / 2);
  sp_call_of(&call, step->sequence);
  bool ok = sp_fuzz_put(r, &call, 0);
  r->n_whole = 0;
  return ok;
}

static bool put_stream(sp_fuzz_run *r) {
  sp_call call;
  sp_call_open(&call, r->c);
  if (!sp_fuzz_put(r, &call, 0)) return false;
  if (r->incident->kind == SP_INCIDENT_NONE && r->cache == NULL)
    sp_fuzz_accuse(r->incident, SP_INCIDENT_STATUS, "open gave no cache");
  bool ok = true;
  for (size_t s = 0; ok && s < r->c->n_steps && r->incident->kind == SP_INCIDENT_NONE; s++)
    ok = put_step(r, s);
  if (r->cache != NULL) r->kernel->cache->close(r->cache);
  return ok;
}

static bool put_case(sp_fuzz_room *room, const sp_kernel *kernel, const sp_case *c, unsigned poison,
                     sp_outputs *outputs, sp_incident *incident) {
  sp_fuzz_run r = {.room = room,
                   .kernel = kernel,
                   .c = c,
                   .outputs = outputs,
                   .incident = incident,
                   .poison = poison};
  sp_call call;
  if (c->op == SP_OP_CACHE) return put_stream(&r);
  if (c->op == SP_OP_SOFTMAX)
    sp_call_softmax(&call, c);
  else
    sp_call_attention(&call, c);
  return sp_fuzz_put(&r, &call, c->n_q);
}

static bool holds_poison(const sp_array *array, size_t i, unsigned poison) {
  return sp_is_pattern(array->bits, i, sp_ref_format_bytes(array->dtype),
                       sp_poison(array->dtype, poison));
}

/* An element that is its poison, whichever poison it was. */
static bool unwritten(const sp_array *first, const sp_array *second) {
  for (size_t i = 0; i < first->count; i++)
    if (holds_poison(first, i, 0) && (second == NULL || holds_poison(second, i, 1))) return true;
  return false;
}

static bool any_unwritten(const sp_outputs *a, const sp_outputs *b) {
  return unwritten(&a->values, b ? &b->values : NULL) ||
         unwritten(&a->lse_keys, b ? &b->lse_keys : NULL) ||
         unwritten(&a->lse_total, b ? &b->lse_total : NULL);
}

bool sp_fuzz_room_run(sp_fuzz_room *room, const sp_kernel *kernel, const sp_case *c,
                      sp_outputs *outputs, sp_incident *incident) {
  *incident = (sp_incident){.kind = SP_INCIDENT_NONE};
  if (!put_case(room, kernel, c, 0, outputs, incident)) return false;
  if (incident->kind != SP_INCIDENT_NONE || !any_unwritten(outputs, NULL)) return true;
  sp_outputs again;
  if (!sp_outputs_init(&again, c)) return false;
  bool ok = put_case(room, kernel, c, 1, &again, incident);
  if (ok && any_unwritten(outputs, &again))
    sp_fuzz_accuse(incident, SP_INCIDENT_UNWRITTEN, "an element of an output was not written");
  sp_outputs_clear(&again);
  return ok;
}
