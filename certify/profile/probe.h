/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: tiny calls whose result tells which convention a kernel follows. Keys are named by
 * one-hot values, so that an output is the list of their weights. (CT-13) */
#ifndef SINKPROOF_PROBE_H
#define SINKPROOF_PROBE_H

#include "certify/judge/judge.h"
#include "certify/profile/conventions.h"

enum { SP_PROBE_KEYS = 8 };

/* Who is asked, and what is known already: a probe is read in the light of earlier answers. */
typedef struct sp_asker {
  const sp_kernel *kernel;
  const sp_profile *known;
  size_t d; /* d_head and d_value, at least SP_PROBE_KEYS: some kernels take certain sizes only */
} sp_asker;

typedef struct sp_probe {
  sp_question question;
  unsigned alternative; /* parts of one alternative are asked together, the first that is offered */
  sp_op op;
  const char *text; /* "8 equal keys, window 3: weights in the last row" */
  bool (*make)(const sp_asker *asker, sp_case *c);
  sp_output_kind output;
  size_t row; /* SP_LAST_ROW, or its number */
  size_t n;   /* numbers to look at; 1 for a log-sum-exp */
  /* What an answer predicts: the keys that are seen, all alike, as bits … */
  unsigned (*sees)(const sp_asker *asker, unsigned answer);
  /* … or the numbers themselves. */
  void (*expect)(const sp_asker *asker, unsigned answer, double *e);
} sp_probe;

#define SP_LAST_ROW SIZE_MAX

typedef struct sp_probes {
  const sp_probe *list;
  size_t count;
} sp_probes;

sp_probes sp_probes_row(void);   /* certify/profile/probes_row.c: softmax and attention */
sp_probes sp_probes_lse(void);   /* certify/profile/probes_lse.c */
sp_probes sp_probes_score(void); /* certify/profile/probes_score.c */
sp_probes sp_probes_cache(void); /* certify/profile/probes_cache.c */
sp_probes sp_probes_rope(void);  /* certify/profile/probes_rope.c */

/* ---- making (certify/profile/probe_case.c); types and operation are set ---- */

/* n keys with logit 0 and one-hot values. Attention: n queries if prefill is offered, otherwise one;
 * a cache: n tokens, appended one by one, each asked. */
bool sp_probe_keys(const sp_asker *asker, sp_case *c, size_t n);
bool sp_probe_rows(const sp_asker *asker, sp_case *c, size_t n_q, size_t n_kv); /* these sizes */
void sp_probe_logit(sp_case *c, size_t j, double x); /* key j of head 0, in every row */
void sp_probe_set(sp_array *array, size_t index, double x);
bool sp_probe_offers(const sp_asker *asker, uint64_t options);

/* ---- expecting ---- */

/* Weights of keys with logits x[n] (-inf: not seen), when `extra` is added to the denominator;
 * e[n … 7] become 0. */
void sp_expect_weights(const sp_asker *asker, const double *x, size_t n, double extra, double *e);

/* A log-sum-exp of the denominator z in the base that is known. */
double sp_expect_lse(const sp_asker *asker, double z);

/* Whether a fixed term is known to be added: 1 or 0. */
double sp_expect_fixed(const sp_asker *asker);

#endif
