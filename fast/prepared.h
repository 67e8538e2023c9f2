/* SPDX-License-Identifier: Apache-2.0 */
/* What all prepared calls have in common: how they run and how they end. An operation's own plan is
 * a struct that begins with this one. */
#ifndef SINKPROOF_FAST_PREPARED_H
#define SINKPROOF_FAST_PREPARED_H

#include "sinkproof/kernel.h"

struct sp_prepared {
  sp_status (*run)(sp_prepared *prepared);
  void (*release)(sp_prepared *prepared);
};

/* The ABI's run and release, for every operation and variant. */
sp_status sp_fast_run(sp_prepared *prepared);
void sp_fast_release(sp_prepared *prepared);

#endif
