/* SPDX-License-Identifier: Apache-2.0 */
/* <R(p_q) q, R(p_k) k>, enclosed. The product depends on p_q - p_k alone, so only that difference,
 * an exact integer, ever meets an angle: pair (a, b) adds
 *
 *     (q_a k_a + q_b k_b) cos(turn theta) + (q_a k_b - q_b k_a) sin(turn theta)
 *
 * with theta = base^(-2i/r), enclosed by a logarithm and an exponential with as many bits more as
 * the turn has, so that an angle of 2^50 is as good as one of 1. spec: EV-11, EV-12 */
#include "ref/rope.h"

#include "ref/check.h"
#include "ref/interval.h"

_Static_assert(sizeof(unsigned long) >= sizeof(uint64_t), "mpfi_mul_ui takes a whole turn");

/* Ranks in the cache: the query's is the last, a pinned token's is its number. spec: EV-10, EV-14 */
static uint64_t turn_in_cache(const sp_ref_mask *mask, uint64_t query, uint64_t key) {
  const uint64_t s = mask->n_sink_tokens;
  if (query < s || key >= s) return query - key;
  const uint64_t n_recent = query - s < mask->window ? query - s + 1 : mask->window;
  return s + n_recent - 1 - key;
}

uint64_t sp_ref_turn(const sp_ref_row_input *in, size_t key) {
  if (in->rope.dims == 0 || key >= in->n_kv) return 0;
  const int64_t pos_k = in->pos_k != NULL ? in->pos_k[key] : (int64_t)key;
  SP_CHECK(pos_k <= in->pos_q);
  const uint64_t query = (uint64_t)in->pos_q, token = (uint64_t)pos_k;
  return in->rope.in_cache ? turn_in_cache(&in->mask, query, token) : query - token;
}

void sp_ref_rope_pair(const sp_ref_rope *rope, size_t i, size_t *a, size_t *b) {
  *a = rope->interleaved ? 2 * i : i;
  *b = rope->interleaved ? 2 * i + 1 : i + rope->dims / 2;
}

static mpfr_prec_t bits(uint64_t turn) {
  mpfr_prec_t n = 0;
  for (; turn != 0; turn >>= 1) n++;
  return n;
}

/* x := turn * base^(-2i/r) */
static void enclose_angle(mpfi_ptr x, const sp_ref_rope *rope, size_t i, uint64_t turn) {
  mpfi_set_d(x, rope->base);
  mpfi_log(x, x);
  mpfi_mul_ui(x, x, 2 * (unsigned long)i);
  mpfi_div_ui(x, x, (unsigned long)rope->dims);
  mpfi_neg(x, x);
  mpfi_exp(x, x);
  mpfi_mul_ui(x, x, turn);
}

/* One point of the angle, and how far the angle may be from it: sine and cosine move by no more.
 * One unit in the last place of 1 covers the rounding of a number of size at most 1. */
static void enclose_cos_sin(mpfi_ptr cosine, mpfi_ptr sine, mpfi_srcptr angle) {
  const mpfr_prec_t prec = mpfi_get_prec(angle);
  mpfr_t point, c, s, error, one;
  mpfr_inits2(prec, point, c, s, error, one, (mpfr_ptr)NULL);
  mpfr_set(point, &angle->left, MPFR_RNDN);
  mpfr_sub(error, &angle->right, point, MPFR_RNDU);
  mpfr_set_ui_2exp(one, 1, -prec, MPFR_RNDU);
  mpfr_add(error, error, one, MPFR_RNDU);
  mpfr_sin_cos(s, c, point, MPFR_RNDN);
  mpfi_set_fr(cosine, c);
  mpfi_increase(cosine, error);
  mpfi_set_fr(sine, s);
  mpfi_increase(sine, error);
  mpfr_clears(point, c, s, error, one, (mpfr_ptr)NULL);
}

typedef struct rotation {
  mpfi_t angle, cosine, sine, along, across;
} rotation;

static void rotation_init(rotation *r, mpfr_prec_t prec, uint64_t turn) {
  mpfi_init2(r->angle, prec + bits(turn) + 8);
  mpfi_init2(r->cosine, prec + 8);
  mpfi_init2(r->sine, prec + 8);
  mpfi_init2(r->along, prec);
  mpfi_init2(r->across, prec);
}

static void rotation_clear(rotation *r) {
  mpfi_clear(r->angle);
  mpfi_clear(r->cosine);
  mpfi_clear(r->sine);
  mpfi_clear(r->along);
  mpfi_clear(r->across);
}

/* x := x + along cos + across sin, for the angle of pair i */
static void add_pair(mpfi_ptr x, rotation *r, const sp_ref_rope *rope, size_t i, uint64_t turn) {
  enclose_angle(r->angle, rope, i, turn);
  enclose_cos_sin(r->cosine, r->sine, r->angle);
  mpfi_mul(r->along, r->along, r->cosine);
  mpfi_mul(r->across, r->across, r->sine);
  mpfi_add(x, x, r->along);
  mpfi_add(x, x, r->across);
}

void sp_ref_rope_product(mpfi_ptr x, const sp_ref_row_input *in, const double *k, uint64_t turn) {
  const double *q = in->q;
  rotation r;
  rotation_init(&r, mpfi_get_prec(x), turn);
  mpfi_set_ui(x, 0);
  for (size_t i = 0; i < in->rope.dims / 2; i++) {
    size_t a, b;
    sp_ref_rope_pair(&in->rope, i, &a, &b);
    mpfi_set_ui(r.along, 0);
    mpfi_set_ui(r.across, 0);
    sp_ref_interval_add_exact(r.along, q[a], k[a]);
    sp_ref_interval_add_exact(r.along, q[b], k[b]);
    sp_ref_interval_add_exact(r.across, q[a], k[b]);
    sp_ref_interval_add_exact(r.across, -q[b], k[a]);
    add_pair(x, &r, &in->rope, i, turn);
  }
  for (size_t c = in->rope.dims; c < in->d_head; c++) sp_ref_interval_add_exact(x, q[c], k[c]);
  rotation_clear(&r);
}

void sp_ref_rope_sum(mpfi_ptr x, const sp_ref_rope *rope, mpq_t *along, mpq_t *across,
                     uint64_t turn) {
  rotation r;
  rotation_init(&r, mpfi_get_prec(x), turn);
  mpfi_set_ui(x, 0);
  for (size_t i = 0; i < rope->dims / 2; i++) {
    mpfi_set_q(r.along, along[i]);
    mpfi_set_q(r.across, across[i]);
    add_pair(x, &r, rope, i, turn);
  }
  rotation_clear(&r);
}
