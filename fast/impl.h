/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between what every variant shares and what each does in its own instructions.
 *
 * Shared, in fast/: the checks, the walk over batch, heads, queries and visible key ranges, the
 * cache, the last steps of a row. A variant, in fast/NAME/: the softmax of rows, and one step of
 * attention, which takes a tile of keys and moves a few rows on by it. Adding a variant is one
 * folder, one line in dispatch.c and one line of flags in the Makefile.
 *
 * Numbers of a row: inside a tile of SP_FAST_TILE keys a variant works in binary32; from tile to
 * tile the sum and the output are kept in binary64, so a long context does not add error. Where a
 * tile ends depends on which keys the row sees, so its bits do not depend on the other rows, on the
 * batch, or on how many threads there are. spec: AT-8, NU-12 */
#ifndef SINKPROOF_FAST_IMPL_H
#define SINKPROOF_FAST_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "fast/logit.h"
#include "fast/normalise.h"
#include "fast/rope.h"
#include "fast/softmax.h"
#include "fast/split.h"
#include "fast/tile_constants.h"
#include "sinkproof/kernel.h"

/* SP_FAST_TILE, the keys in a tile: a multiple of the lanes of every variant. A tile of 256 keys of 64
 * binary16 elements is the 32 KiB of an L1 cache, and 16 vectors of 16 lanes keep its sums shallow;
 * how shallow they have to be is proved (proofs/float/Tile.v). */

/* Rows of q and of the output are padded with zeros to this many elements. */
#define SP_FAST_PAD 16u

/* Rows that a variant may take through a tile together. */
#define SP_FAST_STRIP 8u

/* Runs that one tile may be made of. */
#define SP_FAST_RUNS 3u

static inline uint64_t sp_fast_padded(uint64_t n) {
  return (n + SP_FAST_PAD - 1) / SP_FAST_PAD * SP_FAST_PAD;
}

/* A run: n consecutive keys of one kv head. */
typedef struct sp_fast_keys {
  const void *k;              /* the row of key `first` */
  const void *v;              /* … NULL when no output is wanted */
  int64_t k_stride, v_stride; /* elements from one key to the next */
  sp_dtype k_dtype, v_dtype;
  uint64_t first;
  uint32_t n; /* 1 to SP_FAST_TILE */
} sp_fast_keys;

/* One query of one head on its way through the keys. */
typedef struct sp_fast_row {
  const float *q; /* q[d_head], zeros up to a multiple of SP_FAST_PAD */
  double *acc; /* acc[d_value], likewise: sum of exp(x - max) * v; anything before the first key */
  sp_fast_sum sum;
  sp_fast_logit_rule rule;
} sp_fast_row;

typedef struct sp_fast_shape {
  uint64_t d_head, d_value; /* d_value is 0 when no output is wanted */
  /* Scratch, 64-byte aligned: partial sums of SP_FAST_STRIP outputs, padded like acc; for variants
   * that spread, 4 floats for every element of every row; for copies of keys, 32 for every element
   * of one. */
  float *partial, *spread, *copies;
} sp_fast_shape;

typedef struct sp_fast_impl {
  const char *name;
  uint32_t needs; /* SP_FAST_CPU_… */
  /* y[i] = e^x[i], the exponential of the other two, for tests and proofs. x and y may be equal. */
  void (*exp)(float *y, const float *x, uint64_t n);
  /* Rows [begin, end) of a call that is checked and complete, with the plan's scratch. NULL = not
   * offered. */
  void (*softmax)(const sp_softmax_call *call, const sp_fast_softmax_plan *plan, uint64_t begin,
                  uint64_t end, void *scratch);
  /* The rows' q are new. NULL where tile reads q itself. */
  void (*spread)(const sp_fast_shape *shape, const sp_fast_row *rows, uint64_t n_rows);
  const sp_fast_split_ops *split; /* NULL = rows are never shared */
  /* Move n_rows rows of one kv head on by the keys of one tile: runs of the same types, none empty,
   * that have at most SP_FAST_TILE keys together. */
  void (*tile)(const sp_fast_shape *shape, const sp_fast_keys *keys, uint32_t n_runs,
               sp_fast_row *rows, uint64_t n_rows);
  /* out[n] = acc * inverse, rounded once to binary32 and from there to its type. acc is padded. */
  void (*store)(sp_dtype dtype, void *out, const double *acc, double inverse, uint64_t n);
  const sp_kernel *kernel;
  /* Rotation, as rope.h says of the portable ones. */
  void (*turn)(const sp_fast_rope *rope, uint64_t position, sp_fast_angles *angles);
  void (*rotate)(const sp_fast_rope *rope, const sp_fast_angles *angles, sp_dtype dtype,
                 const void *from, uint64_t d, float *to);
} sp_fast_impl;

extern const sp_fast_impl sp_fast_avx512;
extern const sp_fast_impl sp_fast_avx2;
extern const sp_fast_impl sp_fast_scalar;
extern const sp_fast_impl sp_fast_avx512bf16;

/* Number `index` of the list; NULL past the last one. (dispatch.c) */
const sp_fast_impl *sp_fast_variant(size_t index);

/* The best variant whose needs are among `features`; never NULL. (dispatch.c) */
const sp_fast_impl *sp_fast_pick(uint32_t features);

