/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation, and how it goes wrong: which elements, which angles, and above all where a key stands
 * after an eviction. spec: EV-10, EV-11, EV-12, EV-13, EV-14 */
#include "certify/judge/diagnose_view.h"

static bool in_cache(const sp_suspect *s) {
  return s->c->position == SP_POSITION_CACHE;
}

/* A view of a row that is rotated. */
static bool look(sp_view *view, const sp_suspect *s) {
  return s->in.rope.dims > 0 && sp_view_init(view, s);
}

static bool give_up(sp_view *view) {
  sp_view_clear(view);
  return false;
}

/* ---- angles ---- */

static bool not_rotated(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look(&view, s)) return false;
  s->in.rope.dims = 0;
  return sp_view_suppose(&view, s);
}

static bool other_pairs(sp_suspect *s, double interleaved) {
  sp_view view;
  if (s->in.rope.interleaved == (interleaved > 0) || !look(&view, s)) return false;
  s->in.rope.interleaved = interleaved > 0;
  return sp_view_suppose(&view, s);
}

static bool other_base(sp_suspect *s, double base) {
  sp_view view;
  if (s->in.rope.base == base || !look(&view, s)) return false;
  s->in.rope.base = base;
  return sp_view_suppose(&view, s);
}

static bool whole_row(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (s->in.rope.dims == s->in.d_head || s->in.d_head % 2 != 0 || !look(&view, s)) return false;
  s->in.rope.dims = s->in.d_head;
  return sp_view_suppose(&view, s);
}

/* ---- where the query and the keys stand ---- */

static bool backwards(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look(&view, s)) return false;
  view.position = -view.position;
  for (size_t i = 0; i < view.n; i++) view.list[i].position = -view.list[i].position;
  return sp_view_suppose(&view, s);
}

static bool one_side(sp_suspect *s, double keys) {
  sp_view view;
  if (!look(&view, s)) return false;
  if (keys == 0) view.position = 0;
  for (size_t i = 0; i < view.n && keys > 0; i++) view.list[i].position = 0;
  return sp_view_suppose(&view, s);
}

static bool query_moved(sp_suspect *s, double by) {
  sp_view view;
  if (!look(&view, s)) return false;
  view.position += by;
  return sp_view_suppose(&view, s);
}

static bool by_number(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!in_cache(s) || !look(&view, s)) return false;
  for (size_t i = 0; i < view.n; i++) view.list[i].position = (double)view.list[i].index;
  view.position = (double)view.index;
  return sp_view_suppose(&view, s);
}

static bool by_rank(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (in_cache(s) || !look(&view, s)) return false;
  for (size_t i = 0; i < view.n; i++) view.list[i].position = (double)i;
  view.position = (double)view.n - 1;
  return sp_view_suppose(&view, s);
}

static bool block_end(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look(&view, s)) return false;
  if (view.index + 1 == view.block_end) return give_up(&view);
  view.position += (double)(view.block_end - 1 - view.index);
  return sp_view_suppose(&view, s);
}

/* ---- after an eviction ---- */

/* A view by ranks of a query before which something has left. */
static bool look_shifted(sp_view *view, const sp_suspect *s) {
  if (!in_cache(s) || !look(view, s)) return false;
  if (view->n < view->index + 1 && view->recent > 0) return true;
  return give_up(view);
}

/* By how much a recent token has moved down since it came, all evictions together. */
static double moved(const sp_view *view, const sp_suspect *s, size_t i) {
  uint64_t then = sp_view_oldest(s, view->list[i].index);
  return (double)(sp_view_oldest(s, view->index) - then);
}

/* `times` what a recent key has moved, on top of where it belongs. */
static bool shift_recent(sp_suspect *s, double times) {
  sp_view view;
  if (!look_shifted(&view, s)) return false;
  for (size_t i = view.pinned; i < view.n; i++) view.list[i].position += times * moved(&view, s, i);
  return sp_view_suppose(&view, s);
}

