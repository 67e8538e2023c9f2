/* SPDX-License-Identifier: Apache-2.0 */
/* The MPFR oracle against the Arb oracle, on random and adversarial rows. They must agree on what
 * kind of row it is and which keys are visible, every pair of enclosures must overlap, and both
 * must be narrow: an agreement of wide enclosures would mean nothing. The last test plants faults
 * in one of the two and sees the comparison notice. */
#include "tests/asserts.h"
#include <float.h>
#include <math.h>

#include "tests/cross.h"
#include "tests/random_row.h"

Suite *suite_cross(void);

enum { PREC = 128, NARROW_BITS = 40, ROWS_PER_FAMILY = 1000 };

static double largest_value(const sp_ref_row_input *in) {
  double largest = 0;
  for (size_t j = 0; j < in->n_kv; j++)
    for (size_t c = 0; c < in->d_value; c++) {
      const double v = fabs(in->v[j * in->v_stride + c]);
      if (v > largest && isfinite(v)) largest = v;
    }
  return largest;
}

/* What the terms of a log-sum-exp amount to before they cancel. */
static double size_of_lse(const sp_ref_row *row) {
  if (row->kind == SP_REF_INVALID || row->kind == SP_REF_EMPTY) return 1;
  return fmax(1, fabs(mpfi_get_d(row->max_logit)));
}

/* Evaluate one row with both; NULL when they agree and are narrow. */
static const char *complaint(sp_ref_row *row, const sp_ref_row_input *ref_in,
                             const sp_ref_row_input *cross_in) {
  sp_cross_row cross;
  const bool in_domain = sp_ref_row_eval(row, ref_in, PREC);
  sp_cross_init(&cross, cross_in, PREC);
  const char *what = sp_cross_disagreement(&cross, row, in_domain);
  if (what == NULL)
    what = sp_cross_too_wide(&cross, row, NARROW_BITS, largest_value(ref_in), size_of_lse(row));
  sp_cross_clear(&cross);
  return what;
}

