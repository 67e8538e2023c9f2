/* SPDX-License-Identifier: Apache-2.0 */
/* The host runs a stranger's kernel in a child process and hands back what it did. (KC) A child
 * contains crashes and hangs; it is not a sandbox against malice. */
#ifndef SINKPROOF_HOST_H
#define SINKPROOF_HOST_H

#include "certify/case/case.h"
#include "certify/host/evidence.h"

typedef const sp_kernel *(*sp_kernel_entry)(uint32_t host_abi_major, uint32_t index);

typedef struct sp_host_config {
  const char *path;      /* shared library, or NULL and … */
  sp_kernel_entry entry; /* … kernels linked into this program */
  unsigned timeout_ms;   /* per call; 0 = 10000 */
  size_t arena_bytes;    /* address space for tensors; 0 = 512 MiB; grows when a case needs more */
  bool keep_output;      /* let the kernel's stdout and stderr through */
} sp_host_config;

typedef struct sp_host sp_host;

/* Start the child and load the kernel in it. NULL with a sentence in error when that fails: no
 * such file, no symbol, a bad descriptor, a crash or hang while loading. Open it before expected
 * values are computed: the child is a copy of this process as it is now. */
sp_host *sp_host_open(const sp_host_config *config, char *error, size_t capacity);
void sp_host_close(sp_host *host);
size_t sp_host_count(const sp_host *host);

/* A kernel's descriptor as the child reported it; pointers are owned by the host, functions are
 * NULL or not NULL only to tell what is offered. */
const sp_kernel *sp_host_kernel(const sp_host *host, size_t index);

/* What the child holds of the machine code that theorems are about. */
sp_evidence sp_host_evidence(const sp_host *host);

typedef enum sp_incident_kind {
  SP_INCIDENT_NONE,
  SP_INCIDENT_UNSUPPORTED, /* legal answer: the case was declined, nothing written */
  SP_INCIDENT_STATUS,      /* refused a legal call: SP_INVALID, SP_INTERNAL, … */
  SP_INCIDENT_ACCEPTED,    /* accepted a call that SPEC.md calls an error */
  SP_INCIDENT_CRASH,       /* a signal; `text` says what it read, or where it was */
  SP_INCIDENT_TIMEOUT,
  SP_INCIDENT_EXIT,             /* the kernel ended the process, or left threads running */
  SP_INCIDENT_WROTE_OUTSIDE,    /* a canary beside or between outputs changed, or a guard was hit */
  SP_INCIDENT_WROTE_INPUT,      /* inputs changed, or it crashed in trying: they are read-only */
  SP_INCIDENT_UNWRITTEN,        /* an output byte still holds both poison patterns in two runs */
  SP_INCIDENT_WROTE_DECLINED,   /* UNSUPPORTED or INVALID, yet outputs changed */
  SP_INCIDENT_FP_STATE,         /* MXCSR or x87 control word changed by load or call */
  SP_INCIDENT_LIST,             /* a list for which there is too little room is not its beginning */
  SP_INCIDENT_NONDETERMINISTIC, /* second run differs, against SP_CLAIM_DETERMINISTIC */
  SP_INCIDENT_VARIES            /* bits depend on batch or threads, against a claim */
} sp_incident_kind;

typedef struct sp_incident {
  sp_incident_kind kind;
  char text[240]; /* a sentence with names and values, for a kernel author */
} sp_incident;

const char *sp_incident_name(sp_incident_kind kind);

/* Run one case twice with two poison patterns and both guard sides (once when `once`), in the
 * child; restart the child after a crash. The caller has called sp_outputs_init(outputs, c); they
 * become those of the first run. `path` receives the code path that the kernel says it ran (may be
 * empty). Returns false only for the host's own faults (cannot fork), with the reason in
 * incident->text. Without an incident, text may still hold a remark: two runs that differ though
 * nothing was claimed. */
bool sp_host_run(sp_host *host, size_t kernel, const sp_case *c, bool once, sp_outputs *outputs,
                 sp_incident *incident, char path[32]);

/* Run a softmax or attention case otherwise, and compare with `outputs`, which sp_host_run gave for
 * the whole. Where the kernel prepares calls: as a plan, run twice. Where it claims
 * SP_CLAIM_BATCH_INVARIANT or SP_CLAIM_THREAD_INVARIANT: single rows, queries and batch entries
 * alone, and the whole with another n_threads. Any difference in bits is an incident VARIES. Returns
 * false for the host's own faults. (NU-12) */
bool sp_host_check_variants(sp_host *host, size_t kernel, const sp_case *c,
                            const sp_outputs *outputs, sp_incident *incident);

/* A call that SPEC.md calls an error (window 0, heads not a multiple, an empty block): the kernel
 * must answer SP_INVALID or SP_UNSUPPORTED and write nothing. `which` counts from 0 over the errors
 * of the operations that the kernel offers; returns false past the last one. *name is the error in
 * words. Returns false for the host's own faults too, then with a reason in incident->text. */
bool sp_host_run_illegal(sp_host *host, size_t kernel, size_t which, const char **name,
                         sp_incident *incident);

#endif
