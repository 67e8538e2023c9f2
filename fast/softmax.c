/* SPDX-License-Identifier: Apache-2.0 */
/* See softmax.h: the plan of a call, the call in one step, and the call in two. */
#include "fast/softmax.h"

#include <stdlib.h>

#include "fast/check.h"
#include "fast/impl.h"
#include "fast/pool.h"
#include "fast/prepared.h"
#include "fast/tensor.h"

/* Rows longer than this are one behind the other. What is between two passes of a row, reductions
 * and a division, is then waited for; but a call has few such rows, and those that pass alone, at its
 * beginning and its end, cost more. Streamed rows share the first-level cache with what is fetched. */
#define LONG_ROW          4096u
#define LONG_STREAMED_ROW 1024u

/* Weights that are larger than this leave the caches before anyone reads them: half of a third-level
 * cache of 32 MiB. Storing past the caches then saves reading the lines that are overwritten. */
#define STREAM_BYTES (UINT64_C(16) << 20)

/* … as long as two rows of exponentials stay in a second-level cache. */
#define STREAM_LENGTH (UINT64_C(1) << 16)

/* Bytes between the scratch of two threads: what is fetched ahead of one must not be the other's. */
#define APART 4096u

/* Elements of a task: some microseconds, which is what handing it out is small against; and of a
 * large call a sixteenth, so that a thread that is late costs little. */
#define TASK_ELEMENTS     (UINT64_C(1) << 15)
#define TASK_ELEMENTS_MAX (UINT64_C(1) << 19)

/* A call shorter than this is not worth starting threads for; a prepared one has them. */
#define START_ELEMENTS (UINT64_C(1) << 22)

static uint64_t at_least_1(uint64_t n) {
  return n > 0 ? n : 1;
}

