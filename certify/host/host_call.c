/* SPDX-License-Identifier: Apache-2.0 */
/* One call: place it, have it made, and check everything that can be checked without knowing the
 * right answer. spec: KC-3, KC-4, KC-5, KC-6, KC-7, KC-8 */
#include "certify/host/host_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* More address space for one call than this is a mistake in the case. */
#define MOST_BYTES ((size_t)1 << 40)

void sp_incident_set(sp_incident *incident, sp_incident_kind kind, const char *format, ...) {
  va_list arguments;
  incident->kind = kind;
  va_start(arguments, format);
  vsnprintf(incident->text, sizeof incident->text, format, arguments);
  va_end(arguments);
}

static bool own_fault(sp_incident *incident, const char *why) {
  sp_incident_set(incident, SP_INCIDENT_NONE, "%s",
                  why[0] ? why : "the host lost its child process");
  return false;
}

/* spec: KC-8 a worker that died is replaced for the next call. */
static bool restart(sp_host *host, sp_incident *incident) {
  sp_ending ending = sp_link_start(&host->link);
  const sp_control *control = host->link.control;
  if (ending == SP_END_LOST) return own_fault(incident, "");
  if (ending == SP_END_REPLY && control->load.ok) return true;
  if (ending == SP_END_REPLY || atomic_load(&control->phase) == SP_PHASE_START)
    return own_fault(incident, control->load.error);
  sp_death_words(&host->link, NULL, "loading the kernel again", ending, incident);
  incident->kind = SP_INCIDENT_NONE;
  return false;
}

/* The process that runs the kernel has to map memory that grew, so it is another one then. */
bool sp_host_reserve(sp_host *host, size_t need, sp_incident *incident) {
  sp_link *link = &host->link;
  if (need <= link->arena.bytes) return true;
  if (link->running) sp_link_stop(link);
  return (need <= MOST_BYTES && sp_arena_grow(&link->arena, need)) ||
         own_fault(incident, "the case needs more memory than the host can get");
}

bool sp_host_place(sp_host *host, const sp_call *call, const char *where, const sp_layout *layout,
                   unsigned run, sp_incident *incident) {
  sp_link *link = &host->link;
  if (!sp_host_reserve(host, sp_call_need(call, &link->arena, layout), incident)) return false;
  if (!link->running && !restart(host, incident)) return false;
  host->previous = host->call;
  snprintf(host->previously, sizeof host->previously, "%s", host->where);
  host->call = *call;
  snprintf(host->where, sizeof host->where, "%s", where);
  host->run = run;
  sp_layout turned = *layout; /* the second run guards the other side */
  if (run > 0) turned.guard_before = !turned.guard_before;
  sp_call_place(&host->call, &link->arena, &turned, link->base);
  return true;
}

static void fill_request(const sp_call *call, size_t kernel, sp_request *request) {
  *request = (sp_request){.kind = call->kind,
                          .kernel = (uint32_t)kernel,
                          .n_threads = call->n_threads,
                          .sequence = call->sequence,
                          .n_taken = call->n_taken,
                          .n_spans = (uint32_t)call->n_tensors};
  for (size_t i = 0; i < call->n_tensors; i++) {
    request->span[i].page = call->tensor[i].page;
    request->span[i].bytes = call->tensor[i].bytes;
    request->span[i].parts = sp_tensor_parts(&call->tensor[i]);
    request->span[i].step = sp_tensor_step(&call->tensor[i]);
    request->span[i].writable = call->tensor[i].writable;
  }
  /* A plan keeps no pointer to the struct it was made from: that one stays closed while it runs. */
  if (call->kind == SP_CALL_RUN && call->args_at >= 0) request->span[call->args_at].bytes = 0;
  if (call->args_at >= 0) request->args = call->tensor[call->args_at].data;
  if (call->n_at < 0) return;
  request->n = call->tensor[call->n_at].data;
  request->token = call->tensor[call->token_at].data;
  request->capacity = call->tensor[call->token_at].length;
}

/* Elements in the parts before that of *offset, which becomes one of the first part. */
static size_t elements_before(const sp_tensor *t, size_t *offset) {
  size_t part = sp_tensor_part_at(t, *offset, offset);
  return part * (sp_tensor_extent(t) / t->element);
}

/* Where a changed byte is, in words; elements count as they lie in memory, gaps included. */
static void describe_byte(const sp_tensor *t, size_t offset, char *text, size_t capacity) {
  size_t end = t->start + sp_tensor_extent(t), before = elements_before(t, &offset);
  if (offset < t->start) {
    snprintf(text, capacity, "%zu bytes before the start of %s", t->start - offset, t->name);
  } else if (offset >= end) {
    snprintf(text, capacity, "%zu bytes past the end of %s", offset - end, t->name);
  } else {
    size_t element = (offset - t->start) / t->element;
    bool gap = element % (t->length + t->pad) >= t->length;
    snprintf(text, capacity, "%selement %zu of %s", gap ? "the gap between rows at " : "",
             before + element, t->name);
  }
}

/* spec: KC-4, KC-5 */
static void check_memory(const sp_host *host, sp_incident *incident) {
  char place[120];
  for (size_t i = 0; i < host->call.n_tensors; i++) {
    const sp_tensor *t = &host->call.tensor[i];
    const sp_arena *arena = &host->link.arena;
    size_t changed = t->writable ? sp_arena_changed_gap(arena, t, host->run)
                                 : sp_arena_changed(arena, t, host->run);
    if (changed == SP_NO_CHANGE) continue;
    describe_byte(t, changed, place, sizeof place);
    sp_incident_set(incident, t->writable ? SP_INCIDENT_WROTE_OUTSIDE : SP_INCIDENT_WROTE_INPUT,
                    "%s: wrote %s", host->where, place);
    return;
  }
}

