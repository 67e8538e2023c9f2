/* SPDX-License-Identifier: Apache-2.0 */
/* A stranger's kernels in this process. (KC-1) */
#ifndef SINKPROOF_FUZZ_PLUGIN_H
#define SINKPROOF_FUZZ_PLUGIN_H

#include "certify/host/host.h"

enum { SP_FUZZ_PLUGINS = 16 };

typedef struct sp_fuzz_plugin {
  char library[4096];
  size_t n_kernels;
  sp_kernel kernel[SP_FUZZ_PLUGINS]; /* copies: fields beyond a kernel's own size are 0 */
} sp_fuzz_plugin;

/* `what` is PATH.so, PATH.so:NAME, or museum:NAME for a kernel of the museum that is linked in.
 * False with a sentence on stderr. */
bool sp_fuzz_plugin_load(sp_fuzz_plugin *plugin, const char *what);

#endif
