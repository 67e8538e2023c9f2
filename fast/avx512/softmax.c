/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of rows. Rows go through three passes like products down a line: while the exponentials of
 * one row are taken, the maximum of a later one is looked for and the weights of an earlier one are
 * written, in one loop (passes.h, with the roofline).
 *
 *     m = max of x          e = e^(x - m)          weight = e * (1 / (sum of e + e^(s - m)))
 *
 * What is absent or not finite needs no test in a loop: an absent key is -inf and its exponential
 * 0; a NaN, or a +inf less itself, makes its exponential and the sum NaN, and so the row.
 * spec: SM-1, SM-5 */
#include "fast/avx512/logits.h"
#include "fast/avx512/passes.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

/* ---- between two rows ---- */

/* A row of absent keys shifts by 0, so that they stay absent. */
static inline __m128 shift_of(__m512 lanes) {
  __m256 y = _mm256_max_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  x = _mm_max_ps(x, _mm_permute_ps(x, 0x4e));
  x = _mm_max_ps(x, _mm_permute_ps(x, 0xb1));
  __mmask8 some = _mm_cmp_ss_mask(x, _mm_set_ss(-INFINITY), _CMP_NEQ_UQ);
  return _mm_maskz_move_ss(some, x, x);
}

/* In a balanced tree. */
static inline __m128d sum_of_lanes(__m512d x) {
  x = _mm512_add_pd(x, _mm512_permute_pd(x, 0x55));
  x = _mm512_add_pd(x, _mm512_shuffle_f64x2(x, x, 0xb1));
  return _mm512_castpd512_pd128(_mm512_add_pd(x, _mm512_shuffle_f64x2(x, x, 0x4e)));
}

/* Of keys alone; 0 for an empty row. */
static inline __m128 factor_of(__m128d keys) {
  __mmask8 some = _mm_cmp_sd_mask(keys, _mm_setzero_pd(), _CMP_NEQ_UQ);
  return _mm_cvtsd_ss(_mm_setzero_ps(), _mm_maskz_div_sd(some, _mm_set_sd(1.0), keys));
}

/* e^(s - max). Where the sink logit is above the maximum, beyond what exp16 is for, it is libm's. */
static double sink_term(float s, float max) {
  if (s > max) return exp((double)s - (double)max);
  return (double)_mm512_cvtss_f32(exp16(_mm512_set1_ps(s - max)));
}

static float sink_logit(const line *l, uint64_t i) {
  const sp_in *t = &l->call->sink_logit;
  if (t->dtype == SP_F32) return ((const float *)t->data)[(int64_t)(l->begin + i) * t->stride[0]];
  return sp_fast_sink_logit(t, l->begin + i, 0);
}

static __attribute__((noinline)) void put_lse(const line *l, uint64_t i, double keys) {
  const sp_softmax_call *call = l->call;
  const uint64_t row = l->begin + i;
  const float s = sp_fast_sink_logit(&call->sink_logit, row, 0);
  const sp_fast_sum sum = {.max = keys == 0.0 ? -INFINITY : (double)l->shift[i & 3],
                           .sum = keys,
                           .invalid = isnan(keys)};
  if (call->lse_keys.data != NULL)
    sp_fast_put(&call->lse_keys, row, 0, 0, sp_fast_lse_keys(&sum, s));
  if (call->lse_total.data != NULL)
    sp_fast_put(&call->lse_total, row, 0, 0, sp_fast_lse_total(&sum, s));
}

/* From the sum of row i to its factor and its log-sum-exps. The factor of a row without keys is 0,
 * but for a sink logit of NaN. spec: AT-9, AL-2, AL-4 */
static __attribute__((noinline)) void finish_row(line *l, uint64_t i, double keys) {
  double sum = keys;
  if (l->call->sink_logit.data != NULL) sum += sink_term(sink_logit(l, i), l->shift[i & 3]);
  l->factor[i & 3] = keys == 0.0 && !isnan(sum) ? 0.0F : (float)(1.0 / sum);
  if (l->wants_lse) put_lse(l, i, keys);
}

