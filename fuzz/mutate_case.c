/* SPDX-License-Identifier: Apache-2.0 */
/* Mutations of elements. Where an operation has no logits of its own, what is
 * said of logits is done to keys: q and k make them. */
#include "fuzz/mutate.h"

#include <math.h>
#include <string.h>

#include "certify/gen/tools.h"
#include "fuzz/element.h"
#include "fuzz/mutation.h"

/* ---- what a row is made of ---- */

/* The elements that make the logit of one key: one for softmax, a vector of k otherwise. */
typedef struct keys {
  sp_array *array;
  size_t n, length, stride, at; /* key j: elements at + j stride … + length */
} keys;

static keys choose_row(const sp_mutation *m) {
  sp_case *c = m->c;
  if (c->op == SP_OP_SOFTMAX) return (keys){&c->logits, c->n_kv, 1, 1, below(m, c->n_q) * c->n_kv};
  size_t h = below(m, c->n_kv_heads);
  size_t at = (below(m, c->n_batch) * c->n_kv * c->n_kv_heads + h) * c->d_head;
  return (keys){&c->k, c->n_kv, c->d_head, c->n_kv_heads * c->d_head, at};
}

/* The vector of values of the same key. */
static size_t value_at(const sp_case *c, const keys *row, size_t j) {
  return (row->at / c->d_head + j * c->n_kv_heads) * c->d_value;
}

static double get(const keys *row, size_t j, size_t e) {
  return sp_gen_get(row->array, row->at + j * row->stride + e);
}

static void set(const keys *row, size_t j, size_t e, double x) {
  sp_gen_set(row->array, row->at + j * row->stride + e, x);
}

/* The key whose first element is the largest number: of softmax, the maximum. */
static size_t max_key(const keys *row) {
  size_t best = 0;
  for (size_t j = 1; j < row->n; j++)
    if (get(row, j, 0) > get(row, best, 0)) best = j;
  return best;
}

/* ---- logits ---- */

static bool nudge_to_max(const sp_mutation *m) {
  keys row = choose_row(m);
  if (row.n < 2) return false;
  size_t top = max_key(&row), j = below(m, row.n);
  for (size_t e = 0; e < row.length; e++) {
    double x = get(&row, top, e);
    bool up = sp_rng_one_in(m->rng, 2);
    for (size_t k = below(m, 5); k > 0 && isfinite(x); k--)
      x = sp_ref_next(row.array->dtype, x, up);
    set(&row, j, e, x);
  }
  return true;
}

static bool nudge_one(const sp_mutation *m) {
  keys row = choose_row(m);
  if (row.n == 0) return false;
  size_t j = below(m, row.n), e = below(m, row.length);
  double x = get(&row, j, e);
  bool up = sp_rng_one_in(m->rng, 2);
  for (size_t k = 1 + below(m, 16); k > 0 && isfinite(x); k--)
    x = sp_ref_next(row.array->dtype, x, up);
  set(&row, j, e, x);
  return true;
}

static bool make_ties(const sp_mutation *m) {
  keys row = choose_row(m);
  if (row.n < 2) return false;
  size_t from = below(m, row.n), first = below(m, row.n), n = 1 + below(m, row.n - first);
  for (size_t j = first; j < first + n; j++)
    for (size_t e = 0; e < row.length; e++) set(&row, j, e, get(&row, from, e));
  return true;
}

static bool shift_row(const sp_mutation *m) {
  static const double shifts[] = {0.5, 1, 16, 88, 104, 709, 1000, 0x1p-10, 0x1p-20, 30000};
  keys row = choose_row(m);
  double shift = shifts[below(m, sizeof shifts / sizeof *shifts)];
  if (sp_rng_one_in(m->rng, 2)) shift = -shift;
  for (size_t j = 0; j < row.n; j++)
    if (isfinite(get(&row, j, 0))) set(&row, j, 0, get(&row, j, 0) + shift);
  return row.n > 0;
}

/* A power of two: exponents change and nothing else, until a format ends. */
static bool scale_row(const sp_mutation *m) {
  keys row = choose_row(m);
  double factor = ldexp(1, (int)below(m, 9) - 4);
  for (size_t j = 0; j < row.n; j++)
    for (size_t e = 0; e < row.length; e++)
      if (isfinite(get(&row, j, e))) set(&row, j, e, get(&row, j, e) * factor);
  return row.n > 0;
}

static bool ramp(const sp_mutation *m) {
  keys row = choose_row(m);
  double step = ldexp(sp_rng_one_in(m->rng, 2) ? 1 : -1, (int)below(m, 10) - 5);
  size_t first = row.n > 0 ? below(m, row.n) : 0;
  for (size_t j = first; j < row.n; j++) set(&row, j, 0, (double)(j - first) * step);
  return row.n > 0;
}

static bool swap_keys(const sp_mutation *m) {
  keys row = choose_row(m);
  if (row.n < 2) return false;
  size_t a = below(m, row.n), b = below(m, row.n);
  for (size_t e = 0; e < row.length; e++) {
    double x = get(&row, a, e);
    set(&row, a, e, get(&row, b, e));
    set(&row, b, e, x);
  }
  return true;
}

