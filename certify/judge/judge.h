/* SPDX-License-Identifier: Apache-2.0 */
/* The judge: which outputs SPEC.md accepts for a case under an accuracy class, and whether given
 * outputs are among them. Three-valued, no tolerance that the class does not derive. (CT-1, CT-2)
 */
#ifndef SINKPROOF_JUDGE_H
#define SINKPROOF_JUDGE_H

#include "certify/judge/accuracy.h"
#include "certify/case/case.h"

typedef enum sp_verdict { SP_PASS, SP_UNDECIDED, SP_FAIL } sp_verdict; /* in rising severity */

typedef enum sp_accept_kind {
  SP_ACCEPT_INTERVAL, /* any representable value in [lo, hi] */
  SP_ACCEPT_EXACT,    /* only lo (both zeros count as 0, NU-9) */
  SP_ACCEPT_NAN,      /* only NaN, whatever its bits */
  SP_ACCEPT_ANY       /* outside the domain: reported, not scored (NU-4) */
} sp_accept_kind;

/* What is accepted for one output element. Values in [in_lo, in_hi] conform for every value in the
 * oracle's enclosure; values outside [out_lo, out_hi] for none. All four are output values. */
typedef struct sp_accept {
  double in_lo, in_hi, out_lo, out_hi;
  double exact;     /* the exact value, to double precision, for messages and scores */
  double allowance; /* half-width of the accepted real interval */
  double rounding;  /* half an ulp of the output there: what rounding it may add */
  unsigned char kind;
  bool zero_too; /* a flushed zero is accepted as well (class with flush_outputs) */
} sp_accept;

/* Everything accepted for one case under one class. Computed once, compared with the outputs of
 * any number of kernels. */
typedef struct sp_truth {
  const sp_case *source;
  size_t n_rows, row_len; /* rows [b][i][h]; values per row */
  sp_accept *values;      /* [n_rows][row_len], only when the case wants them */
  sp_accept *lse_keys;    /* [n_rows] or NULL */
  sp_accept *lse_total;   /* [n_rows] or NULL */
  uint64_t *visible;      /* cache lists, as in sp_outputs */
  size_t *n_visible;
  size_t n_lists;
  size_t n_undecided;    /* elements left open at the precision cap */
  size_t n_outside;      /* rows outside the domain */
  size_t n_sink_visible; /* rows in which dropping the sink logit could not pass (CT-6) */
  double resolution; /* smallest (allowance + rounding) / |exact| of a value: an error that would
                         have been noticed; infinite when there is none */
} sp_truth;

/* Run the oracle. False when memory runs out or the class has no bound at this length (NU-8), with
 * a sentence in error. max_prec caps the Ziv loop. */
bool sp_truth_init(sp_truth *truth, const sp_case *c, const sp_class *cls, mpfr_prec_t max_prec,
                   char *error, size_t capacity);
void sp_truth_clear(sp_truth *truth);

typedef enum sp_output_kind {
  SP_OUT_VALUES,
  SP_OUT_LSE_KEYS,
  SP_OUT_LSE_TOTAL,
  SP_OUT_VISIBLE
} sp_output_kind;

typedef struct sp_judgement {
  sp_verdict verdict;
  uint64_t n_elements, n_failed, n_undecided;
  uint64_t n_lse; /* of the elements, the log-sum-exps */
  /* Largest (|got - exact| - rounding) / allowance over interval elements, at least 0: the share
   * of the bound that is used, not counting the rounding into the output format. Above 1 exactly
   * when an element fails. */
  double budget;
  /* The worst element: the first failure of the largest budget. */
  sp_output_kind output;
  size_t row, element;
  double got;
  sp_accept accept;
} sp_judgement;

void sp_judge(const sp_truth *truth, const sp_outputs *outputs, sp_judgement *judgement);

/* One element. Unit of the judge's own tests. */
sp_verdict sp_judge_element(const sp_accept *accept, double got, double *budget);

/* ---- diagnosis (certify/judge/diagnose.c): what a pattern of failures usually means ----
 * Writes one sentence for a kernel author ("every weight is too large by 1/(1 - p_sink): the sink
 * logit is missing from the denominator"), or "" when nothing telling was found. */
void sp_diagnose(const sp_case *c, const sp_truth *truth, const sp_outputs *outputs, char *text,
                 size_t capacity);

#endif
