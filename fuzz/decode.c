/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to case: sizes and options from the header, cut down to what is offered and to what the
 * oracle can answer in a millisecond or two; then the script, the positions and the elements; and
 * last what only the elements show: options that they use without being offered. spec: CT-3 */
#include "fuzz/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/case/sequence.h"
#include "fuzz/element.h"

typedef struct decoder {
  sp_case *c;
  const sp_fuzz_offer *offer;
  sp_fuzz_header h;
  const uint8_t *data;
  size_t size, at;
} decoder;

static bool offered(const decoder *d, uint64_t option) {
  return (d->offer->options & option) != 0;
}

static bool flag(const decoder *d, unsigned bit) {
  return (d->h.flags & bit) != 0;
}

/* ---- sizes ---- */

static sp_op choose_op(const sp_fuzz_offer *offer, uint8_t code) {
  unsigned op = code % SP_N_OPS;
  while ((offer->ops >> op & 1u) == 0) op = (op + 1) % SP_N_OPS;
  return (sp_op)op;
}

static sp_dtype choose_dtype(uint32_t dtypes, uint8_t code) {
  static const sp_dtype all[4] = {SP_F32, SP_BF16, SP_F16, SP_F64};
  unsigned i = code % 4u;
  while ((dtypes & SP_DTYPE_BIT(all[i])) == 0) i = (i + 1) % 4u;
  return all[i];
}

static void choose_types(const decoder *d) {
  bool softmax = d->c->op == SP_OP_SOFTMAX;
  const sp_fuzz_offer *offer = d->offer;
  d->c->dtype_q = choose_dtype(softmax ? offer->dtypes_softmax : offer->dtypes_q, d->h.dtype_q);
  d->c->dtype_kv = softmax ? d->c->dtype_q : choose_dtype(offer->dtypes_kv, d->h.dtype_kv);
}

static size_t at_most(size_t n, uint64_t limit) {
  return limit > 0 && n > limit ? (size_t)limit : n;
}

static void choose_sizes(const decoder *d) {
  sp_case *c = d->c;
  bool stream = c->op == SP_OP_CACHE;
  c->n_kv = at_most(sp_fuzz_size(d->h.n_kv), stream ? SP_FUZZ_LARGE_N : d->offer->max_n);
  if (c->n_kv == 0 && (stream || !offered(d, SP_OPT_EMPTY))) c->n_kv = 1;
  c->n_q = 1 + at_most(sp_fuzz_size(d->h.n_q), SP_FUZZ_LARGE_N);
  if (c->op == SP_OP_CACHE) c->n_q = c->n_kv;
  if (c->op == SP_OP_SOFTMAX) return;
  c->n_kv_heads = sp_fuzz_how_many(SP_FUZZ_KV_HEADS, d->h.n_kv_heads);
  c->n_heads = c->n_kv_heads;
  if (offered(d, SP_OPT_GQA)) c->n_heads *= sp_fuzz_how_many(SP_FUZZ_GROUP, d->h.group);
  c->d_head = sp_fuzz_dim(d->h.d_head);
  c->d_value = offered(d, SP_OPT_D_VALUE) ? sp_fuzz_dim(d->h.d_value) : c->d_head;
  if (c->op == SP_OP_CACHE) return;
  if (offered(d, SP_OPT_BATCH)) c->n_batch = sp_fuzz_how_many(SP_FUZZ_ENTRIES, d->h.n_batch);
  if (!offered(d, SP_OPT_PREFILL)) c->n_q = 1;
  if (!offered(d, SP_OPT_MORE_Q_THAN_KV)) c->n_q = at_most(c->n_q, c->n_kv > 0 ? c->n_kv : 1);
}

static void shrink_heads(sp_case *c) {
  size_t group = c->n_heads / c->n_kv_heads;
  if (group > 1) {
    c->n_heads = c->n_kv_heads * sp_fuzz_fewer(SP_FUZZ_GROUP, group);
  } else {
    c->n_heads = c->n_kv_heads = sp_fuzz_fewer(SP_FUZZ_KV_HEADS, c->n_kv_heads);
  }
}

