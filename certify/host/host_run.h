/* SPDX-License-Identifier: Apache-2.0 */
/* The host from inside: how a call is put and what is checked after it. For certify/host*.c and
 * certify/host/illegal.c only. Functions that return bool return false for the host's own faults, with
 * the reason in incident->text; what the kernel did wrong is in incident->kind. */
#ifndef SINKPROOF_HOST_RUN_H
#define SINKPROOF_HOST_RUN_H

#include "certify/host/host_link.h"

struct sp_host {
  sp_link link;
  size_t n_kernels;
  sp_descriptor *descriptors;
  sp_kernel *kernels;   /* point into descriptors */
  char fp_at_load[120]; /* what loading changed in the floating-point environment; "" = nothing */
  sp_call call;         /* the call that is being made */
  unsigned run;         /* 0 or 1: which poison it was given */
  char where[96];       /* … and what it is, for messages: "append of 3 tokens (step 2)" */
  sp_call previous;     /* a fault between calls is about the one before */
  char previously[96];
};

__attribute__((format(printf, 3, 4))) void
sp_incident_set(sp_incident *incident, sp_incident_kind kind, const char *format, ...);

/* ---- certify/host/host_call.c ---- */

/* Memory for a call that needs this much; more than there was costs the kernel's process. */
bool sp_host_reserve(sp_host *host, size_t need, sp_incident *incident);

/* Place a call as host->call, whose args may be spoiled afterwards. Starts the worker if need be.
 */
bool sp_host_place(sp_host *host, const sp_call *call, const char *where, const sp_layout *layout,
                   unsigned run, sp_incident *incident);

/* Make the placed call and check all that holds for legal and illegal calls alike. *status is
 * meaningful when the incident is none. `path` may be NULL. */
bool sp_host_put(sp_host *host, size_t kernel, sp_status *status, sp_incident *incident,
                 char path[32]);

/* What a legal call may answer. (KC-3) */
void sp_check_status(const sp_host *host, sp_status status, sp_incident *incident);

/* A call that may not write any output did not. */
void sp_check_untouched(const sp_host *host, sp_status status, sp_incident *incident);

/* What a call that SPEC.md calls an error may answer. (KC-7) */
void sp_check_refusal(const sp_host *host, sp_status status, sp_incident *incident);

/* ---- certify/host/host_death.c ---- */

/* The worker did not answer: say why. `call` may be NULL (while loading). */
void sp_death_words(const sp_link *link, const sp_call *call, const char *where, sp_ending ending,
                    sp_incident *incident);

/* ---- certify/host/host_prepared.c ---- */

/* Where the kernel prepares calls: prepare this one, run it twice, and compare with what the one
 * step gave. */
bool sp_host_check_prepared(sp_host *host, size_t kernel, const sp_case *c,
                            const sp_outputs *outputs, sp_incident *incident);

/* ---- certify/host/host_cache.c ---- */

/* Put one whole stream. */
bool sp_host_stream(sp_host *host, size_t kernel, const sp_case *c, unsigned run,
                    sp_outputs *outputs, sp_incident *incident, char path[32]);

/* ---- certify/host/host_compare.c ---- */

/* Elements that still hold poison. `second` is the other run, or NULL when there was none. */
void sp_check_written(const sp_case *c, const sp_outputs *first, const sp_outputs *second,
                      sp_incident *incident);

/* Two runs of one call give the same bits; any NaN equals any NaN (SM-5 leaves its bits free). */
bool sp_same_outputs(const sp_case *c, const sp_outputs *first, const sp_outputs *second,
                     char *difference, size_t capacity);

/* `count` elements of two arrays from elements a_at and b_at on: the first that differs, or count.
 */
size_t sp_first_difference(const sp_array *a, size_t a_at, const sp_array *b, size_t b_at,
                           size_t count);

#endif
