/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of each variant against the definition of what a token sees, exhaustively on a small
 * world: all S <= 4, all W <= 6, all n_evict <= W, all streams of up to 24 tokens, all ways to cut
 * them into blocks of up to 5, with truncations of any length anywhere between them.
 *
 * There are more such histories than can be run, but a cache is a function of (state, operation).
 * So it is enough that each operation, from the one state that belongs to a pair (length, F) of the
 * clauses and a size of the memory, gives the outputs and the state that the clauses name. What
 * must not matter, the slots of tokens that are not held, is NaN in every state that is left.
 *
 * Token j has value e_j, so that an output shows who was seen and with which weight; the weights
 * are those of angles 1, 2, 3, …, so that they show at which distance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fast/cache.h"
#include "tests/require.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_histories(void);

enum { MAX_S = 4, MAX_W = 6, MAX_TOKENS = 24, MAX_BLOCK = 5, D = 2, MAX_STATES = 4096 };

typedef struct config {
  uint64_t s, w, n_evict, n_undo, first_token;
  uint32_t position;
} config;

/* What else is wrong with a machine, besides its parameters. */
typedef enum fault {
  NONE,
  SHORT_RING,  /* what is still seen is overwritten one token too early */
  REWOUND,     /* what was overwritten is not remembered */
  PINNED_LOST, /* the ring wraps over the last pinned slot */
  FUTURE,      /* every query of a block sees the whole block */
  COUNTED,     /* attend counts as a token */
  N_FAULTS
} fault;

static fault planted;

/* ---- the clauses ---- */

/* j <= t and (j < S or t - j < W); in batches, of the r = t - S + 1 unpinned tokens the newest r, or
 * W - k + 1 + ((r - W - 1) mod k). tests: EV-2, EV-9 */
static bool defined_visible(const config *x, uint64_t t, uint64_t j) {
  if (j > t) return false;
  if (j < x->s) return true;
  const uint64_t r = t - x->s + 1, k = x->n_evict;
  return t - j < (r <= x->w ? r : x->w - k + 1 + (r - x->w - 1) % k);
}

/* F of EV-15 after the length has become `length`. */
static uint64_t f_after(const config *x, uint64_t f, uint64_t length) {
  const uint64_t most = x->w + x->n_undo;
  return length > most && length - most > f ? length - most : f;
}

/* tests: EV-15 */
static sp_status defined_truncate(const config *x, uint64_t f, uint64_t length, uint64_t n) {
  if (n == 0 || n > length) return SP_INVALID;
  for (uint64_t j = 0; j + n < length; j++)
    if (defined_visible(x, length - n - 1, j) && j >= x->s && j < f) return SP_LOST;
  return SP_OK;
}

/* The weight of each token in the output of each other. tests: EV-10, EV-14 */
static void define_weights(const config *x, double weight[MAX_TOKENS][MAX_TOKENS]) {
  for (uint64_t t = 0; t < MAX_TOKENS; t++) {
    double sum = 0.0;
    uint64_t rank = 0;
    uint64_t n_visible = 0;
    for (uint64_t j = 0; j < MAX_TOKENS; j++) n_visible += defined_visible(x, t, j);
    for (uint64_t j = 0; j < MAX_TOKENS; j++) {
      weight[t][j] = 0.0;
      if (!defined_visible(x, t, j)) continue;
      double distance = 0.0;
      if (x->position == SP_POSITION_ABS) distance = (double)(t - j);
      if (x->position == SP_POSITION_CACHE) distance = (double)(n_visible - 1 - rank);
      weight[t][j] = exp(cos(distance));
      sum += weight[t][j];
      rank++;
    }
    for (uint64_t j = 0; j < MAX_TOKENS; j++) weight[t][j] /= sum;
  }
}

/* ---- the machine ---- */

typedef struct state {
  uint64_t length, f;
  sp_fast_stream stream;
} state;

typedef struct world {
  config x;
  sp_cache_ops ops;
  sp_cache *cache; /* one, into which every state is loaded */
  double weight[MAX_TOKENS][MAX_TOKENS];
  state states[MAX_STATES];
  size_t n_states;
  bool agrees;
} world;

static size_t bytes_k(const sp_fast_stream *s) {
  return s->n_slots * D * sizeof(float);
}

