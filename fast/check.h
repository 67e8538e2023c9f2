/* SPDX-License-Identifier: Apache-2.0 */
/* Every argument of every call is looked at here, before an output byte is written, so that the
 * variants need no checks of their own and a refused call changes nothing. spec: KC-3, KC-7
 *
 * Each function copies the call into the full struct of this ABI version first: a caller's shorter
 * struct leaves the rest zero, which means absent; a longer one with something set in the part that
 * we do not know asks for what we do not offer. spec: KC-1
 *
 * Not checked, because it would cost more than it is worth: that pos_k is without repetition, that
 * outputs do not overlap each other or the inputs, that strides stay inside the buffers. */
#ifndef SINKPROOF_FAST_CHECK_H
#define SINKPROOF_FAST_CHECK_H

#include "sinkproof/kernel.h"

sp_status sp_fast_check_softmax(sp_softmax_call *call, const sp_softmax_call *from,
                                const sp_kernel *kernel);
sp_status sp_fast_check_attention(sp_attention_call *call, const sp_attention_call *from,
                                  const sp_kernel *kernel);
sp_status sp_fast_check_cache_config(sp_cache_config *config, const sp_cache_config *from,
                                     const sp_kernel *kernel);
sp_status sp_fast_check_append(sp_cache_call *call, const sp_cache_call *from,
                               const sp_cache_config *config, const sp_kernel *kernel);
sp_status sp_fast_check_attend(sp_cache_call *call, const sp_cache_call *from,
                               const sp_cache_config *config, const sp_kernel *kernel);

#endif
