/* SPDX-License-Identifier: Apache-2.0 */
/* From the inputs of a row to its keys: which are present, and what their logits are. A key is
 * number 0 .. n_kv - 1, and number n_kv is the bias pair when there is one. Private to ref/. */
#ifndef SINKPROOF_REF_LOGIT_H
#define SINKPROOF_REF_LOGIT_H

#include "ref/ref.h"

typedef enum sp_ref_presence {
  SP_REF_ABSENT, /* masked, or a logit or bias of -inf: contributes nothing (SM-1, AT-3) */
  SP_REF_PRESENT,
  SP_REF_POISON /* present with a logit that is NaN or +inf: the row is invalid (SM-5) */
} sp_ref_presence;

/* n_kv, plus one for a bias pair. */
size_t sp_ref_n_keys(const sp_ref_row_input *in);

sp_ref_presence sp_ref_key_presence(const sp_ref_row_input *in, size_t key);

/* value[d_value] of a key; NULL when no output is wanted. */
const double *sp_ref_key_value(const sp_ref_row_input *in, size_t key);

/* Parts of a logit that the enclosure and the exact arithmetic of ref/classes.c share: the factors
 * of the dot product, whether a cap applies, and the distance for ALiBi. */
const double *sp_ref_key_vector(const sp_ref_row_input *in, size_t key);
bool sp_ref_capped(const sp_ref_row_input *in);
uint64_t sp_ref_distance(const sp_ref_row_input *in, size_t key);

/* Enclose the logit of a present key at the precision of x. */
void sp_ref_logit(mpfi_ptr x, const sp_ref_row_input *in, size_t key);

#endif
