/* SPDX-License-Identifier: Apache-2.0 */
/* A stream, call by call: open, the steps of the script, close. Every step has tensors of its own
 * that are out of reach once it has returned, so a cache that keeps a pointer instead of a copy
 * faults at the next step. spec: EV-4, EV-6, EV-15, EV-16, KC-5 */
#include "certify/host/host_run.h"

#include <stdio.h>
#include <string.h>

#include "certify/case/sequence.h"

/* Where the stream stands. */
typedef struct stream {
  sp_host *host;
  size_t kernel;
  const sp_case *c;
  unsigned run;
  sp_outputs *outputs;
  sp_incident *incident;
  char *path;
  size_t n_tokens;          /* appended so far */
  size_t n_rows;            /* output rows (per head) collected so far */
  size_t n_lists, n_listed; /* lists, and tokens in them, collected so far */
} stream;

static bool put_for(stream *s, const sp_call *call, const char *where, sp_status *status) {
  *status = SP_OK;
  if (!sp_host_place(s->host, call, where, &s->c->layout, s->run, s->incident)) return false;
  if (!sp_host_put(s->host, s->kernel, status, s->incident, s->path)) return false;
  if (s->incident->kind == SP_INCIDENT_NONE) sp_check_status(s->host, *status, s->incident);
  return true;
}

static bool put(stream *s, const sp_call *call, const char *where) {
  sp_status status;
  return put_for(s, call, where, &status);
}

/* A list is as long as the kernel says, but never longer than there was room for: one place more
 * than any right list needs. */
static void gather_list(stream *s) {
  const sp_call *call = &s->host->call;
  const sp_arena *arena = &s->host->link.arena;
  uint64_t poison = sp_poison(0, s->run);
  uint64_t n;
  sp_arena_gather(arena, &call->tensor[call->n_at], &n);
  if (n == poison) {
    sp_incident_set(s->incident, SP_INCIDENT_UNWRITTEN, "%s: *n was not written", s->host->where);
    return;
  }
  const sp_tensor *token = &call->tensor[call->token_at];
  if (n > token->length) n = token->length;
  uint64_t *list = s->outputs->visible + s->n_listed;
  memcpy(list, arena->base + token->data, n * sizeof *list);
  for (size_t i = 0; i < n; i++) {
    if (list[i] != poison) continue;
    sp_incident_set(s->incident, SP_INCIDENT_UNWRITTEN, "%s: token %zu of %llu was not written",
                    s->host->where, i, (unsigned long long)n);
    return;
  }
  s->outputs->n_visible[s->n_lists++] = (size_t)n;
  s->n_listed += (size_t)n;
}

/* The same list once more, with room for half of it: its beginning, how long all of it is, and nothing
 * written where there is no room. spec: EV-6 */
static bool list_half(stream *s, size_t sequence) {
  size_t n = s->outputs->n_visible[s->n_lists - 1];
  const uint64_t *list = s->outputs->visible + s->n_listed - n;
  uint64_t got;
  char where[96];
  sp_call call;
  sp_call_visible(&call, n / 2);
  sp_call_of(&call, sequence);
  snprintf(where, sizeof where, "visible with room for %zu of %zu token(s)", n / 2, n);
  if (!put(s, &call, where)) return false;
  if (s->incident->kind != SP_INCIDENT_NONE) return true;
  const sp_arena *arena = &s->host->link.arena;
  const sp_tensor *token = &s->host->call.tensor[s->host->call.token_at];
  sp_arena_gather(arena, &s->host->call.tensor[s->host->call.n_at], &got);
  if (got != n)
    sp_incident_set(s->incident, SP_INCIDENT_LIST,
                    "%s: *n is %llu; it is how many there are, whatever the room", where,
                    (unsigned long long)got);
  else if (memcmp(arena->base + token->data, list, n / 2 * sizeof *list) != 0)
    sp_incident_set(s->incident, SP_INCIDENT_LIST, "%s: not the first %zu of them", where, n / 2);
  return true;
}

