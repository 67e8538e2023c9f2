/* SPDX-License-Identifier: Apache-2.0 */
/* The second oracle, in Arb. Read it beside SPEC.md, not beside ref/. */
#include "tests/cross.h"

#include <math.h>
#include <stdlib.h>

/* A key as the clauses see it. */
typedef enum presence { ABSENT, PRESENT, NOT_A_NUMBER } presence;

static bool has_pair(const sp_ref_row_input *in) {
  return in->bias_k != NULL;
}

/* tests: AT-4, AT-5 */
static bool mask_admits(const sp_ref_row_input *in, size_t j) {
  fmpz_t pos_k, distance, window, pinned;
  if (!in->masked) return true;
  fmpz_init_set_si(pos_k, in->pos_k ? in->pos_k[j] : (slong)j);
  fmpz_init_set_si(distance, in->pos_q);
  fmpz_init_set_ui(window, in->mask.window);
  fmpz_init_set_ui(pinned, in->mask.n_sink_tokens);
  fmpz_sub(distance, distance, pos_k);
  const bool causal = !in->mask.causal || fmpz_sgn(distance) >= 0;
  const bool recent = in->mask.window == SP_WINDOW_ALL || fmpz_cmp(distance, window) < 0;
  const bool is_pinned = fmpz_cmp(pos_k, pinned) < 0;
  fmpz_clear(pos_k);
  fmpz_clear(distance);
  fmpz_clear(window);
  fmpz_clear(pinned);
  return causal && (recent || is_pinned);
}

/* tests: SM-1, SM-5, AT-3, AL-8 */
static presence presence_of(const sp_ref_row_input *in, size_t j) {
  const bool pair = j == in->n_kv;
  double poison = in->scale * 0;
  if (!pair) {
    if (!mask_admits(in, j)) return ABSENT;
    if (in->key_bias && isinf(in->key_bias[j]) && in->key_bias[j] < 0) return ABSENT;
    if (in->logits && isinf(in->logits[j]) && in->logits[j] < 0) return ABSENT;
    if (in->key_bias) poison += in->key_bias[j] * 0;
    poison += in->alibi_slope * 0;
  }
  /* 0 * x is NaN exactly for the x that poison a logit. */
  if (in->logits && !pair) return isnan(poison + in->logits[j] * 0) ? NOT_A_NUMBER : PRESENT;
  for (size_t c = 0; c < in->d_head; c++) {
    const double k = pair ? in->bias_k[c] : in->k[j * in->k_stride + c];
    poison += in->q[c] * 0 + k * 0;
  }
  return isnan(poison) ? NOT_A_NUMBER : PRESENT;
}

/* product := scale * (q . k_j), or scale * logit_j; exact. */
static void exact_product(arf_t product, const sp_ref_row_input *in, size_t j) {
  arf_t a, b;
  arf_init(a);
  arf_init(b);
  const bool pair = j == in->n_kv;
  if (in->logits && !pair) {
    arf_set_d(product, in->logits[j]);
  } else {
    arf_zero(product);
    for (size_t c = 0; c < in->d_head; c++) {
      arf_set_d(a, in->q[c]);
      arf_set_d(b, pair ? in->bias_k[c] : in->k[j * in->k_stride + c]);
      arf_addmul(product, a, b, ARF_PREC_EXACT, ARF_RND_DOWN);
    }
  }
  arf_set_d(a, in->scale);
  arf_mul(product, product, a, ARF_PREC_EXACT, ARF_RND_DOWN);
  arf_clear(a);
  arf_clear(b);
}

/* addend := key_bias_j - slope * |pos_q - pos_k|; exact. tests: AT-6 */
static void exact_addend(arf_t addend, const sp_ref_row_input *in, size_t j) {
  arf_t slope, distance;
  fmpz_t pos_q, pos_k;
  arf_init(slope);
  arf_init(distance);
  fmpz_init_set_si(pos_q, in->pos_q);
  fmpz_init_set_si(pos_k, in->pos_k ? in->pos_k[j] : (slong)j);
  fmpz_sub(pos_q, pos_q, pos_k);
  fmpz_abs(pos_q, pos_q);
  arf_set_fmpz(distance, pos_q);
  arf_set_d(slope, in->alibi_slope);
  arf_set_d(addend, in->key_bias ? in->key_bias[j] : 0);
  arf_submul(addend, slope, distance, ARF_PREC_EXACT, ARF_RND_DOWN);
  arf_clear(slope);
  arf_clear(distance);
  fmpz_clear(pos_q);
  fmpz_clear(pos_k);
}

