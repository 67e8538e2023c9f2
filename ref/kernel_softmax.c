/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of rows behind the ABI: every row is one rounded row of the oracle. */
#include "ref/operations.h"

#include <math.h>
#include <stdlib.h>

#include "ref/round.h"
#include "ref/tensor.h"

/* spec: KC-7 */
static sp_status validate(const sp_softmax_call *call) {
  if (call == NULL || call->size < sizeof *call) return SP_INVALID;
  if (!sp_ref_legal_scale(call->scale, 0)) return SP_INVALID;
  if (!sp_ref_wanted_out(&call->weights) && !sp_ref_wanted_out(&call->lse_keys) &&
      !sp_ref_wanted_out(&call->lse_total))
    return SP_INVALID;
  const bool has_logits = call->n_rows != 0 && call->n != 0;
  const sp_status checks[] = {
      sp_ref_check_in(&call->logits, has_logits ? SP_REF_REQUIRED : SP_REF_OPTIONAL,
                      SP_REF_ALL_TYPES),
      sp_ref_check_in(&call->key_bias, SP_REF_OPTIONAL, SP_DTYPE_BIT(SP_F32)),
      sp_ref_check_in(&call->sink_logit, SP_REF_OPTIONAL, SP_REF_SINK_TYPES),
      sp_ref_check_out(&call->weights, sp_ref_type_of(&call->logits)),
      sp_ref_check_out(&call->lse_keys, sp_ref_lse_type_of(&call->logits)),
      sp_ref_check_out(&call->lse_total, sp_ref_lse_type_of(&call->logits)),
  };
  return sp_ref_first_refusal(checks, sizeof checks / sizeof checks[0]);
}

typedef struct workspace {
  double *logits, *key_bias, *weights;
  sp_ref_rounder rounder;
} workspace;

static void softmax_row(const sp_softmax_call *call, uint64_t r, workspace *work) {
  const size_t n = (size_t)call->n;
  double lse_keys, lse_total;
  sp_ref_load_row(work->logits, &call->logits, r, 0, 0, n);
  if (sp_ref_present(&call->key_bias)) sp_ref_load_row(work->key_bias, &call->key_bias, r, 0, 0, n);
  const sp_ref_row_input in = {
      .n_kv = n,
      .logits = work->logits,
      .key_bias = sp_ref_present(&call->key_bias) ? work->key_bias : NULL,
      .scale = (double)call->scale,
      /* spec: AL-2 (absent is -inf, never 0) */
      .sink_logit = sp_ref_load_or(-INFINITY, &call->sink_logit, r, 0, 0, 0),
  };
  const sp_ref_wanted wanted = {
      .format = call->weights.dtype,
      .weights = sp_ref_wanted_out(&call->weights) ? work->weights : NULL,
      .lse_format =
          sp_ref_wanted_out(&call->lse_keys) ? call->lse_keys.dtype : call->lse_total.dtype,
      .lse_keys = sp_ref_wanted_out(&call->lse_keys) ? &lse_keys : NULL,
      .lse_total = sp_ref_wanted_out(&call->lse_total) ? &lse_total : NULL,
  };
  (void)sp_ref_rounder_row(&work->rounder, &in, SP_REF_KERNEL_MAX_PREC, &wanted);
  sp_ref_store_row(&call->weights, r, 0, 0, work->weights, n);
  sp_ref_store_row(&call->lse_keys, r, 0, 0, &lse_keys, 1);
  sp_ref_store_row(&call->lse_total, r, 0, 0, &lse_total, 1);
}

sp_status sp_ref_softmax(const sp_softmax_call *call) {
  const sp_status status = validate(call);
  if (status != SP_OK) return status;
  workspace work = {.logits = sp_ref_doubles(call->n, 1),
                    .key_bias = sp_ref_doubles(call->n, 1),
                    .weights = sp_ref_doubles(call->n, 1)};
  const bool ready = work.logits && work.key_bias && work.weights &&
                     sp_ref_rounder_init(&work.rounder, (size_t)call->n, 0);
  if (ready) {
    for (uint64_t r = 0; r < call->n_rows; r++) softmax_row(call, r, &work);
    sp_ref_rounder_clear(&work.rounder);
  }
  free(work.logits);
  free(work.key_bias);
  free(work.weights);
  return ready ? SP_OK : SP_NOMEM;
}
