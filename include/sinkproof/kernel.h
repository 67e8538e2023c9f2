/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof/kernel.h: what an attention kernel implements to be certified.
 *
 * Copy this one file, fill in one sp_kernel, export one function (at the end of this file), build
 * a shared library, and run `sinkproof certify ./yours.so`.
 *
 * The mathematics is defined in SPEC.md; the clause that defines a field is named beside it. In
 * short, for one row (one query token i of one head h of one batch entry b):
 *
 *     x[j] = cap(scale * dot(q, k[j])) + bias[j]            j over the visible keys      (AT-2)
 *     Z    = sum_j exp(x[j]) + exp(sink_logit[h])                                        (AL-2)
 *     p[j] = exp(x[j]) / Z         out[c] = sum_j p[j] * v[j][c]                   (SM-2, SM-4)
 *     lse_keys = ln sum_j exp(x[j])          lse_total = ln Z                            (AL-5)
 *
 * Rules that hold for every call (KC):
 *   - Inputs are read-only and hold exactly the values of their bits. What no query can see (masked
 *     keys, padding between strides) may hold any bits, NaN included, and must not matter. (AT-3)
 *   - Outputs are overwritten completely, and nothing else is written.
 *   - A call that is legal but not offered returns SP_UNSUPPORTED, a call that SPEC.md calls an
 *     error returns SP_INVALID; both leave every output byte as it was.
 *   - The floating-point environment (rounding mode, FTZ, DAZ, masks) is left as it was found.
 *   - Nothing is owned across the border: a kernel keeps no pointer that a call gave it.
 *
 * Versions: structs start with their size and grow only at the end. A kernel reads no field beyond
 * `size`; a field it does not know is zero, and zero always means "absent". SP_ABI_MAJOR changes
 * when the layout or a meaning does, SP_ABI_MINOR when fields are added.
 */
#ifndef SINKPROOF_KERNEL_H
#define SINKPROOF_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SP_ABI_MAJOR 1u
#define SP_ABI_MINOR 1u

/* Element types: IEEE 754 binary32, binary64, binary16, and bfloat16. (NU-1) */
typedef uint32_t sp_dtype;
enum { SP_F32 = 1, SP_F64 = 2, SP_F16 = 3, SP_BF16 = 4 };
#define SP_DTYPE_BIT(dtype) (1u << (dtype))

typedef int32_t sp_status;
enum {
  SP_OK = 0,          /* every requested output is complete */
  SP_UNSUPPORTED = 1, /* a legal call that this kernel does not offer; no output byte was written */
  SP_INVALID = 2,     /* a call that SPEC.md calls an error; no output byte was written */
  SP_NOMEM = 3,       /* out of memory; no output byte was written */
  SP_INTERNAL = 4,    /* anything else that went wrong */
  SP_LOST = 5 /* truncate: a token that would be seen again was overwritten; nothing changed */
};

/* A view of up to four axes. Element [a][b][c][e] is the element number
 * a*stride[0] + b*stride[1] + c*stride[2] + e from `data`: strides count elements, the last axis is
 * contiguous, and a stride of 0 repeats. Which axes a, b, c are stands beside each field; an axis
 * that a field does not name has index 0. data == NULL means that the tensor is absent.
 * `data` is aligned to its element, not to more. */
typedef struct sp_in {
  const void *data;
  int64_t stride[3];
  sp_dtype dtype;
  uint32_t reserved;
} sp_in;

typedef struct sp_out {
  void *data;
  int64_t stride[3];
  sp_dtype dtype;
  uint32_t reserved;
} sp_out;

/* Softmax of rows: x[r][j] = scale * logits[r][j] + key_bias[r][j].
 * A logit or bias of -inf means that the key is absent: its weight is 0. (SM-1..SM-5, AL-2)
 * Without a sink logit the weights of a row sum to 1; with one, to 1 - exp(sink_logit)/Z. (SM-7) */