/* A truncation answers with an empty list, or with its refusal. */
static void gather_truncation(stream *s, sp_status status) {
  if (status == SP_LOST) s->outputs->visible[s->n_listed++] = SP_LOST;
  s->outputs->n_visible[s->n_lists++] = status == SP_LOST ? 1 : 0;
}

/* The call of a step, and what it is called. */
static void build_step(stream *s, size_t index, sp_call *call, char where[96]) {
  const sp_cache_step *what = &s->c->script[index];
  if (what->kind == SP_STEP_APPEND) {
    snprintf(where, 96, "append of %zu token(s) at token %zu (step %zu)", what->n_tokens,
             s->n_tokens, index);
    sp_call_append(call, s->c, s->n_tokens, what->n_tokens, what->with_queries);
    s->n_tokens += what->n_tokens;
  } else if (what->kind == SP_STEP_ATTEND) {
    size_t token = sp_case_attend_token(s->c, index);
    snprintf(where, 96, "attend at token %zu (step %zu)", token, index);
    sp_call_attend(call, s->c, token);
  } else if (what->kind == SP_STEP_VISIBLE) {
    snprintf(where, 96, "visible after %zu token(s) (step %zu)", s->n_tokens, index);
    sp_call_visible(call, s->n_tokens + 1);
  } else {
    snprintf(where, 96, "truncate of %zu token(s) (step %zu)", what->n_tokens, index);
    sp_call_truncate(call, what->n_tokens);
  }
  sp_call_of(call, what->sequence);
}

static bool step(stream *s, size_t index) {
  const sp_cache_step *what = &s->c->script[index];
  sp_call call;
  sp_status status;
  char where[96];
  build_step(s, index, &call, where);
  if (!put_for(s, &call, where, &status)) return false;
  if (s->incident->kind != SP_INCIDENT_NONE) return true;
  if (what->kind == SP_STEP_VISIBLE) {
    gather_list(s);
    return s->incident->kind != SP_INCIDENT_NONE || list_half(s, what->sequence);
  }
  if (what->kind == SP_STEP_TRUNCATE) gather_truncation(s, status);
  if (what->kind != SP_STEP_APPEND && what->kind != SP_STEP_ATTEND) return true;
  sp_call_gather(&s->host->call, &s->host->link.arena, s->outputs, s->n_rows);
  if (s->host->call.out_at >= 0) s->n_rows += what->kind == SP_STEP_APPEND ? what->n_tokens : 1;
  return true;
}

/* Memory for the largest step, before the first: a stream does not survive its process. */
static bool reserve(const stream *s) {
  stream ahead = *s;
  sp_call call;
  char where[96];
  size_t most = 0;
  for (size_t i = 0; i < s->c->n_steps; i++) {
    build_step(&ahead, i, &call, where);
    size_t need = sp_call_need(&call, &s->host->link.arena, &s->c->layout);
    if (need > most) most = need;
  }
  return sp_host_reserve(s->host, most, s->incident);
}

static bool close_cache(stream *s) {
  sp_call call;
  sp_call_close(&call);
  return put(s, &call, "close");
}

bool sp_host_stream(sp_host *host, size_t kernel, const sp_case *c, unsigned run,
                    sp_outputs *outputs, sp_incident *incident, char path[32]) {
  stream s = {.host = host,
              .kernel = kernel,
              .c = c,
              .run = run,
              .outputs = outputs,
              .incident = incident,
              .path = path};
  sp_call call;
  if (!reserve(&s)) return false;
  sp_call_open(&call, c);
  if (!put(&s, &call, "open")) return false;
  if (incident->kind != SP_INCIDENT_NONE) return true;
  for (size_t i = 0; i < c->n_steps && incident->kind == SP_INCIDENT_NONE; i++)
    if (!step(&s, i)) return false;
  if (incident->kind == SP_INCIDENT_NONE) return close_cache(&s);
  if (!host->link.running) return true;
  /* The first incident is the finding; this only gives the memory back. */
  sp_incident found = *incident;
  bool ok = close_cache(&s);
  if (ok) *incident = found;
  return ok;
}
