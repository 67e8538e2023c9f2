/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of rows. Blocks of rows go through three passes like products down a line: while the
 * exponentials of one block are taken, the maxima of the next are looked for and the weights of the
 * one before are written, in one loop (passes.h, with the roofline). Between the loops the sums of
 * up to 16 rows are inverted at once.
 *
 *     m = max of x          e = e^(x - m)          weight = e * (1 / (sum of e + e^(s - m)))
 *
 * What is absent or not finite needs no test in a loop: an absent key is -inf and its exponential
 * 0; a NaN, or a +inf less itself, makes its exponential and the sum NaN, and so the row.
 * spec: SM-1, SM-5 */
#include "fast/avx512/logits.h"
#include "fast/avx512/passes.h"
#include "fast/avx512/reduce.h"
#include "fast/avx512/variant.h"
#include "fast/tensor.h"

/* Rows that are in the same pass. */
typedef struct block {
  uint64_t first; /* of the call */
  uint64_t n_rows;
  bool invalid; /* a row is, so that its factor is NaN */
  char *kept;   /* the first row's scratch */
  __m512 max_lanes[SP_FAST_ROWS];
  __m512d sum_lanes[SP_FAST_ROWS];
  float shift[SP_FAST_ROWS]
      __attribute__((aligned(64))); /* the maximum, 0 where no key is present */
  double sum[SP_FAST_ROWS] __attribute__((aligned(64)));
  float factor[SP_FAST_ROWS] __attribute__((aligned(64)));
} block;

/* Where the rows of a call are, in bytes. */
typedef struct rows {
  const sp_softmax_call *call;
  const sp_fast_softmax_plan *plan;
  const loops *loops;
  uint64_t n;
  const char *logits;
  char *weights, *kept;
  int64_t logits_step, e_step, weights_step; /* from row to row */
} rows;

static rows rows_of(const sp_softmax_call *call, const sp_fast_softmax_plan *plan, void *scratch) {
  int64_t size = (int64_t)sp_fast_bytes(call->logits.dtype);
  int64_t kept_step = (int64_t)(plan->kept_stride * sizeof(float));
  int64_t weights_step = call->weights.stride[0] * size;
  return (rows){.call = call,
                .plan = plan,
                .loops = loops_of(call->logits.dtype, plan->prepared, plan->stream),
                .n = call->n,
                .logits = call->logits.data,
                .weights = call->n > 0 ? call->weights.data : NULL,
                .kept = scratch,
                .logits_step = plan->prepared ? kept_step : call->logits.stride[0] * size,
                .e_step = plan->n_kept > 0 ? kept_step : weights_step,
                .weights_step = weights_step};
}

/* The first row of a block. */
static const char *logits_of(const rows *r, const block *b) {
  if (r->plan->prepared) return b->kept;
  return r->logits != NULL ? r->logits + (int64_t)b->first * r->logits_step : NULL;
}

static char *weights_of(const rows *r, const block *b) {
  return r->weights != NULL ? r->weights + (int64_t)b->first * r->weights_step : NULL;
}

static char *exponentials_of(const rows *r, const block *b) {
  return r->plan->n_kept > 0 ? b->kept : weights_of(r, b);
}

/* ---- the rows of three blocks, side by side ---- */

/* Where a row of each block is. */
typedef struct places {
  const char *next, *now, *done;
  char *e, *weights;
} places;

static places first_places(const rows *r, const block *next, const block *now, const block *done) {
  return (places){.next = logits_of(r, next),
                  .now = logits_of(r, now),
                  .e = exponentials_of(r, now),
                  .done = exponentials_of(r, done),
                  .weights = weights_of(r, done)};
}

/* What is absent stays absent: arithmetic on a null pointer is undefined. */
static inline const char *beyond(const char *place, int64_t step) {
  return place != NULL ? place + step : NULL;
}

static inline char *beyond_out(char *place, int64_t step) {
  return place != NULL ? place + step : NULL;
}

static void next_places(const rows *r, places *at) {
  at->next = beyond(at->next, r->logits_step);
  at->now = beyond(at->now, r->logits_step);
  at->e = beyond_out(at->e, r->e_step);
  at->done = beyond(at->done, r->e_step);
  at->weights = beyond_out(at->weights, r->weights_step);
}

/* spec: SM-5 every weight of an invalid row is NaN */
static void fill_with_nan(sp_dtype dtype, void *weights, uint64_t n) {
  for (uint64_t j = 0; j < n; j += LANES)
    store16(dtype, weights, j, first_lanes(n - j), _mm512_set1_ps(NAN));
}

/* Streamed stores want whole lines: what comes before the first is stored here. Returns how many
 * elements are left. */
static uint64_t align_to_line(sp_dtype dtype, passes *p, uint64_t n) {
  uint64_t size = sp_fast_bytes(dtype);
  uint64_t head = (64 - ((uintptr_t)p->weights & 63)) % 64 / size;
  if (head > n) head = n;
  scale_end(dtype, p, 0, head);
  p->done += head;
  p->weights = (char *)p->weights + head * size;
  return n - head;
}