static size_t bytes_v(const sp_fast_stream *s) {
  return s->n_slots * MAX_TOKENS * sizeof(float);
}

static char *copied(const char *from, size_t n) {
  char *copy = malloc(n + 1);
  REQUIRE(copy != NULL);
  if (n > 0) memcpy(copy, from, n);
  return copy;
}

static sp_fast_stream copy_stream(const sp_fast_stream *from) {
  sp_fast_stream to = *from;
  to.k = copied(from->k, bytes_k(from));
  to.v = copied(from->v, bytes_v(from));
  return to;
}

static void load(world *w, const state *from) {
  sp_fast_stream *s = &w->cache->stream[0];
  free(s->k);
  free(s->v);
  *s = copy_stream(&from->stream);
}

static void open_machine(world *w, const config *machine) {
  const bool turned = machine->position != SP_POSITION_NONE;
  const sp_cache_config c = {.size = sizeof c,
                             .dtype_kv = SP_F32,
                             .n_sink_tokens = machine->s,
                             .window = machine->w,
                             .n_evict = machine->n_evict,
                             .n_undo = machine->n_undo,
                             .first_token = machine->first_token,
                             .n_heads = 1,
                             .n_kv_heads = 1,
                             .d_head = D,
                             .d_value = MAX_TOKENS,
                             .position = machine->position,
                             .rope_dims = turned ? D : 0,
                             .rope_base = turned ? 10000.0 : 0.0};
  REQUIRE(w->ops.open(&w->cache, &c) == SP_OK);
}

/* ---- wrong machines ---- */

static sp_status append_wrongly(sp_cache *cache, const sp_cache_call *call) {
  sp_fast_ring *ring = &cache->stream[0].ring;
  sp_cache_call other = *call;
  if (planted == SHORT_RING) ring->size--;
  if (planted == PINNED_LOST) ring->n_sink_tokens--, ring->size++;
  if (planted == FUTURE) other.q.data = other.out.data = NULL;
  sp_status status = sp_fast_cache_append(cache, &other);
  if (planted == SHORT_RING) ring->size++;
  if (planted == PINNED_LOST) ring->n_sink_tokens++, ring->size--;
  if (planted == REWOUND) ring->floor = 0;
  other.n_tokens = 1;
  other.k.data = other.v.data = NULL;
  for (uint64_t t = 0; planted == FUTURE && status == SP_OK && t < call->n_tokens; t++) {
    other.q = call->q;
    other.out = call->out;
    other.out.data = (float *)call->out.data + (int64_t)t * call->out.stride[1];
    status = sp_fast_cache_attend(cache, &other);
  }
  return status;
}

static sp_status attend_wrongly(sp_cache *cache, const sp_cache_call *call) {
  sp_status status = sp_fast_cache_attend(cache, call);
  if (planted == COUNTED && status == SP_OK) cache->stream[0].ring.n_seen++;
  return status;
}

/* ---- operations and what they must give ---- */

static const float one[D] = {1.0F, 0.0F};

/* The output of token t, when those from `first_new` on have twice the value. */
static bool is_output(const world *w, uint64_t t, uint64_t first_new, const float *out) {
  for (uint64_t j = 0; j < MAX_TOKENS; j++) {
    const double expected = w->weight[t][j] * (j < first_new ? 1.0 : 2.0);
    if (!(fabs((double)out[j] - expected) <= 0x1p-20)) return false;
  }
  return true;
}

static sp_cache_call call_of(uint64_t n_tokens, float *out) {
  return (sp_cache_call){.size = sizeof(sp_cache_call),
                         .n_threads = 1,
                         .n_tokens = n_tokens,
                         .q = {.data = one, .dtype = SP_F32},
                         .out = {.data = out, .stride = {0, MAX_TOKENS, 0}, .dtype = SP_F32},
                         .scale = 1.0F};
}

/* Appends tokens of twice the value. tests: EV-4, EV-5 */
static bool append(world *w, uint64_t length, uint64_t n) {
  float v[MAX_BLOCK][MAX_TOKENS] = {{0}};
  float out[MAX_BLOCK][MAX_TOKENS];
  sp_cache_call call = call_of(n, out[0]);
  for (uint64_t i = 0; i < n; i++) v[i][length + i] = 2.0F;
  call.k = (sp_in){.data = one, .dtype = SP_F32};
  call.v = (sp_in){.data = v, .stride = {0, MAX_TOKENS, 0}, .dtype = SP_F32};
  if (w->ops.append(w->cache, &call) != SP_OK) return false;
  for (uint64_t i = 0; i < n; i++)
    if (!is_output(w, length + i, length, out[i])) return false;
  return true;
}