/* spec: SM-5 every weight of an invalid row is NaN, whatever NaN its exponentials hold */
static __attribute__((noinline)) void fill_invalid(const line *l, char *weights) {
  for (uint64_t j = 0; j < l->n; j += LANES)
    store16(l->call->logits.dtype, weights, j, first_lanes(l->n - j), _mm512_set1_ps(NAN));
}

/* A row comes in. */
static inline void enter(line *l, uint64_t t) {
  if (l->plan->prepared && t < l->n_rows)
    prepare_logits(l->call, l->begin + t, (float *)(void *)l->logits.at);
}

/* The maximum is reduced at once, since it is waited for next, the sum a turn later: its latency
 * would be waited for. All rows are there when all passes are. */
static inline void after_turn(beside with, line *l, uint64_t t) {
  const bool all = with.max && with.exp && with.scale;
  const uint64_t summed = t - 2 * l->lag + 1, done = t - 2 * l->lag;
  if (with.max) _mm_store_ss(&l->shift[t & 3], shift_of(l->max));
  if (all || summed < l->n_rows) {
    const __m128d keys = sum_of_lanes(l->sum[(summed + l->lag) & 1]);
    if (l->plain) {
      _mm_store_ss(&l->factor[summed & 3], factor_of(keys));
    } else {
      finish_row(l, summed, _mm_cvtsd_f64(keys));
    }
  }
  if (with.scale && isnan(l->factor[done & 3])) fill_invalid(l, l->weights - l->weights_step);
}

/* ---- the line ---- */

/* Rows in scratch memory, which is there only if the plan keeps rows. */
static places kept_rows(const sp_fast_softmax_plan *plan, char *scratch) {
  const int64_t step = (int64_t)(plan->kept_stride * sizeof(float));
  return (places){
      .at = scratch, .step = step, .begin = scratch, .end = scratch + (int64_t)plan->n_kept * step};
}

static line line_of(const sp_softmax_call *call, const sp_fast_softmax_plan *plan, uint64_t begin,
                    uint64_t end, char *scratch) {
  const int64_t size = (int64_t)sp_fast_bytes(call->logits.dtype);
  line l = {.call = call,
            .plan = plan,
            .begin = begin,
            .n_rows = end - begin,
            .n = call->n,
            .lag = plan->lag,
            .plain = call->sink_logit.data == NULL && call->lse_keys.data == NULL &&
                     call->lse_total.data == NULL,
            .wants_lse = call->lse_keys.data != NULL || call->lse_total.data != NULL};
  if (call->n == 0) return l;
  l.weights_step = call->weights.stride[0] * size;
  if (call->weights.data != NULL)
    l.weights = (char *)call->weights.data + (int64_t)begin * l.weights_step;
  l.logits.step = call->logits.stride[0] * size;
  l.logits.at = (char *)(uintptr_t)call->logits.data + (int64_t)begin * l.logits.step;
  if (plan->prepared) l.logits = kept_rows(plan, scratch);
  l.e = plan->n_kept > 0 ? kept_rows(plan, scratch)
                         : (places){.at = l.weights, .step = l.weights_step};
  return l;
}

/* Rows without keys have log-sum-exps. */
static void finish_empty_rows(line *l) {
  for (uint64_t i = 0; i < l->n_rows; i++) finish_row(l, i, 0.0);
}

