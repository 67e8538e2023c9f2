/* SPDX-License-Identifier: Apache-2.0 */
/* x = cap(scale * (q . k)) + key_bias - slope * |pos_q - pos_k|, in this order, after it is settled
 * whether the key is there at all. Presence is read off the inputs and never computed: a mask hides
 * a NaN, and a scale of zero does not make one disappear. */
#include "ref/logit.h"

#include <math.h>

#include "ref/check.h"
#include "ref/interval.h"
#include "ref/rope.h"

size_t sp_ref_n_keys(const sp_ref_row_input *in) {
  return in->n_kv + (in->bias_k != NULL ? 1 : 0); /* spec: AL-8 */
}

static bool is_bias_pair(const sp_ref_row_input *in, size_t key) {
  return key == in->n_kv;
}

/* spec: AT-4 */
static int64_t position(const sp_ref_row_input *in, size_t key) {
  return in->pos_k != NULL ? in->pos_k[key] : (int64_t)key;
}

uint64_t sp_ref_distance(const sp_ref_row_input *in, size_t key) {
  const int64_t pos_k = position(in, key);
  if (in->pos_q < pos_k) return (uint64_t)pos_k - (uint64_t)in->pos_q;
  return (uint64_t)in->pos_q - (uint64_t)pos_k;
}

const double *sp_ref_key_vector(const sp_ref_row_input *in, size_t key) {
  if (in->d_head == 0) return NULL;
  return is_bias_pair(in, key) ? in->bias_k : in->k + key * in->k_stride;
}

const double *sp_ref_key_value(const sp_ref_row_input *in, size_t key) {
  if (in->d_value == 0) return NULL;
  return is_bias_pair(in, key) ? in->bias_v : in->v + key * in->v_stride;
}

/* An infinite cap is the limit of large ones: no cap. */
bool sp_ref_capped(const sp_ref_row_input *in) {
  return in->softcap > 0 && !isinf(in->softcap);
}

static bool all_finite(const double *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i])) return false;
  return true;
}

/* A NaN or an infinity in q or k makes the logit NaN, even where scale is 0. spec: SM-5 */
static bool product_is_finite(const sp_ref_row_input *in, size_t key) {
  if (!isfinite(in->scale)) return false;
  if (in->logits != NULL && !is_bias_pair(in, key)) return isfinite(in->logits[key]);
  return all_finite(in->q, in->d_head) && all_finite(sp_ref_key_vector(in, key), in->d_head);
}

sp_ref_presence sp_ref_key_presence(const sp_ref_row_input *in, size_t key) {
  /* spec: AL-8 (no position, no bias, no ALiBi) */
  if (is_bias_pair(in, key)) return product_is_finite(in, key) ? SP_REF_PRESENT : SP_REF_POISON;
  /* spec: AT-3 (before anything that a masked slot may hold is looked at) */
  if (in->masked && !sp_ref_visible(&in->mask, in->pos_q, position(in, key))) return SP_REF_ABSENT;
  if (in->key_bias != NULL && in->key_bias[key] == -INFINITY) return SP_REF_ABSENT;
  if (in->logits != NULL && in->logits[key] == -INFINITY) return SP_REF_ABSENT; /* spec: SM-1 */
  if (!product_is_finite(in, key)) return SP_REF_POISON;
  if (in->key_bias != NULL && !isfinite(in->key_bias[key])) return SP_REF_POISON;
  return isfinite(in->alibi_slope) ? SP_REF_PRESENT : SP_REF_POISON;
}

/* spec: EV-11 (a turn of 0 rotates nothing) */
static void dot(mpfi_ptr x, const sp_ref_row_input *in, size_t key) {
  const double *k = sp_ref_key_vector(in, key);
  const uint64_t turn = sp_ref_turn(in, key);
  if (turn != 0) {
    sp_ref_rope_product(x, in, k, turn);
    return;
  }
  mpfi_set_ui(x, 0);
  for (size_t c = 0; c < in->d_head; c++) sp_ref_interval_add_exact(x, in->q[c], k[c]);
}

/* spec: AT-2 (softcap * tanh(x / softcap)) */
static void cap(mpfi_ptr x, double softcap) {
  mpfr_div_d(&x->left, &x->left, softcap, MPFR_RNDD);
  mpfr_div_d(&x->right, &x->right, softcap, MPFR_RNDU);
  mpfi_tanh(x, x);
  sp_ref_interval_scale(x, softcap);
}

_Static_assert(sizeof(unsigned long) >= sizeof(uint64_t), "mpfr_set_ui takes a whole distance");

/* spec: AT-6 */
static void add_alibi(mpfi_ptr x, double slope, uint64_t distance) {
  MPFR_DECL_INIT(term, 128); /* 53 + 64 bits: exact */
  mpfr_set_ui(term, distance, MPFR_RNDN);
  mpfr_mul_d(term, term, slope, MPFR_RNDN);
  mpfi_sub_fr(x, x, term);
}

static void add_bias(mpfi_ptr x, double bias) {
  MPFR_DECL_INIT(term, 53);
  mpfr_set_d(term, bias, MPFR_RNDN);
  mpfi_add_fr(x, x, term);
}

/* spec: AT-1, AT-2 */
void sp_ref_logit(mpfi_ptr x, const sp_ref_row_input *in, size_t key) {
  SP_CHECK(sp_ref_key_presence(in, key) == SP_REF_PRESENT);
  if (in->logits != NULL && !is_bias_pair(in, key))
    sp_ref_interval_set(x, in->logits[key]);
  else
    dot(x, in, key);
  sp_ref_interval_scale(x, in->scale);
  if (sp_ref_capped(in)) cap(x, in->softcap);
  if (is_bias_pair(in, key)) return;
  if (in->key_bias != NULL) add_bias(x, in->key_bias[key]);
  if (in->alibi_slope != 0) add_alibi(x, in->alibi_slope, sp_ref_distance(in, key));
}
