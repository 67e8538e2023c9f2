/* SPDX-License-Identifier: Apache-2.0 */
/* Counts. What is right for a few heads, rows or options is wrong for many: a kernel has another path
 * there, a fixed table that is too short, or a narrower integer. tests: AT-8, EV-1, EV-2, AL-5, AT-2 */
#include <math.h>

#include "certify/gen/list.h"
#include "certify/gen/tools.h"

typedef struct count {
  size_t n_heads, n_kv_heads, n_batch, n_q, n_kv, d_head, d_value;
} count;

/* A third of the keys, and all of the first 16, are hidden from everyone and hold NaN: with more queries
 * than a tile has rows, a kernel that masks tiles as a whole reads them. */
static bool hide_poison(sp_gen *g) {
  sp_case *c = g->c;
  for (size_t j = 0; j + 1 < c->n_kv; j++) {
    if (j >= 16 && !sp_rng_one_in(&g->rng, 3)) continue;
    if (!sp_gen_hide_from_all(g, j)) return false;
    for (size_t e = 0; e < c->n_kv_heads * c->d_head; e++)
      sp_gen_set(&c->k, sp_gen_k_at(c, 0, j, 0) + e, (double)NAN);
    for (size_t e = 0; e < c->n_kv_heads * c->d_value; e++)
      sp_gen_set(&c->v, sp_gen_v_at(c, 0, j, 0) + e, (double)NAN);
  }
  return true;
}

static bool pair_of(sp_gen *g) {
  sp_case *c = g->c;
  if (!sp_array_alloc(&c->bias_k, c->dtype_kv, c->n_kv_heads * c->d_head)) return false;
  if (!sp_array_alloc(&c->bias_v, c->dtype_kv, c->n_kv_heads * c->d_value)) return false;
  sp_gen_bells(g, &c->bias_k, 1.0);
  sp_gen_bells(g, &c->bias_v, 200.0);
  return true;
}

static bool slopes_of(sp_gen *g) {
  sp_case *c = g->c;
  if (!sp_array_alloc(&c->alibi_slope, SP_F32, c->n_heads)) return false;
  for (size_t h = 0; h < c->n_heads; h++)
    sp_gen_set(&c->alibi_slope, h, sp_rng_uniform(&g->rng, 0.001, 0.01));
  return true;
}

static bool bias_of(sp_gen *g) {
  if (!sp_gen_bias(g, false)) return false;
  sp_gen_bells(g, &g->c->key_bias, 2.0);
  return true;
}

/* What belongs to a head, an entry or a kv head is there as often as they are. */
static bool many_options(sp_gen *g) {
  sp_case *c = g->c;
  uint64_t which = c->op == SP_OP_ATTENTION ? (g->index + g->index / 16) % 4 : 0;
  if (which == 1) return !sp_gen_has(g, SP_OPT_ALIBI) || slopes_of(g);
  if (which == 2) return !sp_gen_has(g, SP_OPT_BIAS_PAIR) || pair_of(g);
  if (which < 3 || !sp_gen_has(g, SP_OPT_KEY_BIAS | SP_OPT_BIAS_PER_HEAD)) return true;
  c->bias_batches = c->n_batch;
  c->bias_heads = c->n_heads;
  if (!sp_array_alloc(&c->key_bias, SP_F32, c->n_batch * c->n_heads * c->n_kv)) return false;
  sp_gen_bells(g, &c->key_bias, 2.0);
  return true;
}

static bool many_heads(sp_gen *g, const count *n) {
  sp_case *c = g->c;
  bool grouped = sp_gen_has(g, SP_OPT_GQA);
  sp_gen_shape(g, n->n_kv, n->n_q, 1, 1);
  c->n_heads = n->n_heads;
  c->n_kv_heads = grouped ? n->n_kv_heads : n->n_heads;
  c->d_head = n->d_head;
  c->d_value = sp_gen_has(g, SP_OPT_D_VALUE) ? n->d_value : n->d_head;
  sp_gen_batch(g, n->n_batch);
  if (!sp_gen_scores(g, sp_gen_wanted(g), 1.5)) return false;
  bool hide = c->op == SP_OP_ATTENTION && c->n_q > 64 && sp_gen_has(g, SP_OPT_MASK);
  return (hide ? hide_poison(g) : many_options(g)) && sp_gen_finish(g);
}

static bool many_rows(sp_gen *g) {
  static const size_t n_rows[] = {70, 300, 130, 1100};
  size_t turn = (size_t)(g->index % 4);
  sp_gen_shape(g, turn == 3 ? 3 : 7, n_rows[turn], 1, 1);
  return sp_gen_scores(g, sp_gen_wanted(g), 2.0) && sp_gen_finish(g);
}

