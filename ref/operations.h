/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that make up the oracle's kernel, and what they share. Private to ref/. */
#ifndef SINKPROOF_REF_OPERATIONS_H
#define SINKPROOF_REF_OPERATIONS_H

#include "ref/ref.h"

sp_status sp_ref_softmax(const sp_softmax_call *call);
sp_status sp_ref_attention(const sp_attention_call *call);
extern const sp_cache_ops sp_ref_cache_operations;

/* Where the Ziv loop ends and the midpoint of the enclosure is rounded instead. Only a softcap can
 * come this far; a dot product of doubles needs at most 2^13 bits to be exact. spec: NU-3 */
#define SP_REF_KERNEL_MAX_PREC 16384

/* spec: KC-7 */
bool sp_ref_legal_heads(uint64_t n_heads, uint64_t n_kv_heads);
bool sp_ref_legal_scale(float scale, float softcap);

/* calloc(n * width) doubles, at least one; NULL also when the product does not fit. */
double *sp_ref_doubles(uint64_t n, uint64_t width);

#endif
