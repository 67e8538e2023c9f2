/* SPDX-License-Identifier: Apache-2.0 */
/* Visibility by position, written once more and on its own: a subject that borrowed the judge's
 * rule would share its mistakes. */
#include "adapters/visible.h"

#include <stddef.h>

bool sp_adapter_sees(const sp_attention_call *call, uint64_t i, uint64_t j) {
  int64_t pos_q = (int64_t)call->n_kv - (int64_t)call->n_q + (int64_t)i;
  if (call->pos_q != NULL) pos_q = call->pos_q[i];
  int64_t pos_k = call->pos_k != NULL ? call->pos_k[j] : (int64_t)j;
  if (call->causal != 0 && pos_k > pos_q) return false;
  if (pos_k >= pos_q || (uint64_t)pos_k < call->n_sink_tokens) return true;
  return (uint64_t)(pos_q - pos_k) < call->window;
}

bool sp_adapter_sees_all(const sp_attention_call *call) {
  for (uint64_t i = 0; i < call->n_q; i++)
    for (uint64_t j = 0; j < call->n_kv; j++)
      if (!sp_adapter_sees(call, i, j)) return false;
  return true;
}
