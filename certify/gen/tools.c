/* SPDX-License-Identifier: Apache-2.0 */
/* Draws that respect the offer: types, shapes, outputs and layout of a case. A generator that goes
 * through these cannot ask for what the subject does not have. spec: KC-2 */
#include "certify/gen/tools.h"

static const sp_dtype all_types[] = {SP_F32, SP_BF16, SP_F16, SP_F64};
enum { N_TYPES = sizeof all_types / sizeof *all_types };

static bool has_type(uint32_t dtypes, sp_dtype dtype) {
  return (dtypes & SP_DTYPE_BIT(dtype)) != 0;
}

/* The types of an operation, as pairs: equal ones first. Returns how many; *n_equal of them equal.
 */
static size_t type_pairs(const sp_generator_request *request, sp_dtype pair[][2], size_t *n_equal) {
  bool softmax = request->op == SP_OP_SOFTMAX;
  uint32_t first = softmax ? request->dtypes_softmax : request->dtypes_q;
  uint32_t second = softmax ? request->dtypes_softmax : request->dtypes_kv;
  size_t n = 0;
  for (size_t shift = 0; shift < (softmax ? 1 : N_TYPES); shift++) {
    for (size_t a = 0; a < N_TYPES; a++) {
      sp_dtype q = all_types[a];
      sp_dtype kv = all_types[(a + shift) % N_TYPES];
      if (!has_type(first, q) || !has_type(second, kv)) continue;
      pair[n][0] = q;
      pair[n][1] = kv;
      n++;
    }
    if (shift == 0) *n_equal = n;
  }
  return n;
}

/* Four cases of five have q and k of one type. Neighbouring variants get types without a pattern
 * (or one type would get all odd lengths and another all even ones), and each variant moves on to
 * the next type with every round. */
static bool begin_types(sp_gen *g, size_t n_variants) {
  sp_dtype pair[N_TYPES * N_TYPES][2];
  size_t n_equal = 0;
  size_t n = type_pairs(g->request, pair, &n_equal);
  if (n == 0) return false;
  uint64_t turn = sp_rng_mix(g->index % n_variants) % 1000 + g->index / n_variants;
  size_t pick = turn % n;
  if (n_equal > 0 && n > n_equal) {
    bool mixed = turn % 5 == 4;
    pick = mixed ? n_equal + turn / 5 % (n - n_equal) : turn % n_equal;
  }
  g->c->dtype_q = pair[pick][0];
  g->c->dtype_kv = pair[pick][1];
  return true;
}

/* Log-sum-exps are asked for whenever they are offered, because several bugs show nowhere else;
 * one case in eight leaves one out, so that absent outputs are met too. */
static void begin_outputs(sp_gen *g) {
  sp_case *c = g->c;
  uint64_t leave_out = sp_rng_below(&g->rng, 24);
  c->want_lse_keys = sp_gen_has(g, SP_OPT_LSE_KEYS) && leave_out != 0;
  c->want_lse_total = sp_gen_has(g, SP_OPT_LSE_TOTAL) && leave_out != 1;
  c->want_weights = leave_out != 2 || !(c->want_lse_keys || c->want_lse_total);
}

static void begin_layout(sp_gen *g) {
  sp_layout *layout = &g->c->layout;
  layout->guard_before = sp_rng_one_in(&g->rng, 2);
  uint64_t misalign = sp_rng_below(&g->rng, 64);
  if (sp_rng_one_in(&g->rng, 4)) layout->misalign = (uint32_t)misalign;
  uint64_t pad = sp_rng_between(&g->rng, 1, 19);
  bool strided = sp_rng_one_in(&g->rng, 5);
  bool head_major = sp_rng_one_in(&g->rng, 2);
  if (!strided || !sp_gen_has(g, SP_OPT_STRIDES)) return;
  layout->row_pad = (uint32_t)pad;
  layout->head_major = head_major && g->request->op != SP_OP_SOFTMAX;
}

bool sp_gen_begin(sp_gen *g, sp_case *c, const sp_generator_request *request, size_t n_variants) {
  *g = (sp_gen){.c = c, .request = request, .index = request->index};
  sp_rng_init(&g->rng, request->seed, request->generator, (uint64_t)request->op, request->index);
  if (!begin_types(g, n_variants)) return false;
  begin_outputs(g);
  begin_layout(g);
  g->hide_in_logits = sp_rng_one_in(&g->rng, 2);
  uint64_t threads = sp_rng_below(&g->rng, 8);
  c->n_threads = threads < 5 ? 1 : (uint32_t)threads - 3;
  return true;
}