/* tests: EV-4, KC-7 */
static bool attends(world *w, uint64_t length) {
  float out[MAX_TOKENS];
  const sp_cache_call call = call_of(1, out);
  const sp_status status = w->ops.attend(w->cache, &call);
  if (length == 0) return status == SP_INVALID;
  return status == SP_OK && is_output(w, length - 1, MAX_TOKENS, out);
}

/* tests: EV-6, EV-7, EV-8 */
static bool lists(world *w, uint64_t length) {
  uint64_t list[MAX_TOKENS];
  uint64_t n = 0;
  uint64_t i = 0;
  if (w->ops.visible(w->cache, 0, list, MAX_TOKENS, &n) != SP_OK) return false;
  for (uint64_t j = 0; j < length; j++)
    if (defined_visible(&w->x, length - 1, j) && (i == n || list[i++] != w->x.first_token + j))
      return false;
  return i == n;
}

/* ---- states ---- */

static bool is_held(const config *x, uint64_t length, uint64_t f, uint64_t j) {
  return j < length && (j < x->s || j >= f);
}

/* Every held token lies whole in its slot; then all are given one value, and what else is in memory
 * is NaN. */
static bool canonical(world *w, uint64_t length, uint64_t f, uint64_t first_new) {
  sp_fast_stream *s = &w->cache->stream[0];
  float *k = (float *)(void *)s->k, *v = (float *)(void *)s->v;
  bool used[MAX_TOKENS + 64] = {false};
  for (uint64_t j = 0; j < length; j++) {
    const uint64_t slot = sp_fast_ring_slot(&s->ring, j);
    if (!is_held(&w->x, length, f, j)) continue;
    if (slot >= s->n_slots || used[slot]) return false;
    used[slot] = true;
    for (uint64_t c = 0; c < MAX_TOKENS; c++)
      if (v[slot * MAX_TOKENS + c] != (c != j ? 0.0F : j < first_new ? 1.0F : 2.0F)) return false;
    v[slot * MAX_TOKENS + j] = 1.0F;
  }
  for (uint64_t slot = 0; slot < s->n_slots; slot++) {
    for (uint64_t c = 0; c < D && !used[slot]; c++) k[slot * D + c] = NAN;
    for (uint64_t c = 0; c < MAX_TOKENS && !used[slot]; c++) v[slot * MAX_TOKENS + c] = NAN;
  }
  return true;
}

/* A stream without slots has no memory. */
static bool same_bytes(const void *a, const void *b, size_t bytes) {
  return bytes == 0 || memcmp(a, b, bytes) == 0;
}

static bool same_stream(const sp_fast_stream *a, const sp_fast_stream *b) {
  return a->ring.n_seen == b->ring.n_seen && a->ring.floor == b->ring.floor &&
         same_bytes(a->k, b->k, bytes_k(a)) && same_bytes(a->v, b->v, bytes_v(a));
}

/* What was loaded and operated on is now the state of (length, F): the same as before, or a new one
 * that is looked at. */
static bool arrive(world *w, uint64_t length, uint64_t f, uint64_t first_new) {
  const sp_fast_stream *s = &w->cache->stream[0];
  if (!canonical(w, length, f, first_new)) return false;
  for (size_t i = 0; i < w->n_states; i++) {
    const state *known = &w->states[i];
    if (known->length == length && known->f == f && known->stream.n_slots == s->n_slots)
      return same_stream(s, &known->stream);
  }
  REQUIRE(w->n_states < MAX_STATES);
  w->states[w->n_states++] = (state){length, f, copy_stream(s)};
  return lists(w, length) && attends(w, length) &&
         same_stream(s, &w->states[w->n_states - 1].stream);
}

