/* SPDX-License-Identifier: Apache-2.0 */
/* Any kernel library: SINKPROOF_PLUGIN=PATH.so or PATH.so:NAME, or museum:NAME for a kernel that is
 * wrong on purpose. Without the variable, the correct kernel that the museum is made from.
 *
 * The kernel runs in this process, behind page protection: it is thousands of calls a second
 * faster than a child of the host, a crash or a hang is the engine's own kind of finding, and the
 * replay line runs it in the host's child after all. */
#include <stdio.h>
#include <stdlib.h>

#include "certify/museum/museum.h"
#include "fuzz/check.h"
#include "fuzz/plugin.h"
#include "fuzz/pool.h"
#include "fuzz/target.h"

#define OPS ((1u << SP_N_OPS) - 1)

const uint32_t sp_fuzz_target_ops = OPS;
static sp_fuzz_plugin plugin;
static sp_fuzz_checker *checkers; /* one for each kernel, since their offers differ */

static void open_all(void) {
  const char *what = getenv("SINKPROOF_PLUGIN");
  sp_fuzz_pool_install();
  if (what != NULL && what[0] != '\0') {
    if (!sp_fuzz_plugin_load(&plugin, what)) exit(1);
  } else {
    snprintf(plugin.library, sizeof plugin.library, "museum");
    plugin.kernel[plugin.n_kernels++] = *sp_museum_base_kernel();
  }
  checkers = calloc(plugin.n_kernels, sizeof *checkers);
  if (checkers == NULL) exit(1);
  for (size_t i = 0; i < plugin.n_kernels; i++) {
    const sp_kernel *kernel = &plugin.kernel[i];
    const sp_fuzz_offer offer = sp_fuzz_offer_of(&kernel, 1, OPS);
    if (!sp_fuzz_checker_open(&checkers[i], &kernel, 1, plugin.library, &offer, true)) exit(1);
    checkers[i].plans = true;
    if (LLVMFuzzerMutate == NULL) continue; /* a replay */
    fprintf(stderr, "sinkproof fuzz: kernel %s (%s)\n", kernel->name, kernel->accuracy_class);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (checkers == NULL) open_all();
  for (size_t i = 0; i < plugin.n_kernels; i++) sp_fuzz_input(&checkers[i], data, size);
  return 0;
}
