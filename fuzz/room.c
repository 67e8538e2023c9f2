/* SPDX-License-Identifier: Apache-2.0 */
/* Two kinds of walls. Built with AddressSanitizer, every byte of the arena that is not an element
 * of the present call is poisoned, so instrumented kernels are stopped at the byte. Page protection
 * stops any kernel, at the page: inputs cannot be written, and what lies beside the data, against
 * one end of the pages, cannot be touched. spec: KC-3, KC-4, KC-5, KC-6 */
#include "fuzz/room_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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

void sp_fuzz_accuse(sp_incident *incident, sp_incident_kind kind, const char *format, ...) {
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

/* A plan keeps no pointer to the struct that it was made from. */
static bool is_withheld(const sp_call *call, size_t i) {
  return call->kind == SP_CALL_RUN && call->args_at == (int)i;
}

/* The kernel's: elements only. */
static bool hand_over(const sp_fuzz_room *room, const sp_call *call) {
  bool ok = true;
  for (size_t i = 0; i < call->n_tensors; i++) {
    const sp_tensor *t = &call->tensor[i];
    sp_fuzz_poison(room->arena.base + t->page, t->bytes);
    if (is_withheld(call, i)) {
      ok = protect(room, t, PROT_NONE) && ok;
      continue;
    }
    sp_fuzz_unpoison(room->arena.base + t->start, sp_tensor_extent(t));
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

static sp_status make_call(sp_fuzz_run *r, sp_call *call) {
  const sp_cache_ops *cache = r->kernel->cache;
  const sp_prepare_ops *plans = r->kernel->prepare;
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
  case SP_CALL_PREPARE_SOFTMAX:
    return plans->softmax(&r->plan, args);
  case SP_CALL_PREPARE_ATTENTION:
    return plans->attention(&r->plan, args);
  case SP_CALL_RUN:
    return plans->run(r->plan);
  case SP_CALL_RELEASE:
    plans->release(r->plan);
    return SP_OK;
  default: {
    sp_tensor *token = &call->tensor[call->token_at];
    return cache->visible(r->cache, call->sequence, (uint64_t *)(void *)(base + token->data),
                          token->length,
                          (uint64_t *)(void *)(base + call->tensor[call->n_at].data));
  }
  }
}

static bool is_prepare(const sp_call *call) {
  return call->kind == SP_CALL_PREPARE_SOFTMAX || call->kind == SP_CALL_PREPARE_ATTENTION;
}

/* A call that was declined writes nothing, and neither does one that only prepares. */
static void check_memory(const sp_fuzz_run *r, const sp_call *call, sp_status status) {
  bool declined = status != SP_OK || is_prepare(call);
  for (size_t i = 0; i < call->n_tensors; i++) {
    const sp_tensor *t = &call->tensor[i];
    size_t gap = sp_arena_changed_gap(&r->room->arena, t, r->poison);
    if (gap != SP_NO_CHANGE)
      sp_fuzz_accuse(r->incident, SP_INCIDENT_WROTE_OUTSIDE,
                     "a byte beside the elements of %s changed", t->name);
    if (t->writable && !declined) continue;
    if (sp_arena_changed(&r->room->arena, t, r->poison) == SP_NO_CHANGE) continue;
    sp_fuzz_accuse(r->incident, t->writable ? SP_INCIDENT_WROTE_DECLINED : SP_INCIDENT_WROTE_INPUT,
                   "%s changed%s", t->name,
                   !t->writable       ? ""
                   : is_prepare(call) ? " while a plan was made"
                                      : " although the call was declined");
  }
}

static void check_status(const sp_fuzz_run *r, sp_status status) {
  if (status == SP_UNSUPPORTED)
    sp_fuzz_accuse(r->incident, SP_INCIDENT_UNSUPPORTED, "declined");
  else if (status != SP_OK)
    sp_fuzz_accuse(r->incident, SP_INCIDENT_STATUS, "a legal call was answered with status %d",
                   (int)status);
}

/* The list of before, with room for half of it. spec: EV-6 */
static void check_half(sp_fuzz_run *r, const sp_call *call) {
  const sp_tensor *token = &call->tensor[call->token_at];
  const uint64_t *list = r->outputs->visible + r->n_listed - r->n_whole;
  uint64_t n = 0;
  sp_arena_gather(&r->room->arena, &call->tensor[call->n_at], &n);
  if (n != r->n_whole)
    sp_fuzz_accuse(r->incident, SP_INCIDENT_LIST, "visible with room for %zu of %zu: *n is %llu",
                   token->length, r->n_whole, (unsigned long long)n);
  else if (memcmp(r->room->arena.base + token->data, list, token->length * sizeof *list) != 0)
    sp_fuzz_accuse(r->incident, SP_INCIDENT_LIST, "visible with room for %zu: not the first of %zu",
                   token->length, r->n_whole);
}

static void gather_list(sp_fuzz_run *r, const sp_call *call) {
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
static void gather_truncation(sp_fuzz_run *r, sp_status status) {
  if (status == SP_LOST) r->outputs->visible[r->n_listed++] = SP_LOST;
  r->outputs->n_visible[r->n_lists++] = status == SP_LOST ? 1 : 0;
}

static void gather(sp_fuzz_run *r, const sp_call *call, size_t n_rows) {
  if (is_prepare(call) || call->kind == SP_CALL_RELEASE) return;
  if (call->kind == SP_CALL_VISIBLE) {
    (r->n_whole > 0 ? check_half : gather_list)(r, call);
    return;
  }
  sp_call_gather(call, &r->room->arena, r->outputs, r->n_rows);
  if (call->out_at >= 0) r->n_rows += n_rows;
}

bool sp_fuzz_put(sp_fuzz_run *r, sp_call *call, size_t n_rows) {
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
      sp_fuzz_accuse(r->incident, SP_INCIDENT_FP_STATE, "%s", text);
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
