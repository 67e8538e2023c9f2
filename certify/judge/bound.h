/* SPDX-License-Identifier: Apache-2.0 */
/* The a-priori bound of an accuracy class for one row: how far from the exact value an honest
 * kernel of the class may be. The formula, with the meaning of every term, stands at the head of
 * certify/judge/bound.c, that of a single logit at the head of certify/judge/bound_logit.c. (NU-7)
 *
 * Upper bounds here are computed with FE_UPWARD and lower bounds with care; every function leaves
 * the floating-point environment as it found it. */
#ifndef SINKPROOF_BOUND_H
#define SINKPROOF_BOUND_H

#include "certify/judge/accuracy.h"
#include "ref/ref.h"

/* Types of the inputs: they tell which inputs are subnormal, and which are rounded when a coarser
 * arithmetic takes them in. */
typedef struct sp_bound_types {
  sp_dtype q; /* or the logits */
  sp_dtype kv;
} sp_bound_types;

/* One visible key. Sums over the inputs: */
typedef struct sp_bound_key {
  double sum;     /* >= sum_c |q_c k_c|, or |logit| */
  double product; /* >= |scale| times that */
  double key_sum; /* >= sum_c |k_c|; 0 when logits are given */
  double flushed; /* >= the part of `product` that subnormal inputs carry */
  double turned;  /* >= what angles that are off may add to the logit before it is scaled */
  double bias;    /* |key_bias| */
  double alibi;   /* >= |slope| * distance */
  double distance;
  /* What the oracle says of it: */
  double magnitude;          /* >= |x| */
  double below_lo, below_hi; /* enclose m - x, m the largest logit of the keys */
  double weight;             /* >= p */
  /* The bound: */
  double logit_error; /* a_j */
  double theta;       /* theta_j */
  double grow;        /* >= e^(theta + u_p'), or 0 where that is of no use, and then … */
  double reach;       /* … >= p e^(theta + u_p'); 0 otherwise */
  double shrink;      /* <= e^-(theta + u_p') */
} sp_bound_key;

typedef struct sp_bound {
  sp_bound_key *key; /* key[n_keys]; entries of absent keys mean nothing */
  double floor;      /* absolute error of a weight by underflow: A_w */
  double *error;     /* error[d_value]: E_c; NaN where a visible value is not finite */
  double *value_sum; /* value_sum[d_value]: >= sum_j |v_jc| over visible keys */
  double lse_keys;   /* absolute error of lse_keys */
  double lse_total;  /* … of lse_total; meaningless without a finite lse_total */
  bool outside;      /* the row is outside the domain (NU-4) */
  int exponent;      /* sums towards a logit stay below 2^exponent */
} sp_bound;

bool sp_bound_init(sp_bound *bound, size_t max_keys, size_t max_value);
void sp_bound_clear(sp_bound *bound);

/* First, once per row: the sums over the inputs of the keys that `row` calls visible, and whether
 * they are in the domain. Any class. The row is of kind ORDINARY or SINK_INF. */
void sp_bound_inputs(sp_bound *bound, const sp_class *cls, sp_bound_types types,
                     const sp_ref_row_input *in, const sp_ref_row *row);

/* Then, for a class of kind MODEL and an enclosure of the row: the bound. A row of kind SINK_INF
 * is taken as without a sink logit (only its lse_keys is not exact). */
void sp_bound_eval(sp_bound *bound, const sp_class *cls, sp_bound_types types,
                   const sp_ref_row_input *in, const sp_ref_row *row);

/* Absolute error of lse_total in a row without keys, which is its finite sink logit: what reading it
 * costs (nothing in binary32 or binary64 that keeps subnormals), and in base 2 the way to the other
 * base and back. A class of kind MODEL. (AT-9, NU-7) */
double sp_bound_empty_lse(const sp_class *cls, sp_bound_types types, const sp_ref_row_input *in);

/* Is this sink logit too large for the arithmetic that the class declares? (NU-4) */
bool sp_bound_sink_outside(const sp_class *cls, double sink_logit);

#endif
