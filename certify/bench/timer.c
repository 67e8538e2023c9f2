/* SPDX-License-Identifier: Apache-2.0 */
/* The process that holds all contenders of one shape and times them in turns. It judges nothing: it
 * leaves times and sampled output rows in shared memory. */
#include <dlfcn.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "certify/bench/bench.h"

/* A sample lasts at least this long, so that reading the clock is no part of it. */
static const double least_sample = 50e-6;
/* Worker threads of libraries spin for milliseconds after their last task. */
static const useconds_t pause_us = 3000, pause_threads_us = 30000;
/* How often the time that was asked for may be used up before a contender is not asked again. */
static const double patience = 4;
/* Where the output begins in its page, one for each round: 4 KiB aliasing with the input must not
 * be one contender's luck. */
static const size_t out_offset[SP_BENCH_ROUNDS] = {0, 64, 1088, 2752};

typedef struct player {
  sp_kernel kernel;
  bool loaded;
  double spent; /* seconds of timing */
} player;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool load(const sp_contender *contender, player *p) {
  sp_kernel_entry entry = contender->entry;
  if (contender->path != NULL) {
    void *library = dlopen(contender->path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library == NULL ? NULL : dlsym(library, "sinkproof_kernel");
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer */
  }
  const sp_kernel *theirs = entry == NULL ? NULL : entry(SP_ABI_MAJOR, (uint32_t)contender->index);
  if (theirs == NULL) return false;
  memset(&p->kernel, 0, sizeof p->kernel);
  memcpy(&p->kernel, theirs, theirs->size < sizeof p->kernel ? theirs->size : sizeof p->kernel);
  p->loaded = true;
  return true;
}

static sp_status plan(const sp_kernel *kernel, sp_op op, const sp_bench_call *call,
                      sp_prepared **prepared) {
  const sp_prepare_ops *ops = kernel->prepare;
  if (ops == NULL || ops->run == NULL || ops->release == NULL) return SP_UNSUPPORTED;
  if (op == SP_OP_SOFTMAX && ops->softmax != NULL) return ops->softmax(prepared, &call->softmax);
  if (op == SP_OP_ATTENTION && ops->attention != NULL)
    return ops->attention(prepared, &call->attention);
  return SP_UNSUPPORTED;
}

static sp_status once(const sp_kernel *kernel, sp_op op, const sp_bench_call *call,
                      sp_prepared *prepared) {
  if (prepared != NULL) return kernel->prepare->run(prepared);
  if (op == SP_OP_SOFTMAX) return kernel->softmax(&call->softmax);
  return kernel->attention(&call->attention);
}

static void fail(sp_cell *cell, sp_status status) {
  cell->state = status == SP_UNSUPPORTED ? SP_CELL_NOT_OFFERED : SP_CELL_ERROR;
  cell->status = status;
}

/* Samples until the time of this round is used up; each is the mean of a few runs when they are
 * short. The run that tells how many is a sample itself where one is enough. */
static void measure(const sp_kernel *kernel, sp_op op, const sp_bench_call *call,
                    sp_prepared *prepared, double seconds, sp_cell *cell) {
  uint32_t most = cell->n_samples + SP_BENCH_SAMPLES / SP_BENCH_ROUNDS;
  double start = now();
  sp_status status = once(kernel, op, call, prepared);
  double one = now() - start;
  size_t runs = one < least_sample ? (size_t)(least_sample / (one + 1e-8)) + 1 : 1;
  if (runs == 1 && status == SP_OK) cell->sample[cell->n_samples++] = one;
  if (one > seconds) most = cell->n_samples;
  while (cell->n_samples < most && status == SP_OK) {
    double before = now();
    for (size_t i = 0; i < runs && status == SP_OK; i++) status = once(kernel, op, call, prepared);
    double after = now();
    cell->sample[cell->n_samples++] = (after - before) / (double)runs;
    if (after - start > seconds) break;
  }
  if (status != SP_OK) fail(cell, status);
}

static void take_turn(const sp_timer *t, player *p, unsigned round, sp_cell *cell) {
  const sp_bench_shape *shape = t->memory->shape;
  sp_bench_call call;
  sp_prepared *prepared = NULL;
  sp_bench_call_fill(t->memory, t->n_threads, out_offset[round], &call);
  /* All ones are a NaN in every type: what a kernel does not write cannot pass. */
  memset((unsigned char *)t->memory->out + out_offset[round], 0xFF, t->memory->out_bytes);
  sp_status status = plan(&p->kernel, shape->op, &call, &prepared);
  if (status != SP_OK && status != SP_UNSUPPORTED) {
    fail(cell, status);
    return;
  }
  cell->planned = status == SP_OK;
  status = once(&p->kernel, shape->op, &call, prepared);
  if (status != SP_OK) {
    fail(cell, status);
  } else {
    const double start = now();
    measure(&p->kernel, shape->op, &call, prepared, t->bench->config.seconds / SP_BENCH_ROUNDS,
            cell);
    p->spent += now() - start;
  }
  if (prepared != NULL) p->kernel.prepare->release(prepared);
}

static void keep_rows(const sp_timer *t, unsigned round, sp_cell *cell) {
  sp_bench_row rows[SP_BENCH_ROWS];
  size_t n = sp_bench_rows(t->memory->shape, rows);
  for (size_t r = 0; r < n; r++)
    memcpy(cell->row[r], sp_bench_out_row(t->memory, out_offset[round], &rows[r]),
           sp_bench_row_bytes(t->memory->shape));
}

static void note_path(const sp_kernel *kernel, sp_cell *cell) {
  const char *path = kernel->path != NULL ? kernel->path() : NULL;
  for (size_t i = 0; path != NULL && path[i] != '\0' && i + 1 < sizeof cell->path; i++)
    cell->path[i] = path[i];
}

static bool has_operation(const sp_kernel *kernel, sp_op op) {
  return op == SP_OP_SOFTMAX ? kernel->softmax != NULL : kernel->attention != NULL;
}

static void play(const sp_timer *t, player *players, unsigned round) {
  for (size_t i = 0; i < t->bench->n_contenders; i++) {
    sp_cell *cell = &t->cells[i];
    if (cell->state != SP_CELL_WAITING) continue;
    *t->at = i;
    if (!players[i].loaded && !load(&t->bench->contender[i], &players[i])) {
      fail(cell, SP_INTERNAL);
      continue;
    }
    if (!has_operation(&players[i].kernel, t->memory->shape->op)) {
      fail(cell, SP_UNSUPPORTED);
      continue;
    }
    take_turn(t, &players[i], round, cell);
    /* One that takes seconds for a call has used up its time before the last round. */
    const bool last =
        round + 1 == SP_BENCH_ROUNDS || players[i].spent > patience * t->bench->config.seconds;
    if (last && cell->state == SP_CELL_WAITING) {
      keep_rows(t, round, cell);
      note_path(&players[i].kernel, cell);
      cell->state = SP_CELL_TIMED;
    }
    usleep(t->n_threads > 1 ? pause_threads_us : pause_us);
  }
}

_Noreturn void sp_bench_timer(const sp_timer *t) {
  static player players[SP_BENCH_CONTENDERS];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  if (t->bench->config.realtime)
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  for (unsigned round = 0; round < SP_BENCH_ROUNDS; round++) play(t, players, round);
  *t->finished = true;
  _exit(0);
}