/* Until the oracle can keep up. A stream gives up heads before tokens, others give up rows first. */
static void shrink(sp_case *c) {
  bool stream = c->op == SP_OP_CACHE;
  size_t least_d = c->n_kv > SP_FUZZ_LARGE_N ? 4 : 8;
  while (!sp_fuzz_affordable(c)) {
    if (c->n_batch > 1) {
      c->n_batch = sp_fuzz_fewer(SP_FUZZ_ENTRIES, c->n_batch);
    } else if (!stream && c->n_q > 1) {
      c->n_q -= (c->n_q + 3) / 4;
    } else if (c->n_heads > 1) {
      shrink_heads(c);
    } else if (c->d_head + c->d_value > least_d) {
      c->d_head = (c->d_head + 1) / 2;
      c->d_value = (c->d_value + 1) / 2;
    } else {
      c->n_kv -= (c->n_kv + 3) / 4;
      if (stream) c->n_q = c->n_kv;
    }
  }
}

/* ---- options ---- */

static uint64_t choose_number(uint8_t kind, uint64_t number, uint64_t otherwise, uint64_t small) {
  if (kind % 4 == SP_FUZZ_EXACT) return number;
  return kind % 4 == SP_FUZZ_SMALL ? number % small : otherwise;
}

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static float choose_scale(const decoder *d) {
  static const float usual[8] = {1.0F, 0.125F, 0.25F, 0.5F, 1.0F, -1.0F, 0.08838834764F, 1.0F};
  if (d->c->op == SP_OP_SOFTMAX && !offered(d, SP_OPT_SCALE)) return 1.0F;
  if (d->h.scale_kind % 8 != 7) return usual[d->h.scale_kind % 8];
  float scale = float_of(d->h.scale);
  return isfinite(scale) ? scale : 1.0F;
}

static float choose_softcap(const decoder *d) {
  static const float usual[8] = {0, 0, 0, 0, 30.0F, 50.0F, 1.0F, 0};
  if (d->c->op == SP_OP_SOFTMAX || !offered(d, SP_OPT_SOFTCAP)) return 0;
  if (d->h.softcap_kind % 8 != 7) return usual[d->h.softcap_kind % 8];
  float softcap = fabsf(float_of(d->h.softcap));
  return isfinite(softcap) ? softcap : 0;
}

/* A cache of thousands of tokens stores as much as one of dozens shows. */
enum { MOST_SINK_TOKENS = 64, MOST_WINDOW = 4096, SMALL_WINDOW = 80, SMALL_SINK_TOKENS = 20 };

static void choose_window(const decoder *d) {
  sp_case *c = d->c;
  const sp_fuzz_header *h = &d->h;
  uint64_t S = choose_number(h->n_sink_tokens_kind, h->n_sink_tokens, 0, SMALL_SINK_TOKENS);
  if (offered(d, SP_OPT_SINK_TOKENS)) c->n_sink_tokens = S;
  if (c->op == SP_OP_ATTENTION) {
    uint64_t W = choose_number(h->window_kind, h->window - 1, SP_WINDOW_ALL - 1, SMALL_WINDOW);
    if (offered(d, SP_OPT_WINDOW)) c->window = W == UINT64_MAX ? 1 : W + 1;
    return;
  }
  c->window = 1 + (h->window - 1) % (h->window_kind % 4 == SP_FUZZ_EXACT ? MOST_WINDOW : 24);
  if (c->n_sink_tokens > MOST_SINK_TOKENS) c->n_sink_tokens %= MOST_SINK_TOKENS;
  uint64_t most = d->offer->max_n; /* a row is as long as what the cache holds */
  if (most > 0 && c->n_sink_tokens >= most) c->n_sink_tokens = most - 1;
  if (most > 0 && c->window > most - c->n_sink_tokens) c->window = most - c->n_sink_tokens;
  if (!offered(d, SP_OPT_FIRST_TOKEN)) return;
  c->first_token = choose_number(h->first_token_kind, h->first_token, 0, 1000);
  if (c->first_token > UINT64_MAX - c->n_kv) c->first_token = UINT64_MAX - c->n_kv;
}