/* How many weights of the row are left to the passes. */
static uint64_t start_done(const rows *r, passes *p) {
  if (isnan(p->factor)) {
    fill_with_nan(r->loops->to, p->weights, r->n);
    return 0;
  }
  return r->loops->stream ? align_to_line(r->loops->to, p, r->n) : r->n;
}

static inline passes passes_of(const places *at, const block *now, const block *done,
                               uint64_t row) {
  return (passes){.max = _mm512_set1_ps(-INFINITY),
                  .sum = _mm512_setzero_ps(),
                  .next = at->next,
                  .now = at->now,
                  .e = (float *)(void *)at->e,
                  .done = (const float *)(const void *)at->done,
                  .weights = at->weights,
                  .shift = now->shift[row],
                  .factor = done->factor[row],
                  .n_blocks = 0};
}

/* As many elements as those of the three rows that are there have side by side; returns how many. */
static uint64_t together(const loops *l, passes *p, block_sums *sums, const uint64_t n[3]) {
  uint64_t n_next = n[0] > 0 ? n[0] : n[1];
  uint64_t n_done = n[2] > 0 ? n[2] : n[1];
  uint64_t common = n_next < n_done ? n_next : n_done;
  common = (n[1] < common ? n[1] : common) / STEP * STEP;
  if (common == 0) return 0;
  if (n[0] > 0 && n[2] > 0) {
    l->three(p, sums, common);
  } else if (n[0] > 0) {
    l->max_exp(p, sums, common);
  } else if (n[2] > 0) {
    l->exp_scale(p, sums, common);
  } else {
    return 0;
  }
  return common;
}

/* A row that a block does not have is no elements long. */
static void row_side_by_side(const rows *r, const places *at, block *next, block *now,
                             const block *done, uint64_t row) {
  passes p = passes_of(at, now, done, row);
  block_sums sums;
  uint64_t n_next = row < next->n_rows ? r->n : 0;
  uint64_t n_now = row < now->n_rows ? r->n : 0;
  uint64_t n_done = row < done->n_rows && r->weights != NULL ? start_done(r, &p) : 0;
  uint64_t n = together(r->loops, &p, &sums, (const uint64_t[3]){n_next, n_now, n_done});
  if (n < n_next) r->loops->max(&p, n, n_next);
  if (n < n_now) r->loops->exp(&p, &sums, n, n_now);
  if (n < n_done) r->loops->scale(&p, n, n_done);
  next->max_lanes[row] = p.max;
  now->sum_lanes[row] = total_of_blocks(&sums, p.n_blocks, p.sum);
}

/* Three full blocks of valid rows that are whole steps long: nothing to ask for each row. */
static inline void full_row_side_by_side(const rows *r, const places *at, block *next, block *now,
                                         const block *done, uint64_t row) {
  passes p = passes_of(at, now, done, row);
  block_sums sums;
  r->loops->three(&p, &sums, r->n);
  next->max_lanes[row] = p.max;
  now->sum_lanes[row] = total_of_blocks(&sums, p.n_blocks, p.sum);
}

static bool all_full(const rows *r, const block *next, const block *now, const block *done) {
  if (r->weights == NULL || r->n % STEP != 0 || done->invalid) return false;
  if (r->loops->stream && (((uintptr_t)r->weights | (uint64_t)r->weights_step) & 63) != 0)
    return false;
  return (next->n_rows & now->n_rows & done->n_rows) == r->plan->n_together;
}

static void blocks_side_by_side(const rows *r, block *next, block *now, const block *done) {
  places at = first_places(r, next, now, done);
  if (all_full(r, next, now, done)) {
    for (uint64_t row = 0; row < r->plan->n_together; row++, next_places(r, &at))
      full_row_side_by_side(r, &at, next, now, done, row);
  } else {
    for (uint64_t row = 0; row < r->plan->n_together; row++, next_places(r, &at))
      row_side_by_side(r, &at, next, now, done, row);
  }
}

/* ---- between the passes ---- */

/* A row of absent keys shifts by 0, so that they stay absent. */
static void find_shifts(block *b) {
  __m512 m = transposed_maxima(b->max_lanes);
  __mmask16 some = _mm512_cmp_ps_mask(m, _mm512_set1_ps(-INFINITY), _CMP_NEQ_UQ);
  _mm512_store_ps(b->shift, _mm512_maskz_mov_ps(some, m));
}

/* The sink logits of the rows; -inf where there is no row. */
static __m512 sink_logits(const sp_in *t, const block *b) {
  const __m512 none = _mm512_set1_ps(-INFINITY);
  float s[SP_FAST_ROWS];
  if (t->dtype == SP_F32 && t->stride[0] == 1)
    return _mm512_mask_loadu_ps(none, first_lanes(b->n_rows), (const float *)t->data + b->first);
  for (uint64_t row = 0; row < SP_FAST_ROWS; row++)
    s[row] = row < b->n_rows ? sp_fast_sink_logit(t, b->first + row, 0) : -INFINITY;
  return _mm512_loadu_ps(s);
}