typedef struct sp_softmax_call {
  uint32_t size;
  uint32_t n_threads; /* how many threads may be used, at least 1 */
  uint64_t n_rows;
  uint64_t n;       /* keys in a row; 0 is legal */
  sp_in logits;     /* logits[r][0][0][j] */
  sp_in key_bias;   /* key_bias[r][0][0][j], f32; absent = 0 */
  sp_in sink_logit; /* sink_logit[r], f32 or bf16; absent = -inf (never 0). (AL-2, AL-4) */
  sp_out weights;   /* weights[r][0][0][j], dtype of logits; may be absent if an lse is asked for */
  sp_out lse_keys;  /* lse_keys[r], f32 (f64 if the logits are f64); absent = not wanted. (AL-5) */
  sp_out lse_total; /* lse_total[r], likewise */
  float scale;      /* multiplies each logit, finite */
  uint32_t reserved;
} sp_softmax_call;

#define SP_WINDOW_ALL UINT64_MAX /* no window; a window of 0 is an error. (EV-3) */

/* Attention, prefill and decode alike. Key j is visible to query i iff all of
 *     causal == 0 or pos_k[j] <= pos_q[i]                                              (AT-4)
 *     pos_q[i] - pos_k[j] < window   or   pos_k[j] < n_sink_tokens             (EV-2, AT-5)
 *     key_bias[b][i][h][j] is not -inf                                                 (AT-3)
 * so a window counts the query's own key: window 1 is "self only". The kv head of head h is
 * h / (n_heads / n_kv_heads). (AT-7) A row without a visible key has output 0, lse_keys = -inf and
 * lse_total = sink_logit. (AT-9) */
typedef struct sp_attention_call {
  uint32_t size;
  uint32_t n_threads; /* how many threads may be used, at least 1 */
  uint64_t n_batch;
  uint64_t n_q;     /* query tokens */
  uint64_t n_kv;    /* key tokens; may be smaller than n_q, and 0 */
  uint64_t n_heads; /* query heads, a multiple of n_kv_heads */
  uint64_t n_kv_heads;
  uint64_t d_head;  /* elements of a query and of a key */
  uint64_t d_value; /* elements of a value and of an output row */
  uint64_t window;  /* >= 1, or SP_WINDOW_ALL. (EV-2, EV-3) */
  uint64_t
      n_sink_tokens; /* keys at positions below this stay visible whatever the window. (EV-1) */
  sp_in q;           /* q[b][i][h][c], c < d_head */
  sp_in k;           /* k[b][j][h_kv][c], c < d_head */
  sp_in v;           /* v[b][j][h_kv][c], c < d_value, dtype of k */
  sp_in key_bias;    /* key_bias[b][i][h][j], f32, after scale and softcap; absent = 0. (AT-2) */
  sp_in alibi_slope; /* alibi_slope[0][0][h], f32: adds -slope * |pos_q - pos_k|. (AT-6) */
  sp_in sink_logit;  /* sink_logit[0][0][h], f32 or bf16; absent = -inf. (AL-2) */
  sp_in bias_k;      /* bias_k[0][0][h_kv][c], dtype of k: one more key, always visible, without */
  sp_in bias_v;      /* bias_v[0][0][h_kv][c]  position, bias or ALiBi; both or none. (AL-8) */
  const int64_t
      *pos_q; /* pos_q[i] >= 0; NULL = n_kv - n_q + i, negative before the first key. (AT-4) */
  const int64_t *pos_k; /* pos_k[j] >= 0, distinct; NULL = j */
  sp_out out;           /* out[b][i][h][c], c < d_value, dtype of q */
  sp_out lse_keys;      /* lse_keys[b][i][h], f32 (f64 if q is f64); absent = not wanted. (AL-5) */
  sp_out lse_total;     /* lse_total[b][i][h], likewise */
  float scale;          /* multiplies dot(q, k), finite; the exact value of these bits. (AT-1) */
  float softcap;        /* cap(t) = softcap * tanh(t / softcap); 0 = none. (AT-2) */
  uint32_t causal;      /* 0 or 1 */
  uint32_t reserved;
} sp_attention_call;