static void choose_outputs(const decoder *d) {
  sp_case *c = d->c;
  c->want_lse_keys = flag(d, SP_FUZZ_LSE_KEYS) && offered(d, SP_OPT_LSE_KEYS);
  c->want_lse_total = flag(d, SP_FUZZ_LSE_TOTAL) && offered(d, SP_OPT_LSE_TOTAL);
  c->want_weights = !flag(d, SP_FUZZ_NO_VALUES) || !(c->want_lse_keys || c->want_lse_total);
  c->n_threads = 1u + d->h.n_threads % 16u;
  c->layout.guard_before = flag(d, SP_FUZZ_GUARD_BEFORE);
  c->layout.misalign = d->h.misalign % 64u;
  if (!offered(d, SP_OPT_STRIDES)) return;
  c->layout.head_major = flag(d, SP_FUZZ_HEAD_MAJOR);
  c->layout.row_pad = d->h.row_pad % 64u;
  c->layout.reversed = (d->h.misalign & SP_FUZZ_REVERSED) != 0;
}

/* ---- arrays without their contents ---- */

static bool alloc_bias(const decoder *d) {
  sp_case *c = d->c;
  bool axes = c->op == SP_OP_ATTENTION && offered(d, SP_OPT_BIAS_PER_HEAD);
  if (flag(d, SP_FUZZ_BIAS_PER_QUERY) && offered(d, SP_OPT_MASK)) c->bias_rows = c->n_q;
  c->bias_batches = axes && (d->h.stream & SP_FUZZ_BIAS_BATCHES) ? c->n_batch : 1;
  c->bias_heads = axes && (d->h.stream & SP_FUZZ_BIAS_HEADS) ? c->n_heads : 1;
  return sp_array_alloc(&c->key_bias, SP_F32,
                        c->bias_batches * c->bias_rows * c->bias_heads * c->n_kv);
}

static bool alloc_options(const decoder *d) {
  sp_case *c = d->c;
  bool attention = c->op == SP_OP_ATTENTION;
  bool ok = true;
  if (flag(d, SP_FUZZ_SINK_LOGIT) && offered(d, SP_OPT_SINK_LOGIT))
    ok = sp_array_alloc(&c->sink_logit, flag(d, SP_FUZZ_SINK_BF16) ? SP_BF16 : SP_F32,
                        c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads);
  if (flag(d, SP_FUZZ_BIAS) && c->op != SP_OP_CACHE && offered(d, SP_OPT_KEY_BIAS | SP_OPT_MASK))
    ok = ok && alloc_bias(d);
  if (attention && flag(d, SP_FUZZ_ALIBI) && offered(d, SP_OPT_ALIBI))
    ok = ok && sp_array_alloc(&c->alibi_slope, SP_F32, c->n_heads);
  if (attention && flag(d, SP_FUZZ_BIAS_PAIR) && offered(d, SP_OPT_BIAS_PAIR))
    ok = ok && sp_array_alloc(&c->bias_k, c->dtype_kv, c->n_kv_heads * c->d_head) &&
         sp_array_alloc(&c->bias_v, c->dtype_kv, c->n_kv_heads * c->d_value);
  return ok;
}

static bool alloc_tensors(sp_case *c) {
  if (c->op == SP_OP_SOFTMAX) return sp_array_alloc(&c->logits, c->dtype_q, c->n_q * c->n_kv);
  size_t keys = c->n_batch * c->n_kv * c->n_kv_heads;
  size_t rows = c->n_batch * c->n_q * c->n_heads;
  return sp_array_alloc(&c->q, c->dtype_q, rows * c->d_head) &&
         sp_array_alloc(&c->k, c->dtype_kv, keys * c->d_head) &&
         sp_array_alloc(&c->v, c->dtype_kv, keys * c->d_value);
}

/* ---- script and positions ---- */

/* The next bytes of the input, zero where it has ended. */
static void take(decoder *d, uint8_t *bytes, size_t n) {
  for (size_t b = 0; b < n; b++, d->at++) bytes[b] = d->at < d->size ? d->data[d->at] : 0;
}

