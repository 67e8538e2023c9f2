/* SPDX-License-Identifier: Apache-2.0 */
/* What the comparisons of logits with Coq share: random inputs of each type, and a line of numbers for
 * each logit, the judge's error of it last. */
#ifndef SINKPROOF_TESTS_PROOFS_LOGITS_H
#define SINKPROOF_TESTS_PROOFS_LOGITS_H

#include <stddef.h>
#include <stdint.h>

#include "certify/judge/accuracy.h"
#include "ref/ref.h"

enum { SP_LOGIT_KEYS = 3, SP_LOGIT_MOST = 7, SP_LOGIT_SINGLE = 1, SP_LOGIT_TYPES = 4 };

/* Types count f64, f32 (SP_LOGIT_SINGLE), f16, bf16. */
typedef struct sp_logit_sample {
  sp_ref_row_input in;
  size_t q_type, kv_type;
  double q[SP_LOGIT_MOST], k[SP_LOGIT_KEYS * SP_LOGIT_MOST], v[SP_LOGIT_KEYS];
  double logits[SP_LOGIT_KEYS], key_bias[SP_LOGIT_KEYS];
  int64_t pos_k[SP_LOGIT_KEYS];
} sp_logit_sample;

/* A number of the type, small, or one in six subnormal there if that is not below `least`. */
double sp_draw_number(uint64_t *state, size_t type, int most, double least);

/* May it be read as 0? 0 or 1, to be printed. */
int sp_logit_gone(const sp_class *cls, double x, size_t type);

typedef struct sp_logit_program {
  const char *const *classes;
  size_t n_classes;
  void (*draw)(sp_logit_sample *s, uint64_t *state);
  void (*print_inputs)(const sp_class *cls, const sp_logit_sample *s, size_t j);
} sp_logit_program;

/* PROGRAM COUNT SEED [FAULT], as in main; returns the exit status. FAULT multiplies the judge's numbers
 * by 1 - 2^-FAULT: the comparison must notice. */
int sp_print_logits(const sp_logit_program *program, int argc, char **argv);

#endif
