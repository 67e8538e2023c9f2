/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz input as a case file, and the line that replays it: for inputs that crashed a target before
 * it could say so itself. usage: tool_case KERNEL.so[:NAME] INPUT CASE [softmax|attention|cache]
 * The kernel's offer decides how the input is read, so it must be the one that was fuzzed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/decode.h"
#include "fuzz/plugin.h"
#include "fuzz/target.h"

enum { MAX_BYTES = 1 << 20 };

const uint32_t sp_fuzz_target_ops = (1u << SP_N_OPS) - 1; /* for the mutator, which is not used */

static uint32_t parse_ops(const char *name) {
  static const char *const names[SP_N_OPS] = {"softmax", "attention", "cache"};
  for (unsigned op = 0; op < SP_N_OPS; op++)
    if (strcmp(names[op], name) == 0) return 1u << op;
  return sp_fuzz_target_ops;
}

static bool read_input(const char *path, uint8_t *data, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  *size = fread(data, 1, MAX_BYTES, file);
  return fclose(file) == 0;
}

int main(int argc, char **argv) {
  static sp_fuzz_plugin plugin;
  static uint8_t data[MAX_BYTES];
  size_t size = 0;
  char why[240] = "";
  sp_case c;
  if (argc < 4) {
    fprintf(stderr, "usage: tool_case KERNEL.so[:NAME] INPUT CASE [softmax|attention|cache]\n");
    return 2;
  }
  if (!sp_fuzz_plugin_load(&plugin, argv[1])) return 1;
  const sp_kernel *kernel = &plugin.kernel[0];
  sp_fuzz_offer offer = sp_fuzz_offer_of(&kernel, 1, argc > 4 ? parse_ops(argv[4]) : UINT32_MAX);
  if (!read_input(argv[2], data, &size)) {
    perror(argv[2]);
    return 1;
  }
  if (!sp_fuzz_decode(&c, data, size, &offer)) return 1;
  bool ok = sp_case_write(&c, argv[3], why, sizeof why);
  sp_case_clear(&c);
  if (!ok) fprintf(stderr, "tool_case: %s\n", why);
  if (ok) printf("sinkproof replay %s:%s --case %s\n", plugin.library, kernel->name, argv[3]);
  return !ok;
}
