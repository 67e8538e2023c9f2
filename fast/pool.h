/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads that wait to help the caller with one job after another. fast/ keeps no state of
 * its own, so a pool belongs to whoever makes it: a prepared call, a cache, or a single call that
 * is long enough to pay for starting threads. spec: KC-8
 *
 * A job is cut into tasks whose number and contents the caller chooses without looking at how many
 * threads there are; a thread takes the next task when it has done its last. Which thread runs a
 * task must not matter to its result. spec: NU-12
 *
 * When sp_fast_pool_run returns, no thread is inside the job nor will enter it: one that wakes late
 * finds the door closed. Between jobs a thread spins for some microseconds, then sleeps. */
#ifndef SINKPROOF_FAST_POOL_H
#define SINKPROOF_FAST_POOL_H

#include <stdint.h>

typedef struct sp_fast_pool sp_fast_pool;

/* One task of a job. `worker` is below the pool's number of threads, and no two tasks that run at
 * the same time have the same one: it chooses scratch. */
typedef void sp_fast_task(void *job, uint64_t task, uint32_t worker);

/* A pool for n_threads, the caller's among them: n_threads - 1 are started. NULL for n_threads
 * below 2, and when none can be had: NULL is the pool of the caller's thread alone. Fewer threads
 * than asked for is a pool too. */
sp_fast_pool *sp_fast_pool_new(uint32_t n_threads);

/* Threads that run tasks, the caller's among them; 1 for NULL. */
uint32_t sp_fast_pool_threads(const sp_fast_pool *pool);

/* Run tasks 0 to n_tasks - 1 and return when all are done. Tasks run in the caller's floating-point
 * environment. One job at a time: a pool is not for two callers. spec: KC-6 */
void sp_fast_pool_run(sp_fast_pool *pool, uint64_t n_tasks, sp_fast_task *task, void *job);

/* Ends the threads. NULL is nothing. */
void sp_fast_pool_free(sp_fast_pool *pool);

#endif
