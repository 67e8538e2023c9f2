/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of certify/judge/bound_turn.h, rounded up. spec: NU-7, EV-11, EV-13 */
#include "certify/judge/bound_turn.h"

#include <math.h>

#include "certify/judge/bound_logit.h"
#include "certify/judge/upward.h"

void sp_turns_init(sp_turns *turns, const sp_class *cls, const sp_ref_rope *rope) {
  *turns = (sp_turns){.reach = (double)rope->reach, .dims = (double)rope->dims, .u = cls->u_angle};
  if (rope->dims == 0) return;
  mpfr_t x;
  mpfr_init2(x, 64);
  mpfr_set_d(x, rope->base, MPFR_RNDN);
  mpfr_log(x, x, MPFR_RNDD);
  turns->log_base_lo = mpfr_get_d(x, MPFR_RNDD);
  mpfr_nextabove(x);
  turns->log_base_hi = mpfr_get_d(x, MPFR_RNDU);
  mpfr_clear(x);
}

double sp_turn_error(const sp_turns *turns, size_t i) {
  double share = 2 * (double)i / turns->dims;
  double theta = sp_up_exp(-(2 * (double)i) / turns->dims * turns->log_base_lo);
  double off = sp_up_expm1((8 + 4 * share * turns->log_base_hi) * sp_rounding_cost(turns->u));
  return fmin(3 * turns->reach * theta * off, 2);
}

double sp_rotation_cost(const sp_class *cls) {
  double u_t = sp_rounding_cost(fmax(cls->u, cls->u_angle)), u = sp_rounding_cost(cls->u);
  double rho = 3 * u_t * sp_up_exp(2 * u) + sp_up_expm1(2 * u);
  return 3 * sp_up_log1p(2 * rho) + 2 * sp_rounding_cost(cls->u_rk);
}
