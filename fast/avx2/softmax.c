/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of rows, one row after another: the maximum, the exponentials, which are kept, and their
 * sum, the weights.
 *
 *     m = max of x          e = e^(x - m)          weight = e * (1 / (sum of e + e^(s - m)))
 *
 * Roofline, per 8 elements of a row in a first-level cache: the maximum waits for one load, 0.5
 * cycles; the exponential, its difference and its sum for 11 multiplications on two pipes, 5.5
 * cycles; the weights for one store, 1 cycle. What a wider variant gains by running the three side
 * by side is little here, so they are not.
 *
 * Sums: lanes over 32 elements in a tree of two levels, over up to 16 such steps in a chain, in
 * binary32; blocks of 512 in binary64, in a balanced tree. An absent key is -inf and its exponential
 * 0; a NaN, or a +inf less itself, makes the sum NaN, and so the row. spec: SM-1, SM-2, SM-5 */
#include "fast/avx2/exp.h"
#include "fast/avx2/lanes.h"
#include "fast/avx2/variant.h"

#define STEP  32u
#define BLOCK 512u

/* ---- logits that are not what is in memory ---- */

/* NaN where a present key's logit is not finite, -inf where a key is absent, whatever the sign of
 * the scale and whatever the other of the two holds. spec: SM-1, AT-3, SM-5 */
SPECIALISED __m256 logits8(sp_dtype dtype, const sp_softmax_call *call, const void *logits,
                           const float *key_bias, uint64_t j) {
  const __m256 absent = _mm256_set1_ps(-INFINITY);
  const __m256 sign = _mm256_set1_ps(-0.0F);
  __m256 raw = load8(dtype, logits, j, call->n, -INFINITY);
  __m256 bias = _mm256_setzero_ps();
  if (key_bias != NULL) bias = load8(SP_F32, key_bias, j, call->n, 0.0F);
  __m256 x = _mm256_fmadd_ps(_mm256_set1_ps(call->scale), raw, bias);
  __m256 size = _mm256_andnot_ps(sign, raw);
  __m256 finite = _mm256_and_ps(_mm256_cmp_ps(size, _mm256_set1_ps(INFINITY), _CMP_LT_OQ),
                                _mm256_cmp_ps(x, _mm256_set1_ps(INFINITY), _CMP_LT_OQ));
  x = _mm256_blendv_ps(_mm256_set1_ps(NAN), x, finite);
  __m256 missing =
      _mm256_or_ps(_mm256_cmp_ps(raw, absent, _CMP_EQ_OQ), _mm256_cmp_ps(bias, absent, _CMP_EQ_OQ));
  return _mm256_blendv_ps(x, absent, missing);
}

static void prepare_logits(const sp_softmax_call *call, uint64_t i, float *x) {
  sp_dtype dtype = call->logits.dtype;
  const void *from = sp_fast_in(&call->logits, i, 0, 0);
  const float *key_bias = NULL;
  if (call->key_bias.data != NULL) key_bias = sp_fast_in(&call->key_bias, i, 0, 0);
  for (uint64_t j = 0; j < call->n; j += LANES)
    store8(SP_F32, x, j, call->n, logits8(dtype, call, from, key_bias, j));
}

/* ---- the three passes ---- */

/* A NaN may hide a logit but never becomes the maximum; the sum will show it. */
SPECIALISED float max_pass(sp_dtype dtype, const void *x, uint64_t n) {
  __m256 max[4];
  for (int i = 0; i < 4; i++) max[i] = _mm256_set1_ps(-INFINITY);
  uint64_t j = 0;
  for (; n - j >= STEP; j += STEP)
#pragma GCC unroll 4
    for (uint64_t i = 0; i < 4; i++) max[i] = _mm256_max_ps(read8(dtype, x, j + i * LANES), max[i]);
  for (; j < n; j += LANES) max[0] = _mm256_max_ps(load8(dtype, x, j, n, -INFINITY), max[0]);
  max[0] = _mm256_max_ps(max[0], max[1]);
  return max_of_lanes(_mm256_max_ps(max[0], _mm256_max_ps(max[2], max[3])));
}

/* Elements of one step, and their sum, lane by lane. */
SPECIALISED __m256 exp_step(sp_dtype dtype, const void *x, float *e, uint64_t j, __m256 max) {
  __m256 y[4];
#pragma GCC unroll 4
  for (uint64_t i = 0; i < 4; i++) {
    y[i] = exp8(_mm256_sub_ps(read8(dtype, x, j + i * LANES), max));
    _mm256_storeu_ps(e + j + i * LANES, y[i]);
  }
  return _mm256_add_ps(_mm256_add_ps(y[0], y[1]), _mm256_add_ps(y[2], y[3]));
}

/* Less than a step. */
SPECIALISED __m256 exp_end(sp_dtype dtype, const void *x, float *e, uint64_t j, uint64_t n,
                           __m256 max) {
  __m256 sum = _mm256_setzero_ps();
  for (; j < n; j += LANES) {
    __m256 y = exp8(_mm256_sub_ps(load8(dtype, x, j, n, -INFINITY), max));
    store8(SP_F32, e, j, n, y);
    sum = _mm256_add_ps(sum, y);
  }
  return sum;
}

