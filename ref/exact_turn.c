/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are rotated by the same angle and have the same products with the query have the same
 * logit, whatever the sines are. Nothing else about sines is decided here. spec: NU-3, EV-11 */
#include "ref/exact_turn.h"

#include <stdlib.h>

#include "ref/dyadic.h"
#include "ref/rope.h"

static mpq_t *rationals(size_t n) {
  mpq_t *x = malloc((n ? n : 1) * sizeof *x);
  for (size_t i = 0; i < n && x != NULL; i++) mpq_init(x[i]);
  return x;
}

static void clear_rationals(mpq_t *x, size_t n) {
  for (size_t i = 0; i < n && x != NULL; i++) mpq_clear(x[i]);
  free(x);
}

void sp_ref_exact_turn_free(sp_ref_exact_turn *turned) {
  if (turned == NULL) return;
  clear_rationals(turned->along, turned->n);
  clear_rationals(turned->across, turned->n);
  free(turned);
}

/* sum := sum + (a b + c d) scale */
static void add_products(mpq_t sum, double a, double b, double c, double d, double scale) {
  sp_ref_dyadic products;
  mpq_t term, factor;
  mpq_inits(term, factor, NULL);
  sp_ref_dyadic_init(&products);
  sp_ref_dyadic_add_product(&products, a, b);
  sp_ref_dyadic_add_product(&products, c, d);
  sp_ref_dyadic_get(term, &products);
  mpq_set_d(factor, scale);
  mpq_mul(term, term, factor);
  mpq_add(sum, sum, term);
  sp_ref_dyadic_clear(&products);
  mpq_clears(term, factor, NULL);
}

/* With base 1 all angles are one, and so are all pairs. */
static bool set_coefficients(sp_ref_exact_turn *turned, const sp_ref_row_input *in,
                             const double *k) {
  const double *q = in->q;
  bool any = false;
  for (size_t i = 0; i < turned->n; i++) {
    const size_t into = in->rope.base == 1 ? 0 : i;
    size_t a, b;
    sp_ref_rope_pair(&in->rope, i, &a, &b);
    add_products(turned->along[into], q[a], k[a], q[b], k[b], in->scale);
    add_products(turned->across[into], q[a], k[b], -q[b], k[a], in->scale);
  }
  for (size_t i = 0; i < turned->n; i++)
    any |= mpq_sgn(turned->along[i]) != 0 || mpq_sgn(turned->across[i]) != 0;
  return any;
}

bool sp_ref_exact_turn_make(sp_ref_exact_turn **turned, const sp_ref_row_input *in, const double *k,
                            uint64_t turn) {
  sp_ref_exact_turn *t = malloc(sizeof *t);
  *turned = NULL;
  if (t == NULL) return false;
  const size_t n = in->rope.dims / 2;
  *t = (sp_ref_exact_turn){.turn = turn, .n = n, .along = rationals(n), .across = rationals(n)};
  const bool ok = t->along != NULL && t->across != NULL;
  if (ok && set_coefficients(t, in, k))
    *turned = t;
  else
    sp_ref_exact_turn_free(t);
  return ok;
}

int sp_ref_exact_turn_cmp(const sp_ref_exact_turn *a, const sp_ref_exact_turn *b) {
  if (a == NULL || b == NULL) return (a != NULL) - (b != NULL);
  int order = (a->turn > b->turn) - (a->turn < b->turn);
  for (size_t i = 0; i < a->n && order == 0; i++) {
    order = mpq_cmp(a->along[i], b->along[i]);
    if (order == 0) order = mpq_cmp(a->across[i], b->across[i]);
  }
  return order;
}
