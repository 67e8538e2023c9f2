/* SPDX-License-Identifier: Apache-2.0 */
/* Which tokens a query of a stream meets, and how a ring, a block, a truncation or a second entry
 * point gets that wrong. spec: EV-1, EV-2, EV-4, EV-5, EV-7, EV-9, EV-15, EV-16 */
#include "certify/case/sequence.h"
#include "certify/judge/diagnose_view.h"

static bool give_up(sp_view *view) {
  sp_view_clear(view);
  return false;
}

static bool suppose(sp_view *view, sp_suspect *s) {
  sp_view_place(view, s);
  return sp_view_suppose(view, s);
}

static bool evicted(const sp_view *view) {
  return view->n < view->index + 1 && view->recent > 0;
}

/* A view of a query before which something has left. */
static bool look_evicted(sp_view *view, const sp_suspect *s) {
  if (!sp_view_init(view, s)) return false;
  return evicted(view) || give_up(view);
}

/* Only tokens for which `stays` are met. False when that is all of them. */
static bool sieve(sp_view *view, bool (*stays)(const sp_view *, const sp_suspect *, uint64_t),
                  const sp_suspect *s) {
  size_t n = view->n;
  for (size_t i = n; i > 0; i--)
    if (!stays(view, s, view->list[i - 1].index)) sp_view_drop(view, i - 1);
  return (view->n > 0 && view->n < n) || give_up(view);
}

/* ---- the ring ---- */

static bool below_write_index(const sp_view *view, const sp_suspect *s, uint64_t index) {
  uint64_t pinned = s->c->n_sink_tokens, w = s->c->window;
  return index < pinned || (index - pinned) % w <= (view->index - pinned) % w;
}

static bool sliced(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  return look_evicted(&view, s) && sieve(&view, below_write_index, s) && suppose(&view, s);
}

/* The newest S + W tokens, whichever they are. */
static bool over_pinned(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look_evicted(&view, s)) return false;
  uint64_t n = view.n;
  if (view.pinned == 0) return give_up(&view);
  view.n = 0;
  for (uint64_t j = view.index + 1 - n; j <= view.index; j++)
    if (!sp_view_add(&view, s, j)) return give_up(&view);
  return suppose(&view, s);
}

/* Slot 0 holds another token: the one that came last to slot 0 of a ring, or the newest. */
static bool slot_0(sp_suspect *s, double newest) {
  sp_view view;
  if (!look_evicted(&view, s)) return false;
  if (view.pinned == 0) return give_up(&view);
  uint64_t turn = (view.index - view.pinned) / s->c->window * s->c->window;
  uint64_t index = newest > 0 ? view.index : view.pinned + turn;
  sp_viewed *first = &view.list[0];
  sp_view_place(&view, s);
  first->token = sp_view_token(s, index);
  return first->token != SIZE_MAX ? sp_view_suppose(&view, s) : give_up(&view);
}

static bool pinned_twice(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look_evicted(&view, s)) return false;
  if (view.pinned == 0) return give_up(&view);
  for (uint64_t j = 0; j < view.pinned; j++)
    if (!sp_view_add(&view, s, j)) return give_up(&view);
  for (size_t i = view.n - 1; i + 1 > view.pinned; i--)
    view.list[i] = i >= 2 * view.pinned ? view.list[i - view.pinned]
                                        : (sp_viewed){.token = view.list[i - view.pinned].token,
                                                      .index = view.list[i - view.pinned].index};
  return suppose(&view, s);
}

/* Of the r unpinned tokens, leave `recent`, the newest. */
static bool leave(sp_view *view, sp_suspect *s, uint64_t recent) {
  if (recent == 0 || recent > view->index + 1 - view->pinned || recent == view->recent)
    return give_up(view);
  view->n = (size_t)view->pinned;
  for (uint64_t j = view->index + 1 - recent; j <= view->index; j++)
    if (!sp_view_add(view, s, j)) return give_up(view);
  return suppose(view, s);
}

static bool one_at_a_time(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (s->c->n_evict < 2 || !look_evicted(&view, s)) return false;
  return leave(&view, s, s->c->window);
}

static bool half_at_once(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (s->c->window < 2 || !look_evicted(&view, s)) return false;
  uint64_t w = s->c->window, k = w / 2, r = view.index + 1 - view.pinned;
  return leave(&view, s, w - k + 1 + (r - w - 1) % k);
}

/* ---- blocks ---- */

static bool before_block_end(const sp_view *view, const sp_suspect *s, uint64_t index) {
  return index < s->c->n_sink_tokens || view->block_end - index <= s->c->window;
}

static bool stored_first(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  return sp_view_init(&view, s) && sieve(&view, before_block_end, s) && suppose(&view, s);
}

static bool dense(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!look_evicted(&view, s)) return false;
  if (view.block_end - view.block < 2) return give_up(&view);
  uint64_t oldest = view.block > 0 ? sp_view_oldest(s, view.block - 1) : s->c->n_sink_tokens;
  return leave(&view, s, view.index + 1 - oldest);
}

static bool future(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!sp_view_init(&view, s)) return false;
  if (view.index + 1 == view.block_end) return give_up(&view);
  for (uint64_t j = view.index + 1; j < view.block_end; j++)
    if (!sp_view_add(&view, s, j)) return give_up(&view);
  double query = s->c->position == SP_POSITION_CACHE
                     ? (double)(view.n - (view.block_end - view.index))
                     : (double)view.index;
  sp_view_place(&view, s);
  view.position = query;
  return sp_view_suppose(&view, s);
}

/* ---- two entry points ---- */

/* The outputs of one entry point that are of a full cache, after this many tokens: there are some,
 * and none is wrong. Of outputs before that, none is wrong either where `all` is said. */
