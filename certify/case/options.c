/* SPDX-License-Identifier: Apache-2.0 */
/* Which options a case uses, read off the case itself. A generator cannot forget to declare one,
 * and a case file needs no such field. spec: KC-2 */
#include "certify/case/case.h"

#include <math.h>
#include <stdlib.h>

#include "certify/case/sequence.h"

static double load(const sp_array *array, size_t index) {
  return sp_ref_load(array->dtype, array->bits, index);
}

static bool all_finite(const sp_array *array) {
  for (size_t i = 0; i < array->count; i++)
    if (!isfinite(load(array, i))) return false;
  return true;
}

/* A key bias is "finite biases, shared by all queries" (KEY_BIAS), a mask of -inf (MASK), biases
 * that differ per query (both), per head or entry (BIAS_PER_HEAD), or not finite in the wrong
 * direction (NONFINITE). */
static uint64_t bias_options(const sp_case *c) {
  const sp_array *bias = &c->key_bias;
  if (bias->bits == NULL) return 0;
  uint64_t options = c->bias_rows > 1 ? SP_OPT_MASK : 0;
  if (c->bias_batches > 1 || c->bias_heads > 1) options |= SP_OPT_BIAS_PER_HEAD;
  bool only_mask = true;
  for (size_t i = 0; i < bias->count; i++) {
    double x = load(bias, i);
    if (x == -INFINITY) {
      options |= SP_OPT_MASK;
    } else if (!isfinite(x)) {
      options |= SP_OPT_NONFINITE;
    } else if (x < 0.0 || x > 0.0) {
      only_mask = false;
    }
  }
  if (!only_mask || (options & SP_OPT_MASK) == 0) options |= SP_OPT_KEY_BIAS;
  return options;
}

static bool bias_masks(const sp_case *c, size_t b, size_t i, size_t h, size_t j) {
  if (c->key_bias.bits == NULL) return false;
  return load(&c->key_bias, sp_case_bias_row(c, b, i, h) + j) == -INFINITY;
}

static uint64_t logits_options(const sp_case *c) {
  uint64_t options = 0;
  for (size_t i = 0; i < c->n_q; i++)
    for (size_t j = 0; j < c->n_kv; j++) {
      double x = load(&c->logits, i * c->n_kv + j);
      if (isfinite(x)) continue;
      if (x == -INFINITY) {
        options |= SP_OPT_MASK;
      } else if (!bias_masks(c, 0, i, 0, j)) {
        options |= SP_OPT_NONFINITE;
      }
    }
  return options;
}

/* Query i of head h of entry b of an attention case sees key j. */
static bool sees(const sp_case *c, size_t b, size_t i, size_t h, size_t j) {
  const sp_ref_mask mask = {c->causal, c->window, c->n_sink_tokens};
  int64_t pos_q = (int64_t)c->n_kv - (int64_t)c->n_q + (int64_t)i;
  if (c->pos_q != NULL) pos_q = c->pos_q[i];
  int64_t pos_k = c->pos_k != NULL ? c->pos_k[j] : (int64_t)j;
  return sp_ref_visible(&mask, pos_q, pos_k) && !bias_masks(c, b, i, h, j);
}

/* Where token j of a case is while the script is walked. */
typedef struct whereabouts {
  bool there;
  size_t sequence;
  uint64_t index;
} whereabouts;

static bool sees_token(const sp_case *c, size_t sequence, uint64_t t, const whereabouts *at) {
  const sp_ref_mask mask = sp_sequence_mask(c, t);
  return at->there && at->sequence == sequence &&
         sp_ref_visible(&mask, (int64_t)t, (int64_t)at->index);
}

/* One step, of which the tokens of an append are numbers *n and up; true when an output of it sees
 * token j. */
static bool step_sees(const sp_case *c, const sp_cache_step *step, sp_sequence *sequence, size_t *n,
                      size_t j, whereabouts *at) {
  uint64_t t = sequence->length;
  if (step->kind == SP_STEP_ATTEND) return t > 0 && sees_token(c, step->sequence, t - 1, at);
  if (step->kind == SP_STEP_TRUNCATE) {
    (void)sp_sequence_truncate(sequence, c, step->n_tokens);
    if (at->sequence == step->sequence && at->index >= sequence->length) at->there = false;
  }
  if (step->kind != SP_STEP_APPEND) return false;
  if (j >= *n && j - *n < step->n_tokens) *at = (whereabouts){true, step->sequence, t + (j - *n)};
  *n += step->n_tokens;
  sp_sequence_append(sequence, c, step->n_tokens);
  for (; step->with_queries && t < sequence->length; t++)
    if (sees_token(c, step->sequence, t, at)) return true;
  return false;
}

