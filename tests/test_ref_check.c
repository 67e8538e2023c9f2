/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's invariants hold on every family of rows at every precision, and each of them notices
 * a row that was damaged in the way it is there to notice. */
#include "tests/asserts.h"
#include <math.h>

#include "ref/check.h"
#include "tests/random_row.h"
#include "tests/require.h"

Suite *suite_ref_check(void);

/* tests: SM-2, SM-4, SM-7, SM-8, AL-5 */
START_TEST(invariants_hold) {
  static const mpfr_prec_t precisions[] = {53, 64, 128, 400};
  sp_ref_row row;
  REQUIRE(sp_ref_row_init(&row, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  for (uint64_t seed = 0; seed < 300; seed++) {
    sp_random_row r;
    sp_random_row_make(&r, (sp_row_family)_i, 90000 + seed);
    (void)sp_ref_row_eval(&row, &r.in, precisions[seed % 4]);
    REQUIRE_MSG(sp_ref_row_holds(&row, &r.in), "family %d seed %llu", _i, (unsigned long long)seed);
  }
  sp_ref_row_clear(&row);
}
END_TEST

/* tests: SM-2 (logits known only to within 2^40: the weights are still enclosed in [0, 1]) */
START_TEST(wide_enclosures_hold) {
  static const double q[] = {0x1p104, 1, -0x1p104}, k[] = {1, 0.5, 1, 1, 0.25, 1}, v[] = {3, 4};
  const sp_ref_row_input in = {.n_kv = 2,
                               .d_head = 3,
                               .d_value = 1,
                               .q = q,
                               .k = k,
                               .k_stride = 3,
                               .v = v,
                               .v_stride = 1,
                               .scale = 1,
                               .sink_logit = 0.75};
  sp_ref_row row;
  ck_assert(sp_ref_row_init(&row, 2, 1));
  ck_assert(sp_ref_row_eval(&row, &in, 64));
  ck_assert(sp_ref_row_holds(&row, &in));
  ck_assert(mpfr_cmp_d(&row.weight[0]->left, 0.1) < 0 && /* nothing is known */
            mpfr_cmp_d(&row.weight[0]->right, 0.9) > 0);
  sp_ref_row_clear(&row);
}
END_TEST

static void halve(mpfi_ptr x) {
  mpfi_div_2ui(x, x, 1);
}

static void lose_the_sink(sp_ref_row *row) {
  mpfi_set_ui(row->weight_sink, 0);
}
static void renormalise(sp_ref_row *row) {
  mpfi_t mass;
  mpfi_init2(mass, 128);
  mpfi_ui_sub(mass, 1, row->weight_sink);
  for (size_t j = 0; j < row->n_keys; j++) mpfi_div(row->weight[j], row->weight[j], mass);
  mpfi_clear(mass);
}
static void halve_a_weight(sp_ref_row *row) {
  halve(row->weight[0]);
}
static void exceed_one(sp_ref_row *row) {
  mpfi_add_ui(row->weight[0], row->weight[0], 1);
}
static void turn_a_weight(sp_ref_row *row) {
  mpfi_neg(row->weight[1], row->weight[1]);
}
static void swap_weights(sp_ref_row *row) {
  mpfi_swap(row->weight[0], row->weight[2]);
}
static void weigh_the_absent(sp_ref_row *row) {
  mpfi_swap(row->weight[0], row->weight[3]);
}
static void leave_the_hull(sp_ref_row *row) {
  mpfi_add_ui(row->out[0], row->out[0], 2);
}
static void forget_to_scale_the_output(sp_ref_row *row) {
  mpfi_set_d(row->out[1], 3);
}
static void lse_below_the_maximum(sp_ref_row *row) {
  mpfi_sub_ui(row->lse_keys, row->lse_keys, 2);
}
static void lse_total_below_lse_keys(sp_ref_row *row) {
  mpfi_sub_ui(row->lse_total, row->lse_keys, 1);
}
static void turn_an_interval(sp_ref_row *row) {
  mpfr_swap(&row->lse_keys->left, &row->lse_keys->right);
}

static const struct {
  const char *name;
  void (*damage)(sp_ref_row *row);
} faults[] = {
    {"weight of the sink logit lost", lose_the_sink},
    {"weights renormalised", renormalise},
    {"a weight halved", halve_a_weight},
    {"a weight above 1", exceed_one},
    {"a negative weight", turn_a_weight},
    {"weights against the order of the logits", swap_weights},
    {"an absent key with a weight", weigh_the_absent},
    {"output outside the hull", leave_the_hull},
    {"output not scaled by 1 - p_sink", forget_to_scale_the_output},
    {"lse_keys below the maximum", lse_below_the_maximum},
    {"lse_total below lse_keys", lse_total_below_lse_keys},
    {"an interval with its ends exchanged", turn_an_interval},
};

/* tests: SM-2, SM-7, SM-8 */
START_TEST(planted_fault_is_seen) {
  static const double logits[] = {1, 2, 3, -INFINITY};
  static const double v[] = {0, 3, 1, 3, 0.5, 3, NAN, NAN};
  const sp_ref_row_input in = {.n_kv = 4,
                               .d_value = 2,
                               .logits = logits,
                               .v = v,
                               .v_stride = 2,
                               .scale = 1,
                               .sink_logit = 2.5};
  sp_ref_row row;
  ck_assert(sp_ref_row_init(&row, 4, 2));
  ck_assert(sp_ref_row_eval(&row, &in, 128));
  ck_assert(sp_ref_row_holds(&row, &in));
  faults[_i].damage(&row);
  ck_assert_msg(!sp_ref_row_holds(&row, &in), "%s: unseen", faults[_i].name);
  sp_ref_row_clear(&row);
}
END_TEST

Suite *suite_ref_check(void) {
  Suite *suite = suite_create("ref_check");
  TCase *hold = tcase_create("SM-7");
  tcase_add_loop_test(hold, invariants_hold, 0, SP_N_ROW_FAMILIES);
  tcase_add_test(hold, wide_enclosures_hold);
  tcase_add_loop_test(hold, planted_fault_is_seen, 0, (int)(sizeof faults / sizeof faults[0]));
  suite_add_tcase(suite, hold);
  return suite;
}
