/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side of the host, and the memory that both sides share to talk.
 *
 * Three processes: the host (where the oracle is), a keeper, and a worker. The keeper is forked
 * when the host opens and does nothing but fork workers, kill them and report how they ended; so a
 * worker that replaces a crashed one is as ignorant of expected values as the first. The worker
 * loads the kernel and makes one call per request. Host and worker hand over by futex in the shared
 * memory; the keeper takes orders from a socket, whose end of file means that the host is gone.
 *
 * The kernel can scribble over this memory; the host therefore believes nothing in it blindly. */
#ifndef SINKPROOF_WORKER_H
#define SINKPROOF_WORKER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "certify/host/call.h"
#include "certify/host/fpstate.h"
#include "certify/host/host.h"

enum {
  SP_WORKER_KERNELS = 1024, /* more in one library are taken for a missing end of the list */
  SP_WORKER_NAME = 64,
  SP_WORKER_CLASS = 96,
  SP_WORKER_ERROR = 240,
  SP_GRACE_MS = 200 /* for threads to end after a call */
};

/* A descriptor without pointers. */
typedef struct sp_descriptor {
  char name[SP_WORKER_NAME], version[SP_WORKER_NAME], accuracy_class[SP_WORKER_CLASS];
  uint64_t options, max_n;
  uint32_t abi_minor, claims, dtypes_softmax, dtypes_q, dtypes_kv;
  bool softmax, attention, cache, path, plans_softmax, plans_attention, limits_shapes;
  sp_shapes shapes;
} sp_descriptor;

typedef struct sp_load_report {
  bool ok;
  char error[SP_WORKER_ERROR];
  sp_fp_state before, after;
  uint32_t n_kernels;
  unsigned char *arena;        /* where the worker has it */
  uint64_t image, image_bytes; /* where the kernel's code is */
  sp_evidence evidence;
} sp_load_report;

/* What the worker must map how for a call, and where the arguments are. Offsets in the arena. */
typedef struct sp_request {
  uint32_t kind, kernel, n_threads;
  uint32_t n_spans;
  struct {
    uint64_t page, bytes, parts, step; /* `parts` times, `step` bytes apart */
    bool writable;
  } span[SP_CALL_TENSORS];
  uint64_t args, token, n, capacity;
  uint64_t sequence, n_taken;
  uint32_t timeout_ms;
} sp_request;

typedef struct sp_reply {
  int32_t status;
  bool no_cache; /* open said SP_OK and gave no cache */
  bool no_plan;  /* … prepare, and no plan */
  sp_fp_state before, after;
  uint32_t threads_allowed, threads_left; /* beside the worker's own */
  char path[32];
} sp_reply;

typedef enum sp_phase {
  SP_PHASE_START, /* the worker's own set-up */
  SP_PHASE_LOAD,
  SP_PHASE_IDLE, /* between calls; every tensor is out of reach */
  SP_PHASE_CALL,
  SP_PHASE_PATH,
  SP_PHASE_AFTER /* the call has returned; threads that it left are given time to end */
} sp_phase;

/* What a signal handler saw. */
typedef struct sp_trap {
  bool caught;
  int32_t signal, code;
  bool page_fault, write, other_thread;
  uint64_t address, stack, instruction;
} sp_trap;

typedef struct sp_control {
  _Atomic uint32_t bell;    /* futex: rung for the host, by worker and keeper */
  _Atomic uint32_t request; /* futex: number of the latest request; the first is the load */
  _Atomic uint32_t reply;   /* number of the latest request that was answered */
  _Atomic uint32_t dead;    /* the worker has ended; wait_status says how */
  int wait_status;
  _Atomic uint32_t phase;
  uint64_t arena_bytes;
  sp_load_report load;
  sp_request call;
  sp_reply answer;
  sp_trap trap;
  sp_descriptor kernel[SP_WORKER_KERNELS];
} sp_control;

/* Futexes in shared memory: wait while *word == seen, at most timeout_ms (< 0: for ever). */
void sp_futex_wait(_Atomic uint32_t *word, uint32_t seen, int timeout_ms);
void sp_futex_wake(_Atomic uint32_t *word);

/* Orders to the keeper, one byte each. */
enum { SP_KEEPER_START = 's', SP_KEEPER_STOP = 'k' };

typedef struct sp_worker_config {
  sp_control *control;
  const char *path; /* library, or NULL and … */
  sp_kernel_entry entry;
  bool keep_output;
  int socket, arena_fd; /* where the keeper has them */
} sp_worker_config;

/* The keeper's life; does not return. (certify/host/worker_keeper.c) */
_Noreturn void sp_keeper_main(const sp_worker_config *config);

/* The worker's life; does not return. `keeper` is the process that must be alive. */
_Noreturn void sp_worker_main(const sp_worker_config *config, pid_t keeper);

/* Load the library and report its kernels; kernels[i] becomes a copy of the i-th. False: see
 * load.error. (certify/host/worker_load.c) */
bool sp_worker_load(const sp_worker_config *config, sp_kernel kernels[]);

/* The part of it that reads one descriptor: a copy, and what it says without pointers. */
bool sp_worker_describe(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                        sp_load_report *load, uint32_t index);

/* Report the signals that end a kernel. (certify/host/worker_trap.c) */
bool sp_worker_trap(sp_control *control);

#endif
