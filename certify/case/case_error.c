/* SPDX-License-Identifier: Apache-2.0 */
/* Is a case well formed? Everything downstream (oracle, host, judge) indexes arrays by the sizes
 * of the case without looking again, and case files come from strangers, so this is the one place
 * that compares sizes with arrays, without overflow and with a limit on what a case may ask for.
 * spec: KC-7 the calls that SPEC.md calls errors are not cases; the host makes them itself. */
#include "certify/case/case.h"

#include <math.h>
#include <stdlib.h>

#include "certify/case/sequence.h"

/* Elements of the largest array or output that a case may have: half a GiB of binary64. */
#define MAX_COUNT     ((size_t)1 << 26)
#define MAX_ROW_PAD   4096u /* a page of the smallest element */
#define MAX_THREADS   1024u
#define MAX_SEQUENCES 1024u
#define MAX_BASE      0x1p40

/* a * b * c * d, or SIZE_MAX when that is more than any case may have. */
static size_t product(size_t a, size_t b, size_t c, size_t d) {
  const size_t factor[4] = {a, b, c, d};
  size_t count = 1;
  for (int i = 0; i < 4; i++) {
    if (factor[i] == 0) return 0;
    if (count > MAX_COUNT / factor[i]) return SIZE_MAX;
    count *= factor[i];
  }
  return count;
}

static bool is_dtype(sp_dtype dtype) {
  return sp_ref_format_bytes(dtype) != 0;
}

static bool is_array(const sp_array *array, sp_dtype dtype, size_t count) {
  return array->bits != NULL && array->dtype == dtype && array->count == count;
}

static bool is_absent_or(const sp_array *array, sp_dtype dtype, size_t count) {
  return array->bits == NULL || is_array(array, dtype, count);
}

static const char *sizes_error(const sp_case *c) {
  if (c->n_batch == 0) return "n_batch: must be at least 1";
  if (c->n_q == 0) return "n_q: must be at least 1";
  if (c->n_heads == 0) return "n_heads: must be at least 1";
  if (c->n_kv_heads == 0) return "n_kv_heads: must be at least 1";
  if (c->n_heads % c->n_kv_heads != 0) return "n_heads: must be a multiple of n_kv_heads";
  if (c->d_head == 0) return "d_head: must be at least 1";
  if (c->d_value == 0) return "d_value: must be at least 1";
  if (c->window == 0) return "window: must be at least 1";
  if (c->n_threads == 0 || c->n_threads > MAX_THREADS) return "n_threads: must be 1 to 1024";
  if (product(c->n_batch, c->n_q, c->n_heads, c->d_head) > MAX_COUNT) return "q: too large";
  if (product(c->n_batch, c->n_q, c->n_heads, c->d_value) > MAX_COUNT) return "out: too large";
  if (product(c->n_batch, c->n_kv, c->n_kv_heads, c->d_head) > MAX_COUNT) return "k: too large";
  if (product(c->n_batch, c->n_kv, c->n_kv_heads, c->d_value) > MAX_COUNT) return "v: too large";
  if (c->n_kv > MAX_COUNT) return "n_kv: too large";
  return NULL;
}

static const char *numbers_error(const sp_case *c) {
  if (!isfinite(c->scale)) return "scale: must be finite";
  if (!(c->softcap >= 0.0F) || isinf(c->softcap)) return "softcap: must be finite and at least 0";
  if (!is_dtype(c->dtype_q)) return "dtype_q: unknown type";
  if (!is_dtype(c->dtype_kv)) return "dtype_kv: unknown type";
  if (c->layout.row_pad > MAX_ROW_PAD) return "row_pad: must be at most 4096";
  if (c->layout.misalign >= 64) return "misalign: must be below 64";
  if (c->layout.reach > 33) return "reach: must be at most 33";
  return NULL;
}

/* spec: AL-2 the sink logit is binary32 or bfloat16. */
static const char *sink_error(const sp_case *c) {
  size_t count = c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads;
  if (is_absent_or(&c->sink_logit, SP_F32, count)) return NULL;
  if (is_array(&c->sink_logit, SP_BF16, count)) return NULL;
  return "sink_logit: must hold one f32 or bf16 for each head (softmax: for each row)";
}

static const char *bias_error(const sp_case *c) {
  const size_t batches = c->bias_batches > 1 ? c->bias_batches : 1;
  const size_t heads = c->bias_heads > 1 ? c->bias_heads : 1;
  if (c->bias_rows != 1 && c->bias_rows != c->n_q) return "bias_rows: must be 1 or n_q";
  if (batches != 1 && batches != c->n_batch) return "bias_batches: must be 1 or n_batch";
  if (heads != 1 && heads != c->n_heads) return "bias_heads: must be 1 or n_heads";
  size_t count = product(batches, c->bias_rows, heads, c->n_kv);
  if (count > MAX_COUNT) return "key_bias: too large";
  if (!is_absent_or(&c->key_bias, SP_F32, count))
    return "key_bias: must be bias_batches x bias_rows x bias_heads x n_kv f32";
  return NULL;
}

