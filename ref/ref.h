/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle: rigorous enclosures of what SPEC.md defines. MPFR does the arithmetic with directed
 * rounding, MPFI does the bookkeeping of the intervals.
 *
 * Every real quantity is an interval [lo, hi] that contains the exact value; there is no point
 * estimate anywhere. Precision (in bits) is always an argument: a caller that cannot decide its
 * question from an enclosure asks again with twice the precision, and says "undecided" when it
 * reaches its cap. All inputs are doubles that hold the exact value of a binary64, binary32,
 * bfloat16 or binary16 number; nothing is rounded on the way in. (AT-1, NU-1)
 *
 * Nothing here aborts, prints or keeps global state; functions that allocate return false when
 * memory runs out. Precondition violations are assertions in builds with SP_CHECKED.
 */
#ifndef SINKPROOF_REF_H
#define SINKPROOF_REF_H

#include <mpfi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ref/evict.h"
#include "sinkproof/kernel.h"

/* ---- formats (ref/format.c): NU-1, NU-2 ---- */

size_t sp_ref_format_bytes(sp_dtype format);     /* 0 for an unknown format */
const char *sp_ref_format_name(sp_dtype format); /* "f32"; NULL for an unknown format */
sp_dtype sp_ref_format_parse(const char *name);  /* 0 for an unknown name */

/* The exact value of element `index` of an array of bits, and back. `value` must be representable
 * (a NaN is stored as the quiet NaN). */
double sp_ref_load(sp_dtype format, const void *bits, size_t index);
void sp_ref_store(sp_dtype format, void *bits, size_t index, double value);

/* Round to nearest even into `format`: subnormals kept, overflow to infinity. (NU-2) */
double sp_ref_round(sp_dtype format, mpfr_srcptr x);

/* ulp(x) = 2^(max(e, emin) - p + 1) in `format`, for 2^e <= |x| < 2^(e+1). */
double sp_ref_ulp(sp_dtype format, double x);

/* The representable neighbour of x above (up) or below. */
double sp_ref_next(sp_dtype format, double x, bool up);

/* ---- visibility (ref/visible.c): EV-2, AT-4, AT-5 ---- */

typedef struct sp_ref_mask {
  bool causal;
  uint64_t window; /* >= 1 or SP_WINDOW_ALL */
  uint64_t n_sink_tokens;
} sp_ref_mask;

bool sp_ref_visible(const sp_ref_mask *mask, int64_t pos_q, int64_t pos_k);

/* The window of token t (t counts from 0) where n_evict tokens leave at a time: with it as the
 * window of the mask, sp_ref_visible says what t sees. An n_evict of 0 means 1. (EV-9) */
uint64_t sp_ref_window_at(uint64_t n_sink_tokens, uint64_t window, uint64_t n_evict, uint64_t t);

/* ---- the eviction state machine (ref/evict.h, ref/cache.c): EV-1, EV-4, EV-5, EV-9, EV-15 ---- */

bool sp_ref_cache_init(sp_ref_cache *cache, uint64_t n_sink_tokens, uint64_t window,
                       uint64_t first_token);
void sp_ref_cache_clear(sp_ref_cache *cache);

/* How many tokens the newest one sees, and where among the held ones the i-th of them is. */
uint64_t sp_ref_cache_n_visible(const sp_ref_cache *cache);
uint64_t sp_ref_cache_held(const sp_ref_cache *cache, uint64_t i);

/* SP_OK, SP_INVALID (n_tokens is 0 or beyond the length), or SP_LOST; then nothing has changed. */
sp_status sp_ref_cache_truncate(sp_ref_cache *cache, uint64_t n_tokens);
/* Storage grows with the stream; when memory runs out the cache is as it was. After a reserve, that
 * many appends cannot fail. */
bool sp_ref_cache_reserve(sp_ref_cache *cache, uint64_t n_tokens);
bool sp_ref_cache_append(sp_ref_cache *cache, uint64_t n_tokens);

/* ---- rotary positions (ref/rope.c): EV-10 to EV-12 ---- */

typedef struct sp_ref_rope {
  size_t dims;      /* the first elements of q and k, an even number of them; 0 = no rotation */
  bool interleaved; /* pairs (2i, 2i + 1) instead of (i, i + dims/2) */
  bool in_cache;  /* positions are ranks among what `mask` shows; otherwise they are pos_q, pos_k */
  double base;    /* >= 1 */
  uint64_t reach; /* the largest position that a kernel may meet; for error bounds only */
} sp_ref_rope;

/* ---- one attention row (ref/row.c): SM, AT, AL ---- */

/* The objects that are all called "sink" or "alpha" are separate fields: key_bias (uniform or not),
 * sink_logit, bias_k with bias_v, mask.n_sink_tokens. A dedicated sink token needs none: it is an
 * ordinary key. spec: AL-1, AL-9 */