static double widen_sum(__m256 x) {
  __m256d four = _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(x)),
                               _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)));
  __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* Sums of blocks, joined as a binary counter counts: level[k] holds 2^k blocks. */
typedef struct block_sums {
  uint64_t n;
  double level[55]; /* 2^64 / 512 blocks */
} block_sums;

static void add_block(block_sums *s, double sum) {
  unsigned k = 0;
  for (; (s->n >> k & 1) != 0; k++) sum += s->level[k];
  s->level[k] = sum;
  s->n++;
}

static double total_of_blocks(const block_sums *s) {
  double sum = 0.0;
  for (unsigned k = 0; s->n >> k != 0; k++)
    if ((s->n >> k & 1) != 0) sum += s->level[k];
  return sum;
}

SPECIALISED double exp_pass(sp_dtype dtype, const void *x, float *e, uint64_t n, float shift) {
  const __m256 max = _mm256_set1_ps(shift);
  block_sums blocks;
  blocks.n = 0; /* and no level has a meaning yet */
  for (uint64_t j = 0; j < n;) {
    __m256 sum = _mm256_setzero_ps();
    uint64_t end = n - j < BLOCK ? n : j + BLOCK;
    for (; end - j >= STEP; j += STEP) sum = _mm256_add_ps(sum, exp_step(dtype, x, e, j, max));
    sum = _mm256_add_ps(sum, exp_end(dtype, x, e, j, end, max));
    j = end;
    add_block(&blocks, widen_sum(sum));
  }
  return total_of_blocks(&blocks);
}

/* spec: AT-9 zeros, SM-5 NaN for every key of such a row, absent or not */
SPECIALISED void scale_pass(sp_dtype dtype, const float *e, void *weights, uint64_t n,
                            double inverse) {
  const __m256 factor = _mm256_set1_ps((float)inverse);
  for (uint64_t j = 0; j < n; j += LANES)
    store8(dtype, weights, j, n, _mm256_mul_ps(load8(SP_F32, e, j, n, 0.0F), factor));
}

/* ---- rows ---- */

SPECIALISED void softmax_row(sp_dtype from, sp_dtype to, const sp_softmax_call *call, uint64_t i,
                             const void *x, float *e) {
  float max = max_pass(from, x, call->n);
  float shift = max == -INFINITY ? 0.0F : max; /* so that absent keys stay absent */
  double total = exp_pass(from, x, e, call->n, shift);
  const sp_fast_sum sum = {
      .max = total == 0.0 ? -INFINITY : (double)shift, .sum = total, .invalid = isnan(total)};
  float sink_logit = sp_fast_sink_logit(&call->sink_logit, i, 0);
  if (call->lse_keys.data != NULL)
    sp_fast_put(&call->lse_keys, i, 0, 0, sp_fast_lse_keys(&sum, sink_logit));
  if (call->lse_total.data != NULL)
    sp_fast_put(&call->lse_total, i, 0, 0, sp_fast_lse_total(&sum, sink_logit));
  if (call->weights.data != NULL && call->n > 0)
    scale_pass(to, e, sp_fast_out(&call->weights, i, 0, 0), call->n,
               sp_fast_inverse(&sum, sink_logit));
}

static void row_of_f32(const sp_softmax_call *call, uint64_t i, const void *x, float *e) {
  softmax_row(SP_F32, SP_F32, call, i, x, e);
}

static void row_of_f16(const sp_softmax_call *call, uint64_t i, const void *x, float *e) {
  softmax_row(SP_F16, SP_F16, call, i, x, e);
}

static void row_of_bf16(const sp_softmax_call *call, uint64_t i, const void *x, float *e) {
  softmax_row(SP_BF16, SP_BF16, call, i, x, e);
}

/* From prepared logits; the type of the weights is looked at for each store. */
static void row_of_prepared(const sp_softmax_call *call, uint64_t i, const void *x, float *e) {
  softmax_row(SP_F32, call->logits.dtype, call, i, x, e);
}

typedef void row_function(const sp_softmax_call *call, uint64_t i, const void *x, float *e);

/* An open type, where no row has a key, is as good as binary32. */
static row_function *row_function_of(const sp_softmax_call *call, bool prepared) {
  if (prepared) return row_of_prepared;
  if (call->logits.dtype == SP_F16) return row_of_f16;
  return call->logits.dtype == SP_BF16 ? row_of_bf16 : row_of_f32;
}

void sp_fast_softmax_avx2(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                          uint64_t begin, uint64_t end, void *scratch) {
  row_function *row = row_function_of(call, plan->prepared);
  for (uint64_t i = begin; i < end; i++) {
    float *e = scratch;
    if (call->n == 0) {
      row(call, i, NULL, NULL);
      continue;
    }
    if (plan->prepared) prepare_logits(call, i, e);
    if (plan->n_kept == 0) e = sp_fast_out(&call->weights, i, 0, 0);
    row(call, i, plan->prepared ? e : sp_fast_in(&call->logits, i, 0, 0), e);
  }
}
