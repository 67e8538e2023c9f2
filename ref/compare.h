/* SPDX-License-Identifier: Apache-2.0 */
/* Is a result of a row below, at, or above a given rational number? Private to ref/. */
#ifndef SINKPROOF_REF_COMPARE_H
#define SINKPROOF_REF_COMPARE_H

#include "ref/classes.h"

typedef enum sp_ref_quantity {
  SP_REF_WEIGHT, /* of key `index` */
  SP_REF_OUT,    /* component `index`; its visible values are finite */
  SP_REF_LSE_KEYS,
  SP_REF_LSE_TOTAL
} sp_ref_quantity;

/* *sign := sign of (quantity - threshold). Undecided only if max_prec is too small, which without a
 * softcap takes a near-coincidence of two different exponential sums. False when memory runs out.
 */
bool sp_ref_compare(const sp_ref_classes *classes, sp_ref_quantity quantity, size_t index,
                    mpq_srcptr threshold, mpfr_prec_t max_prec, sp_ref_decision *decision,
                    int *sign);

#endif