/* Some output of the script sees token j. */
static bool stream_sees(const sp_case *c, size_t j) {
  size_t n_sequences = sp_case_sequences(c), n = 0;
  sp_sequence *sequence = calloc(n_sequences, sizeof *sequence);
  if (sequence == NULL) return true;
  whereabouts at = {.there = false};
  bool seen = false;
  for (size_t s = 0; s < c->n_steps && !seen; s++)
    if (c->script[s].sequence < n_sequences)
      seen = step_sees(c, &c->script[s], &sequence[c->script[s].sequence], &n, j, &at);
  free(sequence);
  return seen;
}

/* Some query of entry b, of a head that reads this kv head, sees key j. */
static bool key_seen(const sp_case *c, size_t b, size_t kv_head, size_t j) {
  if (c->op == SP_OP_CACHE) return stream_sees(c, j);
  size_t group = c->n_heads / c->n_kv_heads, first = kv_head * group;
  size_t end = first + (c->bias_heads > 1 ? group : 1); /* otherwise they see the same */
  for (size_t i = 0; i < c->n_q; i++)
    for (size_t h = first; h < end; h++)
      if (sees(c, b, i, h, j)) return true;
  return false;
}

/* spec: AT-3 what nobody sees may hold any bits, so only seen keys make a case non-finite. */
static bool seen_nonfinite(const sp_case *c, const sp_array *array, size_t row_len) {
  size_t known = SIZE_MAX; /* the row of a key whose visibility `seen` remembers */
  bool seen = false;
  for (size_t e = 0; e < array->count; e++) {
    if (isfinite(load(array, e))) continue;
    size_t row = e / row_len, key = row / c->n_kv_heads;
    if (row != known) seen = key_seen(c, key / c->n_kv, row % c->n_kv_heads, key % c->n_kv);
    known = row;
    if (seen) return true;
  }
  return false;
}

static uint64_t nonfinite_options(const sp_case *c) {
  for (size_t h = 0; h < c->sink_logit.count; h++) {
    double s = load(&c->sink_logit, h);
    if (!isfinite(s) && s != -INFINITY) return SP_OPT_NONFINITE;
  }
  if (c->op == SP_OP_SOFTMAX) return logits_options(c);
  bool finite = all_finite(&c->q) && all_finite(&c->bias_k) && all_finite(&c->bias_v) &&
                !seen_nonfinite(c, &c->k, c->d_head) && !seen_nonfinite(c, &c->v, c->d_value);
  return finite ? 0 : SP_OPT_NONFINITE;
}

static uint64_t attention_options(const sp_case *c) {
  uint64_t options = 0;
  bool positions = c->pos_q != NULL || c->pos_k != NULL;
  if (c->window != SP_WINDOW_ALL) options |= SP_OPT_WINDOW;
  if (c->n_q > 1) options |= SP_OPT_PREFILL;
  /* A lone query at its default position is the last token: causal or not is the same call. */
  if (!c->causal && (c->n_q > 1 || positions)) options |= SP_OPT_NONCAUSAL;
  if (c->n_kv == 0) options |= SP_OPT_EMPTY;
  if (c->n_q > c->n_kv && c->n_q > 1) options |= SP_OPT_MORE_Q_THAN_KV;
  if (c->n_batch > 1) options |= SP_OPT_BATCH;
  if (c->alibi_slope.bits != NULL) options |= SP_OPT_ALIBI;
  if (positions) options |= SP_OPT_POSITIONS;
  if (c->bias_k.bits != NULL) options |= SP_OPT_BIAS_PAIR;
  return options;
}

