/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's path(): what ran last. */
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
