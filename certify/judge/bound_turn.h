/* SPDX-License-Identifier: Apache-2.0 */
/* What a rotation may cost; private to the bound. Call under FE_UPWARD what does not say otherwise.
 * (NU-7)
 *
 * An honest kernel rotates q once, and k once or, when it moves a stored key, twice, by positions of
 * at most P in all (P the query's number; its index in the stream where positions are ranks). It may
 * as well rotate q by the difference only, or twice for two groups of keys; that is less. What follows
 * is proofs/bound/Turn.v, and LogitTurn.v for the product (`NU7_logit_turned`).
 *
 * The angle of pair i: with e_i = (2i/r) ln base, the power base^(-2i/r) is off by a factor of at most
 * e^(+-(4 e_i + 3) u_a') (quotient, logarithm and product, each charged to the exponent; exponential
 * and reciprocal), and the position, its product and the reduction by multiples of 2 pi cost 5 more:
 *
 *     Delta_i = P theta_i (e^((8 + 4 e_i) u_a') - 1)
 *
 * Three such errors turn q against k by at most 3 Delta_i, which moves their product by at most
 * n_q n_k min(3 Delta_i, 2), n_q and n_k the lengths of the pair: a chord is no longer than its arc.
 *
 * The rotation by that angle: cosine and sine are off by 3u_t', u_t the coarser of u and u_a, two
 * products and a sum round, so each component is off by rho (|a| + |b|), and the pair by 2 rho of its
 * length:
 *
 *     rho = (1 + 3u_t') e^(2u') - 1
 *
 * Lengths multiply through three rotations, (1 + 2 rho)^3; a stored rotated key is rounded once for
 * each of its rotations, e^(2 u_rk'). By Cauchy a pair of the product is then off by n_q n_k times
 * the factor less 1. Underflow: each component of a rotation is off by 3 eta, and by eta_rk where it
 * is stored; a later rotation at most doubles that. */
#ifndef SINKPROOF_BOUND_TURN_H
#define SINKPROOF_BOUND_TURN_H

#include "certify/judge/accuracy.h"
#include "ref/ref.h"

typedef struct sp_turns {
  double reach;       /* P */
  double log_base_lo; /* encloses ln base */
  double log_base_hi;
  double dims;
  double u; /* u_a; its cost is for the caller's rounding mode */
} sp_turns;

/* In the default floating-point environment. */
void sp_turns_init(sp_turns *turns, const sp_class *cls, const sp_ref_rope *rope);

/* min(3 Delta_i, 2) */
double sp_turn_error(const sp_turns *turns, size_t i);

/* ln((1 + 2 rho)^3 e^(2 u_rk')) */
double sp_rotation_cost(const sp_class *cls);

#endif