/* A streaming cache: tokens 0, 1, 2, … are appended in blocks; token t attends to
 * { j <= t : j < n_sink_tokens or t - j < window }. (EV-2) How a kernel stores them (ring, list,
 * pages; eviction before or after the append; keys rotated or not) is not observable. (EV-4, EV-13)
 * Appending a block equals appending its tokens one by one, also when it is longer than
 * n_sink_tokens + window. (EV-5) With n_evict > 1 the window is evicted n_evict tokens at a time:
 * when the next token finds no room, the n_evict oldest that are not pinned leave. (EV-9) */
typedef struct sp_cache sp_cache; /* the kernel's own; opaque */

/* Which position a token has when keys and queries are rotated. (EV-10) */
enum {
  SP_POSITION_NONE = 0, /* none: k and q are used as they come */
  SP_POSITION_ABS = 1,  /* its number: first_token + how many came before it */
  SP_POSITION_CACHE = 2 /* its rank among the tokens that the query sees; the query's is the last */
};

/* Which two elements of a row one angle turns: with r = rope_dims, pair i < r/2 is … (EV-11) */
enum {
  SP_ROPE_HALF = 0,       /* (i, i + r/2) */
  SP_ROPE_INTERLEAVED = 1 /* (2i, 2i + 1) */
};

typedef struct sp_cache_config {
  uint32_t size;
  sp_dtype dtype_kv;
  uint64_t n_sink_tokens;
  uint64_t window;      /* >= 1, finite */
  uint64_t first_token; /* number of the first token (normally 0); the first n_sink_tokens tokens
                           appended are the pinned ones wherever counting starts. (EV-8) */
  uint64_t n_heads, n_kv_heads, d_head, d_value;
  uint64_t n_sequences;  /* independent streams 0 … n_sequences - 1; 0 means 1. (EV-16) */
  uint64_t n_evict;      /* tokens evicted at a time, 1 … window; 0 means 1. (EV-9) */
  uint64_t n_undo;       /* tokens that truncate can always take back. (EV-15) */
  uint32_t position;     /* SP_POSITION_…; not NONE exactly when rope_dims > 0 */
  uint32_t rope_pairing; /* SP_ROPE_… */
  uint64_t rope_dims;    /* the first rope_dims elements of q and k are rotated, by the angles
                           position * rope_base^(-2i/rope_dims); even, <= d_head; 0 = none. (EV-11) */
  double rope_base;      /* finite, >= 1; the exact value of these bits. An attention factor is part
                           of `scale`. (EV-12) */
} sp_cache_config;

typedef struct sp_cache_call {
  uint32_t size;
  uint32_t n_threads;
  uint64_t sequence; /* < n_sequences */
  uint64_t n_tokens; /* append: tokens in the block, >= 1; attend: 1 */
  sp_in k;           /* k[0][t][h_kv][c], before rotation; absent in attend */
  sp_in v;           /* v[0][t][h_kv][c], dtype of k; absent in attend */
  sp_in q;           /* q[0][t][h][c], before rotation: one per token; may be absent in append */
  sp_in sink_logit;  /* sink_logit[0][0][h], f32 or bf16; absent = -inf */
  sp_out out;        /* out[0][t][h][c], dtype of q; absent exactly when q is */
  sp_out lse_keys;   /* lse_keys[0][t][h], f32; absent = not wanted */
  sp_out lse_total;  /* lse_total[0][t][h], likewise */
  float scale;
  float softcap;
} sp_cache_call;

