/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys a query sees, straight from the clauses. This is the definition; the eviction machine
 * in ref/cache.c is the thing that tests prove equal to it. spec: EV-2, EV-9, AT-4, AT-5 */
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

/* Of the r unpinned tokens up to t, the newest r while they fit; then the window swings between
 * window and window - n_evict + 1. */
uint64_t sp_ref_window_at(uint64_t n_sink_tokens, uint64_t window, uint64_t n_evict, uint64_t t) {
  const uint64_t k = n_evict > 1 ? n_evict : 1;
  if (t < n_sink_tokens || t - n_sink_tokens < window) return window;
  const uint64_t beyond = t - n_sink_tokens - window; /* r - window - 1 */
  return window - k + 1 + beyond % k;
}
