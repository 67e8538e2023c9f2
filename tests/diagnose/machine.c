/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens come, something leaves, keys move down, a query is answered: with one mistake. */
#include "tests/diagnose/machine.h"

#include <math.h>
#include <string.h>

enum { D = MACHINE_D, S = MACHINE_S, W = MACHINE_W, MAX_HELD = 64 };

/* A key in the cache: when it came, and where it stands. */
typedef struct key {
  size_t token;
  uint64_t index;
  double position, last_shift;
} key;

typedef struct cache {
  key held[MAX_HELD];
  size_t n;
  uint64_t length;
} cache;

typedef struct machine {
  const sp_case *c;
  mistake mistake;
  cache caches[2];
  sp_outputs *outputs;
  size_t n_outputs, n_appended;
} machine;

static bool is(const machine *m, mistake which) {
  return m->mistake == which;
}

static void drop(cache *x, size_t at, size_t n) {
  memmove(&x->held[at], &x->held[at + n], (x->n - at - n) * sizeof *x->held);
  x->n -= n;
}

static size_t pinned(const cache *x) {
  return x->n < S ? x->n : S;
}

/* n tokens leave; those behind them move down. */
static void evict(machine *m, cache *x, size_t n) {
  bool others = x != m->caches && is(m, FIRST_SEQUENCE_SHIFTED);
  drop(x, S, n);
  for (size_t i = S; i < x->n; i++) {
    double shift = (double)n;
    if (others || is(m, NEVER_SHIFTED)) shift = 0;
    if (is(m, SHIFTED_TWICE)) shift = 2 * (double)n;
    if (is(m, LAST_SHIFT)) shift -= x->held[i].last_shift;
    x->held[i].last_shift = (double)n;
    x->held[i].position -= shift;
  }
}

static void make_room(machine *m, cache *x) {
  size_t n = is(m, ONE_BY_ONE) ? 1 : is(m, HALF) ? W / 2 : m->c->n_evict;
  if (x->n >= S + W) evict(m, x, n);
}

static void store(machine *m, cache *x, size_t token) {
  make_room(m, x);
  x->held[x->n] = (key){.token = token, .index = x->length, .position = (double)x->n};
  x->n++;
  x->length++;
  if (is(m, FULL_EARLY) && x->length == S + W) x->held[S].token = SIZE_MAX; /* … for this query */
}

/* What a query of the newest token, or of an earlier one of a block, meets. */
static cache meet(const machine *m, const cache *x, const cache *old, uint64_t index, bool attends,
                  uint64_t block_end) {
  cache y = *x;
  uint64_t turn = index >= S ? (index - S) / W * W + S : 0;
  bool wrapped = index >= S + W;
  if (wrapped && (is(m, ATTEND_MORE) || is(m, APPEND_MORE)) && attends == is(m, ATTEND_MORE)) {
    memmove(&y.held[S + 1], &y.held[S], (y.n - S) * sizeof *y.held);
    y.n++;
    y.held[S] = (key){.token = (size_t)index - W, .index = index - W};
  }
  if (wrapped && (is(m, ATTEND_LESS) || is(m, APPEND_LESS)) && attends == is(m, ATTEND_LESS))
    drop(&y, S, 1);
  for (size_t i = y.n; i > S && is(m, SLICED) && wrapped; i--)
    if ((y.held[i - 1].index - S) % W > (index - S) % W) drop(&y, i - 1, 1);
  for (size_t i = 0; i < S && is(m, OVER_PINNED) && wrapped; i++)
    y.held[i].token = (size_t)index + 1 - S - W + i;
  if (is(m, SLOT_0_ON_WRAP) && wrapped) y.held[0].token = (size_t)turn;
  if (is(m, SLOT_0_ALWAYS) && wrapped) y.held[0].token = (size_t)index;
  if (is(m, PINNED_TWICE) && wrapped) {
    memmove(&y.held[2 * S], &y.held[S], (y.n - S) * sizeof *y.held);
    memcpy(&y.held[S], y.held, S * sizeof *y.held);
    y.n += S;
    for (size_t i = 0; i < y.n; i++) y.held[i].position = (double)i;
  }
  if (is(m, FULL_EARLY) && y.n > S && y.held[S].token == SIZE_MAX) {
    drop(&y, S, 1);
    for (size_t i = 0; i < y.n; i++) y.held[i].position = (double)i;
  }
  for (size_t i = y.n; i > S && is(m, STORED_FIRST); i--)
    if (block_end - y.held[i - 1].index > W && y.n > 1) drop(&y, i - 1, 1);
  if (is(m, DENSE) && !attends && block_end - old->length > 1) {
    y = *old;
    for (uint64_t j = old->length; j <= index; j++) y.held[y.n++] = (key){.token = (size_t)j};
  }
  for (uint64_t j = index + 1; j < block_end && is(m, FUTURE); j++)
    y.held[y.n++] = (key){.token = (size_t)j};
  return y;
}

