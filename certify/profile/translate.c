/* SPDX-License-Identifier: Apache-2.0 */
/* From a case of SPEC.md to the call of a kernel with other conventions. spec: CT-11, CT-12 */
#include "certify/profile/translate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has(const sp_translation *t, sp_question question, unsigned answer) {
  return sp_convention(t->profile, question) == answer;
}

void *sp_translation_keep(sp_translation *t, size_t bytes) {
  void *memory = calloc(bytes > 0 ? bytes : 1, 1);
  if (memory != NULL) t->owned[t->n_owned++] = memory;
  return memory;
}

/* ---- what is left out ---- */

static bool is_set(const sp_profile *profile, sp_question question, unsigned answer) {
  return sp_convention(profile, question) == answer;
}

uint64_t sp_profile_withheld(const sp_profile *profile, const sp_class *cls) {
  uint64_t options = 0;
  if (is_set(profile, SP_ASK_FIXED_SINK, SP_FIXED_ZERO) ||
      !is_set(profile, SP_ASK_SINK, SP_SINK_NATURAL))
    options |= SP_OPT_SINK_LOGIT;
  if (is_set(profile, SP_ASK_LSE_BASE, SP_LSE_BASE_2) && cls->kind != SP_CLASS_MODEL)
    options |= SP_OPT_LSE_KEYS | SP_OPT_LSE_TOTAL;
  if (!is_set(profile, SP_ASK_EMPTY, SP_EMPTY_ZERO)) options |= SP_OPT_EMPTY;
  /* What is held for a truncation, and how many may leave at once, is counted in W. */
  if (!is_set(profile, SP_ASK_CACHE_WINDOW, SP_AS_CORE) ||
      !is_set(profile, SP_ASK_CACHE_PINNED, SP_AS_CORE) ||
      !is_set(profile, SP_ASK_EVICT, SP_AS_CORE))
    options |= SP_OPT_EVICT_BLOCK | SP_OPT_UNDO;
  if (is_set(profile, SP_ASK_POSITION, SP_POSITION_ALWAYS_ABS)) options |= SP_OPT_POSITION_CACHE;
  if (is_set(profile, SP_ASK_POSITION, SP_POSITION_ALWAYS_CACHE)) options |= SP_OPT_POSITION_ABS;
  if (is_set(profile, SP_ASK_POSITION, SP_POSITION_NEVER))
    options |= SP_OPT_POSITION_ABS | SP_OPT_POSITION_CACHE;
  if (is_set(profile, SP_ASK_PAIRING, SP_PAIRING_ALWAYS_HALF)) options |= SP_OPT_ROPE_INTERLEAVED;
  if (is_set(profile, SP_ASK_PAIRING, SP_PAIRING_ALWAYS_INTERLEAVED)) options |= SP_OPT_ROPE_HALF;
  return options;
}

static bool has_finite_bias(const sp_case *c) {
  for (size_t i = 0; i < c->key_bias.count; i++) {
    double x = sp_ref_load(SP_F32, c->key_bias.bits, i);
    if (x != -INFINITY && x != 0) return true;
  }
  return false;
}

static bool holds_nonfinite(const sp_array *array) {
  for (size_t i = 0; i < array->count; i++)
    if (!isfinite(sp_ref_load(array->dtype, array->bits, i))) return true;
  return false;
}