typedef struct sp_cache_ops {
  uint32_t size;
  uint32_t reserved;
  /* A new, empty cache in *cache. */
  sp_status (*open)(sp_cache **cache, const sp_cache_config *config);
  /* Append n_tokens tokens; with q, also the output of each, as if appended one by one. */
  sp_status (*append)(sp_cache *cache, const sp_cache_call *call);
  /* The output of one more query at the newest token; changes nothing. An empty sequence (no token
   * yet) is SP_INVALID. */
  sp_status (*attend)(sp_cache *cache, const sp_cache_call *call);
  /* Ascending numbers of the tokens that the newest token of `sequence` sees: at most `capacity`
   * are written to token[], and *n is how many there are. */
  sp_status (*visible)(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                       uint64_t *n);
  void (*close)(sp_cache *cache);
  /* Take back the newest n_tokens tokens of `sequence`, 1 … its length. A sequence holds its pinned
   * tokens and what is left of the newest window + n_undo that it ever had; when a token that the
   * new newest one sees is not among them, SP_LOST. NULL = not offered. (EV-15) */
  sp_status (*truncate)(sp_cache *cache, uint64_t sequence, uint64_t n_tokens);
} sp_cache_ops;

/* The same computations in two steps, for kernels that keep a plan, threads, or a layout of their
 * own for K and V. `softmax` and `attention` check a call, may allocate, and may read and repack k,
 * v and the bias pair; `run` computes that call: it reads everything else anew, through the same
 * pointers, and may rely on k, v and the bias pair being as they were. The call struct itself is
 * gone by then: keep a copy, not its address. Results are those of the one-step operation, bit for
 * bit. Any entry may be NULL. (KC-10) */
typedef struct sp_prepared sp_prepared; /* the kernel's own; opaque */

typedef struct sp_prepare_ops {
  uint32_t size;
  uint32_t reserved;
  sp_status (*softmax)(sp_prepared **prepared, const sp_softmax_call *call);
  sp_status (*attention)(sp_prepared **prepared, const sp_attention_call *call);
  sp_status (*run)(sp_prepared *prepared);
  void (*release)(sp_prepared *prepared);
} sp_prepare_ops;

/* What a kernel offers. A case outside these is not put to it, and the report says so. */
enum {
  SP_OPT_SINK_LOGIT = 1 << 0,
  SP_OPT_KEY_BIAS = 1 << 1, /* finite biases, shared by all queries and heads */
  SP_OPT_MASK = 1 << 2,     /* -inf logits or biases, per query */
  SP_OPT_SCALE = 1 << 3,    /* softmax: scale other than 1 (attention always has it) */
  SP_OPT_SOFTCAP = 1 << 4,
  SP_OPT_ALIBI = 1 << 5,
  SP_OPT_WINDOW = 1 << 6,
  SP_OPT_SINK_TOKENS = 1 << 7,
  SP_OPT_POSITIONS = 1 << 8, /* explicit pos_q and pos_k */
  SP_OPT_BIAS_PAIR = 1 << 9,
  SP_OPT_GQA = 1 << 10,            /* n_kv_heads < n_heads */
  SP_OPT_PREFILL = 1 << 11,        /* n_q > 1 */
  SP_OPT_NONCAUSAL = 1 << 12,      /* causal = 0 with n_q > 1 */
  SP_OPT_MORE_Q_THAN_KV = 1 << 13, /* n_q > n_kv */
  SP_OPT_BATCH = 1 << 14,          /* n_batch > 1 */
  SP_OPT_STRIDES = 1 << 15,        /* padded strides and any order of the axes */
  SP_OPT_D_VALUE = 1 << 16,        /* d_value other than d_head */
  SP_OPT_LSE_KEYS = 1 << 17,
  SP_OPT_LSE_TOTAL = 1 << 18,
  SP_OPT_EMPTY = 1 << 19,            /* n = 0 or n_kv = 0 */
  SP_OPT_NONFINITE = 1 << 20,        /* NaN or +inf among the visible inputs, sink_logit = +inf */
  SP_OPT_FIRST_TOKEN = 1 << 21,      /* cache: first_token other than 0 */
  SP_OPT_POSITION_ABS = 1 << 22,     /* cache: rotation by absolute positions */
  SP_OPT_POSITION_CACHE = 1 << 23,   /* cache: rotation by ranks in the cache */
  SP_OPT_ROPE_HALF = 1 << 24,        /* pairs (i, i + r/2) */
  SP_OPT_ROPE_INTERLEAVED = 1 << 25, /* pairs (2i, 2i + 1) */
  SP_OPT_ROPE_PARTIAL = 1 << 26,     /* rope_dims < d_head */
  SP_OPT_EVICT_BLOCK = 1 << 27,      /* n_evict > 1 */
  SP_OPT_UNDO = 1 << 28,             /* n_undo > 0 */
  SP_OPT_SEQUENCES = 1 << 29,        /* n_sequences > 1 */
  SP_OPT_BIAS_PER_HEAD = 1 << 30     /* attention: biases and masks that differ between heads or
                                        between batch entries, as in a padded batch */
};

