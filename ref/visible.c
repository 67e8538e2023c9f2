/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys a query sees, straight from the clauses. This is the definition; the eviction machine
 * in ref/cache.c is the thing that tests prove equal to it. spec: EV-2, AT-4, AT-5 */
#include "ref/ref.h"

bool sp_ref_visible(const sp_ref_mask *mask, int64_t pos_q, int64_t pos_k) {
  /* A key after the query is at a negative distance, so no window hides it; causality does. */
  if (pos_k > pos_q) return !mask->causal;
  if (mask->window == SP_WINDOW_ALL) return true;
  /* Unsigned subtraction: the distance of two int64 positions need not fit into an int64. */
  const uint64_t distance = (uint64_t)pos_q - (uint64_t)pos_k;
  if (distance < mask->window) return true;
  return pos_k < 0 || (uint64_t)pos_k < mask->n_sink_tokens;
}
