/* SPDX-License-Identifier: Apache-2.0 */
/* Golden vectors: rows with their correctly rounded results, as text that a person, or a program in
 * another language, can read without this project. A file is a list of records separated by empty
 * lines; lines that start with '#' are remarks. A record is one "field value…" a line:
 *
 *     vector NAME            clause SM-2            note ONE SENTENCE
 *     n_kv N                 keys of the row
 *     d_value N              components of a value; 0 or left out: no output
 *     logits X…              a softmax row; or q X… (d_head of them) and k X… (n_kv * d_head)
 *     v X…                   n_kv * d_value numbers
 *     scale softcap alibi_slope sink_logit X        left out: 1, 0, 0, -inf
 *     key_bias X…   bias_k X…   bias_v X…
 *     causal 0|1   window N|all   n_sink_tokens N   pos_q N   pos_k N…
 *     weights X…   out X…   lse_keys X   lse_total X          the results, rounded to f64
 *
 * Numbers are hex floats; X*N stands for N times X. */
#ifndef SINKPROOF_TESTS_VECTOR_H
#define SINKPROOF_TESTS_VECTOR_H

#include <stdio.h>

#include "ref/ref.h"

typedef struct sp_vector_array {
  size_t n;
  double *x; /* NULL: left out */
} sp_vector_array;

typedef struct sp_vector {
  char *name, *clause, *note;
  sp_vector_array logits, q, k, v, key_bias, bias_k, bias_v, pos_k;
  double n_kv, d_value, scale, softcap, alibi_slope, sink_logit;
  double causal, n_sink_tokens, pos_q;
  double window; /* INFINITY: all */
  sp_vector_array weights, out;
  double lse_keys, lse_total;
  int64_t *positions; /* pos_k as integers */
} sp_vector;

/* The next record. False at the end of the file, and on an error, which `error` then names ("" at
 * the end). */
bool sp_vector_read(FILE *file, sp_vector *vector, char *error, size_t capacity);
void sp_vector_write(FILE *file, const sp_vector *vector);
void sp_vector_clear(sp_vector *vector);

/* The row of a record; points into it. */
sp_ref_row_input sp_vector_row(const sp_vector *vector);

/* Replace the results by the oracle's, rounded to f64. False if one is undecided. */
bool sp_vector_fill(sp_vector *vector);

#endif