static uint64_t lesser(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static rows_abreast *loop_for(const loops *by, beside with) {
  if (with.max && with.exp && with.scale) return by->three;
  if (with.max && with.exp) return by->max_exp;
  if (with.exp && with.scale) return by->exp_scale;
  if (with.max) return by->max;
  if (with.exp) return by->exp;
  return with.scale ? by->scale : by->none;
}

/* Turns from t on, up to where a pass gets its first row or has had its last. */
static uint64_t advance(line *l, const loops *by, uint64_t t) {
  const uint64_t rows = l->n_rows, lag = l->lag;
  const beside with = {.max = t < rows,
                       .exp = t >= lag && t < rows + lag,
                       .scale = t >= 2 * lag && l->weights != NULL};
  const uint64_t changes[] = {rows, lag, rows + lag, 2 * lag};
  uint64_t end = rows + 2 * lag;
  for (int i = 0; i < 4; i++)
    if (changes[i] > t) end = lesser(end, changes[i]);
  loop_for(by, with)(l, t, end);
  return end;
}

void sp_fast_softmax_avx512(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                            uint64_t begin, uint64_t end, void *scratch) {
  line l = line_of(call, plan, begin, end, scratch);
  if (call->n == 0) {
    finish_empty_rows(&l);
    return;
  }
  const loops *by = loops_of(call->logits.dtype, plan->prepared, plan->stream);
  for (uint64_t t = 0; t < l.n_rows + 2 * l.lag;) t = advance(&l, by, t);
  if (plan->stream) _mm_sfence();
}

/* ---- a row in parts ---- */

/* The only row of a line, whose passes are so far apart that what is between them is never done. */
static line line_of_part(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                         const sp_fast_part *part) {
  const uint64_t size = sp_fast_bytes(call->logits.dtype);
  const int64_t first = (int64_t)(part->begin * size);
  line l = {.call = call, .plan = plan, .n_rows = 1, .n = part->end - part->begin, .lag = 2};
  l.logits.at = (char *)(uintptr_t)sp_fast_in(&call->logits, part->row, 0, 0) + first;
  l.logits.of[0] = l.logits.at;
  if (call->weights.data != NULL)
    l.weights = (char *)sp_fast_out(&call->weights, part->row, 0, 0) + first;
  l.e.at = part->e != NULL ? (char *)(part->e + part->begin) : l.weights;
  l.e.of[0] = l.e.at;
  l.shift[0] = part->shift;
  l.factor[0] = part->factor;
  return l;
}

static float part_max(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                      const sp_fast_part *part) {
  line l = line_of_part(call, plan, part);
  loops_of(call->logits.dtype, false, plan->stream)->max(&l, 0, 1);
  return _mm512_reduce_max_ps(l.max);
}

static void part_exp(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                     const sp_fast_part *part, sp_fast_part_sum *sum) {
  line l = line_of_part(call, plan, part);
  loops_of(call->logits.dtype, false, plan->stream)->exp(&l, l.lag, l.lag + 1);
  _mm512_store_pd(sum->lane, l.sum[l.lag & 1]);
}

static void part_scale(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                       const sp_fast_part *part) {
  line l = line_of_part(call, plan, part);
  loops_of(call->logits.dtype, false, plan->stream)->scale(&l, 2 * l.lag, 2 * l.lag + 1);
  if (plan->stream) _mm_sfence();
}

static float finish_parts(const sp_softmax_call *call, const sp_fast_part *row,
                          const sp_fast_part_sum *sums, uint64_t n_parts) {
  line l = {.call = call,
            .begin = row->row,
            .wants_lse = call->lse_keys.data != NULL || call->lse_total.data != NULL};
  block_sums parts;
  parts.n = 0;
  for (uint64_t i = 0; i + 1 < n_parts; i++) add_block(&parts, _mm512_load_pd(sums[i].lane));
  const __m512d last = _mm512_load_pd(sums[n_parts - 1].lane);
  l.shift[0] = row->shift;
  finish_row(&l, 0, _mm_cvtsd_f64(sum_of_lanes(total_of_blocks(&parts, last))));
  return l.factor[0];
}

const sp_fast_split_ops sp_fast_split_avx512 = {part_max, part_exp, part_scale, finish_parts};
