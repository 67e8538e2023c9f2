/* SPDX-License-Identifier: Apache-2.0 */
/* The a-priori bound: its elementary functions bound from above, it equals an independent
 * evaluation of the formula, it never falls below it, and the floating-point environment survives
 * it. Whether honest kernels stay inside is asked in tests/test_judge.c. */
#include "tests/asserts.h"
#include <fenv.h>
#include <math.h>
#include <stdio.h>

#include "certify/judge/bound.h"
#include "certify/judge/upward.h"
#include "tests/bound_formula.h"
#include "tests/random_row.h"

Suite *suite_bound(void);

/* ---- elementary functions ---- */

typedef int (*exact_function)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
typedef double (*bounding_function)(double);

__attribute__((noinline)) static double under_upward(bounding_function f, double x) {
  fesetround(FE_UPWARD);
  volatile double y = f(x);
  fesetround(FE_TONEAREST);
  return y;
}

static void check_bound(bounding_function bound, exact_function exact, double x) {
  mpfr_t t;
  mpfr_init2(t, 200);
  mpfr_set_d(t, x, MPFR_RNDN);
  exact(t, t, MPFR_RNDD);
  double y = under_upward(bound, x);
  double least = mpfr_get_d(t, MPFR_RNDU), most = mpfr_get_d(t, MPFR_RNDU);
  mpfr_clear(t);
  ck_assert_msg(y >= least, "f(%a) = %a is below the exact %a", x, y, least);
  ck_assert_msg(y <= most * (1 + 0x1p-20) + 0x1p-1070, "f(%a) = %a, exact only %a", x, y, most);
}

/* tests: NU-7 */
START_TEST(functions_bound_from_above) {
  uint64_t state = 1;
  for (int i = 0; i < 40000; i++) {
    double size = ldexp(1 + fabs(sp_random_unit(&state)), (int)sp_random_below(&state, 1000) - 990);
    double x = size > 690 ? 690 * fabs(sp_random_unit(&state)) : size;
    check_bound(sp_up_exp, mpfr_exp, x);
    check_bound(sp_up_exp, mpfr_exp, -x);
    check_bound(sp_up_expm1, mpfr_expm1, x);
    check_bound(sp_up_log1p, mpfr_log1p, size);
    check_bound(sp_up_log1p, mpfr_log1p, size * 0x1p1000);
  }
  ck_assert(isinf(under_upward(sp_up_exp, 1e30)));
  ck_assert(under_upward(sp_up_exp, -1e30) == 0x1p-1074);
  ck_assert(isinf(under_upward(sp_up_log1p, INFINITY)));
  ck_assert(under_upward(sp_up_expm1, 0) == 0 && under_upward(sp_up_log1p, 0) == 0);
  ck_assert(under_upward(sp_up_exp, 0) >= 1);
}
END_TEST

/* ---- the formula ---- */

static const char *const classes[] = {"w-deep",
                                      "w-lane16",
                                      "w-seq",
                                      "w-loose",
                                      "w-deep-b2",
                                      "w-seq:tile=5",
                                      "w-seq-b2:tile=3",
                                      "w-deep:p=bf16",
                                      "w-deep:acc=f16",
                                      "w-lane16:qk=bf16",
                                      "w-deep:logit=f16",
                                      "w-deep:u=f16",
                                      "w-seq:u=bf16",
                                      "w-deep:exp=-12,tile=4",
                                      "w-deep:u=f64",
                                      "w-deep:flush=both",
                                      "w-seq:u=f16,flush=in,p=f16",
                                      "w-deep:angle=f32",
                                      "w-seq:rk=bf16",
                                      "w-deep:u=f64,angle=f32,rk=f16"};

static const sp_bound_types type_pairs[] = {{SP_F32, SP_F32}, {SP_BF16, SP_BF16}, {SP_F32, SP_F16}};

static void agree(const char *what, double got, long double expected, const char *cls, int family,
                  unsigned long long seed) {
  ck_assert_msg(got >= (double)(expected * (1 - 1e-15L)), "%s, %s, family %d, seed %llu: %a < %a",
                what, cls, family, seed, got, (double)expected);
  if (expected > 400) return; /* a log-error that leaves nothing to say */
  ck_assert_msg(got <= (double)(expected * (1 + 4e-6L)) + 0x1p-1060,
                "%s, %s, family %d, seed %llu: %a > %a", what, cls, family, seed, got,
                (double)expected);
}

