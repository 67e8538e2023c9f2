/* SPDX-License-Identifier: Apache-2.0 */
/* Two kinds of walls. Built with AddressSanitizer, every byte of the arena that is not an element
 * of the present call is poisoned, so instrumented kernels are stopped at the byte. Page protection
 * stops any kernel, at the page: inputs cannot be written, and what lies beside the data, against
 * one end of the pages, cannot be touched. spec: KC-3, KC-4, KC-5, KC-6 */
#include "fuzz/room.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "certify/case/sequence.h"
#include "certify/host/call.h"
#include "certify/host/fpstate.h"
#include "fuzz/poison.h"

enum { ARENA_BYTES = 24 << 20 };

bool sp_fuzz_room_open(sp_fuzz_room *room, bool pages) {
  room->pages = pages;
  if (!sp_arena_open(&room->arena, ARENA_BYTES)) return false;
  sp_fuzz_poison(room->arena.base, room->arena.bytes);
  return !pages || mprotect(room->arena.base, room->arena.bytes, PROT_NONE) == 0;
}

void sp_fuzz_room_close(sp_fuzz_room *room) {
  sp_fuzz_unpoison(room->arena.base, room->arena.bytes);
  sp_arena_close(&room->arena);
}

__attribute__((format(printf, 3, 4))) static void
accuse(sp_incident *incident, sp_incident_kind kind, const char *format, ...) {
  if (incident->kind != SP_INCIDENT_NONE) return;
  va_list arguments;
  incident->kind = kind;
  va_start(arguments, format);
  vsnprintf(incident->text, sizeof incident->text, format, arguments);
  va_end(arguments);
}

/* ---- walls ---- */

static bool protect(const sp_fuzz_room *room, const sp_tensor *t, int rights) {
  if (!room->pages || t->bytes == 0) return true;
  return mprotect(room->arena.base + t->page, t->bytes, rights) == 0;
}

/* Ours: everything can be written and checked. */
static bool unlock(const sp_fuzz_room *room, const sp_call *call) {
  bool ok = true;
  for (size_t i = 0; i < call->n_tensors; i++) {
    const sp_tensor *t = &call->tensor[i];
    ok = protect(room, t, PROT_READ | PROT_WRITE) && ok;
    sp_fuzz_unpoison(room->arena.base + t->page, t->bytes);
  }
  return ok;
}

/* The kernel's: elements only. */
static bool hand_over(const sp_fuzz_room *room, const sp_call *call) {
  bool ok = true;
  for (size_t i = 0; i < call->n_tensors; i++) {
    const sp_tensor *t = &call->tensor[i];
    sp_fuzz_poison(room->arena.base + t->page, t->bytes);
    sp_fuzz_unpoison(room->arena.base + t->data, sp_tensor_extent(t));
    ok = protect(room, t, t->writable ? PROT_READ | PROT_WRITE : PROT_READ) && ok;
  }
  return ok;
}

static void lock(const sp_fuzz_room *room, const sp_call *call) {
  for (size_t i = 0; i < call->n_tensors; i++) {
    sp_fuzz_poison(room->arena.base + call->tensor[i].page, call->tensor[i].bytes);
    (void)protect(room, &call->tensor[i], PROT_NONE);
  }
}

static bool grow(sp_fuzz_room *room, size_t need) {
  if (need <= room->arena.bytes) return true;
  sp_fuzz_unpoison(room->arena.base, room->arena.bytes);
  if (!sp_arena_grow(&room->arena, need)) return false;
  sp_fuzz_poison(room->arena.base, room->arena.bytes);
  return !room->pages || mprotect(room->arena.base, room->arena.bytes, PROT_NONE) == 0;
}

/* ---- one call ---- */

/* Where a stream stands, and what a run has gathered. A call of another operation is one step. */
typedef struct run {
  sp_fuzz_room *room;
  const sp_kernel *kernel;
  const sp_case *c;
  sp_outputs *outputs;
  sp_incident *incident;
  unsigned poison;
  sp_cache *cache;
  size_t n_tokens, n_rows, n_lists, n_listed;
} run;

static sp_status make_call(run *r, sp_call *call) {
  const sp_cache_ops *cache = r->kernel->cache;
  unsigned char *base = r->room->arena.base;
  void *args = call->args_at >= 0 ? base + call->tensor[call->args_at].data : NULL;
  switch (call->kind) {
  case SP_CALL_SOFTMAX:
    return r->kernel->softmax(args);
  case SP_CALL_ATTENTION:
    return r->kernel->attention(args);
  case SP_CALL_OPEN:
    return cache->open(&r->cache, args);
  case SP_CALL_APPEND:
    return cache->append(r->cache, args);
  case SP_CALL_ATTEND:
    return cache->attend(r->cache, args);
  case SP_CALL_TRUNCATE:
    return cache->truncate == NULL ? SP_UNSUPPORTED
                                   : cache->truncate(r->cache, call->sequence, call->n_taken);
  default: {
    sp_tensor *token = &call->tensor[call->token_at];
    return cache->visible(r->cache, call->sequence, (uint64_t *)(void *)(base + token->data),
                          token->length,
                          (uint64_t *)(void *)(base + call->tensor[call->n_at].data));
  }
  }
}

