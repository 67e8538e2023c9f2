/* SPDX-License-Identifier: Apache-2.0 */
/* Honest kernels: right, in many styles, each under the accuracy class that its own text supports.
 * Accusing one of them is as bad as missing a fault. They have nothing in common with the museum's
 * kernel, and among themselves only the reading of arguments (unpack.c). tests: CT-5 NU-5 NU-6 */
#ifndef SINKPROOF_HONEST_H
#define SINKPROOF_HONEST_H

#include <stdbool.h>
#include <stddef.h>

#include "sinkproof/kernel.h"

/* Kernel number `index`, NULL past the last one. */
const sp_kernel *sp_honest_kernel(uint32_t host_abi_major, uint32_t index);

/* One row with everything converted to f32, which holds every bf16 and f16 number. */
typedef struct sp_honest_row {
  size_t n; /* keys, a bias pair included */
  size_t d_head, d_value;
  const float *logits;  /* logits[n]: a softmax row; or NULL and */
  const float *q;       /* q[d_head] */
  const float *k;       /* k[n][d_head] */
  const float *v;       /* v[n][d_value] */
  const float *bias;    /* bias[n], alibi[n]: finite where present */
  const float *alibi;   /* -slope * distance */
  const bool *present;  /* present[n] */
  float scale, softcap; /* softcap 0: none */
  float sink_logit;     /* finite or -inf */
  float *scratch;       /* 2 n + 2 d_value floats */
} sp_honest_row;

typedef struct sp_honest_result {
  float *value; /* weights[n] of a softmax row (0 where absent), or out[d_value] */
  float lse_keys, lse_total;
} sp_honest_result;

/* A style. The row is valid: unpack.c answers NaN rows and sink logits of +inf (SM-5, AL-4). */
typedef void sp_honest_style(const sp_honest_row *row, sp_honest_result *result);

sp_honest_style sp_honest_three_pass, sp_honest_reciprocal, sp_honest_online_key,
    sp_honest_online_64, sp_honest_backwards, sp_honest_exp2, sp_honest_exp2_online,
    sp_honest_split_first, sp_honest_split_merge, sp_honest_split_last, sp_honest_split_lse,
    sp_honest_pairwise, sp_honest_lazy, sp_honest_inside_f64, sp_honest_p_bf16, sp_honest_minus_lse,
    sp_honest_blend, sp_honest_lanes;

/* logits[j], or scale * (q . k_j) with softcap, then the biases; one sum from left to right. */
float sp_honest_logit(const sp_honest_row *row, size_t j);
float sp_honest_bend(const sp_honest_row *row, size_t j, float product); /* all after the product */

/* unpack.c */
sp_status sp_honest_softmax(sp_honest_style *style, const sp_softmax_call *call);
sp_status sp_honest_attention(sp_honest_style *style, const sp_attention_call *call);

/* numbers.c */
float sp_honest_load(sp_dtype dtype, const void *data, int64_t index);
void sp_honest_store(sp_dtype dtype, void *data, int64_t index, float x);
float sp_honest_to_bf16(float x);

/* list_cache.c */
extern const sp_cache_ops sp_honest_list_cache, sp_honest_query_twice_cache,
    sp_honest_stored_bf16_cache, sp_honest_rotate_query_cache;

#endif
