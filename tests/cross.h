/* SPDX-License-Identifier: Apache-2.0 */
/* The second oracle: the clauses once more, on Arb's balls instead of MPFR's intervals. It shares
 * nothing with ref/ but the type that describes the inputs, and goes another way wherever there is
 * one: exact logits first, positions as big integers, no maximum and no shift at all (Arb's
 * exponents have no range), weights and log-sum-exps as the definitions print them. Two oracles
 * that were wrong in the same way would have to be wrong twice. */
#ifndef SINKPROOF_TESTS_CROSS_H
#define SINKPROOF_TESTS_CROSS_H

#include <arb.h>
#include <stdbool.h>

#include "ref/ref.h"

typedef enum sp_cross_kind {
  SP_CROSS_ORDINARY,
  SP_CROSS_EMPTY,
  SP_CROSS_SINK_INF,
  SP_CROSS_INVALID
} sp_cross_kind;

typedef struct sp_cross_row {
  size_t n_keys, d_value;
  sp_cross_kind kind;
  bool in_domain; /* no infinite value is visible */
  bool *visible;
  arb_ptr weight; /* weight[n_keys] */
  arb_t weight_sink, lse_keys, lse_total;
  arb_ptr out;   /* out[d_value] */
  bool *out_nan; /* out_nan[d_value] */
} sp_cross_row;

/* Enclose every quantity of the row, with `prec` bits in every ball. */
void sp_cross_init(sp_cross_row *row, const sp_ref_row_input *in, slong prec);
void sp_cross_clear(sp_cross_row *row);

/* NULL when the two oracles can both be right: same kind, same visible keys, overlapping
 * enclosures. Otherwise the name of the first quantity that differs. */
const char *sp_cross_disagreement(const sp_cross_row *cross, const sp_ref_row *row, bool in_domain);

/* NULL when every enclosure of both oracles is at most 2^-bits wide, relative to its value or,
 * where terms cancel, to `scale_out` and `scale_lse`, the size of the terms. Otherwise the name of
 * the first that is wider. An agreement of wide enclosures would mean nothing. */
const char *sp_cross_too_wide(const sp_cross_row *cross, const sp_ref_row *row, long bits,
                              double scale_out, double scale_lse);

#endif