/* spec: KC-6, KC-8 */
static void check_process(sp_host *host, const sp_reply *reply, sp_incident *incident) {
  char what[120];
  if (sp_fp_changed(reply->before, reply->after, what, sizeof what)) {
    sp_incident_set(incident, SP_INCIDENT_FP_STATE, "%s: %s", host->where, what);
    return;
  }
  if (reply->threads_left <= reply->threads_allowed) return;
  sp_incident_set(incident, SP_INCIDENT_EXIT,
                  "%s: returned, but left %u thread(s) running beside its own, where n_threads "
                  "allows %u",
                  host->where, reply->threads_left, reply->threads_allowed);
  sp_link_stop(&host->link); /* or they would be the next case's */
}

/* A death before the call began was brought about by the call before. */
static void describe_death(const sp_host *host, sp_ending ending, sp_incident *incident) {
  bool idle = atomic_load(&host->link.control->phase) == SP_PHASE_IDLE;
  bool before = idle && ending == SP_END_DEATH && host->previously[0] != '\0';
  sp_death_words(&host->link, before ? &host->previous : &host->call,
                 before ? host->previously : host->where, ending, incident);
}

/* Reports quote it, so it is kept to what can be printed. spec: KC-9 */
static void copy_path(char path[32], const char text[32]) {
  memset(path, 0, 32);
  for (size_t i = 0; i < 31 && text[i] != '\0'; i++)
    path[i] = text[i] >= 0x20 && text[i] <= 0x7E ? text[i] : '?';
}

bool sp_host_put(sp_host *host, size_t kernel, sp_status *status, sp_incident *incident,
                 char path[32]) {
  sp_link *link = &host->link;
  sp_control *control = link->control;
  *incident = (sp_incident){0};
  sp_call_write(&host->call, &link->arena, host->run);
  fill_request(&host->call, kernel, &control->call);
  sp_ending ending = sp_link_ask(link);
  if (ending == SP_END_LOST) return own_fault(incident, "");
  if (ending != SP_END_REPLY && atomic_load(&control->phase) == SP_PHASE_START)
    return own_fault(incident, control->load.error);
  if (ending != SP_END_REPLY) {
    describe_death(host, ending, incident);
    return true;
  }
  sp_reply reply = control->answer;
  *status = reply.status;
  if (path != NULL) copy_path(path, reply.path);
  check_memory(host, incident);
  if (incident->kind == SP_INCIDENT_NONE) check_process(host, &reply, incident);
  if (incident->kind == SP_INCIDENT_NONE && host->call.kind == SP_CALL_OPEN &&
      reply.status == SP_OK && reply.no_cache)
    sp_incident_set(incident, SP_INCIDENT_STATUS, "%s: returned SP_OK and no cache", host->where);
  bool prepares =
      host->call.kind == SP_CALL_PREPARE_SOFTMAX || host->call.kind == SP_CALL_PREPARE_ATTENTION;
  if (incident->kind == SP_INCIDENT_NONE && prepares && reply.status == SP_OK && reply.no_plan)
    sp_incident_set(incident, SP_INCIDENT_STATUS, "%s: returned SP_OK and no plan", host->where);
  return true;
}

static const char *status_name(sp_status status, char buffer[24]) {
  static const char *const names[] = {"SP_OK",    "SP_UNSUPPORTED", "SP_INVALID",
                                      "SP_NOMEM", "SP_INTERNAL",    "SP_LOST"};
  if (status >= SP_OK && status <= SP_LOST) return names[status];
  snprintf(buffer, 24, "%d, which is no status", status);
  return buffer;
}

/* spec: KC-3 a call that was not carried out wrote nothing. */
static void check_nothing_written(const sp_host *host, sp_status status, sp_incident *incident) {
  char place[120], name[24];
  for (size_t i = 0; i < host->call.n_tensors; i++) {
    const sp_tensor *t = &host->call.tensor[i];
    if (!t->writable) continue;
    size_t changed = sp_arena_changed(&host->link.arena, t, host->run);
    if (changed == SP_NO_CHANGE) continue;
    describe_byte(t, changed, place, sizeof place);
    sp_incident_set(incident, SP_INCIDENT_WROTE_DECLINED, "%s: returned %s, yet wrote %s",
                    host->where, status_name(status, name), place);
    return;
  }
}

void sp_check_untouched(const sp_host *host, sp_status status, sp_incident *incident) {
  check_nothing_written(host, status, incident);
}

void sp_check_status(const sp_host *host, sp_status status, sp_incident *incident) {
  char name[24];
  if (status == SP_OK) return;
  /* spec: EV-15 whether tokens are lost is for the judge to say */
  if (status == SP_LOST && host->call.kind == SP_CALL_TRUNCATE) return;
  if (status == SP_UNSUPPORTED || status == SP_INVALID || status == SP_NOMEM)
    check_nothing_written(host, status, incident);
  if (incident->kind != SP_INCIDENT_NONE) return;
  if (status == SP_UNSUPPORTED) {
    sp_incident_set(incident, SP_INCIDENT_UNSUPPORTED, "%s: declined", host->where);
    return;
  }
  sp_incident_set(incident, SP_INCIDENT_STATUS, "%s: a legal call was answered with %s",
                  host->where, status_name(status, name));
}

void sp_check_refusal(const sp_host *host, sp_status status, sp_incident *incident) {
  char name[24];
  if (status == SP_INVALID || status == SP_UNSUPPORTED) {
    check_nothing_written(host, status, incident);
    return;
  }
  sp_incident_set(incident, status == SP_OK ? SP_INCIDENT_ACCEPTED : SP_INCIDENT_STATUS,
                  "%s: is an error, yet was answered with %s instead of SP_INVALID", host->where,
                  status_name(status, name));
}
