/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated kernels for the tests of the judge: one small row function whose style is data. Honest
 * styles must be accepted under their class, dishonest ones (a coarser accumulator, exponential or
 * weight than the class says) must not. */
#ifndef SINKPROOF_TESTS_JUDGE_KERNELS_H
#define SINKPROOF_TESTS_JUDGE_KERNELS_H

#include "tests/asserts.h"
#include <math.h>

#include "certify/judge/judge.h"
#include "certify/case/rng.h"

typedef enum sim_form {
  SIM_THREE_PASS, /* maximum, sum, weights */
  SIM_LANES,      /* the same with 16 partial sums */
  SIM_ONLINE,     /* running maximum, tiles of 64 */
  SIM_FROM_LSE    /* exp(x - lse) */
} sim_form;

typedef struct sim_style {
  const char *name;
  const char *accuracy_class; /* what it honestly claims */
  sim_form form;
  bool base2;         /* exp2 with one fused multiply-add */
  bool f64;           /* binary64 inside */
  bool reciprocal;    /* multiply by 1/l instead of dividing */
  bool sink_in_max;   /* shift by max(m, s) instead of m */
  int acc_bits;       /* significant bits of the accumulators; 0 = as the arithmetic */
  int p_bits;         /* … of the weights before they multiply values; 0 = not rounded */
  bool sum_rounded_p; /* the denominator sums the rounded weights */
  int logit_bits;
  double exp_error; /* relative error put on each exponential */
} sim_style;

extern const sim_style sim_honest[];
extern const size_t sim_n_honest;

/* Run a style over every row of a case. */
void sim_run(const sim_style *style, const sp_case *c, sp_outputs *outputs);

/* ---- cases ---- */

typedef enum sim_rows {
  SIM_BELLS,
  SIM_ASCENDING,
  SIM_DESCENDING,
  SIM_SHIFTED, /* + 3000 */
  SIM_SPREAD,  /* differences up to 100 */
  SIM_UNIFORM, /* all equal */
  SIM_N_ROWS
} sim_rows;

/* One query row per head of softmax; log-sum-exps wanted, sink logits at the size of the sum where
 * `sink` is set. */
void sim_softmax_case(sp_case *c, sim_rows rows, size_t n_rows, size_t n, sp_dtype dtype, bool sink,
                      uint64_t seed);

/* One query per row, d_head = d_value = 8. */
void sim_attention_case(sp_case *c, sim_rows rows, size_t n_heads, size_t n_kv, sp_dtype dtype,
                        bool sink, uint64_t seed);

/* Store the nearest number of the array's format. */
void sim_put(sp_array *array, size_t index, double x);
double sim_get(const sp_array *array, size_t index);

/* Parse, or fail the test. */
sp_class sim_class(const char *text);

/* What a case accepts under a class, or fail the test. */
void sim_truth(sp_truth *truth, const sp_case *c, const char *class_text);

/* What is said of one element, with the share of the budget that goes with it. */
static inline sp_verdict sim_verdict(const sp_accept *accept, double got, double *budget) {
  *budget = NAN;
  sp_verdict v = sp_judge_element(accept, got, budget);
  ck_assert_msg((*budget > 1) == (v == SP_FAIL), "budget %g of verdict %d", *budget, (int)v);
  return v;
}

#endif