/* Can it be, and is it offered? A sequence is as long as what was appended to it and not taken back. */
static bool is_possible(const decoder *d, const sp_cache_step *step, const sp_sequence *sequence,
                        size_t left) {
  switch (step->kind) {
  case SP_STEP_APPEND:
    return left > 0;
  case SP_STEP_TRUNCATE:
    return offered(d, SP_OPT_UNDO) && step->n_tokens <= sequence->length;
  default:
    return step->kind == SP_STEP_VISIBLE || sequence->length > 0;
  }
}

static void walk_step(sp_case *c, const sp_cache_step *step, sp_sequence *sequence, size_t *left) {
  if (step->kind == SP_STEP_TRUNCATE) (void)sp_sequence_truncate(sequence, c, step->n_tokens);
  if (step->kind != SP_STEP_APPEND) return;
  sp_sequence_append(sequence, c, step->n_tokens);
  *left -= step->n_tokens;
}

/* spec: KC-7 nothing that SPEC.md calls an error. A step that cannot be asks for the list. */
static bool decode_script(decoder *d) {
  sp_case *c = d->c;
  sp_sequence sequence[SP_FUZZ_SEQUENCES] = {{0, 0}};
  size_t left = c->n_kv;
  bool asks = false;
  c->n_steps = sp_fuzz_n_steps(d->h.n_steps);
  c->script = calloc(c->n_steps, sizeof *c->script);
  if (c->script == NULL) return false;
  for (size_t s = 0; s < c->n_steps; s++) {
    sp_cache_step *step = &c->script[s];
    uint8_t bytes[SP_FUZZ_STEP_BYTES];
    take(d, bytes, sizeof bytes);
    sp_fuzz_step_read(step, bytes, d->h.stream != 0);
    step->sequence %= sp_case_sequences(c);
    if (step->kind == SP_STEP_APPEND && step->n_tokens > left) step->n_tokens = left;
    bool mute = s + 1 == c->n_steps && !asks && !step->with_queries;
    if (mute || !is_possible(d, step, &sequence[step->sequence], left))
      *step = (sp_cache_step){.kind = SP_STEP_VISIBLE, .sequence = step->sequence};
    walk_step(c, step, &sequence[step->sequence], &left);
    asks = asks || step->kind != SP_STEP_APPEND || step->with_queries;
  }
  return true;
}

/* spec: AT-4 positions are not negative, and no two keys share one: of two that would, the later
 * moves on to the next free one. `taken` is scratch for n of them, kept ascending. */
static void make_distinct(int64_t *pos, size_t n, int64_t *taken) {
  for (size_t j = 0; j < n; j++) {
    size_t at = j;
    while (at > 0 && taken[at - 1] >= pos[j]) at--;
    for (; at < j && taken[at] == pos[j]; at++) pos[j]++;
    memmove(taken + at + 1, taken + at, (j - at) * sizeof *taken);
    taken[at] = pos[j];
  }
}

/* Half of the range of an int64_t, so that no difference overflows. */
#define MOST_POSITION ((uint64_t)INT64_MAX >> 1)

static int64_t *decode_positions(decoder *d, size_t n) {
  int64_t *pos = calloc(n + 1, sizeof *pos);
  for (size_t i = 0; pos != NULL && i < n; i++) {
    uint8_t bytes[8] = {0};
    pos[i] = (int64_t)i;
    if (d->at >= d->size) continue;
    take(d, bytes, flag(d, SP_FUZZ_POS_WIDE) ? 8 : 1);
    pos[i] = (int64_t)(sp_fuzz_get_bits(bytes, 8, 0) & MOST_POSITION);
  }
  return pos;
}

