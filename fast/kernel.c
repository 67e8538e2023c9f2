/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's calls around a variant: check, find scratch, run, say what ran. */
#include <stdlib.h>

#include "fast/check.h"
#include "fast/impl.h"

/* The one thing fast/ remembers, because the ABI's path() asks about "the last call on this
 * thread". It is set where a variant has run and nowhere else, so that it is evidence. spec: KC-9
 */
static _Thread_local const char *last_path = "";

void sp_fast_set_path(const sp_fast_impl *impl) {
  last_path = impl->name;
}

const char *sp_fast_path(void) {
  return last_path;
}

sp_status sp_fast_attention(const sp_fast_impl *impl, const sp_attention_call *from) {
  sp_attention_call call;
  sp_status status = sp_fast_check_attention(&call, from);
  if (status != SP_OK) return status;
  size_t bytes = sp_fast_scratch_bytes(call.n_heads / call.n_kv_heads, call.d_head, call.d_value);
  void *scratch = bytes > 0 ? aligned_alloc(64, bytes) : NULL;
  if (scratch == NULL) return SP_NOMEM;
  sp_fast_attend(impl, &call, scratch);
  free(scratch);
  return SP_OK;
}