static unsigned compare(sp_ref_row *row, sp_bound *bound, const sp_class *cls, sp_bound_types types,
                        const sp_ref_row_input *in, int family, unsigned long long seed) {
  bool finite = sp_ref_row_eval(row, in, 512);
  if (row->kind == SP_REF_EMPTY && isfinite(in->sink_logit)) {
    double empty = sp_bound_empty_lse(cls, types, in);
    agree("empty", empty, sp_formula_empty(cls, in->sink_logit), cls->text, family, seed);
    return 1;
  }
  if (!finite || (row->kind != SP_REF_ORDINARY && row->kind != SP_REF_SINK_INF)) return 0;
  sp_bound_inputs(bound, cls, types, in, row);
  if (bound->outside) return 0;
  sp_bound_eval(bound, cls, types, in, row);
  sp_formula f;
  sp_formula_init(&f, cls, types, in, row);
  for (size_t j = 0; j < row->n_keys; j++)
    if (row->visible[j] && row->kind == SP_REF_ORDINARY) {
      const sp_bound_key *key = &bound->key[j];
      long double t = f.theta[j] + f.u_p;
      agree("theta", key->theta, f.theta[j], cls->text, family, seed);
      if (t < 400) agree("growth", key->grow, expl(t), cls->text, family, seed);
      if (t < 400) agree("shrinking", 1 / key->shrink, expl(t), cls->text, family, seed);
    }
  for (size_t c = 0; c < in->d_value && row->kind == SP_REF_ORDINARY; c++)
    if (!row->out_nan[c]) agree("error", bound->error[c], f.error[c], cls->text, family, seed);
  agree("floor", bound->floor, f.floor, cls->text, family, seed);
  agree("lse_keys", bound->lse_keys, f.lse_keys, cls->text, family, seed);
  if (row->kind == SP_REF_ORDINARY)
    agree("lse_total", bound->lse_total, f.lse_total, cls->text, family, seed);
  sp_formula_clear(&f);
  return 1;
}

/* tests: NU-7 */
START_TEST(bound_is_the_formula) {
  sp_ref_row row;
  sp_bound bound;
  unsigned n_compared = 0;
  ck_assert(sp_ref_row_init(&row, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  ck_assert(sp_bound_init(&bound, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
    sp_class cls;
    char error[160];
    ck_assert_msg(sp_class_parse(classes[i], &cls, error, sizeof error), "%s", error);
    for (int family = 0; family < SP_N_ROW_FAMILIES; family++) {
      for (uint64_t seed = 0; seed < 12; seed++) {
        sp_random_row r;
        sp_random_row_make(&r, (sp_row_family)family, seed);
        n_compared += compare(&row, &bound, &cls, type_pairs[seed % 3], &r.in, family, seed);
      }
    }
  }
  ck_assert_msg(n_compared > 2000, "only %u rows compared", n_compared);
  sp_bound_clear(&bound);
  sp_ref_row_clear(&row);
}
END_TEST

/* The comparison above would notice one rounding more or less, and any other parameter.
 * tests: NU-7 */
START_TEST(comparison_notices) {
  static const char *const claimed = "w-seq-b2:tile=3,p=bf16,logit=bf16,qk=f16,acc=bf16";
  sp_class cls, other;
  char error[160];
  sp_random_row r;
  sp_ref_row row;
  sp_bound bound;
  sp_formula f;
  sp_bound_types types = {SP_F32, SP_F32};
  ck_assert(sp_class_parse(claimed, &cls, error, sizeof error));
  ck_assert(sp_ref_row_init(&row, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  ck_assert(sp_bound_init(&bound, SP_ROW_KEYS + 1, SP_ROW_VALUE));
  sp_random_row_make(&r, SP_ROW_ATTENTION, 3);
  ck_assert(sp_ref_row_eval(&row, &r.in, 512) && row.kind == SP_REF_ORDINARY);
  size_t j = 0;
  while (!row.visible[j]) j++;
  sp_bound_inputs(&bound, &cls, types, &r.in, &row);
  sp_bound_eval(&bound, &cls, types, &r.in, &row);
  double *const parameters[] = {&other.c_norm, &other.c_d,     &other.c_z,
                                &other.u,      &other.u_acc,   &other.u_p,
                                &other.u_qk,   &other.u_logit, &other.eps_exp};
  for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
    other = cls;
    *parameters[i] *= 1 + 0x1p-10;
    sp_formula_init(&f, &other, types, &r.in, &row);
    ck_assert_msg(bound.key[j].theta < (double)f.theta[j], "parameter %zu has no effect", i);
    sp_formula_clear(&f);
  }
  sp_formula_init(&f, &cls, types, &r.in, &row);
  agree("theta", bound.key[j].theta, f.theta[j], claimed, SP_ROW_ATTENTION, 3);
  sp_formula_clear(&f);
  sp_bound_clear(&bound);
  sp_ref_row_clear(&row);
}
END_TEST

Suite *suite_bound(void) {
  Suite *suite = suite_create("bound");
  TCase *nu7 = tcase_create("NU-7");
  tcase_set_timeout(nu7, 60);
  tcase_add_test(nu7, functions_bound_from_above);
  tcase_add_test(nu7, bound_is_the_formula);
  tcase_add_test(nu7, comparison_notices);
  suite_add_tcase(suite, nu7);
  return suite;
}