static int compare_positions(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* spec: AT-4 positions are not negative, and no two keys share one. */
static const char *positions_error(const sp_case *c) {
  if (c->pos_q != NULL)
    for (size_t i = 0; i < c->n_q; i++)
      if (c->pos_q[i] < 0) return "pos_q: must not be negative";
  if (c->pos_k == NULL || c->n_kv == 0) return NULL;
  int64_t *sorted = malloc(c->n_kv * sizeof *sorted);
  if (sorted == NULL) return "pos_k: out of memory";
  for (size_t j = 0; j < c->n_kv; j++) sorted[j] = c->pos_k[j];
  qsort(sorted, c->n_kv, sizeof *sorted, compare_positions);
  const char *error = sorted[0] < 0 ? "pos_k: must not be negative" : NULL;
  for (size_t j = 1; j < c->n_kv && error == NULL; j++)
    if (sorted[j] == sorted[j - 1]) error = "pos_k: must be distinct";
  free(sorted);
  return error;
}

/* What the steps of a script have asked for so far. */
typedef struct walk {
  sp_sequence *sequence;
  size_t n_appended, n_out, n_listed, n_truncated;
} walk;

static const char *step_error(const sp_case *c, const sp_cache_step *step, walk *w) {
  if (step->sequence >= sp_case_sequences(c)) return "script: a sequence that the cache has not";
  sp_sequence *sequence = &w->sequence[step->sequence];
  switch (step->kind) {
  case SP_STEP_APPEND:
    if (step->n_tokens == 0) return "script: an append of no tokens";
    if (step->n_tokens > c->n_kv - w->n_appended) return "script: longer than the stream";
    w->n_appended += step->n_tokens;
    if (step->with_queries) w->n_out += step->n_tokens;
    sp_sequence_append(sequence, c, step->n_tokens);
    break;
  case SP_STEP_ATTEND:
    if (sequence->length == 0) return "script: attends before the first token";
    w->n_out++;
    break;
  case SP_STEP_VISIBLE:
    w->n_listed += w->n_appended + 1;
    break;
  case SP_STEP_TRUNCATE:
    if (sp_sequence_truncate(sequence, c, step->n_tokens) == SP_INVALID)
      return "script: takes back no token, or more than there are";
    w->n_truncated++;
    w->n_listed++;
    break;
  default:
    return "script: unknown step";
  }
  if (product(w->n_out, c->n_heads, c->d_value, 1) > MAX_COUNT) return "script: asks for too much";
  if (product(w->n_truncated + sp_case_sequences(c), c->n_kv, 8, 1) > MAX_COUNT)
    return "script: takes back too often";
  return w->n_listed > MAX_COUNT ? "script: asks for too much" : NULL;
}

static const char *script_error(const sp_case *c) {
  walk w = {.sequence = calloc(sp_case_sequences(c), sizeof *w.sequence)};
  const char *error = w.sequence == NULL ? "script: out of memory" : NULL;
  for (size_t s = 0; s < c->n_steps && error == NULL; s++) error = step_error(c, &c->script[s], &w);
  free(w.sequence);
  if (error != NULL) return error;
  return w.n_out == 0 && w.n_listed == 0 ? "script: asks for nothing" : NULL;
}

/* spec: EV-10, EV-11, NU-4 */
static const char *rope_error(const sp_case *c) {
  if (c->position > SP_POSITION_CACHE) return "position: unknown";
  if (c->rope_pairing > SP_ROPE_INTERLEAVED) return "rope_pairing: unknown";
  if ((c->rope_dims > 0) != (c->position != SP_POSITION_NONE))
    return "rope_dims: 0 exactly without a position";
  if (c->rope_dims % 2 != 0 || c->rope_dims > c->d_head)
    return "rope_dims: must be even and at most d_head";
  if (c->rope_dims > 0 && !(c->rope_base >= 1 && c->rope_base <= MAX_BASE))
    return "rope_base: must be 1 to 2^40";
  return NULL;
}

static const char *softmax_error(const sp_case *c) {
  size_t count = product(c->n_q, c->n_kv, 1, 1);
  if (count > MAX_COUNT) return "logits: too large";
  if (!is_array(&c->logits, c->dtype_q, count)) return "logits: must be n_q x n_kv of dtype_q";
  if (c->n_batch != 1 || c->n_heads != 1) return "n_batch, n_heads: softmax rows have one of each";
  if (c->q.bits || c->k.bits || c->v.bits) return "q, k, v: softmax has none";
  if (c->softcap > 0.0F) return "softcap: softmax has none";
  if (c->window != SP_WINDOW_ALL || c->n_sink_tokens != 0) return "window: softmax has none";
  if (!c->want_weights && !c->want_lse_keys && !c->want_lse_total)
    return "want_weights: no output is asked for";
  return NULL;
}

static const char *tensors_error(const sp_case *c) {
  size_t keys = product(c->n_batch, c->n_kv, c->n_kv_heads, 1);
  size_t rows = product(c->n_batch, c->n_q, c->n_heads, 1);
  if (c->logits.bits) return "logits: only softmax has them";
  if (!is_array(&c->q, c->dtype_q, rows * c->d_head))
    return "q: must be n_batch x n_q x n_heads x d_head of dtype_q";
  if (!is_array(&c->k, c->dtype_kv, keys * c->d_head))
    return "k: must be n_batch x n_kv x n_kv_heads x d_head of dtype_kv";
  if (!is_array(&c->v, c->dtype_kv, keys * c->d_value))
    return "v: must be n_batch x n_kv x n_kv_heads x d_value of dtype_kv";
  return NULL;
}

static const char *attention_error(const sp_case *c) {
  if (!is_absent_or(&c->bias_k, c->dtype_kv, product(c->n_kv_heads, c->d_head, 1, 1)))
    return "bias_k: must be n_kv_heads x d_head of dtype_kv";
  if (!is_absent_or(&c->bias_v, c->dtype_kv, product(c->n_kv_heads, c->d_value, 1, 1)))
    return "bias_v: must be n_kv_heads x d_value of dtype_kv";
  if ((c->bias_k.bits == NULL) != (c->bias_v.bits == NULL)) return "bias_k, bias_v: both or none";
  if (!is_absent_or(&c->alibi_slope, SP_F32, c->n_heads)) return "alibi_slope: must be n_heads f32";
  for (size_t h = 0; h < c->alibi_slope.count; h++)
    if (!isfinite(sp_ref_load(SP_F32, c->alibi_slope.bits, h)))
      return "alibi_slope: must be finite";
  return positions_error(c);
}

static const char *cache_error(const sp_case *c) {
  if (c->n_kv == 0 || c->n_q != c->n_kv) return "n_q: a stream has one query for each token";
  if (c->n_batch != 1) return "n_batch: a cache has none";
  if (c->window > MAX_COUNT || c->n_sink_tokens > MAX_COUNT - (size_t)c->window)
    return "window: a cache of that size is too large";
  if (c->n_evict > c->window) return "n_evict: must be at most the window";
  if (c->n_undo > MAX_COUNT) return "n_undo: too large";
  if (c->n_sequences > MAX_SEQUENCES) return "n_sequences: too many";
  const char *error = rope_error(c);
  if (error != NULL) return error;
  if (c->first_token > UINT64_MAX - c->n_kv) return "first_token: the last token has no index";
  if (c->script == NULL || c->n_steps == 0) return "script: a stream needs one";
  return script_error(c);
}

/* What the other two operations own. */
static const char *foreign_error(const sp_case *c) {
  if (c->op != SP_OP_ATTENTION) {
    if (c->alibi_slope.bits) return "alibi_slope: only attention has it";
    if (c->bias_k.bits || c->bias_v.bits) return "bias_k, bias_v: only attention has them";
    if (c->pos_q || c->pos_k) return "pos_q, pos_k: only attention has them";
  }
  if (c->op != SP_OP_CACHE) {
    if (c->script || c->n_steps != 0) return "script: only a cache has one";
    if (c->first_token != 0) return "first_token: only a cache has it";
    if (c->n_sequences != 0 || c->n_evict != 0 || c->n_undo != 0)
      return "n_sequences, n_evict, n_undo: only a cache has them";
    if (c->position != 0 || c->rope_pairing != 0 || c->rope_dims != 0)
      return "position, rope_pairing, rope_dims: only a cache has them";
  }
  if (c->op == SP_OP_CACHE && c->key_bias.bits) return "key_bias: a cache has none";
  return NULL;
}

const char *sp_case_error(const sp_case *c) {
  if (c->op != SP_OP_SOFTMAX && c->op != SP_OP_ATTENTION && c->op != SP_OP_CACHE)
    return "op: unknown operation";
  const char *(*const general[])(const sp_case *) = {sizes_error, numbers_error, sink_error,
                                                     bias_error, foreign_error};
  for (size_t i = 0; i < sizeof general / sizeof *general; i++) {
    const char *error = general[i](c);
    if (error != NULL) return error;
  }
  if (c->op == SP_OP_SOFTMAX) return softmax_error(c);
  const char *error = tensors_error(c);
  if (error != NULL) return error;
  return c->op == SP_OP_ATTENTION ? attention_error(c) : cache_error(c);
}