/* The position of token j: its own, or how many tokens before it the query sees. tests: EV-10 */
static void position_of(arb_t p, const sp_ref_row_input *in, size_t j, int64_t own) {
  slong rank = 0;
  for (size_t i = 0; i < j; i++) rank += mask_admits(in, i);
  arb_set_si(p, in->rope.in_cache ? rank : own);
}

/* (a, b) := R(p) (x_a, x_b) for pair i. tests: EV-11 */
static void rotated(arb_t a, arb_t b, const sp_ref_rope *rope, size_t i, const arb_t p, double x_a,
                    double x_b, slong prec) {
  arb_t angle, c, s, y;
  arb_init(angle);
  arb_init(c);
  arb_init(s);
  arb_init(y);
  arb_set_d(c, rope->base);
  arb_set_si(y, -2 * (slong)i);
  arb_div_ui(y, y, rope->dims, prec);
  arb_pow(angle, c, y, prec);
  arb_mul(angle, angle, p, prec);
  arb_sin_cos(s, c, angle, prec);
  arb_set_d(y, x_a);
  arb_mul(a, y, c, prec);
  arb_mul(b, y, s, prec);
  arb_set_d(y, x_b);
  arb_submul(a, y, s, prec);
  arb_addmul(b, y, c, prec);
  arb_clear(angle);
  arb_clear(c);
  arb_clear(s);
  arb_clear(y);
}

/* x := scale <R(p_q) q, R(p_k) k_j>, both rotated by their own positions. tests: EV-11, EV-12 */
static void rotated_product(arb_t x, const sp_ref_row_input *in, size_t j, slong prec) {
  const double *q = in->q, *k = in->k + j * in->k_stride;
  const size_t r = in->rope.dims;
  arb_t p_q, p_k, a, b, c, d;
  arb_ptr all[] = {p_q, p_k, a, b, c, d};
  for (int i = 0; i < 6; i++) arb_init(all[i]);
  size_t last = in->n_kv;
  while (last > 0 && !mask_admits(in, last - 1)) last--;
  position_of(p_q, in, last - 1, in->pos_q);
  position_of(p_k, in, j, in->pos_k ? in->pos_k[j] : (int64_t)j);
  arb_zero(x);
  for (size_t i = 0; i < r / 2; i++) {
    const size_t first = in->rope.interleaved ? 2 * i : i;
    const size_t second = in->rope.interleaved ? 2 * i + 1 : i + r / 2;
    rotated(a, b, &in->rope, i, p_q, q[first], q[second], prec);
    rotated(c, d, &in->rope, i, p_k, k[first], k[second], prec);
    arb_addmul(x, a, c, prec);
    arb_addmul(x, b, d, prec);
  }
  for (size_t e = r; e < in->d_head; e++) {
    arb_set_d(a, q[e]);
    arb_set_d(b, k[e]);
    arb_addmul(x, a, b, prec);
  }
  arb_set_d(a, in->scale);
  arb_mul(x, x, a, prec);
  for (int i = 0; i < 6; i++) arb_clear(all[i]);
}

/* tests: AT-2 */
static void logit_of(arb_t x, const sp_ref_row_input *in, size_t j, slong prec) {
  arf_t addend;
  arf_init(addend);
  arb_zero(x);
  if (in->rope.dims != 0 && j < in->n_kv)
    rotated_product(x, in, j, prec + 64);
  else
    exact_product(arb_midref(x), in, j);
  if (in->softcap > 0 && isfinite(in->softcap)) {
    arb_t cap;
    arb_init(cap);
    arb_set_d(cap, in->softcap);
    arb_div(x, x, cap, prec);
    arb_tanh(x, x, prec);
    arb_mul(x, x, cap, prec);
    arb_clear(cap);
  }
  if (j < in->n_kv) {
    exact_addend(addend, in, j);
    arb_add_arf(x, x, addend, ARF_PREC_EXACT);
  }
  arf_clear(addend);
}

static double value_of(const sp_ref_row_input *in, size_t j, size_t c) {
  return j == in->n_kv ? in->bias_v[c] : in->v[j * in->v_stride + c];
}

/* tests: SM-5, AT-9, AL-4 */
static sp_cross_kind kind_of(sp_cross_row *row, const sp_ref_row_input *in) {
  bool invalid = isnan(in->sink_logit), empty = true;
  for (size_t j = 0; j < row->n_keys; j++) {
    const presence p = presence_of(in, j);
    row->visible[j] = p != ABSENT;
    empty = empty && p == ABSENT;
    invalid = invalid || p == NOT_A_NUMBER;
  }
  if (invalid) return SP_CROSS_INVALID;
  if (empty) return SP_CROSS_EMPTY;
  return isinf(in->sink_logit) && in->sink_logit > 0 ? SP_CROSS_SINK_INF : SP_CROSS_ORDINARY;
}

