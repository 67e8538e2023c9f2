/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what a kernel returned with what is accepted. A plain loop: every comparison with a NaN
 * is false, and is written so that false rejects; nothing passes by being swallowed. spec: CT-1 */
#include "certify/judge/judge.h"

#include <fenv.h>
#include <math.h>

/* The share of the bound that a value uses, made to agree with the verdict: an accepted value uses
 * at most all of it, also where the output format is coarser at the value than at the exact one. */
static double share(const sp_accept *accept, double got, sp_verdict verdict) {
  double excess = fabs(got - accept->exact) - accept->rounding;
  double used = excess > 0 ? excess / accept->allowance : 0;
  if (verdict == SP_FAIL) return used > 1 ? used : INFINITY;
  return used < 1 ? used : 1;
}

/* spec: SM-5 (any NaN), NU-9 (-0 == 0), NU-10, CT-1 */
sp_verdict sp_judge_element(const sp_accept *accept, double got, double *budget) {
  *budget = 0;
  if (accept->kind == SP_ACCEPT_ANY) return SP_PASS;
  if (accept->kind == SP_ACCEPT_NAN && isnan(got)) return SP_PASS;
  if (accept->kind == SP_ACCEPT_EXACT && got == accept->in_lo) return SP_PASS;
  if (accept->kind != SP_ACCEPT_INTERVAL) {
    *budget = INFINITY;
    return SP_FAIL;
  }
  if (accept->zero_too && got == 0) return SP_PASS;
  sp_verdict verdict = SP_FAIL;
  if (got >= accept->out_lo && got <= accept->out_hi) verdict = SP_UNDECIDED;
  if (got >= accept->in_lo && got <= accept->in_hi) verdict = SP_PASS;
  *budget = share(accept, got, verdict);
  return verdict;
}

/* The element that is reported: the first of the worst verdict with the largest budget. */
static bool worse(const sp_judgement *judgement, sp_verdict verdict, double budget) {
  if (judgement->n_elements == 0 || verdict > judgement->verdict) return true;
  return verdict == judgement->verdict && budget > judgement->budget;
}

static void note(sp_judgement *judgement, sp_output_kind output, size_t row, size_t element,
                 double got, const sp_accept *accept) {
  double budget;
  sp_verdict verdict = sp_judge_element(accept, got, &budget);
  if (worse(judgement, verdict, budget)) {
    judgement->verdict = verdict;
    judgement->output = output;
    judgement->row = row;
    judgement->element = element;
    judgement->got = got;
    judgement->accept = *accept;
  }
  judgement->n_elements++;
  judgement->n_failed += verdict == SP_FAIL;
  judgement->n_undecided += verdict == SP_UNDECIDED;
  if (budget > judgement->budget) judgement->budget = budget;
}

/* Outputs that are wanted but missing count as NaN: nothing that is missing passes. */
static void judge_array(sp_judgement *judgement, sp_output_kind output, const sp_accept *accept,
                        size_t n_rows, size_t row_len, const sp_array *got) {
  if (accept == NULL) return;
  for (size_t r = 0; r < n_rows; r++) {
    for (size_t i = 0; i < row_len; i++) {
      size_t at = r * row_len + i;
      double value = at < got->count ? sp_ref_load(got->dtype, got->bits, at) : NAN;
      note(judgement, output, r, i, value, &accept[at]);
    }
  }
}

/* An entry of a list of tokens, -1 past its end. */
static double entry(const uint64_t *list, size_t n, size_t i) {
  return i < n ? (double)list[i] : -1;
}

static void note_token(sp_judgement *judgement, size_t list, size_t i, double got, double expected,
                       bool equal) {
  judgement->n_elements++;
  if (equal) return;
  judgement->n_failed++;
  judgement->budget = INFINITY;
  if (judgement->verdict == SP_FAIL) return;
  judgement->verdict = SP_FAIL;
  judgement->output = SP_OUT_VISIBLE;
  judgement->row = list;
  judgement->element = i;
  judgement->got = got;
  judgement->accept = (sp_accept){.in_lo = expected,
                                  .in_hi = expected,
                                  .out_lo = expected,
                                  .out_hi = expected,
                                  .exact = expected,
                                  .kind = SP_ACCEPT_EXACT};
}

/* spec: EV-6 */
static void judge_lists(sp_judgement *judgement, const sp_truth *truth, const sp_outputs *outputs) {
  const uint64_t *expected = truth->visible;
  const uint64_t *got = outputs->visible;
  for (size_t list = 0; list < truth->n_lists; list++) {
    size_t n_got = list < outputs->n_lists ? outputs->n_visible[list] : 0;
    size_t n = truth->n_visible[list];
    note_token(judgement, list, n, entry(got, n_got, n), -1, n_got <= n);
    for (size_t i = 0; i < n; i++) {
      /* Compared as integers: a double does not hold every token. */
      bool equal = i < n_got && got[i] == expected[i];
      note_token(judgement, list, i, entry(got, n_got, i), (double)expected[i], equal);
    }
    expected += n;
    got += n_got;
  }
}

void sp_judge(const sp_truth *truth, const sp_outputs *outputs, sp_judgement *judgement) {
  fenv_t environment; /* DAZ would make subnormals equal to 0 */
  fegetenv(&environment);
  fesetenv(FE_DFL_ENV);
  *judgement = (sp_judgement){.verdict = SP_PASS};
  judge_lists(judgement, truth, outputs);
  judge_array(judgement, SP_OUT_VALUES, truth->values, truth->n_rows, truth->row_len,
              &outputs->values);
  const uint64_t n_before = judgement->n_elements;
  judge_array(judgement, SP_OUT_LSE_KEYS, truth->lse_keys, truth->n_rows, 1, &outputs->lse_keys);
  judge_array(judgement, SP_OUT_LSE_TOTAL, truth->lse_total, truth->n_rows, 1, &outputs->lse_total);
  judgement->n_lse = judgement->n_elements - n_before;
  fesetenv(&environment);
}
