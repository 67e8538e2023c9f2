/* SPDX-License-Identifier: Apache-2.0 */
/* See prepared.h. */
#include "fast/prepared.h"

#include <stddef.h>

sp_status sp_fast_run(sp_prepared *prepared) {
  return prepared != NULL ? prepared->run(prepared) : SP_INVALID;
}

void sp_fast_release(sp_prepared *prepared) {
  if (prepared != NULL) prepared->release(prepared);
}