static const char *left_out(const sp_translation *t) {
  const sp_case *c = t->source;
  bool capped = c->softcap > 0, alibi = c->alibi_slope.bits != NULL;
  if (has(t, SP_ASK_FIXED_SINK, SP_FIXED_ZERO) && c->sink_logit.bits != NULL)
    return "the kernel has a sink logit of its own";
  if (!has(t, SP_ASK_SINK, SP_SINK_NATURAL) && c->sink_logit.bits != NULL)
    return "the sink logit of this profile is no binary32 number";
  if (has(t, SP_ASK_SOFTCAP, SP_SOFTCAP_LAST) && capped && has_finite_bias(c))
    return "no case of SPEC.md caps a biased logit";
  if (has(t, SP_ASK_ALIBI_CAP, SP_ALIBI_INSIDE_CAP) && capped && alibi)
    return "no case of SPEC.md caps a logit with ALiBi";
  if (!has(t, SP_ASK_ALIBI, SP_ALIBI_DISTANCE) && alibi &&
      (c->sink_logit.bits != NULL || c->want_lse_keys || c->want_lse_total ||
       has(t, SP_ASK_FIXED_SINK, SP_FIXED_ZERO)))
    return "another offset of ALiBi is observable here";
  if (has(t, SP_ASK_EVICT, SP_EVICT_HALF) && c->op == SP_OP_CACHE && c->window == 1)
    return "half of one token is none";
  if (has(t, SP_ASK_MASKED_NAN, SP_MASKED_POISONS) && !(sp_case_options(c) & SP_OPT_NONFINITE) &&
      (holds_nonfinite(&c->k) || holds_nonfinite(&c->v)))
    return "hidden slots hold what this profile lets through";
  return NULL;
}

bool sp_profile_allows(const sp_profile *profile, const char *illegal_call) {
  if (profile == NULL || strstr(illegal_call, "window 0") == NULL) return false;
  if (profile->window_0) return true;
  bool cache = strstr(illegal_call, "cache") != NULL;
  return sp_convention(profile, cache ? SP_ASK_CACHE_WINDOW : SP_ASK_WINDOW) != SP_AS_CORE;
}

/* ---- parameters ---- */

/* The window parameter with which this kernel shows what window W means. An attention window beyond
 * 64 bits is no window at all. False: it would be 0 or less. */
static bool window_parameter(const sp_translation *t, uint64_t *parameter) {
  const sp_case *c = t->source;
  bool cache = c->op == SP_OP_CACHE;
  unsigned counts = sp_convention(t->profile, cache ? SP_ASK_CACHE_WINDOW : SP_ASK_WINDOW);
  unsigned pinned = sp_convention(t->profile, cache ? SP_ASK_CACHE_PINNED : SP_ASK_PINNED);
  uint64_t w = c->window, more = pinned == SP_PINNED_INSIDE ? c->n_sink_tokens : 0;
  *parameter = SP_WINDOW_ALL;
  if (w == SP_WINDOW_ALL) return true;
  /* Where windows are signed (window_left -1 is none), one beyond every position is none too. */
  if (counts == SP_WINDOW_LEFT && w > (uint64_t)INT64_MAX) return true;
  if (counts == SP_WINDOW_LESS) more++; /* the same numbers as SP_CACHE_SPARE and SP_CACHE_AFTER */
  if (counts == SP_WINDOW_LEFT) w--;
  if (w + more == 0) return false;
  *parameter = more > SP_WINDOW_ALL - w ? SP_WINDOW_ALL : w + more;
  return true;
}

/* Query i sits at position i: no parameter of this kernel puts it anywhere else. */
static bool align_top_left(sp_translation *t) {
  sp_case *meaning = &t->meaning;
  if (meaning->op != SP_OP_ATTENTION || meaning->pos_q != NULL || meaning->n_q == meaning->n_kv)
    return true;
  int64_t *pos_q = sp_translation_keep(t, meaning->n_q * sizeof *pos_q);
  for (size_t i = 0; pos_q != NULL && i < meaning->n_q; i++) pos_q[i] = (int64_t)i;
  meaning->pos_q = pos_q;
  t->altered = true;
  return pos_q != NULL;
}

static bool add_fixed_sink(sp_translation *t) {
  size_t n = t->source->op == SP_OP_SOFTMAX ? t->source->n_q : t->source->n_heads;
  float *zeros = sp_translation_keep(t, n * sizeof *zeros);
  t->meaning.sink_logit = (sp_array){SP_F32, n, zeros};
  t->altered = true;
  return zeros != NULL;
}

/* ---- heads ---- */

/* Head h of the source is head sp_put_head(c, h) of a kernel that takes kv head h mod n_kv_heads. */
static size_t put_head(const sp_case *c, size_t h) {
  size_t group = c->n_heads / c->n_kv_heads;
  return h % group * c->n_kv_heads + h / group;
}

