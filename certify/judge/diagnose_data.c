/* SPDX-License-Identifier: Apache-2.0 */
/* Right arithmetic on the wrong data: heads, tails, rows that moved by one. spec: AT-7, AT-8 */
#include <math.h>
#include <string.h>

#include "certify/judge/diagnose.h"

/* Point at the keys and values of another kv head of the same batch entry. */
static bool use_kv_head(sp_suspect *s, size_t head) {
  const sp_case *c = s->c;
  if (s->in.logits != NULL) return false;
  size_t right = s->h / (c->n_heads / c->n_kv_heads);
  s->in.k = s->in.k - right * c->d_head + head * c->d_head;
  s->in.v = s->in.v - right * c->d_value + head * c->d_value;
  if (s->in.bias_k != NULL) s->in.bias_k = s->values->bias_k + head * c->d_head;
  if (s->in.bias_v != NULL) s->in.bias_v = s->values->bias_v + head * c->d_value;
  return head != right;
}

static bool head_modulo(sp_suspect *s, double unused) {
  (void)unused;
  return use_kv_head(s, s->h % s->c->n_kv_heads);
}

static bool head_0(sp_suspect *s, double unused) {
  (void)unused;
  return use_kv_head(s, 0);
}

static bool next_head(sp_suspect *s, double unused) {
  (void)unused;
  return use_kv_head(s, (s->h / (s->c->n_heads / s->c->n_kv_heads) + 1) % s->c->n_kv_heads);
}

static bool batch_0(sp_suspect *s, double keys_too) {
  const sp_case *c = s->c;
  if (s->in.logits != NULL || s->b == 0) return false;
  if (keys_too > 0) s->in.k -= s->b * c->n_kv * c->n_kv_heads * c->d_head;
  s->in.v -= s->b * c->n_kv * c->n_kv_heads * c->d_value;
  return true;
}

/* Only the first n - n mod width keys take part. */
static bool lose_tail(sp_suspect *s, double width) {
  size_t tail = s->in.n_kv % (size_t)width;
  if (tail == 0 || s->in.bias_k != NULL) return false;
  s->in.n_kv -= tail;
  return true;
}

static bool lose_last(sp_suspect *s, double unused) {
  (void)unused;
  if (s->in.n_kv == 0 || s->in.bias_k != NULL) return false;
  s->in.n_kv--;
  return true;
}

static bool lose_first(sp_suspect *s, double unused) {
  (void)unused;
  if (s->in.n_kv == 0) return false;
  sp_suspect_bias(s)[0] = -INFINITY;
  return true;
}

/* The tail is left unwritten or zero though the sum contains it. */
static bool zero_tail(sp_suspect *s, double width) {
  size_t n = s->n_result - s->n_result % (size_t)width;
  if (s->in.d_value > 0 || n == s->n_result) return false;
  for (size_t j = n; j < s->n_result; j++) s->result[j] = 0;
  return true;
}

/* … or holds e^(x - m), not divided by the sum. */
static bool undivided_tail(sp_suspect *s, double width) {
  size_t n = s->n_result - s->n_result % (size_t)width;
  if (s->in.d_value > 0 || n == s->n_result || s->kind != SP_REF_ORDINARY) return false;
  double top = fmax(s->max_logit, s->in.sink_logit);
  for (size_t j = n; j < s->n_result; j++) s->result[j] *= exp(s->lse_total - top);
  return true;
}

/* Weights, or an output of such weights, are left relative to the maximum. */
static bool undivided(sp_suspect *s, double unused) {
  (void)unused;
  if (s->kind != SP_REF_ORDINARY) return false;
  double top = fmax(s->max_logit, s->in.sink_logit);
  for (size_t j = 0; j < s->n_result; j++) s->result[j] *= exp(s->lse_total - top);
  return true;
}

/* ln(e^a + e^b) */
static double log_add(double a, double b) {
  double top = fmax(a, b);
  return top + log(exp(a - top) + exp(b - top));
}

/* Padding up to a full vector joins the denominator with logits of 0. */
static double log_padding(const sp_suspect *s, double width) {
  return log(width - (double)(s->in.n_kv % (size_t)width));
}

static bool count_padding(sp_suspect *s, double width) {
  if (s->in.n_kv % (size_t)width == 0 || !(s->in.sink_logit < INFINITY)) return false;
  s->in.sink_logit = log_add(log_padding(s, width), s->in.sink_logit);
  return true;
}

static bool count_padding_in_lse(sp_suspect *s, double width) {
  s->lse_keys = log_add(s->lse_keys, log_padding(s, width));
  return true;
}

