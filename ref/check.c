/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle watched by what is true of every row and of every stream, whatever its inputs. An
 * enclosure can only be refuted, so each check asks whether the exact value can still lie in both
 * of two enclosures that must contain it. */
#include "ref/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ref/interval.h"
#include "ref/logit.h"

#ifdef SP_CHECKED
void sp_ref_check_failed(const char *condition, const char *file, int line) {
  fprintf(stderr, "%s:%d: invariant violated: %s\n", file, line, condition);
  abort();
}
#endif

static bool ordered(mpfi_srcptr x) {
  return mpfr_lessequal_p(&x->left, &x->right);
}

static bool in_unit(mpfi_srcptr x) {
  return ordered(x) && mpfr_sgn(&x->left) >= 0 && mpfr_cmp_ui(&x->right, 1) <= 0;
}

/* spec: SM-2, SM-7, AL-4 (with the weight of the sink logit, a row with any mass sums to 1) */
static bool weights_hold(const sp_ref_row *row, bool has_mass) {
  mpfi_t sum;
  mpfi_init2(sum, row->prec);
  mpfi_set(sum, row->weight_sink);
  bool holds = in_unit(row->weight_sink);
  for (size_t j = 0; j < row->n_keys; j++) {
    holds &= in_unit(row->weight[j]);
    holds &= row->visible[j] || mpfr_zero_p(&row->weight[j]->right);
    mpfi_add(sum, sum, row->weight[j]);
  }
  holds &= mpfi_is_inside_ui(has_mass ? 1 : 0, sum) != 0;
  mpfi_clear(sum);
  return holds;
}

/* spec: SM-3, AL-5 (max_logit <= lse_keys <= lse_total) */
static bool lse_hold(const sp_ref_row *row) {
  return ordered(row->max_logit) && ordered(row->lse_keys) && ordered(row->lse_total) &&
         mpfr_lessequal_p(&row->max_logit->left, &row->lse_keys->right) &&
         mpfr_lessequal_p(&row->lse_keys->left, &row->lse_total->right);
}

/* The hull of one component of the visible values, [0, 0] when there is none. */
static void hull_of_values(mpfi_ptr hull, const sp_ref_row *row, const sp_ref_row_input *in,
                           size_t c) {
  bool first = true;
  mpfi_set_ui(hull, 0);
  for (size_t j = 0; j < row->n_keys; j++) {
    if (!row->visible[j]) continue;
    const double v = sp_ref_key_value(in, j)[c];
    if (first)
      mpfi_set_d(hull, v);
    else
      mpfi_put_d(hull, v);
    first = false;
  }
}

/* spec: SM-4, SM-7 (out is in the hull of the values, scaled by 1 - weight_sink) */
static bool out_holds(const sp_ref_row *row, const sp_ref_row_input *in) {
  bool holds = true;
  mpfi_t hull, mass;
  mpfi_init2(hull, row->prec);
  mpfi_init2(mass, row->prec);
  mpfi_ui_sub(mass, 1, row->weight_sink);
  for (size_t c = 0; c < row->d_value && holds; c++) {
    if (row->out_nan[c]) continue;
    hull_of_values(hull, row, in, c);
    mpfi_mul(hull, hull, mass);
    holds = ordered(row->out[c]) && sp_ref_interval_overlap(hull, row->out[c]);
  }
  mpfi_clear(hull);
  mpfi_clear(mass);
  return holds;
}

/* spec: SM-8 (a larger logit never has the smaller weight; the unit case is every key against the
 * largest) */
static bool monotone(const sp_ref_row *row) {
  size_t top = row->n_keys;
  for (size_t j = 0; j < row->n_keys; j++)
    if (row->visible[j] &&
        (top == row->n_keys || mpfr_greater_p(&row->logit[j]->left, &row->logit[top]->left)))
      top = j;
  for (size_t j = 0; j < row->n_keys; j++)
    if (row->visible[j] && mpfr_lessequal_p(&row->logit[j]->right, &row->logit[top]->left) &&
        mpfr_greater_p(&row->weight[j]->left, &row->weight[top]->right))
      return false;
  return true;
}

bool sp_ref_row_holds(const sp_ref_row *row, const sp_ref_row_input *in) {
  if (row->kind == SP_REF_INVALID) return true;
  const bool has_mass = row->kind != SP_REF_EMPTY || in->sink_logit > -INFINITY;
  return weights_hold(row, has_mass) && lse_hold(row) && out_holds(row, in) && monotone(row);
}

/* Token number i of the stream, counted from its first token. */
static bool is_token(const sp_ref_cache *cache, uint64_t slot, uint64_t i) {
  return cache->token[slot] - cache->first_token == i;
}

/* What token i saw of the unpinned ones, by the definition: the oldest of them. */
static uint64_t oldest_seen_by(const sp_ref_cache *cache, uint64_t i) {
  const uint64_t window = sp_ref_window_at(cache->n_sink_tokens, cache->window, cache->n_evict, i);
  const bool whole = i - cache->n_sink_tokens < window;
  return whole ? cache->n_sink_tokens : i + 1 - window;
}

/* spec: EV-1, EV-2, EV-7, EV-9, EV-15 (held are the pinned tokens and the last ones without a gap,
 * never above capacity; visible among them is what the definition says, and so is what each one is
 * noted to have seen) */
bool sp_ref_cache_holds(const sp_ref_cache *cache) {
  const uint64_t n_pinned =
      cache->n_seen < cache->n_sink_tokens ? cache->n_seen : cache->n_sink_tokens;
  if (cache->n_retained < n_pinned || cache->n_retained > cache->n_seen) return false;
  const uint64_t n_other = cache->n_retained - n_pinned;
  const uint64_t most = cache->window + cache->n_undo;
  if (most >= cache->window && n_other > most) return false;
  for (uint64_t i = 0; i < n_pinned; i++)
    if (!is_token(cache, i, i)) return false;
  const uint64_t first = cache->n_seen - n_other;
  for (uint64_t i = 0; i < n_other; i++) {
    const uint64_t seen = cache->oldest[n_pinned + i] - cache->first_token;
    if (!is_token(cache, n_pinned + i, first + i)) return false;
    if (seen != oldest_seen_by(cache, first + i)) return false;
  }
  if (cache->n_seen == n_pinned) return n_other == 0 && cache->n_hidden == 0;
  return first + cache->n_hidden == oldest_seen_by(cache, cache->n_seen - 1);
}
