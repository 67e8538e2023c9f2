/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys are seen, and how it goes wrong. spec: AT-3, AT-4, AT-5, AT-9, EV-1, EV-2 */
#include <math.h>

#include "certify/judge/diagnose.h"

static bool windowed(const sp_suspect *s) {
  return s->in.masked && s->in.mask.window != SP_WINDOW_ALL;
}

static bool widen(sp_suspect *s, double keys) {
  if (!windowed(s) || (keys < 0 && s->in.mask.window <= (uint64_t)-keys)) return false;
  s->in.mask.window += (uint64_t)(int64_t)keys;
  return true;
}

static bool widen_by_pinned(sp_suspect *s, double sign) {
  return s->in.mask.n_sink_tokens > 0 && widen(s, sign * (double)s->in.mask.n_sink_tokens);
}

static bool no_window(sp_suspect *s, double unused) {
  (void)unused;
  if (!windowed(s)) return false;
  s->in.mask.window = SP_WINDOW_ALL;
  return true;
}

static bool pin_none(sp_suspect *s, double unused) {
  (void)unused;
  if (!windowed(s) || s->in.mask.n_sink_tokens == 0) return false;
  s->in.mask.n_sink_tokens = 0;
  return true;
}

static bool pin(sp_suspect *s, double more) {
  if (!windowed(s) || (more < 0 && s->in.mask.n_sink_tokens == 0)) return false;
  s->in.mask.n_sink_tokens += (uint64_t)(int64_t)more;
  return true;
}

static bool pin_one_window_less(sp_suspect *s, double more) {
  return widen(s, -more) && pin(s, more);
}

static bool set_causal(sp_suspect *s, double causal) {
  if (!s->in.masked || s->in.mask.causal == (causal > 0)) return false;
  s->in.mask.causal = causal > 0;
  return true;
}

/* For the mask only; ALiBi, which has its own table, would move too. */
static bool move_query(sp_suspect *s, double by) {
  if (!s->in.masked || s->in.alibi_slope != 0) return false;
  s->in.pos_q += (int64_t)by;
  return true;
}

static bool align_top_left(sp_suspect *s, double unused) {
  (void)unused;
  if (s->c->op != SP_OP_ATTENTION || s->c->pos_q != NULL) return false;
  return move_query(s, (double)((int64_t)s->i - s->in.pos_q));
}

static bool ignore_positions(sp_suspect *s, double unused) {
  (void)unused;
  if (s->c->pos_q == NULL && s->c->pos_k == NULL) return false;
  s->in.pos_q = (int64_t)s->c->n_kv - (int64_t)s->c->n_q + (int64_t)s->i;
  s->in.pos_k = NULL;
  return true;
}

static bool unmask(sp_suspect *s, double unused) {
  (void)unused;
  bool masked = s->in.masked;
  s->in.masked = false;
  return masked;
}

/* Say by biases what no mask says: the keys for which `seen` is false are absent. */
static bool remask(sp_suspect *s, bool (*seen)(const sp_suspect *, size_t)) {
  if (!s->in.masked) return false;
  double *bias = sp_suspect_bias(s);
  for (size_t j = 0; j < s->in.n_kv; j++)
    if (!seen(s, j)) bias[j] = -INFINITY;
  s->in.masked = false;
  return true;
}

static bool seen_or_pinned(const sp_suspect *s, size_t j) {
  int64_t position = sp_suspect_position(s, j);
  return sp_suspect_sees(s, j) || (position >= 0 && (uint64_t)position < s->in.mask.n_sink_tokens);
}

static bool pin_without_causal(sp_suspect *s, double unused) {
  (void)unused;
  return s->in.mask.n_sink_tokens > 0 && remask(s, seen_or_pinned);
}

static bool seen_from_query_offset(const sp_suspect *s, size_t j) {
  return sp_suspect_sees(s, j) && j + s->c->n_q >= s->c->n_kv;
}

static bool start_at_query_offset(sp_suspect *s, double unused) {
  (void)unused;
  return s->c->op == SP_OP_ATTENTION && s->c->n_q < s->c->n_kv && remask(s, seen_from_query_offset);
}

