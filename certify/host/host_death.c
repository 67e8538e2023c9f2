/* SPDX-License-Identifier: Apache-2.0 */
/* How a kernel ended its process, in words that a kernel author can act on: not "signal 11" but
 * which tensor was touched, on which side of its end, at which element. spec: KC-4, KC-5, KC-8 */
#include "certify/host/host_run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
  NULL_PAGE = 4096,
  NEAR_STACK = 1 << 16 /* a fault this close to the stack pointer is the stack's own */
};

typedef struct spot {
  const sp_tensor *tensor;
  size_t distance;       /* bytes before the data, or past their end */
  size_t element, count; /* in memory order, gaps included */
  enum { INSIDE, BEFORE, PAST } side;
} spot;

static size_t distance_of(const sp_tensor *t, size_t offset) {
  size_t end = t->start + sp_tensor_extent(t);
  (void)sp_tensor_part_at(t, offset, &offset);
  if (offset < t->start) return t->start - offset;
  return offset < end ? 0 : offset - end + 1;
}

/* The tensor nearest to an offset of the arena. False when none is within its guard zone. */
static bool locate(const sp_call *call, size_t offset, spot *found) {
  size_t nearest = SP_GUARD_BYTES;
  *found = (spot){0};
  for (size_t i = 0; i < call->n_tensors; i++) {
    size_t distance = distance_of(&call->tensor[i], offset);
    if (distance >= nearest) continue;
    nearest = distance;
    found->tensor = &call->tensor[i];
  }
  const sp_tensor *t = found->tensor;
  if (t == NULL) return false;
  size_t extent = sp_tensor_extent(t), part = sp_tensor_part_at(t, offset, &offset);
  found->count = extent / t->element * sp_tensor_parts(t);
  found->side = offset < t->start ? BEFORE : offset < t->start + extent ? INSIDE : PAST;
  if (found->side == BEFORE) {
    found->distance = t->start - offset;
    return true;
  }
  found->distance = found->side == PAST ? offset - t->start - extent : 0;
  found->element = (offset - t->start) / t->element + part * (extent / t->element);
  return true;
}

static sp_incident_kind describe_spot(const spot *s, bool write, bool late, char *text,
                                      size_t capacity) {
  const char *verb = write ? "wrote" : "read";
  const char *name = s->tensor->name;
  if (s->side == BEFORE) {
    snprintf(text, capacity, "%s %zu bytes before the start of %s", verb, s->distance, name);
    return write ? SP_INCIDENT_WROTE_OUTSIDE : SP_INCIDENT_CRASH;
  }
  if (s->side == PAST) {
    char bytes[32] = "";
    if (s->distance > 0) snprintf(bytes, sizeof bytes, "%zu bytes ", s->distance);
    snprintf(text, capacity, "%s %spast the end of %s (element %zu of %zu)", verb, bytes, name,
             s->element, s->count);
    return write ? SP_INCIDENT_WROTE_OUTSIDE : SP_INCIDENT_CRASH;
  }
  if (late || s->tensor->writable || !write) {
    snprintf(text, capacity, "%s element %zu of %s after the call had returned", verb, s->element,
             name);
    return SP_INCIDENT_CRASH;
  }
  snprintf(text, capacity, "wrote to element %zu of %s, which is read-only", s->element, name);
  return SP_INCIDENT_WROTE_INPUT;
}

