/* SPDX-License-Identifier: Apache-2.0 */
/* The museum's correct kernel and its hook points.
 *
 * Every exhibit is this kernel with one or two hooks replaced, so what is wrong about it stands
 * alone on a few lines and everything else is right. The kernel is written for that: it fills the
 * logits of a row, walks them in splits and tiles with the state (m, l, acc), merges the splits,
 * folds the sink logit and writes. No step knows which operation it serves.
 *
 * Arithmetic is done in double and rounded to the working format after every operation (sp_fl):
 * for + - * / that is exactly binary32 arithmetic, since 53 >= 2 * 24 + 2. One text serves both
 * formats, and a fault that loses precision says so in one word. */
#ifndef SINKPROOF_MUSEUM_BASE_H
#define SINKPROOF_MUSEUM_BASE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certify/museum/museum.h"

typedef struct sp_hooks sp_hooks;

/* One query of one head. `prepare` may change any field before the logits are computed. */
typedef struct sp_row {
  const sp_hooks *hooks;
  const sp_softmax_call *softmax;     /* one of these two, the other is NULL */
  const sp_attention_call *attention; /* for a cache: over its slots, with their positions */
  const sp_cache *cache;              /* NULL outside a cache */
  uint64_t b, i, h;                   /* batch, query (softmax: row), head */
  uint64_t kv_head;
  uint64_t n_kv;   /* keys of the call */
  uint64_t n_keys; /* and one more for a bias pair, which is the last */
  uint64_t d_head, n_value;
  double scale, softcap, slope;
  double sink_logit; /* -INFINITY = none */
  bool has_sink;     /* the call gave one, whatever its value */
  bool causal;
  uint64_t window, n_sink_tokens;
  int64_t pos_q;
  bool f64;      /* working format; otherwise binary32 */
  double *q;     /* q[d_head] */
  double *logit; /* logit[n_keys], -INFINITY = absent */
} sp_row;

/* Σ e^logit = l e^m and Σ e^logit v = acc e^m over the keys taken in so far. */
typedef struct sp_state {
  double m, l;
  double *acc; /* acc[n_value]; unused for softmax */
} sp_state;

/* What is written for a row. */
typedef struct sp_answer {
  double *value; /* weights or output */
  uint64_t n_value;
  uint64_t n_store; /* how many of them are stored: all */
  double lse_keys, lse_total;
  bool store_lse;
} sp_answer;

/* A cache keeps each token in a slot; `slot` says in which. Tokens count from 0 here. Each sequence
 * is a cache of its own; the first knows them all. */
struct sp_cache {
  const sp_hooks *hooks;
  sp_cache_config config;
  uint64_t number;     /* of the sequence */
  sp_cache **sequence; /* of the first: [n_sequences], itself the first; NULL in the others */
  uint64_t n_sequences;
  uint64_t n_taken;               /* tokens taken back so far */
  uint64_t n_sink_tokens, window; /* as the storage uses them */
  uint64_t n_seen;                /* tokens appended */
  uint64_t n_slots, capacity;     /* used, allocated */
  uint64_t block_n, block_i;      /* the block being appended and the token in it; 0, 0 in attend */
  unsigned char *k, *v;           /* [capacity][n_kv_heads][d] */
  int64_t *token;                 /* token[capacity]: who is in the slot; -1 = nobody */
};

/* NULL: the correct kernel's own (the function sp_base_… of that name, or nothing). */
struct sp_hooks {
  uint64_t tile;  /* keys per rescale; 0 = 16 */
  uint64_t split; /* keys per partial result, a multiple of tile; 0 = 32 */

  void (*prepare)(sp_row *row);                                             /* KEYS POS HEAD SINK */
  bool (*visible)(const sp_row *row, uint64_t j);                           /* KEYS */
  double (*load)(const sp_row *row, const sp_in *in, const uint64_t at[4]); /* LOAD */
  double (*logit)(const sp_row *row, uint64_t j);  /* SCORE of a visible key */
  double (*masked)(const sp_row *row, uint64_t j); /* SCORE of another */
  double (*cap)(const sp_row *row, double t);
  double (*value)(const sp_row *row, uint64_t j, uint64_t c);