bool sp_gen_has(const sp_gen *g, uint64_t options) {
  return (options & ~g->request->options) == 0;
}

size_t sp_gen_length(const sp_gen *g, size_t n) {
  bool softmax = g->request->op == SP_OP_SOFTMAX;
  uint64_t most = g->request->max_n != 0 ? g->request->max_n : SIZE_MAX;
  if (!softmax && sp_gen_affordable(g) < most) most = sp_gen_affordable(g);
  size_t unit = g->request->op == SP_OP_ATTENTION ? g->request->shapes.n_kv_multiple : 0;
  if (n > most) n = (size_t)most;
  if (unit <= 1) return n;
  size_t whole = (n + unit - 1) / unit * unit;
  return whole > most ? whole - unit : whole;
}

void sp_gen_heads(sp_gen *g, size_t max) {
  /* Group sizes differ from the number of groups: exchanging the two must show. spec: AT-7 */
  static const struct {
    size_t n_heads, n_kv_heads;
  } shape[] = {{1, 1}, {2, 2}, {3, 3}, {2, 1}, {6, 2}, {3, 1}, {6, 3}, {8, 2}, {5, 5}, {12, 3}};
  enum { N = sizeof shape / sizeof *shape };
  size_t start = sp_rng_below(&g->rng, N);
  for (size_t i = 0; i < N; i++) {
    size_t pick = (start + i) % N;
    if (shape[pick].n_heads > max) continue;
    if (shape[pick].n_heads > shape[pick].n_kv_heads && !sp_gen_has(g, SP_OPT_GQA)) continue;
    g->c->n_heads = shape[pick].n_heads;
    g->c->n_kv_heads = shape[pick].n_kv_heads;
    return;
  }
}

void sp_gen_dims(sp_gen *g, size_t max) {
  static const size_t dims[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65, 80};
  size_t n = 1;
  while (n < sizeof dims / sizeof *dims && dims[n] <= max) n++;
  size_t d_head = dims[sp_rng_below(&g->rng, n)];
  size_t d_value = dims[sp_rng_below(&g->rng, n)];
  g->c->d_head = d_head;
  g->c->d_value = sp_gen_has(g, SP_OPT_D_VALUE) ? d_value : d_head;
}

void sp_gen_queries(sp_gen *g, size_t n_q) {
  sp_case *c = g->c;
  c->n_q = n_q;
  if (g->request->op == SP_OP_SOFTMAX) return;
  if (n_q > c->n_kv && !sp_gen_has(g, SP_OPT_MORE_Q_THAN_KV)) c->n_q = c->n_kv;
  if (c->n_q == 0 || !sp_gen_has(g, SP_OPT_PREFILL)) c->n_q = 1;
}

void sp_gen_batch(sp_gen *g, size_t n_batch) {
  bool batched = g->request->op == SP_OP_ATTENTION && sp_gen_has(g, SP_OPT_BATCH);
  g->c->n_batch = batched ? n_batch : 1;
}

void sp_gen_window(sp_gen *g, uint64_t w) {
  if (sp_gen_has(g, SP_OPT_WINDOW)) g->c->window = w;
}

void sp_gen_shape(sp_gen *g, size_t n, size_t n_q, size_t max_heads, size_t max_d) {
  sp_case *c = g->c;
  if (c->op == SP_OP_CACHE) {
    size_t window = sp_rng_between(&g->rng, 1, n + 1);
    sp_gen_stream(g, n, sp_rng_below(&g->rng, 5), window);
  } else {
    c->n_kv = sp_gen_length(g, n);
    sp_gen_queries(g, n_q);
  }
  if (c->op == SP_OP_SOFTMAX) return;
  sp_gen_heads(g, max_heads);
  sp_gen_dims(g, max_d);
}

void sp_gen_whole_shape(sp_gen *g, size_t n, size_t n_q, size_t max_heads, size_t max_d) {
  sp_gen_shape(g, n, n_q, max_heads, max_d);
  if (g->c->op != SP_OP_CACHE) return;
  n = sp_gen_length(g, n);
  sp_gen_stream(g, n, 0, n);
  g->quiet = true;
}

bool sp_gen_script(sp_gen *g) {
  sp_case *c = g->c;
  if (c->op != SP_OP_CACHE || c->n_steps > 0) return true;
  size_t max_block = sp_rng_one_in(&g->rng, 2) ? 3 : c->n_kv;
  return g->quiet ? sp_gen_quiet_script(g) : sp_gen_random_script(g, max_block);
}

bool sp_gen_finish(sp_gen *g) {
  return sp_gen_script(g) && sp_gen_maybe_sinks(g);
}