static bool pass(const sp_suspect *s, bool attends, uint64_t after, bool all) {
  const sp_case *c = s->c;
  size_t n_out = 0;
  bool telling = false;
  for (size_t k = 0; k < c->n_steps; k++) {
    const sp_cache_step *step = &c->script[k];
    bool append = step->kind == SP_STEP_APPEND;
    size_t n = step->kind == SP_STEP_ATTEND ? 1 : append && step->with_queries ? step->n_tokens : 0;
    for (size_t i = n_out; i < n_out + n && append != attends; i++) {
      bool late = s->values->output_index[i] >= after;
      for (size_t h = 0; h < c->n_heads; h++)
        if ((late || all) && s->fails[i * c->n_heads + h]) return false;
      telling |= late;
    }
    n_out += n;
  }
  return telling;
}

static uint64_t capacity(const sp_case *c) {
  return c->n_sink_tokens + c->window;
}

static bool full_too_early(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  if (!sp_view_init(&view, s)) return false;
  if (!pass(s, view.attends, capacity(s->c), false)) return give_up(&view);
  if (view.n != view.index + 1 || view.recent != s->c->window || view.n < 2) return give_up(&view);
  sp_view_drop(&view, (size_t)view.pinned);
  return suppose(&view, s);
}

static bool one_entry(sp_suspect *s, bool attends, double more) {
  sp_view view;
  if (!pass(s, !attends, capacity(s->c), true) || !look_evicted(&view, s)) return false;
  if (view.attends != attends || (more < 0 && view.recent < 2)) return give_up(&view);
  return leave(&view, s, view.recent + (uint64_t)(int64_t)more);
}

static bool attend_only(sp_suspect *s, double more) {
  return s->c->op == SP_OP_CACHE && one_entry(s, true, more);
}

static bool append_only(sp_suspect *s, double more) {
  return s->c->op == SP_OP_CACHE && one_entry(s, false, more);
}

/* Before the tables of masks, which explain the same rows and more. */
static const sp_hypothesis entries[] = {
    {"a token is evicted when the cache is exactly full: one token too early", full_too_early, NULL,
     0},
    {"attend sees one recent token more than append does", attend_only, NULL, 1},
    {"attend sees one recent token less than append does", attend_only, NULL, -1},
    {"append sees one recent token more than attend does", append_only, NULL, 1},
    {"append sees one recent token less than attend does", append_only, NULL, -1},
};

sp_hypotheses sp_hypotheses_entry(void) {
  return (sp_hypotheses){entries, sizeof entries / sizeof entries[0]};
}

/* ---- truncation, sequences ---- */

/* Token rows of the sequence up to this step, the last that went into each slot of a ring of `size`
 * beside the pinned ones. */
static size_t last_in_slot(const sp_view *view, const sp_suspect *s, uint64_t index,
                           uint64_t size) {
  const sp_case *c = s->c;
  uint64_t pinned = c->n_sink_tokens, length = 0;
  size_t token = SIZE_MAX, n_appended = 0;
  sp_sequence sequence = {0};
  for (size_t k = 0; k <= view->step; k++) {
    const sp_cache_step *step = &c->script[k];
    bool append = step->kind == SP_STEP_APPEND, ours = step->sequence == view->sequence;
    for (size_t t = 0; append && ours && t < step->n_tokens; t++, length++) {
      if (k == view->step && length > view->index) break;
      bool same = length < pinned
                      ? length == index
                      : index >= pinned && (length - pinned) % size == (index - pinned) % size;
      if (same) token = n_appended + t;
    }
    if (append && ours) sp_sequence_append(&sequence, c, step->n_tokens);
    if (step->kind == SP_STEP_TRUNCATE && ours)
      (void)sp_sequence_truncate(&sequence, c, step->n_tokens);
    length = sequence.length;
    if (append) n_appended += step->n_tokens;
  }
  return token;
}

/* A ring of window slots, although n_undo tokens may be taken back. */
static bool rewound(sp_suspect *s, double unused) {
  (void)unused;
  sp_view view;
  bool any = false;
  uint64_t size = s->c->window;
  if (s->c->n_undo == 0 || !sp_view_init(&view, s)) return false;
  for (size_t i = 0; i < view.n; i++) {
    size_t token = last_in_slot(&view, s, view.list[i].index, size);
    if (token == SIZE_MAX) return give_up(&view);
    any |= token != view.list[i].token;
    view.list[i].token = token;
  }
  return any ? sp_view_suppose(&view, s) : give_up(&view);
}

static const sp_hypothesis list[] = {
    {"after a wrap only the slots up to the write index are read: a ring sliced by its length",
     sliced, NULL, 0},
    {"the ring wraps over the pinned slots: the newest S + W tokens are met", over_pinned, NULL, 0},
    {"slot 0, which is pinned, is overwritten when the ring wraps", slot_0, NULL, 0},
    {"slot 0, which is pinned, is overwritten by every new token", slot_0, NULL, 1},
    {"the pinned tokens are in the cache twice", pinned_twice, NULL, 0},
    {"n_evict is ignored: tokens leave one by one", one_at_a_time, NULL, 0},
    {"half of the recent tokens leave at once", half_at_once, NULL, 0},
    {"a whole block is stored before its queries run, over tokens that the earlier ones still see",
     stored_first, NULL, 0},
    {"a block is dense: its queries see all that was there before it", dense, NULL, 0},
    {"queries of a block see the tokens after them", future, NULL, 0},
    {"the ring has no room for n_undo tokens: what comes back was overwritten by what is taken "
     "back",
     rewound, NULL, 0},
};

sp_hypotheses sp_hypotheses_stream(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
