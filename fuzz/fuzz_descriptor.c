/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of a kernel's descriptor: the first thing that it hands in. (KC-1) */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/descriptor.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *wrong = sp_fuzz_descriptor(sp_worker_describe, data, size);
  if (wrong == NULL) return 0;
  fprintf(stderr, "sinkproof fuzz: %s\n", wrong);
  abort();
}
