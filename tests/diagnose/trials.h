/* SPDX-License-Identifier: Apache-2.0 */
/* A trial of the diagnosis: a case, how the kernel reads it wrongly or what it does to its outputs,
 * and the sentence that must be said of it. One file of trials per table of hypotheses. */
#ifndef TESTS_DIAGNOSE_TRIALS_H
#define TESTS_DIAGNOSE_TRIALS_H

#include "tests/judge_kernels.h"

#define LN2 0x1.62e42fefa39efp-1

typedef struct trial {
  const char *sentence; /* part of exactly one; '$' asks for its end, '!' for its beginning */
  void (*make)(sp_case *);
  void (*alter)(sp_case *, double);
  double x;
  void (*corrupt)(const sp_case *, sp_outputs *, double); /* the case is the unchanged one */
  double y;
} trial;

typedef struct trial_list {
  const trial *list;
  size_t count;
} trial_list;

trial_list trials_special(void);
trial_list trials_lse(void);
trial_list trials_sink(void);
trial_list trials_mask(void);
trial_list trials_score(void);
trial_list trials_data(void);

void diag_fill(sp_array *a, sp_dtype dtype, size_t count, sp_rng *rng, double size);
void diag_attention(sp_case *c, size_t n_batch, size_t n_q, size_t n_kv, bool sink);
void diag_plain(sp_case *c);
void diag_without_sink(sp_case *c);
void diag_windowed(sp_case *c);
void diag_leading_empty(sp_case *c);
void diag_masked(sp_case *c);
void diag_biased(sp_case *c);
void diag_softmax(sp_case *c);
void diag_each(sp_array *a, double (*f)(double, double), double x);
double diag_times(double v, double x);
double diag_becomes(double v, double x);
double diag_capped(double v, double x);
void diag_sink_is(sp_case *c, double x);
void diag_scale_values(const sp_case *c, sp_outputs *o, double x);
void diag_empty_values_are(const sp_case *c, sp_outputs *o, double x);

#endif