/* Rows of `length` elements, n_heads of them side by side. */
static void move_heads(const sp_case *c, const void *from, void *to, size_t n_rows, size_t bytes,
                       bool back) {
  const unsigned char *source = from;
  unsigned char *target = to;
  for (size_t r = 0; r < n_rows; r++) {
    size_t h = r % c->n_heads, moved = r - h + put_head(c, h);
    memcpy(target + (back ? r : moved) * bytes, source + (back ? moved : r) * bytes, bytes);
  }
}

static bool put_array(sp_translation *t, sp_array *array, size_t length) {
  size_t bytes = length * sp_ref_format_bytes(array->dtype);
  if (array->bits == NULL || length == 0) return true;
  void *moved = sp_translation_keep(t, array->count * sp_ref_format_bytes(array->dtype));
  if (moved == NULL) return false;
  move_heads(t->source, array->bits, moved, array->count / length, bytes, false);
  array->bits = moved;
  return true;
}

static bool scatters_heads(const sp_translation *t) {
  const sp_case *c = t->source;
  return has(t, SP_ASK_GQA, SP_GQA_MODULO) && c->n_kv_heads > 1 && c->n_kv_heads < c->n_heads;
}

static bool back_array(const sp_translation *t, sp_array *array, size_t length) {
  size_t bytes = length * sp_ref_format_bytes(array->dtype);
  if (array->bits == NULL || length == 0) return true;
  void *moved = malloc(array->count * sp_ref_format_bytes(array->dtype) + 1);
  if (moved == NULL) return false;
  move_heads(t->source, array->bits, moved, array->count / length, bytes, true);
  free(array->bits);
  array->bits = moved;
  return true;
}

bool sp_translate_back(const sp_translation *t, sp_outputs *outputs) {
  if (!scatters_heads(t)) return true;
  return back_array(t, &outputs->values, t->source->d_value) &&
         back_array(t, &outputs->lse_keys, 1) && back_array(t, &outputs->lse_total, 1);
}

/* ---- scripts of a stream ---- */

/* What a cache shows between two appends, when it has evicted for the next one already, is no
 * convention. A query there becomes one of the newest token as it is appended, which SPEC.md answers
 * alike; a second one, and lists, are left out. */
typedef struct rewriting {
  sp_cache_step *script;
  size_t n, n_asking;
} rewriting;

static void rewrite_append(rewriting *w, sp_cache_step step, bool asked_later) {
  if (asked_later && !step.with_queries && step.n_tokens > 1) {
    step.n_tokens--;
    w->script[w->n++] = step;
    step.n_tokens = 1;
  }
  step.with_queries |= asked_later;
  w->script[w->n++] = step;
  w->n_asking += step.with_queries;
}

static const char *ask_in_appends(sp_translation *t) {
  const sp_case *c = t->source;
  rewriting w = {.script = sp_translation_keep(t, 2 * c->n_steps * sizeof *w.script)};
  if (w.script == NULL) return NULL;
  for (size_t s = 0; s < c->n_steps; s++) {
    bool asked = false;
    if (c->script[s].kind == SP_STEP_ATTEND || c->script[s].kind == SP_STEP_VISIBLE) {
      t->altered = true;
      continue;
    }
    for (size_t k = s + 1; k < c->n_steps; k++) {
      if (c->script[k].sequence != c->script[s].sequence) continue;
      if (c->script[k].kind == SP_STEP_APPEND) break;
      asked |= c->script[k].kind == SP_STEP_ATTEND;
    }
    rewrite_append(&w, c->script[s], asked);
  }
  t->put.script = t->meaning.script = w.script;
  t->put.n_steps = t->meaning.n_steps = w.n;
  return w.n_asking == 0 ? "it asks for lists only" : NULL;
}

/* A first block, a prompt, is the same in all answers where nothing has to leave for it; and so is any
 * block where nobody asks before the next token makes room. */
