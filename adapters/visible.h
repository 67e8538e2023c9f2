/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys a query sees, for libraries that take visibility as a mask. Windows, pinned tokens
 * and positions are not options of theirs: the mask is how their users express them. */
#ifndef SINKPROOF_ADAPTERS_VISIBLE_H
#define SINKPROOF_ADAPTERS_VISIBLE_H

#include <stdbool.h>

#include "sinkproof/kernel.h"

/* Query i sees key j by position. (AT-4, AT-5) */
bool sp_adapter_sees(const sp_attention_call *call, uint64_t i, uint64_t j);

/* Every query sees every key by position: no mask is needed. */
bool sp_adapter_sees_all(const sp_attention_call *call);

#endif
