/* SPDX-License-Identifier: Apache-2.0 */
/* The visible keys of a row grouped by exactly equal logit, in rational arithmetic, with the sink
 * logit as one more key of value 0. This is what decides the questions that no precision can: see
 * ref/exact.c. Private to ref/. */
#ifndef SINKPROOF_REF_CLASSES_H
#define SINKPROOF_REF_CLASSES_H

#include <gmp.h>

#include "ref/exact_turn.h"

/* The logit cap(capped + turned) + plain; without a softcap `capped` is 0 and nothing is capped.
 * Two logits that are not turned are equal if and only if both parts are, because tanh a - tanh b
 * is transcendental for rational a != b (Lindemann-Weierstrass). */
typedef struct sp_ref_exact_logit {
  mpq_t capped, plain;
  sp_ref_exact_turn *turned; /* NULL where no key is rotated against the query, or 0 */
} sp_ref_exact_logit;

typedef struct sp_ref_classes {
  const sp_ref_row_input *in;
  size_t n_keys;             /* keys of the row; entry n_keys is the sink logit */
  size_t n;                  /* classes */
  sp_ref_exact_logit *logit; /* logit[n], in the order of sp_ref_exact_logit_cmp */
  unsigned long *count;      /* count[n]: members, the sink logit among them */
  size_t *of_key;            /* of_key[n_keys + 1]: class, or SP_REF_NO_CLASS */
} sp_ref_classes;

#define SP_REF_NO_CLASS SIZE_MAX /* an absent key, or no sink logit */

/* Needs a row of kind ORDINARY, or SINK_INF (its sink logit joins no class). False when memory runs
 * out. */
bool sp_ref_classes_init(sp_ref_classes *classes, const sp_ref_row_input *in);
void sp_ref_classes_clear(sp_ref_classes *classes);

int sp_ref_exact_logit_cmp(const sp_ref_exact_logit *a, const sp_ref_exact_logit *b);

/* sum[c] := the exact sum of component `component` over the members of class c. The values must be
 * finite; sum[n] is initialised by the caller. */
void sp_ref_class_sums(const sp_ref_classes *classes, size_t component, mpq_t *sum);

#endif
