/* SPDX-License-Identifier: Apache-2.0 */
/* See split.h: three rounds of the pool for each row. */
#include "fast/split.h"

#include <math.h>

#include "fast/impl.h"
#include "fast/pool.h"

typedef struct row_job {
  const sp_fast_split *split;
  sp_fast_part row; /* its place and, from pass to pass, what is known of it */
} row_job;

static sp_fast_part part_of(const row_job *job, uint64_t index) {
  sp_fast_part part = job->row;
  part.begin = index * SP_FAST_PART;
  if (part.end - part.begin > SP_FAST_PART) part.end = part.begin + SP_FAST_PART;
  return part;
}

static void take_max(void *of, uint64_t index, uint32_t worker) {
  const row_job *job = of;
  const sp_fast_split *s = job->split;
  sp_fast_part part = part_of(job, index);
  (void)worker;
  s->max[index] = s->impl->split->max(s->call, s->plan, &part);
}

static void take_exp(void *of, uint64_t index, uint32_t worker) {
  const row_job *job = of;
  const sp_fast_split *s = job->split;
  sp_fast_part part = part_of(job, index);
  (void)worker;
  s->impl->split->exp(s->call, s->plan, &part, &s->sum[index]);
}

static void take_scale(void *of, uint64_t index, uint32_t worker) {
  const row_job *job = of;
  const sp_fast_split *s = job->split;
  sp_fast_part part = part_of(job, index);
  (void)worker;
  s->impl->split->scale(s->call, s->plan, &part);
}

/* A row of absent keys shifts by 0, so that they stay absent. */
static float shift_of(const sp_fast_split *s) {
  float max = -INFINITY;
  for (uint64_t i = 0; i < s->n_parts; i++)
    if (s->max[i] > max) max = s->max[i];
  return max == -INFINITY ? 0.0F : max;
}

void sp_fast_split_run(const sp_fast_split *s) {
  for (uint64_t row = 0; row < s->call->n_rows; row++) {
    row_job job = {.split = s, .row = {.row = row, .end = s->call->n, .e = s->e}};
    sp_fast_pool_run(s->pool, s->n_parts, take_max, &job);
    job.row.shift = shift_of(s);
    sp_fast_pool_run(s->pool, s->n_parts, take_exp, &job);
    job.row.factor = s->impl->split->finish(s->call, &job.row, s->sum, s->n_parts);
    if (s->call->weights.data != NULL) sp_fast_pool_run(s->pool, s->n_parts, take_scale, &job);
  }
}

uint64_t sp_fast_split_parts(const sp_fast_impl *impl, const sp_softmax_call *call,
                             const sp_fast_softmax_plan *plan) {
  if (impl->split == NULL || plan->prepared) return 0;
  if (call->n_rows >= call->n_threads || call->n < 2 * SP_FAST_PART) return 0;
  return (call->n - 1) / SP_FAST_PART + 1;
}
