/* SPDX-License-Identifier: Apache-2.0 */
/* What every prepared call of an adapter begins with. A plan keeps what programs that use the
 * library keep from call to call: sessions, graphs, masks, caches in the library's own layout. */
#ifndef SINKPROOF_ADAPTERS_PREPARED_H
#define SINKPROOF_ADAPTERS_PREPARED_H

#include "sinkproof/kernel.h"

struct sp_prepared {
  sp_status (*run)(sp_prepared *prepared);
  void (*release)(sp_prepared *prepared);
};

static inline sp_status sp_adapter_run(sp_prepared *prepared) {
  return prepared->run(prepared);
}

static inline void sp_adapter_release(sp_prepared *prepared) {
  if (prepared != NULL) prepared->release(prepared);
}

#endif
