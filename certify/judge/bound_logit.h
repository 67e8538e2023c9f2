/* SPDX-License-Identifier: Apache-2.0 */
/* The error of one computed logit; private to the bound. Call under FE_UPWARD. (NU-7) */
#ifndef SINKPROOF_BOUND_LOGIT_H
#define SINKPROOF_BOUND_LOGIT_H

#include "certify/judge/bound.h"

/* The constants that all logits of a row share. */
typedef struct sp_logit_model {
  double u;             /* u' = u / (1 - u) of the arithmetic */
  double u_logit, u_qk; /* likewise; 0 = no such rounding */
  double eta;           /* underflow unit of the arithmetic */
  double eta_qk, eta_logit;
  double query_sum;      /* >= sum_c |q_c| */
  double dot;            /* relative cost of scale * (q . k) */
  double slack;          /* e^(number of roundings after an underflow) */
  double turn, eta_turn; /* rotation: 2, and what underflows in it may cost; 1 and 0 without */
  double wide;           /* roundings of a binary32 input on its way into the arithmetic: 0 or 1 */
  double r_q;            /* … of q, or of a given logit */
  double reach;          /* >= |scale|, as it was read */
  bool flush_inputs;
} sp_logit_model;

void sp_logit_model_init(sp_logit_model *model, const sp_class *cls, sp_bound_types types,
                         const sp_ref_row_input *in);

/* a_j of a key whose input sums and magnitude are known. */
double sp_logit_error(const sp_logit_model *model, const sp_ref_row_input *in,
                      const sp_bound_key *key);

/* a_s of a finite sink logit. */
double sp_sink_error(const sp_logit_model *model, double sink_logit);

/* u / (1 - u). */
double sp_rounding_cost(double u);

#endif