/* What a kernel promises beyond accuracy. Each claim is tested; one that fails fails the kernel. */
enum {
  SP_CLAIM_DETERMINISTIC = 1 << 0,   /* same call, same bits */
  SP_CLAIM_BATCH_INVARIANT = 1 << 1, /* a row's bits do not depend on n_batch, n_rows, n_q */
  SP_CLAIM_THREAD_INVARIANT = 1 << 2 /* … nor on n_threads */
};

/* The shapes of attention and cache calls that a kernel serves, where it does not serve all: what
 * one instance of a template, or one tile size, can do. Each list ends with its first 0, and an
 * empty list allows everything. A call outside these is not put to the kernel, and the report says
 * so. Limits that have a name above are options that are not declared: a kernel for decode alone
 * has no SP_OPT_PREFILL, a causal one no SP_OPT_NONCAUSAL. (KC-11) */
enum { SP_MAX_SHAPES = 8 };
typedef struct sp_shapes {
  uint32_t size;
  uint32_t n_kv_multiple; /* attention: n_kv is a multiple of this; 0 = any */
  struct {
    uint32_t d_head, d_value; /* pairs that go together; unequal ones need SP_OPT_D_VALUE */
  } dims[SP_MAX_SHAPES];
  uint32_t group[SP_MAX_SHAPES]; /* n_heads / n_kv_heads; above 1 they need SP_OPT_GQA */
} sp_shapes;

/* A kernel. Absent operations (NULL) are not offered: never a failure, never a pass. */
typedef struct sp_kernel {
  uint32_t size;
  uint32_t abi_major; /* SP_ABI_MAJOR */
  uint32_t abi_minor; /* SP_ABI_MINOR */
  uint32_t claims;    /* SP_CLAIM_… */
  const char *name;   /* letters, digits, '.', '_', '-' */
  const char *version;
  const char *accuracy_class; /* SPEC NU-6, for example "w-lane16" or "w-seq:tile=64" */
  uint64_t options;           /* SP_OPT_… */
  uint32_t dtypes_softmax;    /* SP_DTYPE_BIT of each type of logits */
  uint32_t dtypes_q;          /* … of q */
  uint32_t dtypes_kv;         /* … of k and v */
  uint32_t reserved;
  uint64_t max_n; /* longest row, in keys; 0 = no limit */
  sp_status (*softmax)(const sp_softmax_call *call);
  sp_status (*attention)(const sp_attention_call *call);
  const sp_cache_ops *cache;
  /* Name of the code path that the last call on this thread ran, for example "avx512". */
  const char *(*path)(void);
  const sp_prepare_ops *prepare; /* NULL = not offered */
  const sp_shapes *shapes;       /* NULL = all */
} sp_kernel;

/* The one symbol of a kernel library: its kernel number `index` (0, 1, …), NULL past the last one
 * or when `host_abi_major` is not known. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const sp_kernel *
sinkproof_kernel(uint32_t host_abi_major, uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
