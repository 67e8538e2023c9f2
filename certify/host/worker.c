/* SPDX-License-Identifier: Apache-2.0 */
/* The process that runs a stranger's code: it opens the tensors of a call to exactly the rights
 * that the contract gives, makes the call, and closes them again. It judges nothing; what it
 * reports is checked by the host. spec: KC-4, KC-6, KC-8, KC-9 */
#include "certify/host/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct worker {
  sp_control *control;
  unsigned char *arena;
  sp_kernel *kernels;
  sp_cache *cache;
  sp_prepared *plan;
  pid_t pid;
  uint32_t threads_allowed; /* beside this one */
  rlim_t cpu_limit;         /* seconds */
} worker;

void sp_futex_wait(_Atomic uint32_t *word, uint32_t seen, int timeout_ms) {
  struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
  syscall(SYS_futex, word, FUTEX_WAIT, seen, timeout_ms < 0 ? NULL : &time, NULL, 0);
}

void sp_futex_wake(_Atomic uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void set_phase(worker *w, sp_phase phase) {
  atomic_store(&w->control->phase, phase);
}

static void answer(worker *w, uint32_t request) {
  atomic_store(&w->control->reply, request);
  atomic_fetch_add(&w->control->bell, 1);
  sp_futex_wake(&w->control->bell);
}

static bool fault(worker *w, const char *why) {
  char *error = w->control->load.error;
  snprintf(error, sizeof w->control->load.error, "the host's worker cannot %s", why);
  set_phase(w, SP_PHASE_START);
  return false;
}

static void protect(worker *w, uint64_t page, uint64_t bytes, int rights) {
  if (bytes == 0 || mprotect(w->arena + page, bytes, rights) == 0) return;
  fault(w, "set the rights of its pages");
  _exit(1);
}

static void open_tensors(worker *w) {
  const sp_request *call = &w->control->call;
  for (uint32_t i = 0; i < call->n_spans; i++) {
    int rights = PROT_READ | (call->span[i].writable ? PROT_WRITE : 0);
    for (uint64_t part = 0; part < call->span[i].parts; part++)
      protect(w, call->span[i].page + part * call->span[i].step, call->span[i].bytes, rights);
  }
}

/* Between the first and the last of them are guard zones, which are closed already: one call of the
 * system's does. */
static void close_tensors(worker *w) {
  const sp_request *call = &w->control->call;
  uint64_t first = UINT64_MAX, end = 0;
  for (uint32_t i = 0; i < call->n_spans; i++) {
    if (call->span[i].bytes == 0 || call->span[i].parts == 0) continue;
    uint64_t page = call->span[i].page;
    uint64_t last = page + (call->span[i].parts - 1) * call->span[i].step + call->span[i].bytes;
    if (page < first) first = page;
    if (last > end) end = last;
  }
  if (end > 0) protect(w, first, end - first, PROT_NONE);
}

/* spec: KC-1, KC-2 (an operation that grew onto the end of the table may not be there) */
static sp_status truncate_stream(sp_cache *cache, const sp_request *call, const sp_cache_ops *ops) {
  bool there = ops->size >= offsetof(sp_cache_ops, truncate) + sizeof ops->truncate;
  if (!there || ops->truncate == NULL) return SP_UNSUPPORTED;
  return ops->truncate(cache, call->sequence, call->n_taken);
}

static sp_status cache_call(worker *w, const sp_request *call, const sp_cache_ops *ops) {
  unsigned char *arena = w->arena;
  const void *args = arena + call->args;
  if (call->kind == SP_CALL_OPEN) {
    w->cache = NULL;
    return ops->open(&w->cache, args);
  }
  if (call->kind == SP_CALL_APPEND) return ops->append(w->cache, args);
  if (call->kind == SP_CALL_ATTEND) return ops->attend(w->cache, args);
  if (call->kind == SP_CALL_VISIBLE)
    return ops->visible(w->cache, call->sequence, (uint64_t *)(void *)(arena + call->token),
                        call->capacity, (uint64_t *)(void *)(arena + call->n));
  if (call->kind == SP_CALL_TRUNCATE) return truncate_stream(w->cache, call, ops);
  ops->close(w->cache);
  w->cache = NULL;
  return SP_OK;
}

static sp_status plan_call(worker *w, const sp_request *call, const sp_prepare_ops *ops) {
  const void *args = w->arena + call->args;
  if (call->kind == SP_CALL_PREPARE_SOFTMAX || call->kind == SP_CALL_PREPARE_ATTENTION)
    w->plan = NULL;
  if (call->kind == SP_CALL_PREPARE_SOFTMAX) return ops->softmax(&w->plan, args);
  if (call->kind == SP_CALL_PREPARE_ATTENTION) return ops->attention(&w->plan, args);
  if (call->kind == SP_CALL_RUN) return ops->run(w->plan);
  ops->release(w->plan);
  w->plan = NULL;
  return SP_OK;
}

static sp_status dispatch(worker *w, const sp_request *call) {
  const sp_kernel *kernel = &w->kernels[call->kernel];
  const void *args = w->arena + call->args;
  if (call->kind == SP_CALL_SOFTMAX) return kernel->softmax(args);
  if (call->kind == SP_CALL_ATTENTION) return kernel->attention(args);
  if (call->kind >= SP_CALL_PREPARE_SOFTMAX) return plan_call(w, call, kernel->prepare);
  return cache_call(w, call, kernel->cache);
}

/* A second line behind the host's clock, for a hang that outlives the host. The limit only moves
 * when this call could reach it. */
static void limit_cpu(worker *w, const sp_request *call) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  rlim_t budget = (rlim_t)(call->timeout_ms / 1000 + 1) * 2 * call->n_threads + 10;
  if ((rlim_t)used.tv_sec + budget < w->cpu_limit) return;
  w->cpu_limit = (rlim_t)used.tv_sec + 4 * budget;
  struct rlimit limit;
  getrlimit(RLIMIT_CPU, &limit);
  limit.rlim_cur = w->cpu_limit < limit.rlim_max ? w->cpu_limit : limit.rlim_max;
  setrlimit(RLIMIT_CPU, &limit);
}

