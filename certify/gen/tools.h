/* SPDX-License-Identifier: Apache-2.0 */
/* What the generators share: a case under construction, draws that respect what the subject
 * offers, and ways to make the logits of a row come out near wanted numbers, whether the operation
 * takes logits or computes them from q and k.
 *
 * Rules for every generator:
 *   - only exact operations, single IEEE operations and MPFR's correctly rounded functions, never
 *     libm's exp or log: the case must have the same bits everywhere (CT-4);
 *   - at most one draw in the arguments of a call: compilers evaluate them in different orders;
 *   - numbers have full mantissas and differ between rows, heads and batch entries, unless equal
 *     numbers are the point: a round number or a repeated one hides a wrong index or a wrong type;
 *   - systematic before random: the index walks a list of named situations first.
 */
#ifndef SINKPROOF_GEN_TOOLS_H
#define SINKPROOF_GEN_TOOLS_H

#include "certify/gen/gen.h"
#include "certify/case/rng.h"

typedef struct sp_gen {
  sp_case *c;
  const sp_generator_request *request;
  sp_rng rng;
  uint64_t index;
  bool hide_in_logits; /* softmax: a hidden key has a logit of -inf, not a bias of -inf */
  bool quiet;          /* a stream is asked for its end only */
  bool sparse;         /* few keys of a row will be visible */
} sp_gen;

/* ---- drawing from the offer (certify/gen/tools.c) ---- */

/* Start the case: types, wanted outputs, threads, and where the tensors lie. The index walks
 * through n_variants situations; the types turn so that each situation meets each type in time.
 * False when none of the operation's types is offered. */
bool sp_gen_begin(sp_gen *g, sp_case *c, const sp_generator_request *request, size_t n_variants);

bool sp_gen_has(const sp_gen *g, uint64_t options); /* all of them are offered */

/* n, or the longest row that is offered if that is less; where rows have a multiple of some number
 * of keys, the next longer one. */
size_t sp_gen_length(const sp_gen *g, size_t n);

/* How often the index has gone round a list of n situations. */
static inline uint64_t sp_gen_round_of(const sp_gen *g, size_t n) {
  return g->index / n;
}

/* For a second list beside the first of n: turn mod m moves on by one with the situation and by one
 * with the round, so that after m rounds each pair was met, whatever factors n and m share. */
static inline uint64_t sp_gen_turn(const sp_gen *g, size_t n) {
  return g->index % n + g->index / n;
}

/* n_heads <= max and n_kv_heads, grouped if that is offered. */
void sp_gen_heads(sp_gen *g, size_t max);

/* d_head and d_value, at most max, different if that is offered. */
void sp_gen_dims(sp_gen *g, size_t max);

/* n_q rows if that is offered (softmax: always), otherwise 1; no more than n_kv of them unless
 * that is offered too. For attention and softmax, after n_kv is set. */
void sp_gen_queries(sp_gen *g, size_t n_q);

/* n_batch entries if that is offered. */
void sp_gen_batch(sp_gen *g, size_t n_batch);

/* A window of w, if that is offered. */
void sp_gen_window(sp_gen *g, uint64_t w);

/* A row of n keys, or a stream of n tokens, with up to n_q rows, heads and dimensions as offered.
 */
void sp_gen_shape(sp_gen *g, size_t n, size_t n_q, size_t max_heads, size_t max_d);

/* The same, but a stream keeps all of its n tokens and only its end is asked for: what rows of n
 * keys are for attention, at the cost of a few rows. */
void sp_gen_whole_shape(sp_gen *g, size_t n, size_t n_q, size_t max_heads, size_t max_d);

/* A random script for a stream that has none. */
bool sp_gen_script(sp_gen *g);

/* What every complete case needs: a script; then, in one case of three, sink logits. */
bool sp_gen_finish(sp_gen *g);

/* ---- shapes that are served (certify/gen/fit.c) ---- */

/* Change d_head, d_value and the heads to ones that the subject serves. What allocates tensors does
 * this first. False when n_kv, which generators rely on, is not served. */
bool sp_gen_fit(sp_gen *g);

/* The longest row of all visible keys that the oracle can afford in the smallest shape served. */
size_t sp_gen_affordable(const sp_gen *g);