static uint64_t cache_options(const sp_case *c) {
  uint64_t options = 0;
  if (c->first_token != 0) options |= SP_OPT_FIRST_TOKEN;
  if (c->n_evict > 1) options |= SP_OPT_EVICT_BLOCK;
  if (c->n_undo > 0) options |= SP_OPT_UNDO;
  if (c->n_sequences > 1) options |= SP_OPT_SEQUENCES;
  /* A kernel that offers to undo has the operation for it. */
  for (size_t s = 0; s < c->n_steps; s++)
    if (c->script[s].kind == SP_STEP_TRUNCATE) options |= SP_OPT_UNDO;
  if (c->position == SP_POSITION_NONE) return options;
  options |= c->position == SP_POSITION_ABS ? SP_OPT_POSITION_ABS : SP_OPT_POSITION_CACHE;
  options |= c->rope_pairing == SP_ROPE_INTERLEAVED ? SP_OPT_ROPE_INTERLEAVED : SP_OPT_ROPE_HALF;
  return c->rope_dims < c->d_head ? options | SP_OPT_ROPE_PARTIAL : options;
}

uint64_t sp_case_options(const sp_case *c) {
  uint64_t options = bias_options(c) | nonfinite_options(c);
  if (c->sink_logit.bits != NULL) options |= SP_OPT_SINK_LOGIT;
  if (c->want_lse_keys) options |= SP_OPT_LSE_KEYS;
  if (c->want_lse_total) options |= SP_OPT_LSE_TOTAL;
  const sp_layout *l = &c->layout;
  if (l->row_pad > 0 || l->head_major || l->reversed || l->reach) options |= SP_OPT_STRIDES;
  if (c->op == SP_OP_SOFTMAX) {
    if (c->scale < 1.0F || c->scale > 1.0F) options |= SP_OPT_SCALE;
    if (c->n_kv == 0) options |= SP_OPT_EMPTY;
    return options;
  }
  if (c->softcap > 0.0F) options |= SP_OPT_SOFTCAP;
  if (c->n_sink_tokens > 0) options |= SP_OPT_SINK_TOKENS;
  if (c->n_kv_heads < c->n_heads) options |= SP_OPT_GQA;
  if (c->d_value != c->d_head) options |= SP_OPT_D_VALUE;
  /* A cache has a window by construction, so that needs no option there. */
  if (c->op == SP_OP_ATTENTION) return options | attention_options(c);
  return options | cache_options(c);
}

/* Keys in the longest row that the kernel has to work on. */
static uint64_t row_length(const sp_case *c) {
  if (c->op != SP_OP_CACHE) return c->n_kv;
  uint64_t kept = c->window + c->n_sink_tokens;
  return kept < c->n_kv ? kept : c->n_kv;
}

static bool dims_served(const sp_case *c, const sp_shapes *shapes) {
  size_t i = 0;
  for (; i < SP_MAX_SHAPES && shapes->dims[i].d_head != 0; i++)
    if (shapes->dims[i].d_head == c->d_head && shapes->dims[i].d_value == c->d_value) return true;
  return i == 0;
}

static bool group_served(const sp_case *c, const sp_shapes *shapes) {
  size_t i = 0;
  for (; i < SP_MAX_SHAPES && shapes->group[i] != 0; i++)
    if (shapes->group[i] * c->n_kv_heads == c->n_heads) return true;
  return i == 0;
}

/* spec: KC-11 */
bool sp_case_served(const sp_case *c, const sp_shapes *shapes) {
  if (shapes == NULL || c->op == SP_OP_SOFTMAX) return true;
  bool whole =
      c->op == SP_OP_CACHE || shapes->n_kv_multiple == 0 || c->n_kv % shapes->n_kv_multiple == 0;
  return whole && dims_served(c, shapes) && group_served(c, shapes);
}

static bool has_type(uint32_t dtypes, sp_dtype dtype) {
  return dtype < 32 && (dtypes & SP_DTYPE_BIT(dtype)) != 0;
}

static bool operation_offered(const sp_case *c, const sp_kernel *kernel) {
  if (c->op == SP_OP_SOFTMAX)
    return kernel->softmax != NULL && has_type(kernel->dtypes_softmax, c->dtype_q);
  bool present = c->op == SP_OP_ATTENTION ? kernel->attention != NULL : kernel->cache != NULL;
  return present && has_type(kernel->dtypes_q, c->dtype_q) &&
         has_type(kernel->dtypes_kv, c->dtype_kv);
}

bool sp_case_offered(const sp_case *c, const sp_kernel *kernel) {
  if (!operation_offered(c, kernel)) return false;
  if (kernel->max_n != 0 && row_length(c) > kernel->max_n) return false;
  if (!sp_case_served(c, kernel->shapes)) return false;
  return (sp_case_options(c) & ~kernel->options) == 0;
}