/* Every operation from one state. */
static bool leave(world *w, size_t from) {
  const uint64_t length = w->states[from].length, f = w->states[from].f;
  for (uint64_t n = 1; n <= MAX_BLOCK && length + n <= MAX_TOKENS; n++) {
    load(w, &w->states[from]);
    if (!append(w, length, n)) return false;
    if (!arrive(w, length + n, f_after(&w->x, f, length + n), length)) return false;
  }
  for (uint64_t n = 0; n <= length + 1; n++) {
    const sp_status expected = defined_truncate(&w->x, f, length, n);
    load(w, &w->states[from]);
    if (w->ops.truncate(w->cache, 0, n) != expected) return false;
    const uint64_t left = expected == SP_OK ? length - n : length;
    if (!arrive(w, left, f < left ? f : left, MAX_TOKENS)) return false;
  }
  return true;
}

/* Does a machine of these parameters do what the clauses say for x, in every history? */
static bool explore(const sp_kernel *kernel, const config *x, const config *machine, fault which) {
  static world only;
  world *w = &only;
  w->x = *x;
  w->n_states = 0;
  w->ops = *kernel->cache;
  planted = which;
  if (which != NONE) {
    w->ops.append = append_wrongly;
    w->ops.attend = attend_wrongly;
  }
  define_weights(x, w->weight);
  open_machine(w, machine);
  w->agrees = arrive(w, 0, 0, MAX_TOKENS);
  for (size_t i = 0; i < w->n_states && w->agrees; i++) w->agrees = leave(w, i);
  const bool agrees = w->agrees && w->n_states > MAX_TOKENS;
  for (size_t i = 0; i < w->n_states; i++) {
    free(w->states[i].stream.k);
    free(w->states[i].stream.v);
  }
  w->ops.close(w->cache);
  return agrees;
}

/* ---- tests ---- */

static const uint64_t origins[] = {0, (UINT64_C(1) << 31) - 12, (UINT64_C(1) << 32) - 12,
                                   UINT64_MAX - 24};

/* tests: EV-1, EV-2, EV-4, EV-5, EV-6, EV-7, EV-8, EV-9, EV-10, EV-15 */
START_TEST(every_history_of_every_stream) {
  static const uint64_t undo[] = {0, 1, 3, 30};
  const sp_kernel *kernel = variant_kernel(_i);
  uint64_t n = 0;
  for (uint64_t s = 0; s <= MAX_S; s++)
    for (uint64_t w = 1; w <= MAX_W; w++)
      for (uint64_t n_evict = 1; n_evict <= w; n_evict++)
        for (size_t u = 0; u < 4; u++, n++) {
          const config x = {s, w, n_evict, undo[u], origins[n / 3 % 4], (uint32_t)(n % 3)};
          ck_assert_msg(explore(kernel, &x, &x, NONE),
                        "S %llu, W %llu, n_evict %llu, n_undo %llu, position %u",
                        (unsigned long long)s, (unsigned long long)w, (unsigned long long)n_evict,
                        (unsigned long long)undo[u], x.position);
        }
}
END_TEST

/* tests: EV-1, EV-2, EV-5, EV-8, EV-9, EV-10, EV-15 (machines that pin, keep, evict, hold or count
 * one too many or one too few, that turn by other positions, that overwrite, rewind or look ahead) */
START_TEST(planted_machines_are_seen) {
  const sp_kernel *kernel = variant_kernel(_i);
  const config x = {2, 5, 2, 3, 100, SP_POSITION_CACHE};
  const config wrong[] = {{3, 5, 2, 3, 100, 2}, {1, 5, 2, 3, 100, 2}, {2, 6, 2, 3, 100, 2},
                          {2, 4, 2, 3, 100, 2}, {2, 5, 3, 3, 100, 2}, {2, 5, 1, 3, 100, 2},
                          {2, 5, 2, 4, 100, 2}, {2, 5, 2, 2, 100, 2}, {2, 5, 2, 3, 101, 2},
                          {2, 5, 2, 3, 100, 1}, {2, 5, 2, 3, 100, 0}};
  REQUIRE(explore(kernel, &x, &x, NONE));
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    ck_assert_msg(!explore(kernel, &x, &wrong[i], NONE), "machine %zu passes", i);
  for (fault which = NONE + 1; which < N_FAULTS; which++)
    ck_assert_msg(!explore(kernel, &x, &x, which), "fault %d passes", (int)which);
}
END_TEST

Suite *suite_fast_histories(void) {
  Suite *suite = suite_create("fast/histories");
  ADD_CASE(suite, "EV-5", every_history_of_every_stream, planted_machines_are_seen);
  report_missing_variants("histories");
  return suite;
}