/* ---- numbers (certify/gen/values.c) ---- */

/* The nearest number of the format (ties to even), the largest finite one instead of infinity. */
double sp_gen_nearest(sp_dtype dtype, double x);
void sp_gen_set(sp_array *array, size_t index, double x); /* stores the nearest number */
double sp_gen_get(const sp_array *array, size_t index);
void sp_gen_fill(sp_array *array, double x);
void sp_gen_bells(sp_gen *g, sp_array *array, double amplitude); /* random, full mantissas */

/* Correctly rounded, so the same on every machine. */
double sp_gen_exp(double x);
double sp_gen_log(double x);
double sp_gen_tanh(double x);

/* ---- tensors (certify/gen/scores.c) ---- */

/* Allocate logits, or q, k and v, for the sizes in the case; all zero. */
bool sp_gen_tensors(sp_gen *g);

/* n_kv wanted logits, all 0; NULL when memory runs out. */
double *sp_gen_wanted(const sp_gen *g);

/* Allocate the tensors; make the logit of key j come out near wanted[j] in every row, plus a bell
 * of size `noise` that differs from row to row and head to head; values are bells. Frees wanted. */
bool sp_gen_scores(sp_gen *g, double *wanted, double noise);

/* v tells which key it belongs to: v[j][0] = j + 1, and the others are 0 but for a single 1. */
void sp_gen_values_name_keys(sp_gen *g);

/* Where the elements of key j, and of query i, of a head begin. */
size_t sp_gen_k_at(const sp_case *c, size_t b, size_t j, size_t h_kv);
size_t sp_gen_v_at(const sp_case *c, size_t b, size_t j, size_t h_kv);
size_t sp_gen_q_at(const sp_case *c, size_t b, size_t i, size_t h);

/* ---- rotary positions (certify/gen/cache_rope.c) ---- */

/* Rotate, by positions of that kind, and set d_head and d_value for it; false, and nothing has
 * changed, when that is not offered. */
bool sp_gen_rope(sp_gen *g, uint32_t position);

/* Tensors random in every element; values name their keys. */
bool sp_gen_rope_tensors(sp_gen *g);

/* ---- masks, biases and sink logits (certify/gen/extras.c) ---- */

/* A key bias of zeros: shared by all queries, or one row for each. */
bool sp_gen_bias(sp_gen *g, bool per_query);

/* Hide key j from query i, or from every query: a bias of -inf, for softmax in half of the cases a
 * logit of -inf. The tensors must be there; a bias is made when there is none. */
bool sp_gen_hide(sp_gen *g, size_t i, size_t j);
bool sp_gen_hide_from_all(sp_gen *g, size_t j);

/* Sink logits: value[h mod n] for head h (softmax: for row h). */
bool sp_gen_sinks(sp_gen *g, sp_dtype dtype, const double *value, size_t n);

/* Sink logits at lse_keys of the last row of each head, plus delta[h mod n]; the case must be
 * complete otherwise. */
bool sp_gen_sinks_near(sp_gen *g, sp_dtype dtype, const double *delta, size_t n);

/* In one case of three, if that is offered: sink logits that take a visible part of the mass. */
bool sp_gen_maybe_sinks(sp_gen *g);

/* lse_keys of a row, to about 50 bits. -inf for an empty row. */
double sp_gen_lse(const sp_case_values *values, size_t b, size_t i, size_t h);

/* ---- scripts of a stream (certify/gen/script.c) ---- */

/* One more step at the end of the script. */
bool sp_gen_step(sp_gen *g, sp_cache_step_kind kind, size_t n_tokens, bool with_queries);

/* The whole stream in random blocks of at most max_block tokens, every output asked for, lists
 * asked for now and then. */
bool sp_gen_random_script(sp_gen *g, size_t max_block);

/* All but the last tokens silently, in blocks; then one or two outputs, and the last one again. */
bool sp_gen_quiet_script(sp_gen *g);

/* A stream of n tokens and a cache of S pinned and W recent ones, as far as they are offered. */
void sp_gen_stream(sp_gen *g, size_t n, size_t n_sink_tokens, size_t window);

#endif