/* tests: SM-2, SM-3, AL-2, AL-5 (weight[j] := e^x_j, then over Z) */
static void softmax(sp_cross_row *row, const sp_ref_row_input *in, slong prec) {
  arb_t z;
  arb_init(z);
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    logit_of(row->weight + j, in, j, prec);
    arb_exp(row->weight + j, row->weight + j, prec);
    arb_add(z, z, row->weight + j, prec);
  }
  arb_log(row->lse_keys, z, prec);
  if (isfinite(in->sink_logit)) {
    arb_set_d(row->weight_sink, in->sink_logit);
    arb_exp(row->weight_sink, row->weight_sink, prec);
    arb_add(z, z, row->weight_sink, prec);
  }
  arb_log(row->lse_total, z, prec);
  arb_div(row->weight_sink, row->weight_sink, z, prec);
  for (size_t j = 0; j < row->n_keys; j++) arb_div(row->weight + j, row->weight + j, z, prec);
  arb_clear(z);
}

/* tests: AL-4 */
static void sink_takes_all(sp_cross_row *row) {
  for (size_t j = 0; j < row->n_keys; j++) arb_zero(row->weight + j);
  arb_one(row->weight_sink);
  arb_pos_inf(row->lse_total);
}

/* tests: SM-4, SM-6 */
static void output(sp_cross_row *row, const sp_ref_row_input *in, slong prec) {
  arf_t v;
  arf_init(v);
  for (size_t j = 0; j < row->n_keys; j++)
    for (size_t c = 0; c < row->d_value && row->visible[j]; c++) {
      const double value = value_of(in, j, c);
      if (isinf(value)) row->in_domain = false;
      if (!isfinite(value)) row->out_nan[c] = true;
      arf_set_d(v, isfinite(value) ? value : 0);
      arb_addmul_arf(row->out + c, row->weight + j, v, prec);
    }
  arf_clear(v);
}

/* tests: AT-9 */
static void empty_row(sp_cross_row *row, double sink_logit) {
  arb_neg_inf(row->lse_keys);
  if (isfinite(sink_logit)) arb_set_d(row->lse_total, sink_logit);
  if (sink_logit == INFINITY) arb_pos_inf(row->lse_total);
  if (sink_logit == -INFINITY) arb_neg_inf(row->lse_total);
  if (sink_logit != -INFINITY) arb_one(row->weight_sink);
}

void sp_cross_init(sp_cross_row *row, const sp_ref_row_input *in, slong prec) {
  const size_t n_keys = in->n_kv + (has_pair(in) ? 1 : 0);
  *row = (sp_cross_row){.n_keys = n_keys,
                        .d_value = in->d_value,
                        .in_domain = true,
                        .visible = calloc(n_keys + 1, sizeof(bool)),
                        .weight = _arb_vec_init((slong)n_keys),
                        .out = _arb_vec_init((slong)in->d_value),
                        .out_nan = calloc(in->d_value + 1, sizeof(bool))};
  arb_init(row->weight_sink);
  arb_init(row->lse_keys);
  arb_init(row->lse_total);
  if (row->visible == NULL || row->out_nan == NULL) abort();
  row->kind = kind_of(row, in);
  if (row->kind == SP_CROSS_INVALID) return;
  if (row->kind == SP_CROSS_EMPTY) {
    empty_row(row, in->sink_logit);
    return;
  }
  softmax(row, in, prec);
  if (row->kind == SP_CROSS_SINK_INF) sink_takes_all(row);
  output(row, in, prec);
}

void sp_cross_clear(sp_cross_row *row) {
  free(row->visible);
  free(row->out_nan);
  _arb_vec_clear(row->weight, (slong)row->n_keys);
  _arb_vec_clear(row->out, (slong)row->d_value);
  arb_clear(row->weight_sink);
  arb_clear(row->lse_keys);
  arb_clear(row->lse_total);
}

/* ---- comparison ---- */

static bool overlap(const arb_t ball, mpfi_srcptr interval) {
  mpfr_t low, high;
  mpfr_init2(low, 1024);
  mpfr_init2(high, 1024);
  arb_get_interval_mpfr(low, high, ball);
  const bool meets =
      mpfr_lessequal_p(low, &interval->right) && mpfr_lessequal_p(&interval->left, high);
  mpfr_clear(low);
  mpfr_clear(high);
  return meets;
}

