/* SPDX-License-Identifier: Apache-2.0 */
/* One test case: a call of one operation with every input as exact bits, and how to lay it out in
 * memory. Unit tests, the command, the fuzzers and the benchmark all use this type. (CT-3) */
#ifndef SINKPROOF_CASE_H
#define SINKPROOF_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ref/ref.h"
#include "sinkproof/kernel.h"

typedef enum sp_op { SP_OP_SOFTMAX, SP_OP_ATTENTION, SP_OP_CACHE, SP_N_OPS } sp_op;

/* A packed array: `count` elements of one type, in the order the comment beside it gives. An absent
 * array has bits == NULL. */
typedef struct sp_array {
  sp_dtype dtype;
  size_t count;
  void *bits;
} sp_array;

typedef enum sp_cache_step_kind {
  SP_STEP_APPEND,
  SP_STEP_ATTEND,
  SP_STEP_VISIBLE,
  SP_STEP_TRUNCATE
} sp_cache_step_kind;

typedef struct sp_cache_step {
  sp_cache_step_kind kind;
  size_t n_tokens;   /* append: tokens of the block; truncate: tokens to take back */
  bool with_queries; /* append: ask for the output of each token */
  size_t sequence;   /* which stream; 0 unless the cache has more than one */
} sp_cache_step;

/* Where the tensors of the call lie. (KC-5) */
typedef struct sp_layout {
  bool head_major;   /* [b][h][i][c] in memory instead of [b][i][h][c] */
  uint32_t row_pad;  /* unused elements after each innermost row, filled with canaries or NaN */
  bool guard_before; /* data begin at a guard page; otherwise they end at one */
  uint32_t misalign; /* elements by which the data are moved off the page edge, < 64 */
  bool reversed;     /* the last row comes first in memory: every stride is negative */
  uint32_t reach;    /* not 0: the outermost axis lies so far apart that its last index is at least
                        2^reach elements from its first; what is between costs no memory */
} sp_layout;

/* Softmax: n_q rows of n_kv logits; batch and heads are 1.
 * Attention: as sp_attention_call.
 * Cache: n_kv tokens; n_q = n_kv queries, one per token; batch 1. The script says in which blocks
 * and to which sequences they are appended, and what is asked: each append takes the tokens that
 * come next, also after a truncation, so that a number may come to stand for another token. */
typedef struct sp_case {
  sp_op op;
  const char *generator; /* a name from sp_generators, or "file" */
  uint64_t seed, index;  /* generator, seed and index reproduce the case (CT-4) */
  const char *clause;    /* the clause that the case is a witness for, e.g. "EV-2" */
  size_t n_batch, n_q, n_kv, n_heads, n_kv_heads, d_head, d_value;
  sp_dtype dtype_q, dtype_kv; /* softmax: dtype_q is the type of the logits */
  float scale, softcap;
  bool causal;
  uint64_t window, n_sink_tokens, first_token;
  size_t n_sequences;       /* cache; 0 means 1 */
  uint64_t n_evict, n_undo; /* cache; as in sp_cache_config */
  uint32_t position;        /* SP_POSITION_… */
  uint32_t rope_pairing;    /* SP_ROPE_… */
  size_t rope_dims;
  double rope_base;
  bool want_weights, want_lse_keys, want_lse_total;
  uint32_t n_threads;
  sp_array logits;     /* [n_q][n_kv], softmax only */
  sp_array q;          /* [n_batch][n_q][n_heads][d_head] */
  sp_array k;          /* [n_batch][n_kv][n_kv_heads][d_head] */
  sp_array v;          /* [n_batch][n_kv][n_kv_heads][d_value] */
  sp_array sink_logit; /* [n_heads], softmax: [n_q]; f32 or bf16 */
  sp_array key_bias;   /* [bias_batches][bias_rows][bias_heads][n_kv] f32, see sp_case_bias_row */
  size_t bias_batches, bias_rows, bias_heads; /* n_batch, n_q, n_heads, or 1 where it is shared; of
                                                 softmax only bias_rows is not 1. bias_batches and
                                                 bias_heads: 0 means 1 */
  sp_array alibi_slope;                       /* [n_heads] f32 */
  sp_array bias_k;                            /* [n_kv_heads][d_head] */
  sp_array bias_v;                            /* [n_kv_heads][d_value] */
  int64_t *pos_q;                             /* [n_q] or NULL */
  int64_t *pos_k;                             /* [n_kv] or NULL */
  sp_cache_step *script;
  size_t n_steps;
  sp_layout layout;
} sp_case;