/* Bits that code compares with, and bits that no code expects. */
static double sentinel(const sp_mutation *m, sp_dtype dtype) {
  static const double finite[] = {
      0,        -0.0,     1,        -1e4,       -3e4,           -65504,   -1e6,
      -1e9,     -1e30,    -0x1p127, 88.7228391, -103.97,        -87.3365, 20,
      0x1p-126, 0x1p-149, 0x1p-24,  0x1p100,    -0x1.fffffep127};
  size_t n = sizeof finite / sizeof *finite;
  size_t pick = below(m, n + 3);
  if (pick < n) {
    double x = finite[pick];
    return dtype == SP_F64 ? x : sp_gen_nearest(dtype, x);
  }
  return pick == n ? -INFINITY : pick == n + 1 ? INFINITY : NAN;
}

static bool set_sentinel(const sp_mutation *m) {
  keys row = choose_row(m);
  if (row.n == 0) return false;
  size_t j = below(m, row.n), e = below(m, row.length);
  sp_ref_store(row.array->dtype, row.array->bits, row.at + j * row.stride + e,
               sentinel(m, row.array->dtype));
  return true;
}

/* ---- sink logits ---- */

static bool have_sinks(const sp_mutation *m) {
  sp_case *c = m->c;
  if (c->sink_logit.bits != NULL) return true;
  return sp_array_alloc(&c->sink_logit, sp_rng_one_in(m->rng, 3) ? SP_BF16 : SP_F32,
                        c->op == SP_OP_SOFTMAX ? c->n_q : c->n_heads);
}

/* The sink logit at the log-sum-exp of its row plus a little: it takes a share that shows. */
static bool sink_near_lse(const sp_mutation *m) {
  static const double deltas[] = {0, 1, -1, 3, -3, 8, -8, 16, -16, 40, -40, 100, -100};
  sp_case *c = m->c;
  sp_case_values values;
  if (!have_sinks(m)) return false;
  /* A mutation before this one may have made a step that cannot be. */
  if (sp_case_error(c) != NULL || !sp_case_values_init(&values, c)) return false;
  double delta = deltas[below(m, sizeof deltas / sizeof *deltas)];
  if (values.n_out > 0 && c->n_kv <= SP_FUZZ_LARGE_N) {
    size_t i = below(m, values.n_out), h = below(m, c->n_heads);
    double lse = sp_gen_lse(&values, 0, i, h);
    if (isfinite(lse)) sp_gen_set(&c->sink_logit, c->op == SP_OP_SOFTMAX ? i : h, lse + delta);
  }
  sp_case_values_clear(&values);
  return true;
}

static bool sink_sentinel(const sp_mutation *m) {
  if (!have_sinks(m)) return false;
  sp_array *sink = &m->c->sink_logit;
  sp_ref_store(sink->dtype, sink->bits, below(m, sink->count), sentinel(m, sink->dtype));
  return true;
}

/* ---- masks ---- */

static bool have_bias(const sp_mutation *m) {
  sp_case *c = m->c;
  if (c->op == SP_OP_CACHE || c->n_kv == 0) return false;
  if (c->key_bias.bits != NULL) return true;
  bool attention = c->op == SP_OP_ATTENTION;
  c->bias_rows = sp_rng_one_in(m->rng, 2) ? c->n_q : 1;
  c->bias_batches = sp_rng_one_in(m->rng, 3) && attention ? c->n_batch : 1;
  c->bias_heads = sp_rng_one_in(m->rng, 3) && attention ? c->n_heads : 1;
  return sp_array_alloc(&c->key_bias, SP_F32,
                        c->bias_batches * c->bias_rows * c->bias_heads * c->n_kv);
}

static size_t n_bias_rows(const sp_case *c) {
  return c->key_bias.count / c->n_kv;
}

/* A stretch of a row, most often one or more whole tiles from the start. */
static void choose_stretch(const sp_mutation *m, size_t *first, size_t *n) {
  static const size_t tile[] = {1, 8, 16, 32, 64};
  size_t n_kv = m->c->n_kv;
  *first = 0;
  *n = tile[below(m, 5)];
  if (sp_rng_one_in(m->rng, 2)) *n *= 2;
  if (sp_rng_one_in(m->rng, 3)) *first = below(m, n_kv);
  if (sp_rng_one_in(m->rng, 8)) *n = n_kv;
  if (*n > n_kv - *first) *n = n_kv - *first;
  if (sp_rng_one_in(m->rng, 4)) *first = n_kv - *n;
}

static void mask_in_row(const sp_mutation *m, size_t row) {
  size_t first, n;
  sp_case *c = m->c;
  choose_stretch(m, &first, &n);
  double x = sp_rng_one_in(m->rng, 6) ? 0 : -INFINITY;
  for (size_t j = first; j < first + n; j++)
    sp_ref_store(SP_F32, c->key_bias.bits, row * c->n_kv + j, x);
}

/* In one row, or in each another. */
static bool mask_stretch(const sp_mutation *m) {
  if (!have_bias(m)) return false;
  size_t n_rows = n_bias_rows(m->c);
  if (!sp_rng_one_in(m->rng, 3)) {
    mask_in_row(m, below(m, n_rows));
    return true;
  }
  for (size_t row = 0; row < n_rows; row++) mask_in_row(m, row);
  return true;
}