static bool shift_others(sp_suspect *s, double times) {
  sp_view view;
  if (!look_shifted(&view, s)) return false;
  bool first = view.sequence == 0;
  sp_view_clear(&view);
  return !first && shift_recent(s, times);
}

static bool shift_by_all(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look_shifted(&view, s)) return false;
  double all = (double)(view.index + 1 - view.n);
  for (size_t i = view.pinned; i < view.n; i++) view.list[i].position -= all;
  return sp_view_suppose(&view, s);
}

static bool last_shift_only(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look_shifted(&view, s)) return false;
  double last = s->c->n_evict > 1 ? (double)s->c->n_evict : 1;
  for (size_t i = view.pinned; i < view.n; i++) {
    double m = moved(&view, s, i);
    if (m > last) view.list[i].position += m - last;
  }
  return sp_view_suppose(&view, s);
}

static bool newest_not_shifted(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look_shifted(&view, s)) return false;
  view.list[view.n - 1].position = (double)view.index;
  return sp_view_suppose(&view, s);
}

static bool query_not_shifted(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look_shifted(&view, s)) return false;
  view.position = (double)view.index;
  return sp_view_suppose(&view, s);
}

/* Recent keys `by` too high; the newest one too, or not. */
static bool recent_moved(sp_suspect *s, double by, bool newest_too) {
  sp_view view;
  if (!look_shifted(&view, s)) return false;
  for (size_t i = view.pinned; i + (newest_too ? 0 : 1) < view.n; i++) view.list[i].position += by;
  return sp_view_suppose(&view, s);
}

static bool all_recent(sp_suspect *s, double by) {
  return recent_moved(s, by, true);
}

static bool older_recent(sp_suspect *s, double by) {
  return recent_moved(s, by, false);
}

static const sp_hypothesis list[] = {
    {"the pairs of the rotation are taken for (i, i + r/2): they are (2i, 2i + 1) here",
     other_pairs, NULL, 0},
    {"the pairs of the rotation are taken for (2i, 2i + 1): they are (i, i + r/2) here",
     other_pairs, NULL, 1},
    {"queries and keys are not rotated", not_rotated, NULL, 0},
    {"the angles have the wrong sign", backwards, NULL, 0},
    {"keys are rotated and queries are not", one_side, NULL, 0},
    {"queries are rotated and keys are not", one_side, NULL, 1},
    {"the base of the angles is taken for 10000", other_base, NULL, 10000},
    {"whole rows are rotated: only their first rope_dims elements are", whole_row, NULL, 0},
    /* The same as when pinned keys are shifted with the recent ones. */
    {"keys and query stand at the numbers of their tokens: their ranks in the cache are due",
     by_number, NULL, 0},
    {"keys and query stand at their ranks in the cache: the numbers of their tokens are due",
     by_rank, NULL, 0},
    {"recent keys are shifted in sequence 0 only: in the others they keep the ranks they came with",
     shift_others, NULL, 1},
    {"nothing is shifted after an eviction: recent keys keep the ranks that they came with",
     shift_recent, NULL, 1},
    {"the shift after an eviction is applied twice to the keys that stay", shift_recent, NULL, -1},
    {"the shift is applied twice: to ranks, which have moved already, by all that was ever evicted",
     shift_by_all, NULL, 0},
    {"a shift replaces the one before it: only the last eviction counts", last_shift_only, NULL, 0},
    {"the newest key stands at the number of its token, the others at their ranks",
     newest_not_shifted, NULL, 0},
    {"the query stands at the number of its token, the keys at their ranks", query_not_shifted,
     NULL, 0},
    {"a position is given twice: older recent keys stand one too low", older_recent, NULL, -1},
    {"a position is left out: older recent keys stand one too high", older_recent, NULL, 1},
    {"all recent keys stand one position too low", all_recent, NULL, -1},
    {"all recent keys stand one position too high", all_recent, NULL, 1},
    {"all queries of a block stand at the position of its last token", block_end, NULL, 0},
    {"the query stands one position too high", query_moved, NULL, 1},
    {"the query stands one position too low", query_moved, NULL, -1},
};

sp_hypotheses sp_hypotheses_turn(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