/* An empty case of one operation: sizes 1, scale 1, no options, SP_WINDOW_ALL. */
void sp_case_init(sp_case *c, sp_op op);
void sp_case_clear(sp_case *c);

/* Allocate a zero-filled array in place. Returns false when memory runs out. */
bool sp_array_alloc(sp_array *array, sp_dtype dtype, size_t count);

/* Where the n_kv biases of query i of head h of batch entry b begin in key_bias. */
size_t sp_case_bias_row(const sp_case *c, size_t b, size_t i, size_t h);

/* The SP_OPT_… bits that a kernel must offer to be asked this case. */
uint64_t sp_case_options(const sp_case *c);

/* Shapes that serve this case; NULL serves all. */
bool sp_case_served(const sp_case *c, const sp_shapes *shapes);

/* The kernel offers this operation, these types and options, this length and shape. */
bool sp_case_offered(const sp_case *c, const sp_kernel *kernel);

/* NULL, or a sentence that names the field which makes the case not well formed: sizes that do not
 * match the arrays, heads not a multiple, window 0, a script longer than the stream, … */
const char *sp_case_error(const sp_case *c);

/* What one call returned, packed. Rows are numbered [b][i][h]; for a cache, i counts the outputs
 * that the script asks for, in order, and output_token[i] is the token that each belongs to. */
typedef struct sp_outputs {
  sp_array values;   /* softmax: weights[n_q][n_kv]; else out[n_batch][n_out][n_heads][d_value] */
  sp_array lse_keys; /* [n_batch][n_out][n_heads] */
  sp_array lse_total;
  uint64_t *visible; /* cache: the lists that the script asks for, one after another. A truncation
                        answers with a list too: none where it was carried out, SP_LOST alone where
                        tokens were lost */
  size_t *n_visible; /* … and the length of each; n_visible[n_lists] */
  size_t n_lists;
} sp_outputs;

bool sp_outputs_init(sp_outputs *out, const sp_case *c); /* sizes for this case, zero-filled */
void sp_outputs_clear(sp_outputs *out);

/* The inputs of a case as exact doubles, and its rows as the oracle takes them. */
typedef struct sp_case_values {
  const sp_case *source;
  double *logits, *q, *k, *v, *sink_logit, *key_bias, *alibi_slope, *bias_k, *bias_v;
  size_t n_out;         /* rows per (batch, head) */
  size_t *output_token; /* cache: [n_out] token of each output row; NULL otherwise */
  size_t *output_index; /* … and its index in its sequence */
  int64_t **output_pos; /* … and the indices of all tokens as it sees them, INT64_MAX for those of
                           another sequence or taken back; NULL: token j has index j */
  int64_t *pos;         /* all of these */
} sp_case_values;

bool sp_case_values_init(sp_case_values *values, const sp_case *c);
void sp_case_values_clear(sp_case_values *values);

/* The row (b, i, h) of the case. The input points into `values`. */
void sp_case_row(const sp_case_values *values, size_t b, size_t i, size_t h, sp_ref_row_input *row);

/* ---- replay lines and case files (certify/case/replay.c): CT-4 ----
 * A line names a generated case: "op=attention gen=window-needle seed=0x9a77 index=41 caps=…".
 * A case file holds a whole case as text, one "field = value" a line, numbers as hex bits. */
struct sp_generator_request;
void sp_case_line(const sp_case *c, const struct sp_generator_request *request, char *line,
                  size_t capacity);
bool sp_case_parse_line(const char *line, struct sp_generator_request *request, char *error,
                        size_t capacity);
/* The limits as a replay line has them, each after a space: " dims=64x64 groups=8"; "" for none. */
void sp_shapes_text(const sp_shapes *shapes, char *words, size_t capacity);
bool sp_case_write(const sp_case *c, const char *path, char *error, size_t capacity);
bool sp_case_read(sp_case *c, const char *path, char *error, size_t capacity);

/* The same from memory (the text need not end in a zero byte). The case is initialised here; on
 * false there is nothing to clear. Memory used is bounded by a small multiple of `length`. */
bool sp_case_read_text(sp_case *c, const char *text, size_t length, char *error, size_t capacity);

#endif
