/* SPDX-License-Identifier: Apache-2.0 */
/* See pool.h. All of a pool's coordination is one word, the door:
 *
 *     round (32 bits) | threads inside (31 bits) | open (1 bit)
 *
 * The caller opens it with a new round; a thread enters a round that it has not seen by adding 1
 * inside while the door is open, in one compare-and-swap; the caller closes it by one that succeeds
 * only when nobody is inside. So a thread either takes part in a job or never sees it. */
#include "fast/pool.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define DOOR_OPEN         UINT64_C(1)
#define DOOR_ONE          UINT64_C(2) /* one thread inside */
#define DOOR_ROUND(door)  ((uint32_t)((door) >> 32))
#define DOOR_INSIDE(door) ((uint32_t)(door) >> 1)

/* A thread that waits looks at the door LOOKS times between two pauses, since a hypervisor takes
 * the processor away from a guest that does little else than pause; and sleeps after SPINS pauses,
 * a few tens of microseconds, longer than the gap between two calls of a loop, too short to be felt
 * by a neighbour. */
#define SPINS 500
#define LOOKS 64

/* The caller's rounding and flushing, which a thread takes over. On x86-64 they are two control words;
 * the whole environment is slow to read and to set. spec: KC-6 */
#if defined(__x86_64__)
typedef struct environment {
  unsigned sse;
  unsigned short x87;
} environment;
static void get_environment(environment *e) {
  e->sse = __builtin_ia32_stmxcsr();
  __asm__ volatile("fnstcw %0" : "=m"(e->x87));
}
static void set_environment(const environment *e) {
  __builtin_ia32_ldmxcsr(e->sse);
  __asm__ volatile("fldcw %0" : : "m"(e->x87));
}
#else
typedef fenv_t environment;
static void get_environment(environment *e) {
  fegetenv(e);
}
static void set_environment(const environment *e) {
  fesetenv(e);
}
#endif

typedef struct worker {
  sp_fast_pool *pool;
  uint32_t index; /* the caller is 0 */
  pthread_t thread;
} worker;

/* What a thread needs to take part comes with the door, in one line of a cache. */
struct sp_fast_pool {
  _Alignas(64) _Atomic uint64_t door;
  sp_fast_task *task;
  void *job;
  uint64_t n_tasks;
  environment environment;
  _Alignas(64) _Atomic uint64_t next; /* the next task that nobody has */
  _Alignas(64) _Atomic uint32_t n_sleeping;
  _Atomic bool stop;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  uint32_t n_workers; /* threads that were started */
  worker workers[];
};

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void take_tasks(sp_fast_pool *pool, uint32_t index) {
  for (;;) {
    uint64_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (task >= pool->n_tasks) return;
    pool->task(pool->job, task, index);
  }
}

/* Enter the round of `door` if it is still open. */
static bool enter(sp_fast_pool *pool, uint64_t door) {
  uint32_t round = DOOR_ROUND(door);
  while ((door & DOOR_OPEN) != 0 && DOOR_ROUND(door) == round)
    if (atomic_compare_exchange_weak(&pool->door, &door, door + DOOR_ONE)) return true;
  return false;
}

static bool has_news(sp_fast_pool *pool, uint32_t seen, uint64_t *door) {
  *door = atomic_load(&pool->door);
  return DOOR_ROUND(*door) != seen || atomic_load(&pool->stop);
}

/* Until there is a round after `seen`, or the pool ends. Going to sleep and opening the door each
 * write one word and then read the other's, in one order for all threads: a thread that sleeps is
 * seen, or sees. */
static uint64_t await(sp_fast_pool *pool, uint32_t seen) {
  uint64_t door;
  for (int i = 0; i < SPINS; i++) {
    for (int k = 0; k < LOOKS; k++)
      if (has_news(pool, seen, &door)) return door;
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->n_sleeping, 1);
  while (!has_news(pool, seen, &door)) pthread_cond_wait(&pool->wake, &pool->lock);
  atomic_fetch_sub(&pool->n_sleeping, 1);
  pthread_mutex_unlock(&pool->lock);
  return door;
}

