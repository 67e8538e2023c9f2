/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the bits of the constants that the fast path includes, for comparison with the ones that
 * the theorems are about (make proofs-header). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fast/exp_constants.h"

static void print(const char *name, float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  printf("%s %" PRIx32 "\n", name, bits);
}

int main(void) {
  print("LOG2E", SP_FAST_EXP_LOG2E);
  print("LN2_HI", SP_FAST_EXP_LN2_HI);
  print("LN2_LO", SP_FAST_EXP_LN2_LO);
  print("C2", SP_FAST_EXP_C2);
  print("C3", SP_FAST_EXP_C3);
  print("C4", SP_FAST_EXP_C4);
  print("C5", SP_FAST_EXP_C5);
  print("C6", SP_FAST_EXP_C6);
  print("FLOOR", SP_FAST_EXP_FLOOR);
  return 0;
}