static bool same_kind(sp_cross_kind cross, sp_ref_kind ref) {
  switch (cross) {
  case SP_CROSS_ORDINARY:
    return ref == SP_REF_ORDINARY;
  case SP_CROSS_EMPTY:
    return ref == SP_REF_EMPTY;
  case SP_CROSS_SINK_INF:
    return ref == SP_REF_SINK_INF;
  case SP_CROSS_INVALID:
    return ref == SP_REF_INVALID;
  }
  return false;
}

static bool all_nan(const sp_ref_row *row) {
  bool nan = mpfi_nan_p(row->lse_keys) && mpfi_nan_p(row->lse_total);
  for (size_t j = 0; j < row->n_keys; j++) nan = nan && mpfi_nan_p(row->weight[j]);
  for (size_t c = 0; c < row->d_value; c++) nan = nan && row->out_nan[c] && mpfi_nan_p(row->out[c]);
  return nan;
}

const char *sp_cross_disagreement(const sp_cross_row *cross, const sp_ref_row *row,
                                  bool in_domain) {
  if (!same_kind(cross->kind, row->kind)) return "kind";
  if (cross->n_keys != row->n_keys || cross->d_value != row->d_value) return "size";
  for (size_t j = 0; j < row->n_keys; j++)
    if (cross->visible[j] != row->visible[j]) return "visible";
  if (cross->kind == SP_CROSS_INVALID) return all_nan(row) ? NULL : "NaN of an invalid row";
  if (cross->in_domain != in_domain) return "domain";
  if (!overlap(cross->lse_keys, row->lse_keys)) return "lse_keys";
  if (!overlap(cross->lse_total, row->lse_total)) return "lse_total";
  if (!overlap(cross->weight_sink, row->weight_sink)) return "weight_sink";
  for (size_t j = 0; j < row->n_keys; j++)
    if (!overlap(cross->weight + j, row->weight[j])) return "weight";
  for (size_t c = 0; c < row->d_value; c++) {
    if (cross->out_nan[c] != row->out_nan[c]) return "out_nan";
    if (!row->out_nan[c] && !overlap(cross->out + c, row->out[c])) return "out";
  }
  return NULL;
}

/* width <= 2^-bits * max(|value|, scale) */
static bool narrow(mpfr_srcptr low, mpfr_srcptr high, long bits, double scale) {
  mpfr_t width, size;
  if (mpfr_inf_p(low) || mpfr_inf_p(high)) return mpfr_equal_p(low, high);
  mpfr_init2(width, 64);
  mpfr_init2(size, 64);
  mpfr_sub(width, high, low, MPFR_RNDU);
  mpfr_abs(size, low, MPFR_RNDD);
  if (mpfr_cmp_d(size, scale) < 0) mpfr_set_d(size, scale, MPFR_RNDD);
  mpfr_mul_2si(size, size, -bits, MPFR_RNDD);
  const bool is_narrow = mpfr_lessequal_p(width, size);
  mpfr_clear(width);
  mpfr_clear(size);
  return is_narrow;
}

static bool both_narrow(const arb_t ball, mpfi_srcptr interval, long bits, double scale) {
  mpfr_t low, high;
  mpfr_init2(low, 1024);
  mpfr_init2(high, 1024);
  arb_get_interval_mpfr(low, high, ball);
  const bool is_narrow =
      narrow(low, high, bits, scale) && narrow(&interval->left, &interval->right, bits, scale);
  mpfr_clear(low);
  mpfr_clear(high);
  return is_narrow;
}

/* Below this a weight is 0 in every format, and MPFR's own range may end: absolute width will do.
 */
#define LEAST_WEIGHT 0x1p-1022

const char *sp_cross_too_wide(const sp_cross_row *cross, const sp_ref_row *row, long bits,
                              double scale_out, double scale_lse) {
  if (cross->kind == SP_CROSS_INVALID) return NULL;
  if (!both_narrow(cross->lse_keys, row->lse_keys, bits, scale_lse)) return "lse_keys";
  if (!both_narrow(cross->lse_total, row->lse_total, bits, scale_lse)) return "lse_total";
  if (!both_narrow(cross->weight_sink, row->weight_sink, bits, LEAST_WEIGHT)) return "weight_sink";
  for (size_t j = 0; j < row->n_keys; j++)
    if (!both_narrow(cross->weight + j, row->weight[j], bits, LEAST_WEIGHT)) return "weight";
  for (size_t c = 0; c < row->d_value; c++)
    if (!row->out_nan[c] && !both_narrow(cross->out + c, row->out[c], bits, scale_out))
      return "out";
  return NULL;
}
