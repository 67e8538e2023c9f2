/* SPDX-License-Identifier: Apache-2.0 */
/* The run: limits first, then shape by shape, one timer process for each number of threads, and the
 * judge after the clocks have stopped. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "certify/bench/bench.h"

enum { POLL_US = 20000 };

/* What a timer and the host share. */
typedef struct board {
  volatile size_t at;
  volatile bool finished;
  sp_cell cell[SP_BENCH_CONTENDERS];
} board;

static bool refuse(char *error, size_t capacity, const char *what) {
  snprintf(error, capacity, "%s: %s", what, strerror(errno));
  return false;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Wait for the timer. A contender that makes no progress for longer than one call may take, with
 * its warm-up and its share of the time, is not waited for. True when it ended by itself. */
static bool await(pid_t pid, const sp_bench *bench, board *b, bool *late) {
  size_t seen = SIZE_MAX;
  uint32_t samples = 0;
  double deadline = 0;
  int state = 0;
  *late = false;
  while (waitpid(pid, &state, WNOHANG) == 0) {
    uint32_t n = b->cell[b->at].n_samples;
    if (b->at != seen || n != samples) {
      seen = b->at;
      samples = n;
      deadline = now() + 2 * bench->config.limit_seconds;
    }
    if (now() > deadline && !*late) {
      *late = true;
      kill(pid, SIGKILL);
    }
    usleep(POLL_US);
  }
  return b->finished;
}

/* Timers until one gets through: each death takes out the contender that was at work. */
static bool time_shape(const sp_bench *bench, const sp_bench_memory *m, uint32_t n_threads,
                       board *b) {
  for (size_t i = 0; i < bench->n_contenders; i++) {
    b->cell[i].state = SP_CELL_WAITING;
    b->cell[i].n_samples = 0;
    b->cell[i].path[0] = '\0';
  }
  for (size_t attempt = 0; attempt <= bench->n_contenders; attempt++) {
    sp_timer timer = {bench, m, n_threads, b->cell, &b->at, &b->finished};
    b->finished = false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) sp_bench_timer(&timer);
    bool late = false;
    if (await(pid, bench, b, &late)) return true;
    b->cell[b->at].state = late ? SP_CELL_TOO_SLOW : SP_CELL_CRASHED;
    for (size_t i = 0; i < bench->n_contenders; i++) {
      if (b->cell[i].state == SP_CELL_TIMED) b->cell[i].state = SP_CELL_WAITING;
      b->cell[i].n_samples = 0;
    }
  }
  return false;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void summarise(const sp_bench *bench, size_t shape, size_t threads, size_t contender,
                      sp_cell *cell, sp_bench_result *r) {
  const sp_contender *c = &bench->contender[contender];
  *r = (sp_bench_result){.shape = shape,
                         .contender = contender,
                         .n_threads = bench->config.threads[threads],
                         .state = cell->state,
                         .status = cell->status,
                         .planned = cell->planned,
                         .n_samples = cell->n_samples};
  memcpy(r->path, cell->path, sizeof r->path);
  r->path[sizeof r->path - 1] = '\0';
  if (r->state != SP_CELL_TIMED) return;
  size_t n = r->n_samples;
  qsort(cell->sample, n, sizeof *cell->sample, by_size);
  r->least = cell->sample[0];
  r->median = cell->sample[n / 2];
  r->spread = (cell->sample[n * 9 / 10] - cell->sample[n / 10]) / r->median;
  r->roof =
      sp_bench_roof(&bench->shape[shape], &bench->limits[threads], c->has_class ? &c->cls : NULL);
}

static bool run_shape(sp_bench *bench, size_t shape, board *const *boards, size_t n_threads,
                      char *error, size_t capacity) {
  sp_bench_memory m;
  size_t first = bench->n_results, n = 0;
  const sp_cell *cells[SP_BENCH_THREADS * SP_BENCH_CONTENDERS];
  if (!sp_bench_memory_init(&m, &bench->shape[shape], bench->config.seed))
    return refuse(error, capacity, "memory of a shape");
  for (size_t t = 0; t < n_threads; t++) {
    if (!time_shape(bench, &m, bench->config.threads[t], boards[t])) {
      sp_bench_memory_clear(&m);
      return refuse(error, capacity, "a process for timing");
    }
    for (size_t i = 0; i < bench->n_contenders; i++) {
      summarise(bench, shape, t, i, &boards[t]->cell[i], &bench->result[first + n]);
      cells[n++] = &boards[t]->cell[i];
    }
  }
  bool ok = sp_bench_judge(bench, &m, &bench->result[first], cells, n);
  sp_bench_memory_clear(&m);
  if (!ok) return refuse(error, capacity, "judging a shape");
  bench->n_results += n;
  if (bench->progress != NULL) bench->progress(bench, first);
  return true;
}

bool sp_bench_choose(sp_bench *bench) {
  sp_bench_shape shape;
  const sp_bench_config *config = &bench->config;
  for (size_t i = 0; sp_bench_shape_get(i, &shape); i++) {
    /* A pattern reaches into every suite. */
    bool chosen = config->only != NULL ? sp_bench_shape_matches(&shape, config->only)
                                       : shape.suite <= config->suite;
    if (!chosen) continue;
    sp_bench_shape *more = realloc(bench->shape, (bench->n_shapes + 1) * sizeof *more);
    if (more == NULL) return false;
    bench->shape = more;
    bench->shape[bench->n_shapes++] = shape;
  }
  return true;
}

bool sp_bench_run(sp_bench *bench, char *error, size_t capacity) {
  board *boards[SP_BENCH_THREADS] = {NULL};
  size_t n_threads = 0;
  bool ok = true;
  while (n_threads < SP_BENCH_THREADS && bench->config.threads[n_threads] > 0) n_threads++;
  bench->result =
      calloc(bench->n_shapes * bench->n_contenders * n_threads + 1, sizeof *bench->result);
  if (bench->result == NULL) return refuse(error, capacity, "starting");
  for (size_t t = 0; t < n_threads; t++) {
    void *memory =
        mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return refuse(error, capacity, "shared memory");
    boards[t] = memory;
    if (!sp_limits_measure(&bench->limits[t], bench->config.threads[t], bench->config.limit_time))
      return refuse(error, capacity, "measuring the machine");
  }
  if (bench->started != NULL) bench->started(bench);
  for (size_t s = 0; s < bench->n_shapes && ok; s++)
    ok = run_shape(bench, s, boards, n_threads, error, capacity);
  for (size_t t = 0; t < n_threads; t++) munmap(boards[t], sizeof(board));
  return ok;
}

void sp_bench_clear(sp_bench *bench) {
  free(bench->shape);
  free(bench->result);
  *bench = (sp_bench){0};
}