typedef struct sp_ref_row_input {
  size_t n_kv;
  size_t d_head;        /* unused when logits are given */
  size_t d_value;       /* 0: no output is wanted */
  const double *logits; /* logits[n_kv], a softmax row; or NULL and q, k: */
  const double *q;      /* q[d_head] */
  const double *k;      /* k[n_kv][d_head], rows k_stride apart */
  size_t k_stride;
  const double *v; /* v[n_kv][d_value], rows v_stride apart */
  size_t v_stride;
  const double *key_bias; /* key_bias[n_kv] or NULL */
  double scale;
  double softcap;       /* 0 = none */
  double alibi_slope;   /* 0 = none */
  double sink_logit;    /* -INFINITY = none */
  const double *bias_k; /* bias_k[d_head], bias_v[d_value], or NULL */
  const double *bias_v;
  bool masked; /* apply `mask` to positions; a softmax row has none */
  sp_ref_mask mask;
  int64_t pos_q;
  const int64_t *pos_k; /* pos_k[n_kv], or NULL: pos_k[j] = j */
  sp_ref_rope rope;     /* no visible key lies after the query then */
} sp_ref_row_input;

typedef enum sp_ref_kind {
  SP_REF_ORDINARY, /* at least one visible key, everything finite */
  SP_REF_EMPTY,    /* no visible key: out = 0, lse_keys = -inf, lse_total = sink_logit, also when
                      that is +inf. (AT-9) */
  SP_REF_SINK_INF, /* visible keys and sink_logit = +inf: weights 0, out = 0, lse_total = +inf,
                      lse_keys untouched by it. (AL-4) */
  SP_REF_INVALID   /* NaN or +inf among what is visible: every result is NaN. (SM-5) */
} sp_ref_kind;

/* Enclosures of one row. Key n_kv is the bias pair when there is one, so the arrays hold
 * n_keys = n_kv + 1 entries then. Entries of absent keys: visible false, weight [0, 0]. */
typedef struct sp_ref_row {
  size_t n_keys, d_value; /* capacity at init, size after eval */
  mpfr_prec_t prec;
  sp_ref_kind kind;
  bool *visible;              /* visible[n_keys] */
  mpfi_t *logit;              /* logit[n_keys], of visible keys */
  mpfi_t *weight;             /* weight[n_keys] */
  mpfi_t weight_sink;         /* exp(sink_logit) / Z */
  mpfi_t max_logit;           /* max over visible keys, without the sink */
  mpfi_t lse_keys, lse_total; /* both ends infinite, or NaN, where the kind says so; lse_keys of
                                 kind SINK_INF is finite */
  mpfi_t *out;                /* out[d_value]; NaN where out_nan */
  bool *out_nan; /* out_nan[d_value]: a visible value is NaN in this component, whatever the weights
                    (so in kind SINK_INF too), or the row is invalid. (SM-6, SM-5) */
  size_t cap_keys, cap_value; /* allocated */
} sp_ref_row;

bool sp_ref_row_init(sp_ref_row *row, size_t max_keys, size_t max_value);
void sp_ref_row_clear(sp_ref_row *row);

/* Enclose every quantity of the row at `prec` bits. Needs n_kv (+ 1 with a bias pair) <= max_keys
 * and in->d_value <= max_value. Returns false when the row is outside the oracle's domain: an
 * infinite visible value (SM-6). Everything else is valid then, and the components that hold such a
 * value are marked out_nan. */
bool sp_ref_row_eval(sp_ref_row *row, const sp_ref_row_input *in, mpfr_prec_t prec);

/* ---- correct rounding (ref/round.c, ref/exact.c): NU-3 ---- */

typedef enum sp_ref_decision {
  SP_REF_DECIDED,
  SP_REF_UNDECIDED /* the precision cap was reached; T-20 says softcap is the only way here */
} sp_ref_decision;

/* Both ends of the enclosure round to the same value, which is stored. */
sp_ref_decision sp_ref_round_enclosure(sp_dtype format, mpfi_srcptr x, double *rounded);

/* Correctly rounded results of one row: weights[n_keys], out[d_value], where n_keys counts a bias
 * pair. Any pointer may be NULL. Starts at 64 bits and doubles up to max_prec; exact results (T-20)
 * are recognised and never loop. Returns the worst decision; an undecided element holds the rounded
 * midpoint. Undecided with nothing written when memory runs out. */
sp_ref_decision sp_ref_row_round(const sp_ref_row_input *in, mpfr_prec_t max_prec, sp_dtype format,
                                 double *weights, double *out, sp_dtype lse_format,
                                 double *lse_keys, double *lse_total);

/* Exact values that no precision can decide: true and *value when out[component] of the row is the
 * rational number to which the means of all equal-logit classes coincide (T-20). */
bool sp_ref_exact_out(const sp_ref_row_input *in, size_t component, mpq_t value);

/* true and *value = 1/n when every visible logit (and the sink logit, if any) is equal, so that
 * every weight is that rational number. */
bool sp_ref_exact_weight(const sp_ref_row_input *in, mpq_t value);

/* ---- the oracle as a kernel (ref/kernel.c): it certifies as "cr" ---- */

const sp_kernel *sp_ref_kernel(void);

#endif
