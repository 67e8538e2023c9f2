/* SPDX-License-Identifier: Apache-2.0 */
/* Correct rounding of row after row with the storage of one. Private to ref/: the kernel and
 * sp_ref_row_round are built on it. */
#ifndef SINKPROOF_REF_ROUND_H
#define SINKPROOF_REF_ROUND_H

#include "ref/compare.h"

/* One number that a row owes to its caller. */
typedef struct sp_ref_element {
  sp_ref_quantity quantity;
  size_t index;
  sp_dtype format;
  mpfi_srcptr enclosure;
  double *rounded;
} sp_ref_element;

typedef struct sp_ref_rounder {
  sp_ref_row row;
  sp_ref_element *open; /* not yet decided */
  size_t n_open;
} sp_ref_rounder;

/* What is wanted of a row; as the arguments of sp_ref_row_round. */
typedef struct sp_ref_wanted {
  sp_dtype format, lse_format;
  double *weights, *out, *lse_keys, *lse_total;
} sp_ref_wanted;

bool sp_ref_rounder_init(sp_ref_rounder *rounder, size_t max_keys, size_t max_value);
void sp_ref_rounder_clear(sp_ref_rounder *rounder);

sp_ref_decision sp_ref_rounder_row(sp_ref_rounder *rounder, const sp_ref_row_input *in,
                                   mpfr_prec_t max_prec, const sp_ref_wanted *wanted);

#endif
