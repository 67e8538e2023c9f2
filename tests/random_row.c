/* SPDX-License-Identifier: Apache-2.0 */
/* Random rows. Sizes vary from row to row, and every array is longer than the row needs: what lies
 * beyond is NaN, so an oracle that reads too far is noticed. */
#include "tests/random_row.h"

#include <math.h>

uint64_t sp_random_bits(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

uint64_t sp_random_below(uint64_t *state, uint64_t n) {
  return sp_random_bits(state) % n;
}

double sp_random_unit(uint64_t *state) {
  return (double)(int64_t)(sp_random_bits(state) >> 40) * 0x1p-23 - 1.0;
}

static double pick(uint64_t *state, const double *choices, size_t n) {
  return choices[sp_random_below(state, n)];
}
#define PICK(state, ...)                                                                           \
  pick(state, (const double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double))

static bool coin(uint64_t *state) {
  return sp_random_bits(state) >> 63;
}

static void fill_nan(double *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = NAN;
}

static void values(sp_random_row *row, uint64_t *state) {
  row->in.d_value = 1 + sp_random_below(state, SP_ROW_VALUE);
  row->in.v = row->v;
  row->in.v_stride = row->in.d_value;
  for (size_t i = 0; i < row->in.n_kv * row->in.d_value; i++) row->v[i] = sp_random_unit(state);
}

/* A softmax row of moderate logits, half of the time with a sink logit. */
static void softmax_row(sp_random_row *row, uint64_t *state) {
  row->in.n_kv = 1 + sp_random_below(state, SP_ROW_KEYS);
  row->in.logits = row->logits;
  row->in.scale = coin(state) ? 1.0 : 4 * sp_random_unit(state);
  row->in.sink_logit = coin(state) ? 3 * sp_random_unit(state) : -INFINITY;
  for (size_t j = 0; j < row->in.n_kv; j++) row->logits[j] = 10 * sp_random_unit(state);
  values(row, state);
}

/* An attention row, with or without a mask. */
static void attention_row(sp_random_row *row, uint64_t *state) {
  softmax_row(row, state);
  row->in.logits = NULL;
  row->in.d_head = 1 + sp_random_below(state, SP_ROW_HEAD);
  row->in.q = row->q;
  row->in.k = row->k;
  row->in.k_stride = row->in.d_head;
  for (size_t c = 0; c < row->in.d_head; c++) row->q[c] = 3 * sp_random_unit(state);
  for (size_t i = 0; i < row->in.n_kv * row->in.d_head; i++) row->k[i] = 3 * sp_random_unit(state);
  row->in.masked = coin(state);
  row->in.mask.causal = coin(state);
  row->in.mask.window = coin(state) ? 1 + sp_random_below(state, SP_ROW_KEYS) : SP_WINDOW_ALL;
  row->in.mask.n_sink_tokens = sp_random_below(state, 5);
  row->in.pos_q = (int64_t)sp_random_below(state, SP_ROW_KEYS + 4) - 2;
}

static void key_biases(sp_random_row *row, uint64_t *state) {
  row->in.key_bias = row->key_bias;
  for (size_t j = 0; j < row->in.n_kv; j++)
    row->key_bias[j] = sp_random_below(state, 4) == 0 ? -INFINITY : 5 * sp_random_unit(state);
}

/* Put something that must not be read into the masked slots. */
static void spoil_masked(sp_random_row *row, uint64_t *state) {
  for (size_t j = 0; j < row->in.n_kv; j++) {
    if (row->key_bias[j] != -INFINITY) continue;
    const double garbage = PICK(state, NAN, INFINITY, -INFINITY, 1e300);
    row->logits[j] = garbage;
    if (row->in.logits == NULL) row->k[j * row->in.k_stride] = garbage;
    row->v[j * row->in.v_stride] = garbage;
  }
}

static void empty_row(sp_random_row *row, uint64_t *state) {
  const uint64_t how = sp_random_below(state, 4);
  row->in.sink_logit = PICK(state, -INFINITY, INFINITY, 0, -3, 200);
  if (how == 0) {
    row->in.n_kv = 0;
  } else if (how == 1) {
    row->in.masked = true;
    row->in.mask = (sp_ref_mask){true, 1 + sp_random_below(state, 3), 2};
    row->in.pos_q = -1 - (int64_t)sp_random_below(state, 3);
  } else {
    key_biases(row, state);
    for (size_t j = 0; j < row->in.n_kv; j++) row->key_bias[j] = -INFINITY;
    spoil_masked(row, state);
  }
}

/* One or two non-finite inputs, anywhere. */
static void spoil(sp_random_row *row, uint64_t *state) {
  key_biases(row, state);
  for (uint64_t n = 1 + sp_random_below(state, 2); n > 0; n--) {
    const double bad = PICK(state, NAN, INFINITY, -INFINITY);
    const size_t j = sp_random_below(state, row->in.n_kv);
    switch (sp_random_below(state, 7)) {
    case 0:
      row->in.sink_logit = bad;
      break;
    case 1:
      row->key_bias[j] = bad;
      break;
    case 2:
      row->v[j * row->in.v_stride] = bad;
      break;
    case 3:
      row->q[0] = bad;
      break;
    case 4:
      row->k[j * row->in.k_stride] = bad;
      break;
    case 5:
      row->in.alibi_slope = bad;
      break;
    default:
      row->logits[j] = bad;
    }
  }
}

static double log_sum_exp(const double *x, size_t n, double scale) {
  double sum = 0;
  for (size_t j = 0; j < n; j++) sum += exp(scale * x[j]);
  return log(sum);
}

static void subnormals(sp_random_row *row, uint64_t *state) {
  for (size_t j = 0; j < row->in.n_kv; j++) {
    row->logits[j] = PICK(state, 0x1p-1074, -0x1p-1074, 0x1p-149, -0x1p-149, 0x1p-24, 0.0);
    row->v[j * row->in.v_stride] = PICK(state, 0x1p-1074, -0x1p-1074, 0x1p-149, 0x1.8p-133, -0.0);
  }
  row->in.sink_logit = PICK(state, -0x1p-149, 0x1p-133, -INFINITY);
}

/* q . k of large terms that leave a small rest. */
static void cancel(sp_random_row *row, uint64_t *state) {
  row->in.d_head = SP_ROW_HEAD;
  row->in.k_stride = SP_ROW_HEAD;
  for (size_t c = 0; c < SP_ROW_HEAD; c++) row->q[c] = PICK(state, 0x1p30, -0x1p20, 0x1.8p10);
  for (size_t j = 0; j < row->in.n_kv; j++) {
    double *k = row->k + j * SP_ROW_HEAD;
    for (size_t c = 0; c + 1 < SP_ROW_HEAD; c += 2) {
      k[c] = sp_random_unit(state);
      k[c + 1] = -k[c] * row->q[c] / row->q[c + 1];
    }
    k[0] += sp_random_unit(state) * 0x1p-30;
  }
}

static void positions(sp_random_row *row, uint64_t *state) {
  row->in.masked = true;
  row->in.pos_k = row->pos_k;
  row->in.pos_q = coin(state) ? INT64_MAX - (int64_t)sp_random_below(state, 3)
                              : (int64_t)sp_random_below(state, 6) - 3;
  for (size_t j = 0; j < row->in.n_kv; j++) {
    const int64_t near_zero = (int64_t)sp_random_below(state, 8);
    row->pos_k[j] = coin(state) ? near_zero : INT64_MAX - near_zero;
  }
  if (coin(state)) row->in.pos_q = INT64_MIN + (int64_t)sp_random_below(state, 3);
  if (coin(state)) row->in.mask.window = (uint64_t)INT64_MAX - 2 + sp_random_below(state, 5);
  if (coin(state)) row->in.alibi_slope = 0x1p-60;
}

static void bias_pair(sp_random_row *row, uint64_t *state) {
  row->in.bias_k = row->bias_k;
  row->in.bias_v = row->bias_v;
  for (size_t c = 0; c < row->in.d_head; c++) row->bias_k[c] = sp_random_unit(state);
  for (size_t c = 0; c < row->in.d_value; c++) row->bias_v[c] = sp_random_unit(state);
  if (sp_random_below(state, 8) == 0) row->bias_v[0] = NAN;
  if (sp_random_below(state, 8) == 0) row->bias_k[0] = PICK(state, NAN, INFINITY);
  if (sp_random_below(state, 4) == 0) row->in.n_kv = 0;
  if (coin(state)) row->in.softcap = 5;
  if (coin(state)) key_biases(row, state);
}

/* At the same positions, a few early ones and the last ones before 2^53; or by rank. */
static void rotate(sp_random_row *row, uint64_t *state) {
  sp_ref_row_input *in = &row->in;
  const size_t n = in->n_kv;
  const int64_t offset = (int64_t)PICK(state, 0, 1000, 0x1p31, 0x1p53);
  in->d_head = in->k_stride = SP_ROW_HEAD;
  in->rope.dims = (size_t)PICK(state, 2, 4, 6);
  in->rope.interleaved = coin(state);
  in->rope.in_cache = coin(state);
  in->rope.base = PICK(state, 10000, 150000, 1, 1.5, 0x1p40);
  for (size_t c = 0; c < SP_ROW_HEAD; c++) row->q[c] = 3 * sp_random_unit(state);
  for (size_t i = 0; i < n * SP_ROW_HEAD; i++) row->k[i] = 3 * sp_random_unit(state);
  for (size_t i = SP_ROW_HEAD; i < n * SP_ROW_HEAD && coin(state); i++)
    row->k[i] = row->k[i - SP_ROW_HEAD];
  in->masked = true;
  in->mask.causal = true;
  if (coin(state)) in->softcap = PICK(state, 5, 30);
  in->pos_q = (int64_t)sp_random_below(state, in->rope.in_cache ? n : n + 2); /* a token's own */
  in->rope.reach = (uint64_t)in->pos_q;
  if (in->rope.in_cache) return;
  in->pos_k = row->pos_k;
  in->pos_q += offset;
  in->rope.reach = (uint64_t)in->pos_q;
  for (size_t j = 0; j < n; j++) row->pos_k[j] = (int64_t)j + (j < 3 && coin(state) ? 0 : offset);
}

static void apply(sp_random_row *row, sp_row_family family, uint64_t *state) {
  double *x = row->logits;
  const size_t n = row->in.n_kv;
  const double offset = PICK(state, -3000, 3000);
  switch (family) {
  case SP_ROW_TIES:
    for (size_t j = 0; j < n; j++) x[j] = PICK(state, 1, 1.25);
    for (size_t i = 0; i < n * row->in.d_value; i++) row->v[i] = PICK(state, 1, -1, 1 + 0x1p-10);
    row->in.sink_logit = PICK(state, -INFINITY, 1, 1.25);
    row->in.scale = 1;
    break;
  case SP_ROW_SPREAD:
    for (size_t j = 0; j < n; j++) x[j] *= PICK(state, 1, 100, 1e4, 1e29);
    break;
  case SP_ROW_OFFSET:
    for (size_t j = 0; j < n; j++) x[j] += offset;
    break;
  case SP_ROW_SUBNORMAL:
    subnormals(row, state);
    break;
  case SP_ROW_SINK_AT_LSE:
    row->in.sink_logit = log_sum_exp(x, n, row->in.scale);
    break;
  case SP_ROW_SINK_FAR:
    row->in.sink_logit = PICK(state, -INFINITY, INFINITY, -1e5, -100, 0, 200, 1e5);
    break;
  case SP_ROW_BIASED:
    key_biases(row, state);
    spoil_masked(row, state);
    break;
  case SP_ROW_EMPTY:
    empty_row(row, state);
    break;
  case SP_ROW_NONFINITE:
    spoil(row, state);
    break;
  case SP_ROW_CANCELLING:
    cancel(row, state);
    break;
  case SP_ROW_ALIBI:
    row->in.alibi_slope = PICK(state, 0.5, 0x1p-8, -1, 3);
    break;
  case SP_ROW_POSITIONS:
    positions(row, state);
    break;
  case SP_ROW_SOFTCAP:
    row->in.softcap = PICK(state, 0.5, 5, 30, 50, 0x1p-149, 1e30, INFINITY);
    break;
  case SP_ROW_BIAS_PAIR:
    bias_pair(row, state);
    break;
  case SP_ROW_ROTATED:
    rotate(row, state);
    break;
  default:
    break;
  }
}

void sp_random_row_make(sp_random_row *row, sp_row_family family, uint64_t seed) {
  uint64_t state = seed * SP_N_ROW_FAMILIES + (uint64_t)family;
  row->in = (sp_ref_row_input){.scale = 1, .sink_logit = -INFINITY};
  fill_nan(row->logits, SP_ROW_KEYS);
  fill_nan(row->key_bias, SP_ROW_KEYS);
  fill_nan(row->q, SP_ROW_HEAD);
  fill_nan(row->k, SP_ROW_KEYS * SP_ROW_HEAD);
  fill_nan(row->bias_k, SP_ROW_HEAD);
  fill_nan(row->v, SP_ROW_KEYS * SP_ROW_VALUE);
  fill_nan(row->bias_v, SP_ROW_VALUE);
  const bool either = family == SP_ROW_BIASED || family == SP_ROW_EMPTY ||
                      family == SP_ROW_NONFINITE || family == SP_ROW_SOFTCAP;
  if (family >= SP_ROW_ATTENTION && family != SP_ROW_SOFTCAP)
    attention_row(row, &state);
  else if (either && coin(&state))
    attention_row(row, &state);
  else
    softmax_row(row, &state);
  apply(row, family, &state);
}
