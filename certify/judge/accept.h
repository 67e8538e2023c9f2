/* SPDX-License-Identifier: Apache-2.0 */
/* From an enclosure and a bound to what is accepted for one element. (CT-1, NU-9, NU-10, NU-11) */
#ifndef SINKPROOF_ACCEPT_H
#define SINKPROOF_ACCEPT_H

#include "certify/judge/judge.h"

/* Scratch and parameters that the elements of a case share. */
typedef struct sp_acceptor {
  const sp_class *cls;
  sp_dtype format;
  mpfr_t t;
} sp_acceptor;

/* A real interval around the exact value y: [y shrink - down, y grow + up], cut at 0 where y is a
 * weight. Signed values have shrink = grow = 1. */
typedef struct sp_margin {
  double shrink, grow, down, up;
  bool weight;
} sp_margin;

void sp_accept_exactly(sp_accept *accept, double value);
void sp_accept_nan(sp_accept *accept);
void sp_accept_anything(sp_accept *accept);

/* The elements of a model class: the image of the interval under the output rounding. Returns
 * false when the enclosure leaves the verdict on some value open: ask again with more bits. */
bool sp_accept_interval(sp_accept *accept, sp_acceptor *acceptor, mpfi_srcptr y,
                        const sp_margin *margin);

/* The elements of class cr, or faithful: likewise. */
bool sp_accept_rounded(sp_accept *accept, sp_acceptor *acceptor, mpfi_srcptr y);

/* … where y is known to be this rational number, so that nothing stays open. */
bool sp_accept_rational(sp_accept *accept, sp_acceptor *acceptor, mpq_srcptr y);

#endif
