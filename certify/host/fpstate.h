/* SPDX-License-Identifier: Apache-2.0 */
/* The floating-point environment that a kernel must leave as it found it: rounding mode, flush
 * modes and exception masks of MXCSR, and the x87 control word. Status flags are free: every
 * arithmetic instruction sets them. spec: KC-6 */
#ifndef SINKPROOF_FPSTATE_H
#define SINKPROOF_FPSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sp_fp_state {
  uint32_t mxcsr; /* control bits only, status flags cleared */
  uint32_t x87;   /* control word */
} sp_fp_state;

/* What the System V ABI gives a program at its start: nearest even, no flushing, all masked. */
sp_fp_state sp_fp_initial(void);

sp_fp_state sp_fp_read(void);
void sp_fp_write(sp_fp_state state);

/* False when the two are equal; otherwise true, with the difference in words. */
bool sp_fp_changed(sp_fp_state before, sp_fp_state after, char *text, size_t capacity);

#endif