static sp_incident_kind describe_access(const sp_link *link, const sp_call *call,
                                        const sp_trap *trap, bool late, char *text,
                                        size_t capacity) {
  const char *verb = trap->write ? "wrote" : "read";
  uint64_t base = (uint64_t)(uintptr_t)link->base;
  spot s;
  if (!trap->page_fault) {
    snprintf(text, capacity,
             "an aligned vector access to an address that is not aligned, or a wild "
             "pointer");
  } else if (call != NULL && trap->address - base < link->arena.bytes) {
    if (locate(call, (size_t)(trap->address - base), &s))
      return describe_spot(&s, trap->write, late, text, capacity);
    snprintf(text, capacity,
             "%s memory of an earlier call (is a pointer kept?), or far from any "
             "tensor",
             verb);
  } else if (trap->address < NULL_PAGE) {
    snprintf(text, capacity, "%s through a null pointer (address 0x%llx)", verb,
             (unsigned long long)trap->address);
  } else if (trap->address - trap->stack + NEAR_STACK < 2 * NEAR_STACK) {
    snprintf(text, capacity, "ran out of stack");
  } else {
    /* The address itself is another one in each run, and reports are not. spec: CT-10 */
    snprintf(text, capacity, "%s through a wild pointer, far from all tensors", verb);
  }
  return SP_INCIDENT_CRASH;
}

static sp_incident_kind describe_trap(const sp_link *link, const sp_call *call, const sp_trap *trap,
                                      bool late, char *text, size_t capacity) {
  switch (trap->signal) {
  case SIGSEGV:
    return describe_access(link, call, trap, late, text, capacity);
  case SIGFPE:
    snprintf(text, capacity, "%s",
             trap->code == FPE_INTDIV ? "divided an integer by zero"
                                      : "unmasked floating-point exception");
    break;
  case SIGILL:
    snprintf(text, capacity, "an instruction that this processor does not have, or a trap");
    break;
  case SIGABRT:
    snprintf(text, capacity, "called abort()");
    break;
  default:
    snprintf(text, capacity, "signal %d", trap->signal);
  }
  return SP_INCIDENT_CRASH;
}

static void signal_name(int number, char *name, size_t capacity) {
  const char *short_name = sigabbrev_np(number);
  if (short_name != NULL) {
    snprintf(name, capacity, "SIG%s", short_name);
  } else {
    snprintf(name, capacity, "signal %d", number);
  }
}

/* Ended without our handler: exit, or a signal that cannot be caught or was kept from us. */
static void describe_status(int status, const char *where, sp_incident *incident) {
  char name[24];
  if (WIFEXITED(status)) {
    sp_incident_set(incident, SP_INCIDENT_EXIT, "%s: ended the process with exit status %d", where,
                    WEXITSTATUS(status));
    return;
  }
  signal_name(WTERMSIG(status), name, sizeof name);
  bool slow = WTERMSIG(status) == SIGXCPU;
  sp_incident_set(incident, slow ? SP_INCIDENT_TIMEOUT : SP_INCIDENT_CRASH,
                  "%s: the process was killed by %s", where, name);
}

void sp_death_words(const sp_link *link, const sp_call *call, const char *where, sp_ending ending,
                    sp_incident *incident) {
  const sp_control *control = link->control;
  sp_trap trap = control->trap;
  char what[160], name[24], scene[160];
  uint32_t phase = atomic_load(&control->phase);
  bool late = phase == SP_PHASE_IDLE || phase == SP_PHASE_AFTER;
  snprintf(scene, sizeof scene, "%s%s",
           late                     ? "after "
           : phase == SP_PHASE_PATH ? "path() of "
                                    : "",
           where);
  if (ending == SP_END_TIMEOUT) {
    sp_incident_set(incident, SP_INCIDENT_TIMEOUT, "%s: did not return in time (%u ms for a call)",
                    scene, link->timeout_ms);
    return;
  }
  if (!trap.caught) {
    describe_status(control->wait_status, scene, incident);
    return;
  }
  sp_incident_kind kind = describe_trap(link, call, &trap, late, what, sizeof what);
  signal_name(trap.signal, name, sizeof name);
  uint64_t offset = trap.instruction - control->load.image;
  if (offset < control->load.image_bytes) {
    sp_incident_set(incident, kind, "%s: %s: %s%s (code at +0x%llx)", scene, name, what,
                    trap.other_thread ? ", in a thread of its own" : "",
                    (unsigned long long)offset);
    return;
  }
  sp_incident_set(incident, kind, "%s: %s: %s%s", scene, name, what,
                  trap.other_thread ? ", in a thread of its own" : "");
}
