/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring the machine. Each limit is the best of many short repetitions, like a kernel's least
 * time; with several threads all start together, and the slowest counts. */
#include "certify/bench/limits.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

const char *const sp_limit_names[SP_N_LIMITS] = {
    "f32 FMA", "bf16 dot",  "vector ops", "L1 read", "L2 read",
    "L3 read", "DRAM read", "L2 copy",    "L3 copy", "non-temporal copy"};

bool sp_limit_is_bandwidth(sp_limit limit) {
  return limit >= SP_LIMIT_READ_L1;
}

/* The kernel's list of caches: 0 is the first level's data cache, 1 its instruction cache. A virtual
 * machine's sysconf may tell of the whole host's last level instead. */
static size_t cache_size(int index, size_t usual) {
  char path[80];
  unsigned long kib = 0;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
  FILE *file = fopen(path, "r");
  if (file == NULL) return usual;
  bool read = fscanf(file, "%luK", &kib) == 1;
  fclose(file);
  return read && kib > 0 ? kib << 10 : usual;
}

sp_cache_sizes sp_cache_sizes_get(void) {
  return (sp_cache_sizes){cache_size(0, 32U << 10), cache_size(2, 1U << 20),
                          cache_size(3, 32U << 20)};
}

static const sp_probes *probes(void) {
#if defined(__x86_64__)
  if (sp_probes_avx512.available()) return &sp_probes_avx512;
  if (sp_probes_avx2.available()) return &sp_probes_avx2;
#endif
  return &sp_probes_baseline;
}

typedef struct team {
  const sp_probes *probes;
  sp_limit limit;
  uint32_t n_threads;
  size_t bytes; /* of each thread's buffers */
  cpu_set_t allowed;
  _Atomic uint32_t n_there, n_meetings;
  _Atomic bool stop;
} team;

typedef struct member {
  team *team;
  uint32_t index;
  unsigned char *from, *to;
  double begin, end, done; /* of the latest repetition */
} member;

/* A repetition takes some ten microseconds when data are in a cache: long enough for a clock, short
 * enough that a time slice lost to a neighbour spoils few of them. */
static double work(const member *m) {
  const team *t = m->team;
  const sp_probes *p = t->probes;
  size_t times = (4U << 20) / t->bytes + 1;
  switch (t->limit) {
  case SP_LIMIT_FMA:
    return p->fma(20000);
  case SP_LIMIT_DOT_BF16:
    return p->dot_bf16(20000);
  case SP_LIMIT_VECTOR:
    return p->vector(20000);
  case SP_LIMIT_COPY_L2:
  case SP_LIMIT_COPY_L3:
    for (size_t i = 0; i < times; i++) p->copy(m->to, m->from, t->bytes);
    return 2 * (double)t->bytes * (double)times;
  case SP_LIMIT_COPY_NT:
    p->copy_nt(m->to, m->from, t->bytes);
    return 2 * (double)t->bytes;
  default:
    for (size_t i = 0; i < times; i++) p->read(m->from, t->bytes);
    return (double)t->bytes * (double)times;
  }
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* All are there before anyone goes on, or the team has been told to stop. Waiting is looking: who sleeps is woken up later than a
 * repetition takes. */
static void meet(team *t) {
  uint32_t before = atomic_load(&t->n_meetings);
  if (atomic_fetch_add(&t->n_there, 1) + 1 == t->n_threads) {
    atomic_store(&t->n_there, 0);
    atomic_fetch_add(&t->n_meetings, 1);
    return;
  }
  for (unsigned looks = 0; atomic_load(&t->n_meetings) == before && !t->stop; looks++)
    if (looks > 20000) sched_yield(); /* the others may need this very processor */
}

/* One repetition; false when the team has been told to stop. Every member asks after the same
 * barrier, so that all of them stop at the same one. */
static bool repeat(member *m) {
  meet(m->team);
  if (m->team->stop) return false;
  m->begin = now();
  m->done = work(m);
  m->end = now();
  meet(m->team);
  return true;
}

/* A processor of its own for each member: the system would let two share one while another process
 * is busy, and a limit of two threads would be that of one. */
static void pin(const cpu_set_t *allowed, uint32_t index) {
  cpu_set_t one;
  CPU_ZERO(&one);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, allowed) && index-- == 0) CPU_SET(cpu, &one);
  if (CPU_COUNT(&one) == 1) sched_setaffinity(0, sizeof one, &one);
}

