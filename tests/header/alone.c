/* SPDX-License-Identifier: Apache-2.0 */
/* The public headers stand alone in strict C11. tests: KC-1 */
#include "sinkproof/fast.h"
#include "sinkproof/kernel.h"

_Static_assert(sizeof(sp_in) == sizeof(sp_out), "views of inputs and outputs have one layout");
_Static_assert(offsetof(sp_attention_call, size) == 0 && offsetof(sp_kernel, size) == 0,
               "structs start with their size");
