/* SPDX-License-Identifier: Apache-2.0 */
/* Hypotheses about a wrong kernel; private to sp_diagnose. A hypothesis is a sentence and a way to
 * compute what a kernel would return if the sentence were true: change the input of the oracle, or
 * its result, or both. Tables of them stand in diagnose_*.c; of two that fit, the first wins. */
#ifndef SINKPROOF_DIAGNOSE_H
#define SINKPROOF_DIAGNOSE_H

#include "certify/judge/judge.h"

/* One row under suspicion. */
typedef struct sp_suspect {
  const sp_case *c;
  const sp_case_values *values;
  size_t b, i, h;
  /* The row as it is: */
  sp_ref_kind kind;
  double max_logit;  /* over visible keys */
  const double *got; /* got[n_result] */
  bool values_fail;  /* … and some of them are not accepted */
  const bool *fails; /* fails[n_rows]: which rows of the whole case are not accepted */
  double got_lse_keys, got_lse_total;
  /* To alter: the input, and room for arrays of its own. */
  sp_ref_row_input in;
  double *logits, *key_bias; /* [n_kv + 1]; of a cache [2 n_kv + 1] */
  double *k, *v;             /* [n_kv][d_head], [n_kv][d_value], likewise */
  /* The oracle's enclosure of the altered input, and to transform: its middle. */
  sp_ref_row row;
  size_t n_result;
  double *result; /* weights or out */
  double lse_keys, lse_total;
} sp_suspect;

/* Both return false where the hypothesis has nothing to say about the row; NULL changes nothing. */
typedef bool (*sp_alteration)(sp_suspect *suspect, double parameter);

typedef struct sp_hypothesis {
  const char *sentence;
  sp_alteration alter;     /* before the oracle */
  sp_alteration transform; /* after it */
  double parameter;
} sp_hypothesis;

typedef struct sp_hypotheses {
  const sp_hypothesis *list;
  size_t count;
} sp_hypotheses;

sp_hypotheses sp_hypotheses_special(void); /* zeros, NaN, stalled sums, another row's result */
sp_hypotheses sp_hypotheses_sink(void);
sp_hypotheses sp_hypotheses_mask(void);
sp_hypotheses sp_hypotheses_score(void); /* scale, softcap, biases, base 2 */
sp_hypotheses sp_hypotheses_data(void);  /* heads, tails, shifted rows */
sp_hypotheses sp_hypotheses_lse(void);
sp_hypotheses sp_hypotheses_entry(void);  /* a cache: some queries only */
sp_hypotheses sp_hypotheses_stream(void); /* … rings, blocks, truncation */
sp_hypotheses sp_hypotheses_turn(void);   /* … rotation and positions */

/* Give the row a key_bias of its own, to be altered: a copy of the present one, or zeros. */
double *sp_suspect_bias(sp_suspect *suspect);

/* Whether key j < n_kv is seen by the positions of the row (biases aside). */
bool sp_suspect_sees(const sp_suspect *suspect, size_t j);
int64_t sp_suspect_position(const sp_suspect *suspect, size_t j);

/* The sentence about wrong lists of visible tokens, or "". */
const char *sp_diagnose_lists(const sp_truth *truth, const sp_outputs *outputs);

/* A class that accepts everything: the sentence, into text. False: none does. */
bool sp_diagnose_class(const sp_case *c, const sp_outputs *outputs, char *text, size_t capacity);

#endif