  double (*pivot)(const sp_row *row, double m, uint64_t lo, uint64_t hi); /* MAX */
  double (*exponential)(const sp_row *row, double t);                     /* EXP */
  double (*rescale)(const sp_row *row, double m_old, double m_new);       /* RESC */
  double (*add)(const sp_row *row, double l, double p);                   /* SUM of l */
  double (*accumulate)(const sp_row *row, double acc, double p, double v);
  void (*tile_done)(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi); /* TAIL */

  bool (*range)(const sp_row *row, uint64_t split, uint64_t *lo, uint64_t *hi);
  void (*split_done)(const sp_row *row, uint64_t split, sp_state *part); /* SINK per split */
  void (*merge)(const sp_row *row, sp_state *into, sp_state *part);      /* MERGE */
  void (*fold)(const sp_row *row, sp_state *state);                      /* SINK */
  double (*normal)(const sp_row *row, const sp_state *state, double x);  /* NORM */
  double (*lse)(const sp_row *row, const sp_state *state);               /* LSE */
  void (*answer)(const sp_row *row, sp_answer *answer);                  /* what is written */

  void (*opened)(sp_cache *cache);                         /* KEYS of a cache */
  uint64_t (*slot)(const sp_cache *cache, uint64_t token); /* UINT64_MAX = not stored */
  bool (*retained)(const sp_cache *cache, uint64_t token);
  uint64_t (*ahead)(const sp_cache *cache, uint64_t i); /* tokens stored before query i */
  void (*attended)(sp_cache *cache);
  uint64_t (*route)(const sp_cache *cache, uint64_t sequence); /* which one a call goes to */
  uint64_t (*window_at)(const sp_cache *cache, uint64_t t);    /* recent tokens that t sees */
  bool (*lost)(const sp_cache *cache, uint64_t n_seen);        /* before going back to n_seen */
  uint64_t (*taken)(const sp_cache *cache, uint64_t n);        /* of n tokens taken back */
  double (*key_position)(const sp_row *row, uint64_t token);   /* POS */
  double (*query_position)(const sp_row *row);
  double (*angle)(const sp_row *row, double position, uint64_t i);
  void (*turned)(const sp_row *row, uint64_t token, double pair[2]); /* a rotated pair of k */
  void (*listed)(const sp_cache *cache, uint64_t *token, uint64_t *n);
};

#define SP_HOOK(owner, name) ((owner)->hooks->name ? (owner)->hooks->name : sp_base_##name)

/* ---- format.c: bits and roundings ---- */
double sp_element(sp_dtype dtype, const void *data, int64_t index);
void sp_put_element(sp_dtype dtype, void *data, int64_t index, double value);
double sp_round_to(sp_dtype dtype, double x); /* nearest even */
size_t sp_element_bytes(sp_dtype dtype);      /* 0 for an unknown type */

/* Round to the working format of the row. */
static inline double sp_fl(const sp_row *row, double x) {
  return row->f64 ? x : (double)(float)x;
}

/* ---- base_state.c: the state of a row ---- */
double sp_base_pivot(const sp_row *row, double m, uint64_t lo, uint64_t hi);
double sp_base_exponential(const sp_row *row, double t);
double sp_base_rescale(const sp_row *row, double m_old, double m_new);
double sp_base_add(const sp_row *row, double l, double p);
double sp_base_accumulate(const sp_row *row, double acc, double p, double v);
void sp_base_merge(const sp_row *row, sp_state *into, sp_state *part);
void sp_base_fold(const sp_row *row, sp_state *state);
double sp_base_normal(const sp_row *row, const sp_state *state, double x);
double sp_base_lse(const sp_row *row, const sp_state *state);
void sp_state_scale(const sp_row *row, sp_state *state, double factor);
void sp_state_sum(const sp_row *row, sp_state *into, const sp_state *part); /* same m in both */
double sp_exp_gap(const sp_row *row, double x, double m); /* e^(x - m), also for x = m = ±inf */