/* Threads beside this one: /proc/self/task has a link for each, and two of its own. */
static uint32_t count_threads(void) {
  struct stat task;
  if (stat("/proc/self/task", &task) != 0 || task.st_nlink < 3) return 0;
  return (uint32_t)task.st_nlink - 3;
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A call for n threads may leave a pool of n - 1. More get a moment to end by themselves, which
 * even joined threads need; meanwhile every tensor is out of their reach. spec: KC-8 */
static uint32_t threads_left(uint32_t allowed) {
  uint32_t left = count_threads();
  int64_t deadline = left > allowed ? now_ms() + SP_GRACE_MS : 0;
  while (left > allowed && now_ms() < deadline) {
    usleep(1000);
    left = count_threads();
  }
  return left;
}

static void copy_path(char path[32], const char *(*function)(void)) {
  const char *text = function();
  for (int i = 0; text != NULL && i < 31 && text[i] != '\0'; i++) path[i] = text[i];
}

static void serve(worker *w) {
  const sp_request *call = &w->control->call;
  sp_reply reply = {0};
  limit_cpu(w, call);
  if (call->n_threads - 1 > w->threads_allowed) w->threads_allowed = call->n_threads - 1;
  open_tensors(w);
  sp_fp_write(sp_fp_initial());
  reply.before = sp_fp_read();
  set_phase(w, SP_PHASE_CALL);
  reply.status = dispatch(w, call);
  reply.after = sp_fp_read();
  if (getpid() != w->pid) _exit(1); /* a fork of the kernel's came back here as well */
  close_tensors(w);
  set_phase(w, SP_PHASE_PATH);
  if (w->kernels[call->kernel].path != NULL) copy_path(reply.path, w->kernels[call->kernel].path);
  set_phase(w, SP_PHASE_AFTER);
  reply.no_cache = w->cache == NULL;
  reply.no_plan = w->plan == NULL;
  /* A plan may have threads of its own as long as it lives. */
  reply.threads_allowed = w->threads_allowed + (w->plan != NULL ? call->n_threads - 1 : 0);
  reply.threads_left = threads_left(reply.threads_allowed);
  w->control->answer = reply;
  set_phase(w, SP_PHASE_IDLE);
}

static void silence(bool keep_output) {
  int null = open("/dev/null", O_RDWR);
  if (null < 0) return;
  dup2(null, 0);
  if (!keep_output) {
    dup2(null, 1);
    dup2(null, 2);
  }
  if (null > 2) close(null);
  setvbuf(stdout, NULL, _IONBF, 0); /* what a kernel says before it dies must not be lost */
}

static bool set_up(worker *w, const sp_worker_config *config, pid_t keeper) {
  sp_control *control = w->control;
  setpgid(0, 0); /* what the kernel forks dies with it */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) return fault(w, "find its keeper");
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  w->arena =
      mmap(NULL, control->arena_bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, config->arena_fd, 0);
  if (w->arena == MAP_FAILED) return fault(w, "map the memory of the tensors");
  close(config->arena_fd);
  close(config->socket);
  silence(config->keep_output);
  control->load.arena = w->arena;
  w->kernels = calloc(SP_WORKER_KERNELS, sizeof *w->kernels);
  if (w->kernels == NULL) return fault(w, "get memory");
  return sp_worker_trap(control) || fault(w, "catch signals");
}

_Noreturn void sp_worker_main(const sp_worker_config *config, pid_t keeper) {
  sp_control *control = config->control;
  worker w = {.control = control, .pid = getpid()};
  uint32_t done = atomic_load(&control->request);
  sp_fp_write(sp_fp_initial());
  if (!set_up(&w, config, keeper)) _exit(1);
  set_phase(&w, SP_PHASE_LOAD);
  control->load.ok = sp_worker_load(config, w.kernels);
  if (getpid() != w.pid) _exit(1);
  w.threads_allowed = count_threads();
  set_phase(&w, SP_PHASE_IDLE);
  answer(&w, done);
  for (;;) {
    uint32_t request = atomic_load(&control->request);
    if (request == done) {
      sp_futex_wait(&control->request, done, -1);
      continue;
    }
    serve(&w);
    done = request;
    answer(&w, done);
  }
}