/* The variant of this name: SP_INVALID if there is none, SP_UNSUPPORTED if it needs more. */
sp_status sp_fast_find(const char *name, uint32_t features, const sp_fast_impl **impl);

/* What the variants put behind the ABI (kernel.c, cache.c). The entry points of a variant pass
 * themselves on, because the ABI's functions have no context. */
sp_status sp_fast_softmax(const sp_fast_impl *impl, const sp_softmax_call *call);
sp_status sp_fast_attention(const sp_fast_impl *impl, const sp_attention_call *call);
sp_status sp_fast_prepare_softmax(const sp_fast_impl *impl, sp_prepared **prepared,
                                  const sp_softmax_call *call);
sp_status sp_fast_prepare_attention(const sp_fast_impl *impl, sp_prepared **prepared,
                                    const sp_attention_call *call);
sp_status sp_fast_cache_open(const sp_fast_impl *impl, sp_cache **cache,
                             const sp_cache_config *config);
sp_status sp_fast_cache_append(sp_cache *cache, const sp_cache_call *call);
sp_status sp_fast_cache_attend(sp_cache *cache, const sp_cache_call *call);
sp_status sp_fast_cache_visible(sp_cache *cache, uint64_t sequence, uint64_t *token,
                                uint64_t capacity, uint64_t *n);
void sp_fast_cache_close(sp_cache *cache);
sp_status sp_fast_cache_truncate(sp_cache *cache, uint64_t sequence, uint64_t n_tokens);

/* The variant that the last call on this thread ran; "" before the first. spec: KC-9 */
const char *sp_fast_path(void);

/* Queries [begin, end) of the heads of one kv head. */
typedef struct sp_fast_queries {
  uint64_t b, h_kv, begin, end;
} sp_fast_queries;

/* attend.c, attend_query.c: a checked call, and scratch of sp_fast_scratch_bytes aligned to 64, for
 * n_rows query heads per kv head. Cannot fail; but no scratch is large enough where the size is 0. */
size_t sp_fast_scratch_bytes(uint64_t n_rows, uint64_t d_head, uint64_t d_value);
void sp_fast_attend(const sp_fast_impl *impl, const sp_attention_call *call,
                    const sp_fast_queries *queries, void *scratch);
void sp_fast_set_path(const sp_fast_impl *impl);

/* A row over many keys is computed in pieces, cut at multiples of this, that are joined in order, in
 * binary64: so a single query of few heads has work for more threads than heads. Every row is, since
 * where it is cut shows in its bits; whether its pieces are tasks of their own does not. spec: NU-12,
 * AL-6 */
#define SP_FAST_PIECE       UINT64_C(4096)
#define SP_FAST_SPLIT_HEADS UINT64_C(64)

/* The rows of one kv head, piece by piece: sum[n][n_rows], acc[n][n_rows][padded d_value]. */
typedef struct sp_fast_pieces {
  uint64_t n;
  sp_fast_sum *sum;
  double *acc;
} sp_fast_pieces;

/* attend_query.c: how many tasks each row of a checked call is worth; the rows of one piece; the
 * outputs. */
uint64_t sp_fast_pieces_of(const sp_attention_call *call);
void sp_fast_attend_piece(const sp_fast_impl *impl, const sp_attention_call *call, uint64_t b,
                          uint64_t h_kv, uint64_t piece, const sp_fast_pieces *pieces,
                          void *scratch);
void sp_fast_join_pieces(const sp_fast_impl *impl, const sp_attention_call *call, uint64_t b,
                         uint64_t h_kv, const sp_fast_pieces *pieces, void *scratch);

/* store.c: sp_fast_impl.store in portable C. */
void sp_fast_store_row(sp_dtype dtype, void *out, const double *acc, double inverse, uint64_t n);

/* What every variant in binary32 offers. */
#define SP_FAST_DTYPES (SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16))
#define SP_FAST_OPTIONS                                                                            \
  (SP_OPT_SINK_LOGIT | SP_OPT_KEY_BIAS | SP_OPT_MASK | SP_OPT_SCALE | SP_OPT_SOFTCAP |             \
   SP_OPT_ALIBI | SP_OPT_WINDOW | SP_OPT_SINK_TOKENS | SP_OPT_POSITIONS | SP_OPT_BIAS_PAIR |       \
   SP_OPT_GQA | SP_OPT_PREFILL | SP_OPT_NONCAUSAL | SP_OPT_MORE_Q_THAN_KV | SP_OPT_BATCH |         \
   SP_OPT_STRIDES | SP_OPT_D_VALUE | SP_OPT_LSE_KEYS | SP_OPT_LSE_TOTAL | SP_OPT_EMPTY |           \
   SP_OPT_NONFINITE | SP_OPT_FIRST_TOKEN | SP_OPT_POSITION_ABS | SP_OPT_POSITION_CACHE |           \
   SP_OPT_ROPE_HALF | SP_OPT_ROPE_INTERLEAVED | SP_OPT_ROPE_PARTIAL | SP_OPT_EVICT_BLOCK |         \
   SP_OPT_UNDO | SP_OPT_SEQUENCES | SP_OPT_BIAS_PER_HEAD)
#define SP_FAST_CLAIMS                                                                             \
  (SP_CLAIM_DETERMINISTIC | SP_CLAIM_BATCH_INVARIANT | SP_CLAIM_THREAD_INVARIANT)

#endif