/* Biases of -inf, and what positions hide, become this number. */
static bool mask_with(sp_suspect *s, double number) {
  bool any = false;
  double *bias = sp_suspect_bias(s);
  for (size_t j = 0; j < s->in.n_kv; j++) {
    if (bias[j] != -INFINITY && sp_suspect_sees(s, j)) continue;
    bias[j] = number;
    any = true;
  }
  s->in.masked = false;
  return any;
}

/* What a finite mask so low that it swallows the logits leaves of an empty row. */
static bool average(sp_suspect *s, bool keep_positions) {
  if (s->kind != SP_REF_EMPTY || s->in.n_kv == 0 || s->in.logits != NULL) return false;
  for (size_t j = 0; j < s->in.n_kv; j++) s->logits[j] = 0;
  s->in.logits = s->logits;
  s->in.masked = keep_positions;
  s->in.key_bias = NULL;
  s->in.alibi_slope = 0;
  s->in.sink_logit = -INFINITY;
  return true;
}

static bool average_of_all(sp_suspect *s, double unused) {
  (void)unused;
  return average(s, false);
}

static bool average_of_masked(sp_suspect *s, double unused) {
  (void)unused;
  return average(s, true);
}

/* The log-sum-exp beside such an average is whatever the mask was. */
static bool any_lse(sp_suspect *s, double unused) {
  (void)unused;
  s->lse_keys = s->got_lse_keys;
  s->lse_total = s->got_lse_total;
  return true;
}

static bool uniform_weights(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind != SP_REF_EMPTY || s->in.d_value > 0) return false;
  for (size_t j = 0; j < s->n_result; j++) s->result[j] = 1 / (double)s->n_result;
  return any_lse(s, 0);
}

static const sp_hypothesis list[] = {
    {"a row without a visible key is the average of all values: 0 is due", average_of_all, any_lse,
     0},
    {"a row whose keys are all masked by bias is the average of their values: 0 is due",
     average_of_masked, any_lse, 0},
    {"a row without a visible key has uniform weights: 0 is due", NULL, uniform_weights, 0},
    {"the window is one key too wide: it counts the query's own key", widen, NULL, 1},
    {"the window is one key too narrow: it counts the query's own key once", widen, NULL, -1},
    {"the pinned tokens are counted inside the window: they come in addition", widen_by_pinned,
     NULL, -1},
    {"the window is too wide by the number of pinned tokens", widen_by_pinned, NULL, 1},
    {"the window is ignored", no_window, NULL, 0},
    {"the pinned tokens (n_sink_tokens) are ignored: they stay visible outside the window",
     pin_none, NULL, 0},
    {"one token too many is pinned", pin, NULL, 1},
    {"one token too few is pinned", pin, NULL, -1},
    {"one token too many is pinned at the cost of the window", pin_one_window_less, NULL, 1},
    {"the pinned tokens are admitted without the causal bound: early queries see their future",
     pin_without_causal, NULL, 0},
    {"the causal mask is aligned top-left: query i sits at position n_kv - n_q + i", align_top_left,
     NULL, 0},
    {"the causal bound is ignored: queries see their future", set_causal, NULL, 0},
    {"a causal bound is applied although causal is 0", set_causal, NULL, 1},
    {"the query sits one position too late: it sees one key of its future", move_query, NULL, 1},
    {"the query sits one position too early: it does not see itself", move_query, NULL, -1},
    {"explicit positions are ignored and indices used", ignore_positions, NULL, 0},
    {"the keys start at the query offset: cached keys before the first query are skipped",
     start_at_query_offset, NULL, 0},
    {"no mask is applied by position", unmask, NULL, 0},
    {"no mask is applied at all", mask_with, NULL, 0},
    {"the mask is the finite number -1e4: masked keys come back when logits are low", mask_with,
     NULL, -1e4},
    {"the mask is the finite number -5e4: masked keys come back when logits are low", mask_with,
     NULL, -5e4},
};

sp_hypotheses sp_hypotheses_mask(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
