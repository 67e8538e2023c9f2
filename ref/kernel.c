/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle as a kernel: it stands before the judge like any other, offers everything and claims
 * correct rounding. spec: KC-1, KC-2, KC-9, NU-11, NU-12 */
#include "ref/operations.h"

#include <math.h>
#include <stdlib.h>

#include "ref/tensor.h"

bool sp_ref_legal_heads(uint64_t n_heads, uint64_t n_kv_heads) {
  return n_kv_heads != 0 && n_heads % n_kv_heads == 0; /* spec: AT-7 */
}

bool sp_ref_legal_scale(float scale, float softcap) {
  return isfinite(scale) && softcap >= 0;
}

double *sp_ref_doubles(uint64_t n, uint64_t width) {
  if (width != 0 && n > SIZE_MAX / sizeof(double) / width) return NULL;
  const size_t count = (size_t)(n * width);
  return calloc(count ? count : 1, sizeof(double));
}

static const char *path(void) {
  return "mpfr";
}

static const sp_kernel kernel = {
    .size = sizeof(sp_kernel),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .claims = SP_CLAIM_DETERMINISTIC | SP_CLAIM_BATCH_INVARIANT | SP_CLAIM_THREAD_INVARIANT,
    .name = "sinkproof-ref",
    .version = SP_VERSION,
    .accuracy_class = "cr",
    .options = SP_OPT_SINK_LOGIT | SP_OPT_KEY_BIAS | SP_OPT_MASK | SP_OPT_SCALE | SP_OPT_SOFTCAP |
               SP_OPT_ALIBI | SP_OPT_WINDOW | SP_OPT_SINK_TOKENS | SP_OPT_POSITIONS |
               SP_OPT_BIAS_PAIR | SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_NONCAUSAL |
               SP_OPT_MORE_Q_THAN_KV | SP_OPT_BATCH | SP_OPT_STRIDES | SP_OPT_D_VALUE |
               SP_OPT_LSE_KEYS | SP_OPT_LSE_TOTAL | SP_OPT_EMPTY | SP_OPT_NONFINITE |
               SP_OPT_FIRST_TOKEN | SP_OPT_POSITION_ABS | SP_OPT_POSITION_CACHE | SP_OPT_ROPE_HALF |
               SP_OPT_ROPE_INTERLEAVED | SP_OPT_ROPE_PARTIAL | SP_OPT_EVICT_BLOCK | SP_OPT_UNDO |
               SP_OPT_SEQUENCES | SP_OPT_BIAS_PER_HEAD,
    .dtypes_softmax =
        SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16),
    .dtypes_q =
        SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16),
    .dtypes_kv =
        SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16),
    .softmax = sp_ref_softmax,
    .attention = sp_ref_attention,
    .cache = &sp_ref_cache_operations,
    .path = path,
};

const sp_kernel *sp_ref_kernel(void) {
  return &kernel;
}