static bool mask_logits(const sp_mutation *m) {
  size_t first, n;
  keys row = choose_row(m);
  if (m->c->op != SP_OP_SOFTMAX || row.n == 0) return false;
  choose_stretch(m, &first, &n);
  for (size_t j = first; j < first + n; j++)
    sp_ref_store(row.array->dtype, row.array->bits, row.at + j, -INFINITY);
  return true;
}

static bool bias_value(const sp_mutation *m) {
  if (!have_bias(m)) return false;
  sp_array *bias = &m->c->key_bias;
  double x = sp_rng_bell(m->rng) * 3;
  if (sp_rng_one_in(m->rng, 4)) x = sentinel(m, SP_F32);
  if (isfinite(x)) x = sp_gen_nearest(SP_F32, x);
  size_t first = below(m, bias->count);
  size_t n = sp_rng_one_in(m->rng, 2) ? 1 : bias->count - first; /* one, or alike for many */
  for (size_t i = first; i < first + n; i++) sp_ref_store(SP_F32, bias->bits, i, x);
  return true;
}

/* NaN, infinities and huge numbers in one key and its value, which some mask may hide. */
static bool poison_key(const sp_mutation *m) {
  static const double poison[] = {NAN, INFINITY, -INFINITY, 0x1.fep127};
  sp_case *c = m->c;
  keys row = choose_row(m);
  if (c->op == SP_OP_SOFTMAX || row.n == 0) return false;
  size_t j = below(m, row.n), v = value_at(c, &row, j);
  double x = poison[below(m, 4)];
  if (isfinite(x)) x = sp_gen_nearest(c->dtype_kv, x);
  for (size_t e = 0; e < c->d_value; e++) sp_ref_store(c->dtype_kv, c->v.bits, v + e, x);
  for (size_t e = 0; e < c->d_head; e++)
    sp_ref_store(c->dtype_kv, c->k.bits, row.at + j * row.stride + e, x);
  if (!sp_rng_one_in(m->rng, 2) || !have_bias(m)) return true;
  for (size_t r = 0; r < n_bias_rows(c); r++)
    sp_ref_store(SP_F32, c->key_bias.bits, r * c->n_kv + j, -INFINITY);
  return true;
}

/* ---- values, queries ---- */

/* A value that only one key has: who reads another key is far off. */
static bool value_needle(const sp_mutation *m) {
  sp_case *c = m->c;
  if (c->v.count == 0) return false;
  size_t at = below(m, c->v.count), digit = 1 + below(m, 7);
  sp_gen_set(&c->v, at, ldexp((double)digit, (int)below(m, 14)));
  return true;
}

static bool values_cancel(const sp_mutation *m) {
  sp_case *c = m->c;
  for (size_t i = 0; i < c->v.count; i++) {
    double x = fabs(sp_gen_get(&c->v, i));
    if (!isfinite(x)) continue;
    sp_gen_set(&c->v, i, (i / c->d_value) % 2 == 0 ? x : -x);
  }
  return c->v.count > 0;
}

static bool scale_query(const sp_mutation *m) {
  sp_case *c = m->c;
  if (c->q.count == 0) return false;
  double factor = ldexp(1, (int)below(m, 9) - 3);
  size_t first = below(m, c->q.count / c->d_head) * c->d_head;
  for (size_t e = first; e < first + c->d_head; e++)
    if (isfinite(sp_gen_get(&c->q, e))) sp_gen_set(&c->q, e, sp_gen_get(&c->q, e) * factor);
  return true;
}

static bool random_element(const sp_mutation *m) {
  sp_array *array = sp_fuzz_array(m->c, (int)below(m, SP_FUZZ_N_ROLES));
  if (array->bits == NULL || array->count == 0) return false;
  size_t at = below(m, array->count);
  double x = sp_rng_bell(m->rng);
  sp_gen_set(array, at, x * ldexp(1, (int)below(m, 8) - 2));
  return true;
}

bool sp_fuzz_mutate_case(sp_case *c, sp_rng *rng) {
  static bool (*const all[])(const sp_mutation *) = {nudge_to_max,
                                                     nudge_one,
                                                     make_ties,
                                                     shift_row,
                                                     scale_row,
                                                     ramp,
                                                     swap_keys,
                                                     set_sentinel,
                                                     sink_near_lse,
                                                     sink_near_lse,
                                                     sink_sentinel,
                                                     mask_stretch,
                                                     mask_stretch,
                                                     mask_logits,
                                                     bias_value,
                                                     poison_key,
                                                     value_needle,
                                                     values_cancel,
                                                     scale_query,
                                                     random_element,
                                                     sp_fuzz_change_step,
                                                     sp_fuzz_change_step,
                                                     sp_fuzz_spread_sequences,
                                                     sp_fuzz_change_position,
                                                     sp_fuzz_far_positions};
  const sp_mutation m = {c, rng};
  return all[below(&m, sizeof all / sizeof *all)](&m);
}
