/* SPDX-License-Identifier: Apache-2.0 */
/* Random cases for the museum's own tests. They do not come from the certifier's generators, so
 * that a fault's card (what it needs, where it shows) is checked by other means than those it
 * guides. */
#include "tests/honest/naive.h"

#include <math.h>
#include <stdlib.h>

#include "certify/case/sequence.h"

/* splitmix64: seeds that follow one another give unrelated streams. */
typedef struct dice {
  uint64_t state;
  uint64_t options;
} dice;

static uint64_t roll(dice *d) {
  uint64_t z = d->state += 0x9e3779b97f4a7c15; /* 2^64 / golden ratio */
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static size_t below(dice *d, size_t n) {
  return (size_t)(roll(d) % n);
}

static double uniform(dice *d, double lo, double hi) {
  return lo + (hi - lo) * (double)(roll(d) >> 11) * 0x1p-53;
}

static bool has(const dice *d, uint64_t option) {
  return (d->options & option) != 0;
}

/* In half of the cases, if it is offered. */
static bool maybe(dice *d, uint64_t option) {
  return has(d, option) && below(d, 2) == 0;
}

static void set(sp_array *array, size_t index, double x) {
  double largest = array->dtype == SP_F16 ? 65504 : 0x1p100;
  if (isfinite(x)) x = fmax(-largest, fmin(largest, x));
  if (array->dtype == SP_F32) x = (double)(float)x;
  if (array->dtype == SP_F16 || array->dtype == SP_BF16) {
    /* Chopping is rounding enough for a random number. */
    int digits = array->dtype == SP_F16 ? 11 : 8, exponent = 0;
    double fraction = frexp(x, &exponent);
    if (isfinite(x)) x = ldexp(trunc(ldexp(fraction, digits)), exponent - digits);
    if (array->dtype == SP_F16 && fabs(x) < 0x1p-14) x = 0;
  }
  sp_ref_store(array->dtype, array->bits, index, x);
}

/* ---- the shape ---- */

static sp_dtype pick_type(dice *d, uint32_t dtypes) {
  static const sp_dtype all[] = {SP_F32, SP_BF16, SP_F16, SP_F64};
  for (;;) {
    sp_dtype dtype = all[below(d, 4)];
    if (dtypes & SP_DTYPE_BIT(dtype)) return dtype;
  }
}

static void shape(sp_case *c, dice *d, size_t min_n) {
  size_t most = below(d, 3) == 0 ? 70 : 20;
  c->n_kv = min_n + below(d, min_n > 100 ? 8 : most) + (min_n == 0 ? 1 : 0);
  if (maybe(d, SP_OPT_EMPTY) && min_n == 0) c->n_kv = 0;
  c->n_q = 1;
  if (c->op == SP_OP_SOFTMAX) {
    c->n_q = min_n > 100 ? 1 : 1 + below(d, 5);
    return;
  }
  if (has(d, SP_OPT_PREFILL)) c->n_q = 1 + below(d, 7);
  if (c->n_q > c->n_kv && !has(d, SP_OPT_MORE_Q_THAN_KV)) c->n_q = c->n_kv > 0 ? c->n_kv : 1;
  if (maybe(d, SP_OPT_MORE_Q_THAN_KV) && c->n_kv > 0) c->n_q = c->n_kv + 1 + below(d, 3);
  if (c->op == SP_OP_CACHE) c->n_q = c->n_kv;
  c->n_kv_heads = 1 + below(d, 3);
  c->n_heads = c->n_kv_heads * (has(d, SP_OPT_GQA) ? 1 + below(d, 3) : 1);
  c->d_head = 1 + below(d, min_n > 100 ? 2 : 9);
  c->d_value = has(d, SP_OPT_D_VALUE) ? 1 + below(d, 9) : c->d_head;
  if (has(d, SP_OPT_BATCH) && c->op == SP_OP_ATTENTION) c->n_batch = 1 + below(d, 3);
}

static void rotation(sp_case *c, dice *d) {
  static const double bases[] = {10000, 1.5, 150000};
  const uint32_t of[] = {SP_POSITION_NONE, SP_POSITION_ABS, SP_POSITION_CACHE};
  const bool can[] = {!(has(d, SP_OPT_POSITION_ABS) || has(d, SP_OPT_POSITION_CACHE)) ||
                          below(d, 4) == 0,
                      has(d, SP_OPT_POSITION_ABS), has(d, SP_OPT_POSITION_CACHE)};
  size_t which = below(d, 3);
  if (!has(d, SP_OPT_ROPE_HALF) && !has(d, SP_OPT_ROPE_INTERLEAVED)) return;
  if (!can[which] || of[which] == SP_POSITION_NONE) return;
  if (c->d_head < 2 || (c->d_head % 2 != 0 && !has(d, SP_OPT_ROPE_PARTIAL))) return;
  c->position = of[which];
  c->rope_dims = c->d_head / 2 * 2;
  if (maybe(d, SP_OPT_ROPE_PARTIAL)) c->rope_dims = 2 + 2 * below(d, c->d_head / 2);
  c->rope_base = bases[below(d, 3)];
  bool neighbours =
      has(d, SP_OPT_ROPE_INTERLEAVED) && (!has(d, SP_OPT_ROPE_HALF) || below(d, 2) == 0);
  c->rope_pairing = neighbours ? SP_ROPE_INTERLEAVED : SP_ROPE_HALF;
}

static void parameters(sp_case *c, dice *d, size_t min_n) {
  static const float scales[] = {1.0F, 0.125F, 0.3F, 17.0F};
  static const float caps[] = {0.5F, 5.0F, 30.0F};
  c->n_threads = 1 + (uint32_t)below(d, 4);
  c->want_weights = true;
  c->want_lse_keys = has(d, SP_OPT_LSE_KEYS);
  c->want_lse_total = has(d, SP_OPT_LSE_TOTAL);
  c->scale = c->op != SP_OP_SOFTMAX || has(d, SP_OPT_SCALE) ? scales[below(d, 4)] : 1.0F;
  if (has(d, SP_OPT_STRIDES)) {
    c->layout.row_pad = (uint32_t)below(d, 4);
    c->layout.head_major = below(d, 2) == 0 && c->op != SP_OP_CACHE;
    c->layout.reversed = below(d, 4) == 0;
    c->layout.reach = below(d, 6) == 0 && c->n_kv < 40 ? 31 + (uint32_t)below(d, 2) : 0;
  }
  c->layout.guard_before = below(d, 2) == 0;
  c->layout.misalign = below(d, 2) == 0 ? (uint32_t)below(d, 8) : 0;
  if (c->op == SP_OP_SOFTMAX) return;
  if (maybe(d, SP_OPT_SOFTCAP)) c->softcap = caps[below(d, 3)];
  c->causal = !has(d, SP_OPT_NONCAUSAL) || below(d, 2) == 0;
  bool windowed = c->op == SP_OP_CACHE || (has(d, SP_OPT_WINDOW) && below(d, 4) > 0);
  if (windowed) c->window = 1 + below(d, 8);
  if (windowed && below(d, 2) == 0) c->window += min_n; /* so that rows are that long */
  if (has(d, SP_OPT_SINK_TOKENS)) c->n_sink_tokens = below(d, 4);
  if (c->op != SP_OP_CACHE) return;
  if (maybe(d, SP_OPT_FIRST_TOKEN))
    c->first_token = below(d, 3) == 0 ? (uint64_t)1 << 31 : 1 + below(d, 5);
  if (maybe(d, SP_OPT_EVICT_BLOCK)) c->n_evict = 1 + below(d, (size_t)c->window);
  if (maybe(d, SP_OPT_UNDO)) c->n_undo = below(d, 5);
  if (maybe(d, SP_OPT_SEQUENCES)) c->n_sequences = 2 + below(d, 2);
  rotation(c, d);
}

/* ---- the numbers ---- */

enum { PROFILES = 10 };

/* A wanted logit for key j of n. */
static double wanted(dice *d, size_t profile, size_t j) {
  double noise = uniform(d, -2, 2);
  switch (profile) {
  case 0:
  case 1:
    return noise;
  case 2:
    return uniform(d, -40, 40);
  case 3:
    return -250 + noise;
  case 4:
    return -70000 + noise;
  case 5:
    return 100 * (double)(j / 4) + noise;
  case 6:
    return -100 * (double)(j / 4) + noise;
  case 7:
    return 0.75;
  case 8:
    return 300 + noise;
  default:
    return -25 * (double)(j % 5) + noise;
  }
}

/* Far enough for the exponential of the type to overflow. */
static double stretch(const sp_case *c, double x) {
  return c->dtype_q == SP_F64 ? 9 * x : x;
}

static bool softmax_numbers(sp_case *c, dice *d, size_t profile) {
  if (!sp_array_alloc(&c->logits, c->dtype_q, c->n_q * c->n_kv)) return false;
  for (size_t e = 0; e < c->n_q * c->n_kv; e++)
    set(&c->logits, e, stretch(c, wanted(d, profile, e % c->n_kv)) / (double)c->scale);
  return true;
}

/* q is near 1 in its first component, and k holds the wanted logit there. */
static bool head_numbers(sp_case *c, dice *d, size_t profile) {
  size_t n_keys = c->n_batch * c->n_kv * c->n_kv_heads;
  size_t n_queries = c->n_batch * c->n_q * c->n_heads;
  if (!sp_array_alloc(&c->q, c->dtype_q, n_queries * c->d_head) ||
      !sp_array_alloc(&c->k, c->dtype_kv, n_keys * c->d_head) ||
      !sp_array_alloc(&c->v, c->dtype_kv, n_keys * c->d_value))
    return false;
  for (size_t e = 0; e < n_queries * c->d_head; e++)
    set(&c->q, e, e % c->d_head == 0 ? uniform(d, 0.8, 1.2) : uniform(d, -0.5, 0.5));
  for (size_t e = 0; e < n_keys * c->d_head; e++) {
    size_t j = e / c->d_head / c->n_kv_heads % c->n_kv;
    double x = stretch(c, wanted(d, profile, j)) / (double)c->scale;
    set(&c->k, e, e % c->d_head == 0 ? x : uniform(d, -1, 1));
  }
  for (size_t e = 0; e < n_keys * c->d_value; e++) set(&c->v, e, uniform(d, -3, 3));
  return true;
}

/* ---- extras ---- */

static bool sinks(sp_case *c, dice *d, size_t profile) {
  size_t n = c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads;
  if (!maybe(d, SP_OPT_SINK_LOGIT) && below(d, 4) > 0) return true;
  if (!has(d, SP_OPT_SINK_LOGIT)) return true;
  if (!sp_array_alloc(&c->sink_logit, below(d, 4) == 0 ? SP_BF16 : SP_F32, n)) return false;
  size_t kind = below(d, has(d, SP_OPT_NONFINITE) ? 10 : 8);
  for (size_t h = 0; h < n; h++) {
    double x = wanted(d, profile, 0) + log((double)c->n_kv + 1) + uniform(d, -2, 2);
    if (kind == 5) x += stretch(c, 150);
    if (kind == 6) x = uniform(d, -20, 20);
    if (kind == 7) x = -INFINITY;
    if (kind == 8) x = INFINITY;
    if (kind == 9) x = (double)NAN;
    set(&c->sink_logit, h, x);
  }
  return true;
}

/* Which keys a mask hides from a row. */
static bool hidden(dice *d, size_t pattern, size_t j, size_t n) {
  switch (pattern) {
  case 0:
    return true;
  case 1:
    return j < 4 + n / 3;
  case 2:
    return j >= 8 && j < 16;
  case 3:
    return j >= n / 2;
  case 4:
    return j != n - 1;
  default:
    return below(d, 3) == 0;
  }
}

static bool masks(sp_case *c, dice *d) {
  bool mask = has(d, SP_OPT_MASK) && below(d, 4) > 0, bias = maybe(d, SP_OPT_KEY_BIAS);
  if (c->op == SP_OP_CACHE || !(mask || bias)) return true;
  size_t rows = c->bias_rows = mask && below(d, 2) == 0 ? c->n_q : 1;
  if (c->op == SP_OP_ATTENTION && maybe(d, SP_OPT_BIAS_PER_HEAD)) {
    c->bias_batches = below(d, 2) ? c->n_batch : 1;
    c->bias_heads = below(d, 2) ? c->n_heads : 1;
    rows *= c->bias_batches * c->bias_heads;
  }
  if (!sp_array_alloc(&c->key_bias, SP_F32, rows * c->n_kv)) return false;
  for (size_t i = 0; i < rows; i++) {
    size_t pattern = below(d, 8);
    for (size_t j = 0; j < c->n_kv; j++) {
      double x = bias ? uniform(d, -4, 4) : 0;
      if (mask && hidden(d, pattern, j, c->n_kv)) x = -INFINITY;
      set(&c->key_bias, i * c->n_kv + j, x);
    }
  }
  return true;
}

/* NaN in keys, values and logits that a shared mask hides from everybody. */
static void poison(sp_case *c, dice *d) {
  if (!c->key_bias.bits || c->key_bias.count != c->n_kv || below(d, 2) == 0) return;
  for (size_t j = 0; j < c->n_kv; j++) {
    if (sp_ref_load(SP_F32, c->key_bias.bits, j) != -INFINITY) continue;
    for (size_t i = 0; c->op == SP_OP_SOFTMAX && i < c->n_q; i++)
      set(&c->logits, i * c->n_kv + j, (double)NAN);
    if (c->op == SP_OP_SOFTMAX) continue;
    for (size_t b = 0; b < c->n_batch; b++)
      for (size_t h = 0; h < c->n_kv_heads; h++) {
        size_t at = (b * c->n_kv + j) * c->n_kv_heads + h;
        set(&c->k, at * c->d_head, (double)NAN);
        set(&c->v, at * c->d_value, (double)NAN);
      }
  }
}

static void nonfinite(sp_case *c, dice *d) {
  if (!maybe(d, SP_OPT_NONFINITE) || c->n_kv == 0) return;
  double x = below(d, 2) == 0 ? (double)NAN : INFINITY;
  if (c->op == SP_OP_SOFTMAX) {
    set(&c->logits, below(d, c->logits.count), x);
  } else if (below(d, 2) == 0) {
    set(&c->k, below(d, c->k.count), x);
  } else {
    set(&c->v, below(d, c->v.count), (double)NAN);
  }
}

static bool heads(sp_case *c, dice *d) {
  if (c->op != SP_OP_ATTENTION) return true;
  if (maybe(d, SP_OPT_ALIBI)) {
    if (!sp_array_alloc(&c->alibi_slope, SP_F32, c->n_heads)) return false;
    for (size_t h = 0; h < c->n_heads; h++) set(&c->alibi_slope, h, uniform(d, 0.1, 1));
  }
  if (!has(d, SP_OPT_BIAS_PAIR) || below(d, 4) == 0) return true;
  if (!sp_array_alloc(&c->bias_k, c->dtype_kv, c->n_kv_heads * c->d_head) ||
      !sp_array_alloc(&c->bias_v, c->dtype_kv, c->n_kv_heads * c->d_value))
    return false;
  for (size_t e = 0; e < c->bias_k.count; e++) set(&c->bias_k, e, uniform(d, -2, 2));
  for (size_t e = 0; e < c->bias_v.count; e++) set(&c->bias_v, e, uniform(d, -3, 3));
  return true;
}

/* Gaps, and keys in any order. */
static bool positions(sp_case *c, dice *d) {
  if (c->op != SP_OP_ATTENTION || !maybe(d, SP_OPT_POSITIONS)) return true;
  c->pos_k = calloc(c->n_kv + 1, sizeof *c->pos_k);
  c->pos_q = calloc(c->n_q + 1, sizeof *c->pos_q);
  if (!c->pos_k || !c->pos_q) return false;
  int64_t next = 0;
  for (size_t j = 0; j < c->n_kv; j++) c->pos_k[j] = next += 1 + (int64_t)below(d, 3);
  for (size_t j = 1; j < c->n_kv; j++) {
    size_t other = below(d, j + 1);
    int64_t pos = c->pos_k[j];
    c->pos_k[j] = c->pos_k[other];
    c->pos_k[other] = pos;
  }
  for (size_t i = 0; i < c->n_q; i++) c->pos_q[i] = (int64_t)below(d, (size_t)next + 2);
  return true;
}

static void step(sp_case *c, sp_cache_step_kind kind, size_t n, bool queries, size_t sequence) {
  c->script[c->n_steps++] = (sp_cache_step){kind, n, queries, sequence};
}

static bool script(sp_case *c, dice *d) {
  if (c->op != SP_OP_CACHE) return true;
  size_t n_sequences = c->n_sequences > 0 ? c->n_sequences : 1, longest = 1 + below(d, 20);
  sp_sequence *sequence = calloc(n_sequences, sizeof *sequence);
  c->script = calloc(5 * c->n_kv + 5 + n_sequences, sizeof *c->script);
  for (size_t t = 0; c->script && sequence && t < c->n_kv;) {
    size_t s = below(d, n_sequences), n = 1 + below(d, longest);
    if (n > c->n_kv - t) n = c->n_kv - t;
    step(c, SP_STEP_APPEND, n, below(d, 4) > 0, s);
    sp_sequence_append(&sequence[s], c, n);
    if (below(d, 3) == 0) step(c, SP_STEP_ATTEND, 1, true, s);
    if (below(d, 2) == 0) step(c, SP_STEP_VISIBLE, 0, false, s);
    t += n;
    if (!maybe(d, SP_OPT_UNDO)) continue;
    size_t most = below(d, 2) ? (size_t)sequence[s].length : 4;
    size_t back = 1 + below(d, most < sequence[s].length ? most : (size_t)sequence[s].length);
    step(c, SP_STEP_TRUNCATE, back, false, s);
    (void)sp_sequence_truncate(&sequence[s], c, back);
    if (below(d, 2) == 0 && sequence[s].length > 0) step(c, SP_STEP_ATTEND, 1, true, s);
  }
  for (size_t s = 0; c->script && s < n_sequences; s++) step(c, SP_STEP_VISIBLE, 0, false, s);
  free(sequence);
  return c->script && sequence;
}

bool sp_random_case(sp_case *c, sp_op op, uint64_t options, uint32_t dtypes, size_t min_n,
                    uint64_t seed) {
  dice d = {.state = seed, .options = options};
  sp_case_init(c, op);
  c->generator = "file";
  c->dtype_q = pick_type(&d, dtypes);
  c->dtype_kv = pick_type(&d, dtypes);
  size_t profile = below(&d, PROFILES);
  if (op == SP_OP_CACHE && min_n == 0) min_n = 1;
  shape(c, &d, min_n);
  parameters(c, &d, min_n);
  bool numbers =
      op == SP_OP_SOFTMAX ? softmax_numbers(c, &d, profile) : head_numbers(c, &d, profile);
  bool made = numbers && sinks(c, &d, profile) && masks(c, &d) && heads(c, &d) &&
              positions(c, &d) && script(c, &d);
  if (made) poison(c, &d);
  if (made) nonfinite(c, &d);
  if (made && !sp_case_error(c) && (sp_case_options(c) & ~options) == 0) return true;
  sp_case_clear(c);
  return false;
}