/* Where the keys and the query stand, given where the list says that they do. */
static double place(const machine *m, cache *y, uint64_t index, uint64_t block_end) {
  bool ranks = m->c->position == SP_POSITION_CACHE, wrapped = index >= S + W;
  double query = y->n > 0 ? y->held[y->n - 1].position : 0;
  if (is(m, NEVER_SHIFTED) || is(m, SHIFTED_TWICE) || is(m, LAST_SHIFT)) query = (double)y->n - 1;
  for (size_t i = 0; i < y->n; i++) {
    key *k = &y->held[i];
    bool recent = i >= pinned(y) && wrapped, older = recent && i + 1 < y->n;
    if (ranks ? is(m, NUMBERS) : !is(m, RANKS)) k->position = (double)k->index;
    if (is(m, RANKS)) k->position = (double)i;
    if (recent && is(m, RANKS_SHIFTED)) k->position -= (double)(index + 1 - y->n);
    if (older && is(m, OLDER_LOW)) k->position -= 1;
    if (older && is(m, OLDER_HIGH)) k->position += 1;
    if (recent && is(m, RECENT_LOW)) k->position -= 1;
    if (recent && is(m, RECENT_HIGH)) k->position += 1;
    if (is(m, QUERIES_ONLY)) k->position = 0;
  }
  if (is(m, NEWEST_AT_NUMBER) && wrapped) y->held[y->n - 1].position = (double)index;
  if (is(m, NUMBERS) || (!ranks && !is(m, RANKS))) query = (double)index;
  if (is(m, RANKS)) query = (double)y->n - 1;
  if (is(m, QUERY_AT_NUMBER)) query = (double)index;
  if (is(m, KEYS_ONLY)) query = 0;
  if (is(m, AT_BLOCK_END)) query += (double)(block_end - 1 - index);
  return query + is(m, QUERY_HIGH) - is(m, QUERY_LOW);
}

static void turn(const machine *m, const sp_array *from, size_t token, double position,
                 double to[D]) {
  size_t r = is(m, UNROTATED) ? 0 : is(m, WHOLE_ROW) ? D : m->c->rope_dims;
  bool half = (m->c->rope_pairing == SP_ROPE_HALF) != is(m, PAIRS);
  double base = is(m, BASE) ? 10000.0 : m->c->rope_base;
  for (size_t e = 0; e < D; e++) to[e] = sim_get(from, token * D + e);
  for (size_t i = 0; i < r / 2; i++) {
    size_t a = half ? i : 2 * i, b = half ? i + r / 2 : 2 * i + 1;
    double angle = position * pow(base, -2.0 * (double)i / (double)r);
    if (is(m, WRONG_SIGN)) angle = -angle;
    double x = to[a], y = to[b];
    to[a] = x * cos(angle) - y * sin(angle);
    to[b] = x * sin(angle) + y * cos(angle);
  }
}

static void answer(machine *m, const cache *met, size_t token, double position) {
  double q[D], k[D], out[D] = {0}, sum = 0;
  turn(m, &m->c->q, token, position, q);
  for (size_t i = 0; i < met->n; i++) {
    double x = 0;
    turn(m, &m->c->k, met->held[i].token, met->held[i].position, k);
    for (size_t e = 0; e < D; e++) x += q[e] * k[e];
    sum += exp(x);
    for (size_t e = 0; e < D; e++) out[e] += exp(x) * sim_get(&m->c->v, met->held[i].token * D + e);
  }
  for (size_t e = 0; e < D; e++) sim_put(&m->outputs->values, m->n_outputs * D + e, out[e] / sum);
  m->n_outputs++;
}

static void append(machine *m, cache *x, const sp_cache_step *step) {
  const cache old = *x;
  uint64_t block_end = x->length + step->n_tokens;
  for (size_t t = 0; t < step->n_tokens; t++) {
    size_t token = m->n_appended++;
    store(m, x, token);
    if (!step->with_queries) continue;
    cache met = meet(m, x, &old, x->length - 1, false, block_end);
    double position = place(m, &met, x->length - 1, block_end);
    answer(m, &met, token, position);
  }
}

/* A sequence alone, so that token and index are one: what the ring held before, by what went into
 * its slots last. */
static void rewind_ring(machine *m, cache *x, uint64_t n) {
  uint64_t length = x->length - n;
  cache y = {.length = length};
  for (uint64_t j = 0; j < length; j++) {
    uint64_t last = j;
    if (j >= S && length - j > W) continue;
    while (j >= S && last + W < x->length) last += W;
    size_t token = (size_t)(last < length ? last : m->n_appended - (size_t)(x->length - last));
    y.held[y.n++] = (key){.token = token, .index = j};
  }
  *x = y;
}

static void run(machine *m) {
  for (size_t s = 0; s < m->c->n_steps; s++) {
    const sp_cache_step *step = &m->c->script[s];
    cache *x = &m->caches[step->sequence];
    if (step->kind == SP_STEP_APPEND) append(m, x, step);
    if (step->kind == SP_STEP_TRUNCATE) rewind_ring(m, x, step->n_tokens);
    if (step->kind != SP_STEP_ATTEND) continue;
    cache met = meet(m, x, x, x->length - 1, true, x->length);
    double position = place(m, &met, x->length - 1, x->length);
    answer(m, &met, met.held[met.n - 1].token, position);
  }
}

size_t machine_run(const sp_case *c, mistake which, sp_outputs *outputs) {
  machine m = {.c = c, .mistake = which, .outputs = outputs};
  run(&m);
  return m.n_outputs;
}
