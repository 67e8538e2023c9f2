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

/* Bytes of one kv head's pieces: their outputs so far and their sums. */
static bool size_pieces(sp_fast_attention_plan *plan, const sp_attention_call *call,
                        uint64_t n_rows) {
  uint64_t rows = 0;
  size_t row_bytes = 0;
  if (plan->n_pieces == 1) return true;
  if (__builtin_mul_overflow(sp_fast_padded(call->d_value), sizeof(double), &row_bytes) ||
      __builtin_add_overflow(row_bytes, sizeof(sp_fast_sum), &row_bytes) ||
      __builtin_mul_overflow(plan->n_pieces, n_rows, &rows) ||
      __builtin_mul_overflow(rows, row_bytes, &plan->piece_bytes) ||
      __builtin_add_overflow(plan->piece_bytes, (size_t)63, &plan->piece_bytes))
    return false;
  plan->piece_bytes = plan->piece_bytes / 64 * 64;
  return true;
}

bool sp_fast_attention_plan_of(sp_fast_attention_plan *plan, const sp_attention_call *call) {
  uint64_t n_rows = call->n_heads / call->n_kv_heads;
  uint64_t queries = n_rows > 0 && n_rows < TASK_ROWS ? TASK_ROWS / n_rows : 1;
  *plan = (sp_fast_attention_plan){.queries_of_task = queries};
  plan->blocks = call->n_q / queries + (call->n_q % queries > 0);
  plan->n_pieces = sp_fast_pieces_of(call);
  plan->scratch_bytes = sp_fast_scratch_bytes(n_rows, call->d_head, call->d_value);
  return plan->scratch_bytes > 0 && size_pieces(plan, call, n_rows) &&
         !__builtin_mul_overflow(call->n_batch, call->n_kv_heads, &plan->n_heads) &&
         !__builtin_mul_overflow(plan->n_heads, plan->blocks, &plan->n_tasks) &&
         !__builtin_mul_overflow(plan->n_tasks, plan->n_pieces, &plan->n_tasks);
}

/* A call with all that it needs. */
typedef struct job {
  sp_prepared base;
  const sp_fast_impl *impl;
  sp_attention_call call;
  sp_fast_attention_plan plan;
  sp_fast_pool *pool;
  char *scratch; /* scratch[threads][plan.scratch_bytes] */
  char *pieces;  /* pieces[plan.n_heads][plan.piece_bytes] */
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

static sp_fast_pieces pieces_of(const job *j, uint64_t head) {
  uint64_t rows = j->plan.n_pieces * (j->call.n_heads / j->call.n_kv_heads);
  char *at = j->pieces + head * j->plan.piece_bytes;
  sp_fast_pieces pieces = {.n = j->plan.n_pieces, .acc = (double *)(void *)at};
  pieces.sum = (sp_fast_sum *)(void *)(pieces.acc + rows * sp_fast_padded(j->call.d_value));
  return pieces;
}

static void run_piece(void *of, uint64_t task, uint32_t worker) {
  const job *j = of;
  uint64_t head = task / j->plan.n_pieces;
  const sp_fast_pieces pieces = pieces_of(j, head);
  sp_fast_attend_piece(j->impl, &j->call, head / j->call.n_kv_heads, head % j->call.n_kv_heads,
                       task % j->plan.n_pieces, &pieces,
                       j->scratch + worker * j->plan.scratch_bytes);
}

static void run_join(void *of, uint64_t head, uint32_t worker) {
  const job *j = of;
  const sp_fast_pieces pieces = pieces_of(j, head);
  sp_fast_join_pieces(j->impl, &j->call, head / j->call.n_kv_heads, head % j->call.n_kv_heads,
                      &pieces, j->scratch + worker * j->plan.scratch_bytes);
}

static sp_status run_job(job *j) {
  if (j->plan.n_pieces > 1) {
    sp_fast_pool_run(j->pool, j->plan.n_tasks, run_piece, j);
    sp_fast_pool_run(j->pool, j->plan.n_heads, run_join, j);
  } else {
    sp_fast_pool_run(j->pool, j->plan.n_tasks, run_task, j);
  }
  sp_fast_set_path(j->impl);
  return SP_OK;
}

static void clear_job(job *j) {
  sp_fast_pool_free(j->pool);
  free(j->scratch);
  free(j->pieces);
}

/* At most as many threads as there are tasks; scratch for each. */
static sp_status equip(job *j, bool start_threads) {
  size_t bytes = 0;
  uint32_t threads = (uint32_t)lesser(j->call.n_threads, j->plan.n_tasks);
  if (start_threads) j->pool = sp_fast_pool_new(threads);
  if (__builtin_mul_overflow(j->plan.scratch_bytes, sp_fast_pool_threads(j->pool), &bytes))
    return SP_NOMEM;
  j->scratch = aligned_alloc(64, bytes);
  if (j->scratch == NULL) return SP_NOMEM;
  if (j->plan.n_pieces == 1) return SP_OK;
  if (__builtin_mul_overflow(j->plan.piece_bytes, j->plan.n_heads, &bytes)) return SP_NOMEM;
  j->pieces = aligned_alloc(64, bytes);
  return j->pieces != NULL ? SP_OK : SP_NOMEM;
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
  sp_status status = sp_fast_check_attention(&j.call, from, impl->kernel);
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
  sp_status status = sp_fast_check_attention(&j->call, from, impl->kernel);
  if (status == SP_OK && !sp_fast_attention_plan_of(&j->plan, &j->call)) status = SP_NOMEM;
  if (status == SP_OK) status = equip(j, true);
  if (status != SP_OK) {
    release_prepared(&j->base);
    return status;
  }
  *out = &j->base;
  return SP_OK;
}