static bool decode_order(decoder *d) {
  sp_case *c = d->c;
  if (c->op == SP_OP_CACHE) return decode_script(d);
  if (c->op == SP_OP_SOFTMAX || !offered(d, SP_OPT_POSITIONS)) return true;
  if (c->n_kv > SP_FUZZ_LARGE_N) return true; /* a long row is costly enough */
  if (flag(d, SP_FUZZ_POS_Q) && (c->pos_q = decode_positions(d, c->n_q)) == NULL) return false;
  if (!flag(d, SP_FUZZ_POS_K)) return true;
  c->pos_k = decode_positions(d, c->n_kv);
  int64_t *taken = calloc(c->n_kv + 1, sizeof *taken);
  bool ok = c->pos_k != NULL && taken != NULL;
  if (ok) make_distinct(c->pos_k, c->n_kv, taken);
  free(taken);
  return ok;
}

/* ---- elements ---- */

static void decode_array(decoder *d, sp_array *array, sp_fuzz_role role) {
  size_t bytes = sp_ref_format_bytes(array->dtype);
  for (size_t i = 0; i < array->count; i++, d->at += bytes) {
    uint64_t bits;
    if (d->at + bytes <= d->size)
      bits = sp_fuzz_fold(array->dtype, role, d->h.raw_range,
                          sp_fuzz_get_bits(d->data + d->at, bytes, 0));
    else
      bits = sp_fuzz_fill(&d->h, array->dtype, role, i);
    sp_fuzz_set_bits(array->bits, bytes, i, bits);
  }
}

static void make_finite(sp_array *array, bool keep_minus_infinity) {
  size_t bytes = sp_ref_format_bytes(array->dtype);
  for (size_t i = 0; i < array->count; i++) {
    if (keep_minus_infinity && sp_ref_load(array->dtype, array->bits, i) == -INFINITY) continue;
    uint64_t bits = sp_fuzz_get_bits(array->bits, bytes, i);
    sp_fuzz_set_bits(array->bits, bytes, i, sp_fuzz_finite(array->dtype, bits));
  }
}

/* Options that the elements turned out to use are taken back, each by the least change. */
static void take_back(const decoder *d) {
  sp_case *c = d->c;
  uint64_t excess = sp_case_options(c) & ~d->offer->options;
  if ((excess & SP_OPT_MASK) != 0) make_finite(&c->logits, false);
  if ((excess & (SP_OPT_MASK | SP_OPT_KEY_BIAS)) != 0) {
    free(c->key_bias.bits);
    c->key_bias = (sp_array){0};
    c->bias_batches = c->bias_rows = c->bias_heads = 1;
    excess = sp_case_options(c) & ~d->offer->options; /* what was hidden is not any more */
  }
  if ((excess & SP_OPT_NONFINITE) == 0) return;
  for (int role = 0; role < SP_FUZZ_N_ROLES; role++)
    make_finite(sp_fuzz_array(c, role), role <= SP_FUZZ_LOGIT && offered(d, SP_OPT_MASK));
}

static bool decode_case(decoder *d) {
  sp_case *c = d->c;
  choose_types(d);
  choose_sizes(d);
  shrink(c);
  c->scale = choose_scale(d);
  c->softcap = choose_softcap(d);
  c->causal =
      c->op != SP_OP_ATTENTION || !flag(d, SP_FUZZ_ACAUSAL) || !offered(d, SP_OPT_NONCAUSAL);
  if (c->op != SP_OP_SOFTMAX) choose_window(d);
  if (c->op == SP_OP_CACHE) sp_fuzz_stream_read(c, &d->h, d->offer);
  choose_outputs(d);
  if (!alloc_options(d) || !alloc_tensors(c) || !decode_order(d)) return false;
  for (int role = 0; role < SP_FUZZ_N_ROLES; role++)
    decode_array(d, sp_fuzz_array(c, role), (sp_fuzz_role)role);
  take_back(d);
  return true;
}

bool sp_fuzz_decode(sp_case *c, const uint8_t *data, size_t size, const sp_fuzz_offer *offer) {
  decoder d = {.c = c, .offer = offer, .data = data, .size = size, .at = SP_FUZZ_HEADER_BYTES};
  sp_fuzz_header_read(&d.h, data, size);
  sp_case_init(c, choose_op(offer, d.h.op));
  c->generator = "fuzz";
  if (decode_case(&d)) return true;
  sp_case_clear(c);
  return false;
}