static void check_memory(const run *r, const sp_call *call, sp_status status) {
  bool declined = status != SP_OK;
  for (size_t i = 0; i < call->n_tensors; i++) {
    const sp_tensor *t = &call->tensor[i];
    size_t gap = sp_arena_changed_gap(&r->room->arena, t, r->poison);
    if (gap != SP_NO_CHANGE)
      accuse(r->incident, SP_INCIDENT_WROTE_OUTSIDE, "a byte beside the elements of %s changed",
             t->name);
    if (t->writable && !declined) continue;
    if (sp_arena_changed(&r->room->arena, t, r->poison) == SP_NO_CHANGE) continue;
    accuse(r->incident, t->writable ? SP_INCIDENT_WROTE_DECLINED : SP_INCIDENT_WROTE_INPUT,
           "%s changed%s", t->name, t->writable ? " although the call was declined" : "");
  }
}

static void check_status(const run *r, sp_status status) {
  if (status == SP_UNSUPPORTED)
    accuse(r->incident, SP_INCIDENT_UNSUPPORTED, "declined");
  else if (status != SP_OK)
    accuse(r->incident, SP_INCIDENT_STATUS, "a legal call was answered with status %d",
           (int)status);
}

static void gather_list(run *r, const sp_call *call) {
  const sp_tensor *token = &call->tensor[call->token_at];
  uint64_t n = 0;
  sp_arena_gather(&r->room->arena, &call->tensor[call->n_at], &n);
  if (n > token->length) n = token->length;
  memcpy(r->outputs->visible + r->n_listed, r->room->arena.base + token->data,
         n * sizeof(uint64_t));
  r->outputs->n_visible[r->n_lists++] = (size_t)n;
  r->n_listed += (size_t)n;
}

/* As certify/host/host_cache.c does it. */
static void gather_truncation(run *r, sp_status status) {
  if (status == SP_LOST) r->outputs->visible[r->n_listed++] = SP_LOST;
  r->outputs->n_visible[r->n_lists++] = status == SP_LOST ? 1 : 0;
}

static void gather(run *r, const sp_call *call, size_t n_rows) {
  if (call->kind == SP_CALL_VISIBLE) {
    gather_list(r, call);
    return;
  }
  sp_call_gather(call, &r->room->arena, r->outputs, r->n_rows);
  if (call->out_at >= 0) r->n_rows += n_rows;
}

static bool put(run *r, sp_call *call, size_t n_rows) {
  sp_fuzz_room *room = r->room;
  char text[120];
  room->arena.cursor = 0;
  if (!grow(room, sp_call_need(call, &room->arena, &r->c->layout))) return false;
  sp_call_place(call, &room->arena, &r->c->layout, room->arena.base);
  bool ok = unlock(room, call);
  if (ok) sp_call_write(call, &room->arena, r->poison);
  ok = ok && hand_over(room, call);
  if (ok) {
    sp_fp_state before = sp_fp_read();
    sp_status status = make_call(r, call);
    sp_fp_state after = sp_fp_read();
    sp_fp_write(before);
    ok = unlock(room, call);
    if (sp_fp_changed(before, after, text, sizeof text))
      accuse(r->incident, SP_INCIDENT_FP_STATE, "%s", text);
    check_memory(r, call, status);
    if (call->kind == SP_CALL_TRUNCATE && (status == SP_OK || status == SP_LOST)) {
      gather_truncation(r, status);
    } else {
      check_status(r, status);
      if (status == SP_OK) gather(r, call, n_rows);
    }
  }
  lock(room, call);
  return ok;
}

/* ---- a whole case ---- */

static bool put_step(run *r, size_t index) {
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
  return put(r, &call, n_rows);
}

static bool put_stream(run *r) {
  sp_call call;
  sp_call_open(&call, r->c);
  if (!put(r, &call, 0)) return false;
  if (r->incident->kind == SP_INCIDENT_NONE && r->cache == NULL)
    accuse(r->incident, SP_INCIDENT_STATUS, "open gave no cache");
  bool ok = true;
  for (size_t s = 0; ok && s < r->c->n_steps && r->incident->kind == SP_INCIDENT_NONE; s++)
    ok = put_step(r, s);
  if (r->cache != NULL) r->kernel->cache->close(r->cache);
  return ok;
}

static bool put_case(sp_fuzz_room *room, const sp_kernel *kernel, const sp_case *c, unsigned poison,
                     sp_outputs *outputs, sp_incident *incident) {
  run r = {.room = room,
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
  return put(&r, &call, c->n_q);
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
    accuse(incident, SP_INCIDENT_UNWRITTEN, "an element of an output was not written");
  sp_outputs_clear(&again);
  return ok;
}
