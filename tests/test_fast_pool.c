/* SPDX-License-Identifier: Apache-2.0 */
/* The thread pool: every task once, nobody inside after the return, no thread too many. Rounds
 * follow each other at once and after sleeps, so that threads are met spinning, asleep and late. */
#include "tests/asserts.h"
#include <dirent.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fast/pool.h"

Suite *suite_fast_pool(void);

#define N_TASKS 40

typedef struct job {
  _Atomic uint32_t done[N_TASKS];
  _Atomic uint32_t busy[8]; /* tasks that run now, by worker */
  _Atomic bool shared;      /* two at once had the same worker number */
  _Atomic bool rounding;    /* some task saw another rounding mode than the caller's */
  int mode;
} job;

static void count(void *arg, uint64_t task, uint32_t worker) {
  job *j = arg;
  if (atomic_fetch_add(&j->busy[worker], 1) != 0) atomic_store(&j->shared, true);
  if (fegetround() != j->mode) atomic_store(&j->rounding, true);
  for (volatile int spin = 0; spin < (int)(task % 7) * 50;) spin = spin + 1;
  atomic_fetch_add(&j->done[task], 1);
  atomic_fetch_sub(&j->busy[worker], 1);
}

/* The job lives on a page that is taken away when the call returns: a thread that came late would
 * not survive it. tests: KC-8, KC-6 */
START_TEST(every_task_once_and_nobody_left_inside) {
  sp_fast_pool *pool = sp_fast_pool_new((uint32_t)_i);
  size_t bytes = ((sizeof(job) + 4095) / 4096) * 4096;
  job *j = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(j != MAP_FAILED);
  ck_assert_uint_le(sp_fast_pool_threads(pool), _i < 1 ? 1 : (uint32_t)_i);
  for (uint64_t round = 0; round < 3000; round++) {
    ck_assert_int_eq(mprotect(j, bytes, PROT_READ | PROT_WRITE), 0);
    *j = (job){.mode = round % 3 == 0 ? FE_UPWARD : FE_TONEAREST};
    fesetround(j->mode);
    uint64_t n = round % (N_TASKS + 1);
    sp_fast_pool_run(pool, n, count, j);
    fesetround(FE_TONEAREST);
    for (uint64_t t = 0; t < N_TASKS; t++) ck_assert_uint_eq(j->done[t], t < n ? 1 : 0);
    ck_assert(!j->shared && !j->rounding);
    ck_assert_int_eq(mprotect(j, bytes, PROT_NONE), 0);
    if (round % 500 == 0) usleep(2000); /* long enough to fall asleep */
  }
  sp_fast_pool_free(pool);
  munmap(j, bytes);
}
END_TEST

static uint32_t threads_now(void) {
  DIR *tasks = opendir("/proc/self/task");
  ck_assert(tasks != NULL);
  uint32_t n = 0;
  for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
    if (entry->d_name[0] != '.') n++;
  closedir(tasks);
  return n;
}

/* tests: KC-8 n - 1 threads beside the caller's, none afterwards */
START_TEST(no_thread_too_many) {
  uint32_t before = threads_now();
  ck_assert(sp_fast_pool_new(0) == NULL && sp_fast_pool_new(1) == NULL);
  for (uint32_t n = 2; n <= 4; n++) {
    sp_fast_pool *pool = sp_fast_pool_new(n);
    ck_assert_uint_eq(sp_fast_pool_threads(pool), n);
    ck_assert_uint_eq(threads_now(), before + n - 1);
    sp_fast_pool_free(pool);
  }
  for (int ms = 0; ms < 500 && threads_now() > before; ms++)
    usleep(1000); /* joined, not yet gone */
  ck_assert_uint_eq(threads_now(), before);
}
END_TEST

Suite *suite_fast_pool(void) {
  Suite *suite = suite_create("fast/pool");
  TCase *tc = tcase_create("KC-8");
  tcase_add_loop_test(tc, every_task_once_and_nobody_left_inside, 0, 5);
  tcase_add_test(tc, no_thread_too_many);
  suite_add_tcase(suite, tc);
  return suite;
}