/* ---- base_row.c: from a prepared row to its answer ---- */
bool sp_base_range(const sp_row *row, uint64_t split, uint64_t *lo, uint64_t *hi);
void sp_row_absorb(const sp_row *row, sp_state *state, uint64_t lo, uint64_t hi);
bool sp_row_none_in(const sp_row *row, uint64_t lo, uint64_t hi); /* no key present there */
bool sp_row_empty(const sp_row *row);

typedef struct sp_scratch {
  double *q, *logit, *value, *acc, *part;
} sp_scratch;

bool sp_scratch_init(sp_scratch *scratch, uint64_t n_keys, uint64_t d_head, uint64_t n_value);
void sp_scratch_clear(sp_scratch *scratch);
void sp_row_answer(sp_row *row, const sp_scratch *scratch, sp_answer *answer);

/* ---- base_score.c: what a key's logit is ---- */
bool sp_base_visible(const sp_row *row, uint64_t j);
double sp_base_load(const sp_row *row, const sp_in *in, const uint64_t at[4]);
double sp_base_logit(const sp_row *row, uint64_t j);
double sp_base_masked(const sp_row *row, uint64_t j);
double sp_base_cap(const sp_row *row, double t);
double sp_base_value(const sp_row *row, uint64_t j, uint64_t c);
double sp_row_load(const sp_row *row, const sp_in *in, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t e);                   /* through the hook */
double sp_row_dot(const sp_row *row, uint64_t j); /* q . k_j, NaN unless both are finite */
double sp_row_bias(const sp_row *row, uint64_t j);
double sp_row_alibi(const sp_row *row, uint64_t j);
int64_t sp_row_pos(const sp_row *row, uint64_t j);
bool sp_row_is_pair(const sp_row *row, uint64_t j); /* key j is the bias pair */

/* ---- base_rope.c: positions and rotations ---- */
double sp_base_key_position(const sp_row *row, uint64_t token);
double sp_base_query_position(const sp_row *row);
double sp_base_angle(const sp_row *row, double position, uint64_t i);
double sp_row_rotated_dot(const sp_row *row, uint64_t j); /* q . k_j, both rotated */

/* ---- base_softmax.c, base_attention.c, base_cache.c: the operations ---- */
sp_status sp_base_softmax(const sp_hooks *hooks, const sp_softmax_call *call);
sp_status sp_base_attention(const sp_hooks *hooks, const sp_attention_call *call);
sp_status sp_base_attention_of(const sp_hooks *hooks, const sp_attention_call *call,
                               const sp_cache *cache);
bool sp_base_sink_known(const sp_in *sink_logit); /* absent, f32 or bf16 */

sp_status sp_base_open(const sp_hooks *hooks, sp_cache **cache, const sp_cache_config *config);
sp_status sp_base_append(sp_cache *cache, const sp_cache_call *call);
sp_status sp_base_attend(sp_cache *cache, const sp_cache_call *call);
sp_status sp_base_list(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                       uint64_t *n);
void sp_base_close(sp_cache *cache);
sp_status sp_base_truncate(sp_cache *cache, uint64_t sequence, uint64_t n_tokens);
sp_cache *sp_cache_of(sp_cache *cache, uint64_t sequence); /* NULL: there is none */
uint64_t sp_base_route(const sp_cache *cache, uint64_t sequence);
uint64_t sp_base_window_at(const sp_cache *cache, uint64_t t);
bool sp_base_lost(const sp_cache *cache, uint64_t n_seen);
uint64_t sp_base_taken(const sp_cache *cache, uint64_t n);
uint64_t sp_cache_oldest(const sp_cache *cache, uint64_t t); /* unpinned token that t sees */
uint64_t sp_base_slot(const sp_cache *cache, uint64_t token);
bool sp_base_retained(const sp_cache *cache, uint64_t token);
uint64_t sp_base_ahead(const sp_cache *cache, uint64_t i);

#endif
