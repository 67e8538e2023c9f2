/* SPDX-License-Identifier: Apache-2.0 */
/* See attention.h: the plan of a call, the call in one step, and the call in two. A prepared call
 * keeps its threads and scratch, so that a run allocates nothing; K and V stay where they are, since
 * the tiles read them in any layout at the same cost. spec: KC-8 */
#include "fast/attention.h"

#include <stdlib.h>

#include "fast/check.h"
#include "fast/impl.h"
#include "fast/pool.h"
#include "fast/prepared.h"

/* Rows of a task: enough to be small against handing it out, few enough that a thread that is late
 * costs little. */
#define TASK_ROWS 64u

/* A call with fewer logits than this (about half a millisecond) is not worth starting threads for; a
 * prepared one has them. */
#define START_LOGITS (UINT64_C(1) << 20)

static uint64_t lesser(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

bool sp_fast_attention_plan_of(sp_fast_attention_plan *plan, const sp_attention_call *call) {
  uint64_t n_rows = call->n_heads / call->n_kv_heads;
  uint64_t queries = n_rows > 0 && n_rows < TASK_ROWS ? TASK_ROWS / n_rows : 1;
  *plan = (sp_fast_attention_plan){.queries_of_task = queries};
  plan->blocks = call->n_q / queries + (call->n_q % queries > 0);
  plan->scratch_bytes = sp_fast_scratch_bytes(n_rows, call->d_head, call->d_value);
  uint64_t heads = 0;
  return plan->scratch_bytes > 0 &&
         !__builtin_mul_overflow(call->n_batch, call->n_kv_heads, &heads) &&
         !__builtin_mul_overflow(heads, plan->blocks, &plan->n_tasks);
}

/* A call with all that it needs. */
typedef struct job {
  sp_prepared base;
  const sp_fast_impl *impl;
  sp_attention_call call;
  sp_fast_attention_plan plan;
  sp_fast_pool *pool;
  char *scratch; /* scratch[threads][plan.scratch_bytes] */
} job;

/* The last queries of a head come first: where it matters, they see most keys. */
static void run_task(void *of, uint64_t task, uint32_t worker) {
  const job *j = of;
  uint64_t head = task / j->plan.blocks;
  uint64_t block = j->plan.blocks - 1 - task % j->plan.blocks;
  uint64_t begin = block * j->plan.queries_of_task;
  const sp_fast_queries queries = {
      .b = head / j->call.n_kv_heads,
      .h_kv = head % j->call.n_kv_heads,
      .begin = begin,
      .end = lesser(begin + j->plan.queries_of_task, j->call.n_q),
  };
  sp_fast_attend(j->impl, &j->call, &queries, j->scratch + worker * j->plan.scratch_bytes);
}

static sp_status run_job(job *j) {
  sp_fast_pool_run(j->pool, j->plan.n_tasks, run_task, j);
  sp_fast_set_path(j->impl);
  return SP_OK;
}

static void clear_job(job *j) {
  sp_fast_pool_free(j->pool);
  free(j->scratch);
}

/* At most as many threads as there are tasks; scratch for each. */
static sp_status equip(job *j, bool start_threads) {
  size_t bytes = 0;
  uint32_t threads = (uint32_t)lesser(j->call.n_threads, j->plan.n_tasks);
  if (start_threads) j->pool = sp_fast_pool_new(threads);
  if (__builtin_mul_overflow(j->plan.scratch_bytes, sp_fast_pool_threads(j->pool), &bytes))
    return SP_NOMEM;
  j->scratch = aligned_alloc(64, bytes);
  return j->scratch != NULL ? SP_OK : SP_NOMEM;
}

/* Logits at most, with each query seeing every key of its window. */
static bool is_long(const sp_attention_call *call) {
  uint64_t keys = lesser(call->n_kv, call->window);
  uint64_t rows = 0;
  if (__builtin_mul_overflow(call->n_batch, call->n_heads, &rows) ||
      __builtin_mul_overflow(rows, call->n_q, &rows))
    return true;
  return keys > 0 && rows >= START_LOGITS / keys;
}

sp_status sp_fast_attention(const sp_fast_impl *impl, const sp_attention_call *from) {
  job j = {.impl = impl};
  sp_status status = sp_fast_check_attention(&j.call, from);
  if (status != SP_OK) return status;
  if (!sp_fast_attention_plan_of(&j.plan, &j.call)) return SP_NOMEM;
  status = equip(&j, is_long(&j.call));
  if (status == SP_OK) status = run_job(&j);
  clear_job(&j);
  return status;
}

static sp_status run_prepared(sp_prepared *prepared) {
  return run_job((job *)prepared);
}

static void release_prepared(sp_prepared *prepared) {
  clear_job((job *)prepared);
  free(prepared);
}

sp_status sp_fast_prepare_attention(const sp_fast_impl *impl, sp_prepared **out,
                                    const sp_attention_call *from) {
  if (out == NULL) return SP_INVALID;
  job *j = calloc(1, sizeof *j);
  if (j == NULL) return SP_NOMEM;
  *j = (job){.base = {run_prepared, release_prepared}, .impl = impl};
  sp_status status = sp_fast_check_attention(&j->call, from);
  if (status == SP_OK && !sp_fast_attention_plan_of(&j->plan, &j->call)) status = SP_NOMEM;
  if (status == SP_OK) status = equip(j, true);
  if (status != SP_OK) {
    release_prepared(&j->base);
    return status;
  }
  *out = &j->base;
  return SP_OK;
}