static void *work(void *argument) {
  const worker *self = argument;
  sp_fast_pool *pool = self->pool;
  uint32_t seen = 0;
  for (;;) {
    uint64_t door = await(pool, seen);
    if (atomic_load(&pool->stop)) return NULL;
    seen = DOOR_ROUND(door);
    if (!enter(pool, door)) continue;
    set_environment(&pool->environment);
    take_tasks(pool, self->index);
    atomic_fetch_sub(&pool->door, DOOR_ONE);
  }
}

static void wake_sleepers(sp_fast_pool *pool) {
  if (atomic_load(&pool->n_sleeping) == 0) return;
  pthread_mutex_lock(&pool->lock);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

static void close_door(sp_fast_pool *pool) {
  for (uint64_t i = 1;; i++) {
    uint64_t door = atomic_load(&pool->door);
    if (DOOR_INSIDE(door) == 0 &&
        atomic_compare_exchange_weak(&pool->door, &door, door & ~DOOR_OPEN))
      return;
    if (i % LOOKS == 0) relax();
    if (i > (uint64_t)SPINS * LOOKS)
      sched_yield(); /* the thread inside may need this very processor */
  }
}

void sp_fast_pool_run(sp_fast_pool *pool, uint64_t n_tasks, sp_fast_task *task, void *job) {
  if (pool == NULL || n_tasks < 2) {
    for (uint64_t i = 0; i < n_tasks; i++) task(job, i, 0);
    return;
  }
  pool->task = task;
  pool->job = job;
  pool->n_tasks = n_tasks;
  get_environment(&pool->environment);
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  uint64_t round = DOOR_ROUND(atomic_load(&pool->door)) + UINT64_C(1);
  atomic_store(&pool->door, round << 32 | DOOR_OPEN);
  wake_sleepers(pool);
  take_tasks(pool, 0);
  close_door(pool);
}

uint32_t sp_fast_pool_threads(const sp_fast_pool *pool) {
  return pool == NULL ? 1 : pool->n_workers + 1;
}

/* Signals are for the threads of the program, which know what to do with them. */
static void start(sp_fast_pool *pool, uint32_t n) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return;
  for (uint32_t i = 0; i < n; i++) {
    worker *w = &pool->workers[pool->n_workers];
    *w = (worker){.pool = pool, .index = pool->n_workers + 1};
    if (pthread_create(&w->thread, NULL, work, w) != 0) break;
    pool->n_workers++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* More threads than this never help one call, and a number that a caller made up should not become
 * that many threads. */
#define MAX_THREADS 1024u

sp_fast_pool *sp_fast_pool_new(uint32_t n_threads) {
  if (n_threads < 2) return NULL;
  uint32_t n = (n_threads < MAX_THREADS ? n_threads : MAX_THREADS) - 1;
  size_t bytes = (sizeof(sp_fast_pool) + n * sizeof(worker) + 63) / 64 * 64;
  sp_fast_pool *pool = aligned_alloc(64, bytes);
  if (pool == NULL) return NULL;
  *pool = (sp_fast_pool){.n_workers = 0};
  if (pthread_mutex_init(&pool->lock, NULL) != 0) {
    free(pool);
    return NULL;
  }
  if (pthread_cond_init(&pool->wake, NULL) != 0) {
    pthread_mutex_destroy(&pool->lock);
    free(pool);
    return NULL;
  }
  start(pool, n);
  if (pool->n_workers > 0) return pool;
  sp_fast_pool_free(pool);
  return NULL;
}

void sp_fast_pool_free(sp_fast_pool *pool) {
  if (pool == NULL) return;
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->stop, true);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
  for (uint32_t i = 0; i < pool->n_workers; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}