/* Key j takes the row of key j + step; the end that has none keeps its own. */
static void shift_rows(double *to, const double *from, size_t stride, size_t n, size_t d,
                       int step) {
  for (size_t j = 0; j < n; j++) {
    bool inside = step > 0 ? j + 1 < n : j > 0;
    size_t source = !inside ? j : step > 0 ? j + 1 : j - 1;
    memcpy(to + j * d, from + source * stride, d * sizeof *to);
  }
}

static bool shift_values(sp_suspect *s, double step) {
  if (s->in.d_value == 0) return false;
  shift_rows(s->v, s->in.v, s->in.v_stride, s->in.n_kv, s->in.d_value, (int)step);
  s->in.v = s->v;
  s->in.v_stride = s->in.d_value;
  return true;
}

/* The values of the tail are skipped, though the sum contains its weights. */
static bool skip_values(sp_suspect *s, double width) {
  size_t n = s->in.n_kv - s->in.n_kv % (size_t)width;
  if (s->in.d_value == 0 || n == s->in.n_kv) return false;
  for (size_t j = 0; j < s->in.n_kv; j++)
    for (size_t c = 0; c < s->in.d_value; c++)
      s->v[j * s->in.d_value + c] = j < n ? s->in.v[j * s->in.v_stride + c] : 0;
  s->in.v = s->v;
  s->in.v_stride = s->in.d_value;
  return true;
}

static bool shift_keys(sp_suspect *s, double step) {
  if (s->in.logits != NULL) return false;
  shift_rows(s->k, s->in.k, s->in.k_stride, s->in.n_kv, s->in.d_head, (int)step);
  s->in.k = s->k;
  s->in.k_stride = s->in.d_head;
  return true;
}

static const sp_hypothesis list[] = {
    {"the kv head is h mod n_kv_heads: it is h / (n_heads / n_kv_heads)", head_modulo, NULL, 0},
    {"kv head 0 is used for all heads", head_0, NULL, 0},
    {"the next kv head is used", next_head, NULL, 0},
    {"the keys and values of batch entry 0 are used for all", batch_0, NULL, 1},
    {"the values of batch entry 0 are used for all", batch_0, NULL, 0},
    {"the last n mod 64 keys are lost", lose_tail, NULL, 64},
    {"the last n mod 32 keys are lost", lose_tail, NULL, 32},
    {"the last n mod 16 keys are lost", lose_tail, NULL, 16},
    {"the last n mod 8 keys are lost", lose_tail, NULL, 8},
    {"the last n mod 4 keys are lost", lose_tail, NULL, 4},
    {"the last key is lost", lose_last, NULL, 0},
    {"the first key is lost", lose_first, NULL, 0},
    {"the weights of the last n mod 16 keys are zero, though the sum contains them", NULL,
     zero_tail, 16},
    {"the weights of the last n mod 8 keys are zero, though the sum contains them", NULL, zero_tail,
     8},
    {"the weights of the last n mod 4 keys are zero, though the sum contains them", NULL, zero_tail,
     4},
    {"the result is not divided by the sum of the weights", NULL, undivided, 0},
    {"the last n mod 16 weights are not divided by the sum", NULL, undivided_tail, 16},
    {"the last n mod 8 weights are not divided by the sum", NULL, undivided_tail, 8},
    {"the values of the last n mod 16 keys are skipped, though the sum contains their weights",
     skip_values, NULL, 16},
    {"the values of the last n mod 8 keys are skipped, though the sum contains their weights",
     skip_values, NULL, 8},
    {"the values of the last n mod 4 keys are skipped, though the sum contains their weights",
     skip_values, NULL, 4},
    {"padding up to a multiple of 64 keys joins the sum with logits of 0", count_padding,
     count_padding_in_lse, 64},
    {"padding up to a multiple of 32 keys joins the sum with logits of 0", count_padding,
     count_padding_in_lse, 32},
    {"padding up to a multiple of 16 keys joins the sum with logits of 0", count_padding,
     count_padding_in_lse, 16},
    {"padding up to a multiple of 8 keys joins the sum with logits of 0", count_padding,
     count_padding_in_lse, 8},
    {"padding up to a multiple of 4 keys joins the sum with logits of 0", count_padding,
     count_padding_in_lse, 4},
    {"each key takes the value of the next key", shift_values, NULL, 1},
    {"each key takes the value of the key before", shift_values, NULL, -1},
    {"each value goes with the next key", shift_keys, NULL, 1},
    {"each value goes with the key before", shift_keys, NULL, -1},
};

sp_hypotheses sp_hypotheses_data(void) {
  return (sp_hypotheses){list, sizeof list / sizeof list[0]};
}
