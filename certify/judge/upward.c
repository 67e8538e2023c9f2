/* SPDX-License-Identifier: Apache-2.0 */
/* Upper bounds of exp, expm1 and log1p. Each argument is first made small by an exact step (halving
 * for exp, square roots for log1p), then an inequality finishes, then squares or doublings undo the
 * step; all of it rounded upwards by the mode the caller has set. spec: NU-7 */
#include "certify/judge/upward.h"

#include <float.h>
#include <math.h>

/* Arguments at most this are left to the inequalities. */
static const double small = 0x1p-14;

/* Written with the negation outside, so that the rounding to +inf of the inner difference is a
 * rounding to -inf of the result. */
double sp_up_less(double a, double b) {
  return -(b - a);
}

/* A lower bound of 1 + z + z^2/2 + z^3/6, which is itself below e^z: Horner on the negated
 * polynomial, so that rounding up takes away from its size. */
static double taylor_below(double z) {
  double minus = -z * 0x1.5555555555555p-3 - 0.5; /* 1/6, rounded down */
  minus = -1 + minus * z;
  minus = -1 + minus * z;
  return -minus;
}

double sp_up_exp(double x) {
  if (x > 710) return INFINITY;
  if (x < -746) return 0x1p-1074;
  double z = fabs(x);
  unsigned halvings = 0;
  while (z > small) {
    z *= 0.5;
    halvings++;
  }
  /* e^z <= (2 + z) / (2 - z), since 2 artanh(z / 2) = z + z^3/12 + … >= z. */
  double y = x > 0 ? (2 + z) / sp_up_less(2, z) : 1 / taylor_below(z);
  while (halvings-- > 0) y *= y;
  return y;
}

double sp_up_expm1(double x) {
  if (x > small) return sp_up_exp(x) - 1;
  return 2 * x / sp_up_less(2, x); /* the same inequality, less 1 */
}

double sp_up_log1p(double x) {
  if (!(x <= DBL_MAX)) return INFINITY;
  double g = x;
  double factor = 1;
  while (g > 0x1p-7) { /* ln(1 + g) = 2 ln sqrt(1 + g) */
    g = sqrt(1 + g) - 1;
    factor *= 2;
  }
  /* ln(1 + g) <= g (6 + g) / (6 + 4g): equal at 0, and the derivative of the right side exceeds
   * 1/(1 + g) by 4g^3 / ((1 + g)(6 + 4g)^2). */
  double denominator = -(-6 - 4 * g);
  return factor * (g * (6 + g) / denominator);
}