/* e^(s - max) for 16 rows. Where the sink logit is above the maximum, beyond what exp16 is for, it
 * is libm's. */
static void sink_terms(const block *b, __m512 s, double term[SP_FAST_ROWS]) {
  __m512 max = _mm512_load_ps(b->shift);
  __mmask16 above = _mm512_cmp_ps_mask(s, max, _CMP_GT_OQ);
  __m512 e = exp16(_mm512_mask_mov_ps(_mm512_sub_ps(s, max), above, _mm512_setzero_ps()));
  _mm512_storeu_pd(term, _mm512_cvtps_pd(_mm512_castps512_ps256(e)));
  _mm512_storeu_pd(term + 8, _mm512_cvtps_pd(_mm512_extractf32x8_ps(e, 1)));
  if (above == 0) return;
  float sink_logit[SP_FAST_ROWS];
  _mm512_storeu_ps(sink_logit, s);
  for (uint32_t left = above; left != 0; left &= left - 1) {
    int row = __builtin_ctz(left);
    term[row] = exp((double)sink_logit[row] - (double)b->shift[row]);
  }
}

/* factor = 1 / (sum + e^(s - max)) for 8 rows; 0 on an empty row, whose sum is 0, but for a sink
 * logit of NaN. spec: AT-9, AL-2, AL-4 */
static void invert8(block *b, const double term[SP_FAST_ROWS], unsigned at) {
  __m512d sum = transposed_sums_of_8(b->sum_lanes + at);
  _mm512_store_pd(b->sum + at, sum);
  __mmask8 empty = _mm512_cmp_pd_mask(sum, _mm512_setzero_pd(), _CMP_EQ_OQ);
  if (term != NULL) sum = _mm512_add_pd(sum, _mm512_loadu_pd(term + at));
  empty = _mm512_mask_cmp_pd_mask(empty, sum, sum, _CMP_ORD_Q);
  __m512d inverse = _mm512_div_pd(_mm512_set1_pd(1.0), sum);
  inverse = _mm512_mask_mov_pd(inverse, empty, _mm512_setzero_pd());
  b->invalid = b->invalid || _mm512_cmp_pd_mask(inverse, inverse, _CMP_UNORD_Q) != 0;
  _mm256_store_ps(b->factor + at, _mm512_cvtpd_ps(inverse));
}

static void put_lse(const sp_softmax_call *call, const block *b) {
  for (uint64_t row = 0; row < b->n_rows; row++) {
    float s = sp_fast_sink_logit(&call->sink_logit, b->first + row, 0);
    sp_fast_sum sum = {.max = b->sum[row] == 0.0 ? -INFINITY : (double)b->shift[row],
                       .sum = b->sum[row],
                       .invalid = isnan(b->sum[row])};
    if (call->lse_keys.data != NULL)
      sp_fast_put(&call->lse_keys, b->first + row, 0, 0, sp_fast_lse_keys(&sum, s));
    if (call->lse_total.data != NULL)
      sp_fast_put(&call->lse_total, b->first + row, 0, 0, sp_fast_lse_total(&sum, s));
  }
}

/* From sums to factors and log-sum-exps. */
static void finish_block(const rows *r, block *b) {
  const sp_softmax_call *call = r->call;
  double term[SP_FAST_ROWS];
  bool sink = call->sink_logit.data != NULL && b->n_rows > 0;
  if (sink) sink_terms(b, sink_logits(&call->sink_logit, b), term);
  b->invalid = false;
  for (unsigned at = 0; at < b->n_rows; at += 8) invert8(b, sink ? term : NULL, at);
  if (call->lse_keys.data != NULL || call->lse_total.data != NULL) put_lse(call, b);
}

/* ---- the line ---- */

static void open_block(const rows *r, block *b, uint64_t t, uint64_t begin, uint64_t end) {
  uint64_t together = r->plan->n_together;
  b->first = begin + t * together;
  uint64_t left = b->first < end ? end - b->first : 0;
  b->n_rows = left < together ? left : together;
  if (r->plan->n_kept > 0)
    b->kept = r->kept + (int64_t)(t * together % r->plan->n_kept) * r->e_step;
  if (r->plan->prepared)
    for (uint64_t row = 0; row < b->n_rows; row++)
      prepare_logits(r->call, b->first + row,
                     (float *)(void *)(b->kept + (int64_t)row * r->e_step));
}

void sp_fast_softmax_avx512(const sp_softmax_call *call, const sp_fast_softmax_plan *plan,
                            uint64_t begin, uint64_t end, void *scratch) {
  const rows r = rows_of(call, plan, scratch);
  block ring[3] = {{.n_rows = 0}};
  for (uint64_t t = 0;; t++) {
    block *next = &ring[t % 3];
    block *now = &ring[(t + 2) % 3];
    block *done = &ring[(t + 1) % 3];
    open_block(&r, next, t, begin, end);
    if (next->n_rows + now->n_rows + done->n_rows == 0) break;
    blocks_side_by_side(&r, next, now, done);
    find_shifts(next);
    finish_block(&r, now);
  }
  if (plan->stream) _mm_sfence();
}