static bool is_whole(const sp_translation *t, size_t s) {
  const sp_case *c = &t->meaning;
  const sp_cache_step *step = &c->script[s];
  if (c->n_sequences > 1) return false;
  bool fits =
      c->window > SIZE_MAX - c->n_sink_tokens || step->n_tokens <= c->n_sink_tokens + c->window;
  if (s == 0 && fits) return true;
  bool unasked = !step->with_queries && s + 1 < c->n_steps && step[1].kind == SP_STEP_APPEND;
  return unasked && has(t, SP_ASK_EVICT, SP_EVICT_ASKED);
}

static bool split_blocks(sp_translation *t) {
  const sp_case *c = &t->meaning;
  size_t n = c->n_steps;
  for (size_t s = 0; s < c->n_steps; s++)
    if (c->script[s].kind == SP_STEP_APPEND && !is_whole(t, s)) n += c->script[s].n_tokens - 1;
  if (n == c->n_steps) return true;
  sp_cache_step *script = sp_translation_keep(t, n * sizeof *script);
  if (script == NULL) return false;
  size_t at = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    sp_cache_step step = c->script[s];
    bool whole = step.kind != SP_STEP_APPEND || is_whole(t, s);
    size_t times = whole ? 1 : step.n_tokens;
    if (!whole) step.n_tokens = 1;
    for (size_t i = 0; i < times; i++) script[at++] = step;
  }
  t->put.script = script;
  t->put.n_steps = n;
  return true;
}

static bool translate_stream(sp_translation *t, const char **why) {
  if (has(t, SP_ASK_EVICT, SP_EVICT_HALF)) {
    t->meaning.n_evict = t->source->window / 2;
    t->altered = true;
  }
  if (has(t, SP_ASK_CACHE_WINDOW, SP_CACHE_AFTER)) *why = ask_in_appends(t);
  if (*why != NULL || t->put.script == NULL) return false;
  return has(t, SP_ASK_BLOCKS, SP_BLOCKS_ONE_BY_ONE) || split_blocks(t);
}

/* ---- the whole ---- */

static bool translate(sp_translation *t, const char **why) {
  *why = left_out(t);
  if (*why != NULL) return false;
  if (!window_parameter(t, &t->put.window)) {
    *why = "its window parameter would be 0";
    return false;
  }
  if (has(t, SP_ASK_CAUSAL, SP_CAUSAL_TOP_LEFT) && !align_top_left(t)) return false;
  if (has(t, SP_ASK_FIXED_SINK, SP_FIXED_ZERO) && !add_fixed_sink(t)) return false;
  if (scatters_heads(t) &&
      !(put_array(t, &t->put.q, t->source->d_head) && put_array(t, &t->put.sink_logit, 1) &&
        put_array(t, &t->put.alibi_slope, 1)))
    return false;
  if (has(t, SP_ASK_LSE_SINK, SP_LSE_SINK_BOTH) && t->put.want_lse_keys)
    t->meaning.want_lse_total = true;
  if (has(t, SP_ASK_LSE_SINK, SP_LSE_SINK_NEITHER) && t->put.want_lse_total)
    t->meaning.want_lse_keys = true;
  return t->source->op != SP_OP_CACHE || translate_stream(t, why);
}

bool sp_translate(sp_translation *t, const sp_profile *profile, const sp_case *c,
                  const char **why) {
  *t = (sp_translation){.profile = profile, .source = c, .put = *c, .meaning = *c};
  *why = NULL;
  if (translate(t, why)) return true;
  sp_translation_clear(t);
  return false;
}

void sp_translation_clear(sp_translation *t) {
  for (size_t i = 0; i < t->n_owned; i++) free(t->owned[i]);
  sp_truth_clear(&t->own);
  *t = (sp_translation){0};
}

bool sp_translation_expect(sp_translation *t, const sp_truth *truth, const sp_class *cls,
                           mpfr_prec_t max_prec, char *error, size_t capacity) {
  t->expected = truth;
  bool differ = sp_answers_differ(t->profile);
  if (truth != NULL && !t->altered && !differ) return true;
  t->expected = &t->own;
  return sp_truth_init(&t->own, &t->meaning, cls, max_prec, error, capacity) &&
         (!differ || sp_answers_convert(t, &t->own, cls, max_prec, error, capacity));
}
