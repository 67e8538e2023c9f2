/* SPDX-License-Identifier: Apache-2.0 */
/* The contracts of ref/evict.h, as they stand there. */
#include "ref/evict.h"