static uint64_t lesser(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* Logits that are not what is in memory are computed before their maximum is looked for. */
static bool needs_preparation(const sp_softmax_call *call) {
  return call->key_bias.data != NULL || call->scale != 1.0F;
}

static bool streams(const sp_softmax_call *call) {
  uint64_t elements = 0;
  if (__builtin_mul_overflow(call->n_rows, call->n, &elements)) return false;
  return call->weights.data != NULL && call->n <= STREAM_LENGTH && !needs_preparation(call) &&
         elements >= STREAM_BYTES / sp_fast_bytes(call->logits.dtype);
}

/* A row of exponentials waits from its second pass to its third; prepared logits from the first. */
static uint64_t kept_rows(const sp_fast_softmax_plan *plan, const sp_softmax_call *call) {
  bool in_place = call->weights.data != NULL && call->logits.dtype == SP_F32 && !plan->stream;
  if (in_place && !plan->prepared) return 0;
  return 1 + (plan->prepared ? 2 : 1) * plan->lag;
}

/* One thread is best left alone with all rows: every task begins and ends with passes that have
 * nothing beside them. */
static void cut_into_tasks(sp_fast_softmax_plan *plan, const sp_softmax_call *call) {
  uint64_t elements = 0;
  if (__builtin_mul_overflow(call->n_rows, at_least_1(call->n), &elements)) elements = UINT64_MAX;
  uint64_t wanted = elements / 16 > TASK_ELEMENTS ? elements / 16 : TASK_ELEMENTS;
  uint64_t rows = lesser(wanted, TASK_ELEMENTS_MAX) / at_least_1(call->n);
  plan->rows_of_task = at_least_1(rows);
  if (call->n_threads < 2) plan->rows_of_task = at_least_1(call->n_rows);
  plan->n_tasks = call->n_rows / plan->rows_of_task + (call->n_rows % plan->rows_of_task > 0);
}

bool sp_fast_softmax_plan_of(sp_fast_softmax_plan *plan, const sp_softmax_call *call) {
  *plan = (sp_fast_softmax_plan){
      .prepared = needs_preparation(call),
      .stream = streams(call),
      .kept_stride = ((call->n + 15) / 16 | 1) * 16, /* lines, an odd number: see softmax.h */
  };
  plan->lag = call->n <= (plan->stream ? LONG_STREAMED_ROW : LONG_ROW) ? SP_FAST_LAG : 1;
  plan->n_kept = kept_rows(plan, call);
  cut_into_tasks(plan, call);
  size_t row = 0;
  size_t bytes = 0;
  if (__builtin_mul_overflow(plan->kept_stride, sizeof(float), &row)) return false;
  if (__builtin_mul_overflow(plan->n_kept, row, &bytes)) return false;
  if (bytes > 0 && __builtin_add_overflow(bytes, APART, &bytes)) return false;
  plan->scratch_bytes = bytes;
  return bytes <= SIZE_MAX / 4;
}

/* A call with all that it needs. */
typedef struct job {
  sp_prepared base;
  const sp_fast_impl *impl;
  sp_softmax_call call;
  sp_fast_softmax_plan plan;
  sp_fast_pool *pool;
  char *scratch;    /* scratch[threads][plan.scratch_bytes] */
  uint64_t n_parts; /* of each row; 0 = rows go whole */
  char *found;      /* by the parts of a row: sums, then maxima */
} job;

static void run_task(void *of, uint64_t task, uint32_t worker) {
  const job *j = of;
  uint64_t begin = task * j->plan.rows_of_task;
  uint64_t end = lesser(begin + j->plan.rows_of_task, j->call.n_rows);
  void *scratch = j->scratch != NULL ? j->scratch + worker * j->plan.scratch_bytes : NULL;
  j->impl->softmax(&j->call, &j->plan, begin, end, scratch);
}

static void run_parts(const job *j) {
  const sp_fast_split split = {
      .impl = j->impl,
      .call = &j->call,
      .plan = &j->plan,
      .pool = j->pool,
      .e = (float *)(void *)j->scratch,
      .n_parts = j->n_parts,
      .sum = (sp_fast_part_sum *)(void *)j->found,
      .max = (float *)(void *)(j->found + j->n_parts * sizeof(sp_fast_part_sum))};
  sp_fast_split_run(&split);
}

static sp_status run_job(job *j) {
  if (j->n_parts > 0) {
    run_parts(j);
  } else {
    sp_fast_pool_run(j->pool, j->plan.n_tasks, run_task, j);
  }
  sp_fast_set_path(j->impl);
  return SP_OK;
}

static void clear_job(job *j) {
  sp_fast_pool_free(j->pool);
  free(j->scratch);
  free(j->found);
}

/* Threads for at most as many as there are tasks; scratch for each. */
static sp_status equip(job *j, bool start_threads) {
  if (start_threads) j->n_parts = sp_fast_split_parts(j->impl, &j->call, &j->plan);
  uint64_t n_tasks = j->n_parts > 0 ? j->n_parts : j->plan.n_tasks;
  if (start_threads) j->pool = sp_fast_pool_new((uint32_t)lesser(j->call.n_threads, n_tasks));
  size_t bytes = (j->n_parts * (sizeof(sp_fast_part_sum) + sizeof(float)) + 63) / 64 * 64;
  if (bytes > 0) j->found = aligned_alloc(64, bytes);
  if (bytes > 0 && j->found == NULL) return SP_NOMEM;
  if (j->plan.scratch_bytes == 0) return SP_OK;
  if (__builtin_mul_overflow(j->plan.scratch_bytes, sp_fast_pool_threads(j->pool), &bytes))
    return SP_NOMEM;
  j->scratch = aligned_alloc(64, bytes);
  return j->scratch != NULL ? SP_OK : SP_NOMEM;
}

sp_status sp_fast_softmax(const sp_fast_impl *impl, const sp_softmax_call *from) {
  job j = {.impl = impl};
  sp_status status = sp_fast_check_softmax(&j.call, from, impl->kernel);
  if (status != SP_OK) return status;
  if (!sp_fast_softmax_plan_of(&j.plan, &j.call)) return SP_NOMEM;
  bool is_long = j.call.n > 0 && j.call.n_rows >= START_ELEMENTS / j.call.n;
  status = equip(&j, is_long);
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

sp_status sp_fast_prepare_softmax(const sp_fast_impl *impl, sp_prepared **out,
                                  const sp_softmax_call *from) {
  if (out == NULL) return SP_INVALID;
  job *j = calloc(1, sizeof *j);
  if (j == NULL) return SP_NOMEM;
  *j = (job){.base = {run_prepared, release_prepared}, .impl = impl};
  sp_status status = sp_fast_check_softmax(&j->call, from, impl->kernel);
  if (status == SP_OK && !sp_fast_softmax_plan_of(&j->plan, &j->call)) status = SP_NOMEM;
  if (status == SP_OK) status = equip(j, true);
  if (status != SP_OK) {
    release_prepared(&j->base);
    return status;
  }
  *out = &j->base;
  return SP_OK;
}