static void agree(sp_row_family family) {
  sp_ref_row row;
  ck_assert(sp_ref_row_init(&row, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  for (uint64_t seed = 0; seed < ROWS_PER_FAMILY; seed++) {
    sp_random_row r;
    sp_random_row_make(&r, family, seed);
    const char *what = complaint(&row, &r.in, &r.in);
    ck_assert_msg(what == NULL, "family %d seed %llu: %s", (int)family, (unsigned long long)seed,
                  what);
  }
  sp_ref_row_clear(&row);
  flint_cleanup();
  mpfr_free_cache();
}

static const struct {
  sp_row_family family;
  const char *clause;
} families[SP_N_ROW_FAMILIES] = {
    {SP_ROW_PLAIN, "SM-2"},     {SP_ROW_TIES, "SM-2"},      {SP_ROW_SPREAD, "SM-3"},
    {SP_ROW_OFFSET, "SM-3"},    {SP_ROW_SUBNORMAL, "NU-1"}, {SP_ROW_SINK_AT_LSE, "AL-2"},
    {SP_ROW_SINK_FAR, "AL-4"},  {SP_ROW_BIASED, "AT-3"},    {SP_ROW_EMPTY, "AT-9"},
    {SP_ROW_NONFINITE, "SM-5"}, {SP_ROW_ATTENTION, "AT-5"}, {SP_ROW_CANCELLING, "AT-1"},
    {SP_ROW_ALIBI, "AT-6"},     {SP_ROW_POSITIONS, "AT-4"}, {SP_ROW_SOFTCAP, "AT-2"},
    {SP_ROW_BIAS_PAIR, "AL-8"}, {SP_ROW_ROTATED, "EV-11"},
};

START_TEST(oracles_agree) {
  agree(families[_i].family);
}
END_TEST

/* ---- planted faults ---- */

static void drop_sink(sp_ref_row_input *in) {
  in->sink_logit = -INFINITY;
}
static void double_sink(sp_ref_row_input *in) {
  in->sink_logit += 0x1.62e42fefa39efp-1; /* ln 2 */
}
static void scale_sink(sp_ref_row_input *in) {
  in->sink_logit *= in->scale;
}
static void widen_window(sp_ref_row_input *in) {
  in->mask.window++;
}
static void forget_causality(sp_ref_row_input *in) {
  in->mask.causal = false;
}
static void forget_pinned(sp_ref_row_input *in) {
  in->mask.n_sink_tokens = 0;
}
static void turn_alibi(sp_ref_row_input *in) {
  in->alibi_slope = -in->alibi_slope;
}
static void forget_cap(sp_ref_row_input *in) {
  in->softcap = 0;
}
static void forget_bias(sp_ref_row_input *in) {
  in->key_bias = NULL;
}
static void forget_pair(sp_ref_row_input *in) {
  in->bias_k = NULL;
}
static void nudge_scale(sp_ref_row_input *in) {
  in->scale *= 1 + DBL_EPSILON;
}

static void turn_the_other_pairs(sp_ref_row_input *in) {
  in->rope.interleaved = !in->rope.interleaved;
}
static void nudge_base(sp_ref_row_input *in) {
  in->rope.base *= 1 + DBL_EPSILON;
}
static void turn_all(sp_ref_row_input *in) {
  in->rope.dims = in->d_head;
}
static void count_absolutely(sp_ref_row_input *in) {
  in->rope.in_cache = false;
}

static const struct {
  const char *name;
  void (*plant)(sp_ref_row_input *in);
  sp_row_family family;
} faults[] = {
    {"sink logit left out", drop_sink, SP_ROW_SINK_AT_LSE},
    {"sink logit counted twice", double_sink, SP_ROW_SINK_AT_LSE},
    {"sink logit scaled", scale_sink, SP_ROW_SINK_AT_LSE},
    {"window too wide by one", widen_window, SP_ROW_ATTENTION},
    {"future visible", forget_causality, SP_ROW_ATTENTION},
    {"pinned tokens evicted", forget_pinned, SP_ROW_ATTENTION},
    {"ALiBi of the wrong sign", turn_alibi, SP_ROW_ALIBI},
    {"softcap left out", forget_cap, SP_ROW_SOFTCAP},
    {"key bias left out", forget_bias, SP_ROW_BIASED},
    {"bias pair left out", forget_pair, SP_ROW_BIAS_PAIR},
    {"scale off by one place", nudge_scale, SP_ROW_PLAIN},
    {"the other pairing", turn_the_other_pairs, SP_ROW_ROTATED},
    {"base off by one place", nudge_base, SP_ROW_ROTATED},
    {"all elements rotated", turn_all, SP_ROW_ROTATED},
    {"absolute positions for ranks", count_absolutely, SP_ROW_ROTATED},
};

/* Does the fault change the row by more than half the precision of the comparison? A mask may leave
 * nothing to go wrong. */
static bool differs(const sp_ref_row_input *good, const sp_ref_row_input *bad) {
  sp_cross_row good_row, bad_row;
  sp_cross_init(&good_row, good, PREC / 2);
  sp_cross_init(&bad_row, bad, PREC / 2);
  bool differ = good_row.kind != bad_row.kind || good_row.n_keys != bad_row.n_keys;
  const bool comparable = !differ && good_row.kind == SP_CROSS_ORDINARY;
  if (comparable) differ = !arb_overlaps(good_row.lse_total, bad_row.lse_total);
  sp_cross_clear(&good_row);
  sp_cross_clear(&bad_row);
  return differ;
}

/* tests: NU-3 (every row whose log-sum-exp, kind or size the fault changes is flagged) */
START_TEST(planted_fault_is_seen) {
  sp_ref_row row;
  size_t n_effective = 0;
  ck_assert(sp_ref_row_init(&row, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  for (uint64_t seed = 0; seed < ROWS_PER_FAMILY; seed++) {
    sp_random_row r;
    sp_random_row_make(&r, faults[_i].family, seed);
    sp_ref_row_input bad = r.in;
    faults[_i].plant(&bad);
    if (!differs(&r.in, &bad)) continue;
    n_effective++;
    ck_assert_msg(complaint(&row, &bad, &r.in) != NULL, "%s: unseen at seed %llu", faults[_i].name,
                  (unsigned long long)seed);
  }
  ck_assert_msg(n_effective >= ROWS_PER_FAMILY / 50, "%s: effective on %zu rows only",
                faults[_i].name, n_effective);
  sp_ref_row_clear(&row);
}
END_TEST

Suite *suite_cross(void) {
  Suite *suite = suite_create("cross");
  for (int i = 0; i < SP_N_ROW_FAMILIES; i++) {
    TCase *agreement = tcase_create(families[i].clause);
    tcase_add_loop_test(agreement, oracles_agree, i, i + 1);
    suite_add_tcase(suite, agreement);
  }
  TCase *power = tcase_create("NU-3");
  tcase_add_loop_test(power, planted_fault_is_seen, 0, (int)(sizeof faults / sizeof faults[0]));
  suite_add_tcase(suite, power);
  return suite;
}