static void *follow(void *argument) {
  member *m = argument;
  pin(&m->team->allowed, m->index);
  while (repeat(m)) continue;
  return NULL;
}

/* All of the work over the time from the first to begin to the last to end. */
static double rate_of(const member *members, uint32_t n) {
  double begin = members[0].begin, end = members[0].end, done = 0;
  for (uint32_t i = 0; i < n; i++) {
    begin = members[i].begin < begin ? members[i].begin : begin;
    end = members[i].end > end ? members[i].end : end;
    done += members[i].done;
  }
  return done / (end - begin);
}

enum { LEAST_REPETITIONS = 8 }; /* one may lose a time slice, however short the time is */

static double lead(member *members, double seconds) {
  team *t = members[0].team;
  double best = 0;
  double start = now();
  for (int n = 0; (n < LEAST_REPETITIONS || now() - start < seconds) && repeat(&members[0]); n++) {
    double rate = rate_of(members, t->n_threads);
    if (rate > best) best = rate;
  }
  t->stop = true;
  (void)repeat(&members[0]);
  return best;
}

static unsigned char *buffer(size_t bytes) {
  size_t whole = (bytes + (2U << 20)) & ~(size_t)4095;
  void *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  madvise(memory, whole, MADV_HUGEPAGE);
  memset(memory, 1, whole);
  return memory;
}

static void release(unsigned char *memory, size_t bytes) {
  if (memory != NULL) munmap(memory, (bytes + (2U << 20)) & ~(size_t)4095);
}

enum { MOST_THREADS = 64 };

static bool measure(const sp_probes *p, sp_limit limit, uint32_t n_threads, size_t bytes,
                    double seconds, double *rate) {
  team t = {.probes = p, .limit = limit, .n_threads = n_threads, .bytes = bytes};
  member members[MOST_THREADS] = {0};
  pthread_t threads[MOST_THREADS];
  uint32_t started = 1;
  bool ok = sched_getaffinity(0, sizeof t.allowed, &t.allowed) == 0;
  for (uint32_t i = 0; i < n_threads && ok; i++) {
    members[i] = (member){.team = &t, .index = i, .from = buffer(bytes), .to = buffer(bytes)};
    ok = members[i].from != NULL && members[i].to != NULL;
  }
  while (ok && started < n_threads)
    ok = pthread_create(&threads[started], NULL, follow, &members[started]) == 0 && ++started;
  if (ok) {
    pin(&t.allowed, 0);
    *rate = lead(&members[0], seconds);
    sched_setaffinity(0, sizeof t.allowed, &t.allowed);
  }
  t.stop = true;
  for (uint32_t i = 1; i < started; i++) pthread_join(threads[i], NULL);
  for (uint32_t i = 0; i < n_threads; i++) {
    release(members[i].from, bytes);
    release(members[i].to, bytes);
  }
  return ok;
}

bool sp_limits_measure(sp_limits *limits, uint32_t n_threads, double seconds) {
  const sp_probes *p = probes();
  sp_cache_sizes cache = sp_cache_sizes_get();
  const size_t bytes[SP_N_LIMITS] = {
      [SP_LIMIT_FMA] = 64,
      [SP_LIMIT_DOT_BF16] = 64,
      [SP_LIMIT_VECTOR] = 64,
      [SP_LIMIT_READ_L1] = cache.l1 / 2,
      [SP_LIMIT_READ_L2] = cache.l2 / 2,
      [SP_LIMIT_READ_L3] = cache.l3 / 4 / n_threads,
      [SP_LIMIT_READ_DRAM] = 128U << 20,
      [SP_LIMIT_COPY_L2] = cache.l2 / 4,
      [SP_LIMIT_COPY_L3] = cache.l3 / 8 / n_threads,
      [SP_LIMIT_COPY_NT] = 64U << 20,
  };
  *limits = (sp_limits){.n_threads = n_threads, .isa = p->name};
  if (seconds <= 0 || n_threads > MOST_THREADS) return true;
  for (sp_limit i = 0; i < SP_N_LIMITS; i++) {
    if (i == SP_LIMIT_DOT_BF16 && (p->dot_bf16 == NULL || !p->has_dot_bf16())) continue;
    if (!measure(p, i, n_threads, bytes[i], seconds, &limits->value[i])) return false;
  }
  return true;
}