bool sp_make_many(sp_case *c, const sp_generator_request *request) {
  static const count counts[] = {
      {40, 8, 1, 1, 7, 3, 3},   {1, 1, 1, 130, 140, 2, 2}, {2, 1, 11, 2, 5, 3, 2},
      {2, 2, 1, 2, 9, 64, 64},  {36, 12, 1, 2, 5, 2, 3},   {3, 1, 1, 2, 9, 128, 128},
      {24, 1, 1, 3, 6, 4, 4},   {2, 1, 1, 70, 33, 3, 3},   {2, 1, 1, 2, 20, 96, 96},
      {66, 66, 1, 1, 4, 2, 2},  {1, 1, 2, 90, 90, 3, 2},   {2, 2, 1, 1, 9, 256, 256},
      {2, 1, 17, 1, 6, 2, 2},   {4, 2, 1, 5, 40, 64, 80},  {2, 1, 1, 200, 60, 1, 1},
      {1, 1, 1, 2, 7, 192, 128}};
  static const uint32_t threads[] = {1, 5, 16, 7, 64};
  enum { N = sizeof counts / sizeof *counts };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  c->n_threads = threads[sp_gen_turn(&g, N) % 5];
  if (request->op == SP_OP_SOFTMAX) return many_rows(&g);
  count n = counts[g.index % N];
  if (request->op == SP_OP_CACHE) n.n_kv = n.n_kv < 12 ? n.n_kv : 12; /* one query each */
  return many_heads(&g, &n);
}

/* Counts of pinned tokens and windows that are small numbers for someone who keeps 8, 16, 31 or 32 of
 * their bits. Rows are short: all of it is visible, or for that someone almost nothing. */
bool sp_make_narrow_counts(sp_case *c, const sp_generator_request *request) {
  static const unsigned bits[] = {8, 16, 32, 31, 15, 63, 7, 24};
  enum { N = 2 * sizeof bits / sizeof *bits };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  uint64_t large = ((uint64_t)1 << bits[g.index / 2 % (N / 2)]) + sp_rng_between(&g.rng, 1, 3);
  sp_gen_shape(&g, sp_rng_between(&g.rng, 8, 30), sp_rng_between(&g.rng, 1, 3), 2, 4);
  bool pinned = g.index % 2 == 0 || !sp_gen_has(&g, SP_OPT_WINDOW);
  if (pinned && !sp_gen_has(&g, SP_OPT_SINK_TOKENS)) return false;
  if (pinned) c->n_sink_tokens = large;
  sp_gen_window(&g, pinned ? sp_rng_between(&g.rng, 1, 2) : large);
  return sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) && sp_gen_finish(&g);
}

/* One log-sum-exp and nothing else, where the operation allows that; otherwise the output alone. */
bool sp_make_single_output(sp_case *c, const sp_generator_request *request) {
  enum { N = 6 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 1, 40), 3, 2, 4);
  bool total = g.index % 2 == 0 && sp_gen_has(&g, SP_OPT_LSE_TOTAL);
  bool keys = !total && g.index % 3 != 2 && sp_gen_has(&g, SP_OPT_LSE_KEYS);
  c->want_lse_total = total;
  c->want_lse_keys = keys;
  c->want_weights = c->op != SP_OP_SOFTMAX || !(total || keys);
  return sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) && sp_gen_finish(&g);
}

/* Rows that are cut into parts, with the options that short rows are usually tested with. */
bool sp_make_long_options(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {330, 700, 520, 1100, 410};
  enum { SOFTCAP = 1, PAIR = 2, ALIBI = 4, BIAS = 8, WINDOW = 16, ACAUSAL = 32 };
  static const unsigned sets[] = {
      SOFTCAP,       PAIR,          BIAS,           PAIR | SOFTCAP,
      ALIBI,         WINDOW,        ACAUSAL | PAIR, SOFTCAP | ALIBI | BIAS,
      WINDOW | PAIR, ALIBI | WINDOW};
  enum { N = sizeof sets / sizeof *sets };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  unsigned set = sets[g.index % N];
  size_t n = length[sp_gen_turn(&g, N) % 5];
  sp_gen_shape(&g, n, n < 600 ? 2 : 1, 2, 4);
  bool attention = c->op == SP_OP_ATTENTION;
  if (attention && (set & SOFTCAP) && sp_gen_has(&g, SP_OPT_SOFTCAP)) c->softcap = 3.0F;
  if (attention && (set & WINDOW)) sp_gen_window(&g, n - n / 4);
  if (attention && (set & ACAUSAL) && c->n_q > 1 && sp_gen_has(&g, SP_OPT_NONCAUSAL))
    c->causal = false;
  if (!sp_gen_scores(&g, sp_gen_wanted(&g), 2.0)) return false;
  bool ok = true;
  if (attention && (set & PAIR) && sp_gen_has(&g, SP_OPT_BIAS_PAIR)) ok = pair_of(&g);
  if (attention && (set & ALIBI) && sp_gen_has(&g, SP_OPT_ALIBI)) ok = ok && slopes_of(&g);
  if ((set & BIAS) && sp_gen_has(&g, SP_OPT_KEY_BIAS)) ok = ok && bias_of(&g);
  return ok && sp_gen_finish(&g);
}
