/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and naming the floating-point environment of x86-64. Another architecture is another
 * file with the same four functions. spec: KC-6 */
#include "certify/host/fpstate.h"

#include <stdio.h>
#include <xmmintrin.h>

/* MXCSR: flags in bits 0-5, DAZ 6, exception masks 7-12, rounding 13-14, FTZ 15. */
#define MXCSR_FLAGS    0x003Fu
#define MXCSR_DAZ      0x0040u
#define MXCSR_MASKS    0x1F80u
#define MXCSR_ROUNDING 0x6000u
#define MXCSR_FTZ      0x8000u

/* x87 control word: exception masks in bits 0-5, precision 8-9, rounding 10-11. */
#define X87_MASKS     0x003Fu
#define X87_PRECISION 0x0300u
#define X87_ROUNDING  0x0C00u

sp_fp_state sp_fp_initial(void) {
  return (sp_fp_state){.mxcsr = MXCSR_MASKS, .x87 = X87_MASKS | X87_PRECISION | 0x0040u};
}

sp_fp_state sp_fp_read(void) {
  uint16_t control = 0; /* what assembly writes, MemorySanitizer does not see */
  __asm__ volatile("fnstcw %0" : "=m"(control));
  return (sp_fp_state){.mxcsr = _mm_getcsr() & ~MXCSR_FLAGS, .x87 = control};
}

void sp_fp_write(sp_fp_state state) {
  uint16_t control = (uint16_t)state.x87;
  __asm__ volatile("fldcw %0" : : "m"(control));
  _mm_setcsr(state.mxcsr);
}

bool sp_fp_changed(sp_fp_state before, sp_fp_state after, char *text, size_t capacity) {
  uint32_t sse = before.mxcsr ^ after.mxcsr;
  uint32_t x87 = before.x87 ^ after.x87;
  if (sse == 0 && x87 == 0) return false;
  if (sse == 0) {
    snprintf(text, capacity, "x87 control word 0x%04x became 0x%04x (%s%s%s)", before.x87,
             after.x87, x87 & X87_PRECISION ? " precision" : "",
             x87 & X87_ROUNDING ? " rounding" : "", x87 & X87_MASKS ? " masks" : "");
    return true;
  }
  snprintf(text, capacity, "MXCSR 0x%04x became 0x%04x (%s%s%s%s )", before.mxcsr, after.mxcsr,
           sse & MXCSR_FTZ ? " FTZ" : "", sse & MXCSR_DAZ ? " DAZ" : "",
           sse & MXCSR_ROUNDING ? " rounding" : "", sse & MXCSR_MASKS ? " masks" : "");
  return true;
}
