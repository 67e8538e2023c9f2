/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of a fuzz input: everything about a case but its elements, each field at a fixed
 * place, so that a fuzzer which changes one byte changes one thing, and a mutator can change one
 * thing on purpose. Every value of every byte means something; nothing is rejected. */
#ifndef SINKPROOF_FUZZ_HEADER_H
#define SINKPROOF_FUZZ_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SP_FUZZ_HEADER_BYTES = 60 };

/* Bits of `flags`. */
enum {
  SP_FUZZ_ACAUSAL = 1 << 0,
  SP_FUZZ_NO_VALUES = 1 << 1, /* softmax: weights are not asked for */
  SP_FUZZ_LSE_KEYS = 1 << 2,
  SP_FUZZ_LSE_TOTAL = 1 << 3,
  SP_FUZZ_HEAD_MAJOR = 1 << 4,
  SP_FUZZ_GUARD_BEFORE = 1 << 5,
  SP_FUZZ_SINK_LOGIT = 1 << 6,
  SP_FUZZ_SINK_BF16 = 1 << 7,
  SP_FUZZ_BIAS = 1 << 8,
  SP_FUZZ_BIAS_PER_QUERY = 1 << 9,
  SP_FUZZ_ALIBI = 1 << 10,
  SP_FUZZ_BIAS_PAIR = 1 << 11,
  SP_FUZZ_POS_Q = 1 << 12,
  SP_FUZZ_POS_K = 1 << 13,
  SP_FUZZ_POS_WIDE = 1 << 14 /* positions have eight bytes each, otherwise one */
};

/* Bits of `stream` where there is none: a key bias of its own for each … */
enum { SP_FUZZ_BIAS_BATCHES = 1 << 0, SP_FUZZ_BIAS_HEADS = 1 << 1 };

/* `misalign` has 64 positions, and a bit that turns the rows of every array round in memory. */
enum { SP_FUZZ_REVERSED = 1 << 6 };

/* How a number beside the kind is read: 0 and 1 are the default, 2 is small, 3 is as written. */
enum { SP_FUZZ_DEFAULT = 0, SP_FUZZ_SMALL = 2, SP_FUZZ_EXACT = 3 };

typedef struct sp_fuzz_header {
  uint64_t window, n_sink_tokens, first_token;
  uint32_t scale, softcap; /* bits of a float */
  uint16_t flags;
  uint16_t n_kv, n_q; /* codes: see sp_fuzz_size */
  uint16_t fill_seed; /* what elements past the end of the input are made from */
  uint8_t op, dtype_q, dtype_kv;
  uint8_t n_batch, n_kv_heads, group, d_head, d_value;
  uint8_t window_kind, n_sink_tokens_kind, scale_kind, softcap_kind, first_token_kind;
  uint8_t n_threads, row_pad, misalign, n_steps;
  uint8_t raw_range;  /* how elements of the input are folded into the domain; 0 = as they are */
  uint8_t fill_range; /* the same for those past its end */
  uint8_t stream;     /* cache: sequences, batches, undo and positions; 0 = none (fuzz/stream.c).
                         attention: SP_FUZZ_BIAS_… */
} sp_fuzz_header;

/* Bytes that are missing are 0. */
void sp_fuzz_header_read(sp_fuzz_header *h, const uint8_t *data, size_t size);
void sp_fuzz_header_write(const sp_fuzz_header *h, uint8_t data[SP_FUZZ_HEADER_BYTES]);

/* Sizes are small in fifteen of sixteen codes, since small cases find as much and run faster. The
 * last thirty-two are about the powers of two that follow, up to 2^15, for the kinds of error that
 * no smaller case shows. */
enum { SP_FUZZ_SMALL_N = 64, SP_FUZZ_LARGE_N = 300, SP_FUZZ_HUGE_N = 32764 };
size_t sp_fuzz_size(uint16_t code);
uint16_t sp_fuzz_size_code(size_t n); /* the nearest size that has a code */

/* And for kv heads, heads of a group, and entries of a batch: a handful, and in the last sixteen
 * codes as many as tables, tiles and bytes are too short for. */
typedef enum sp_fuzz_count { SP_FUZZ_KV_HEADS, SP_FUZZ_GROUP, SP_FUZZ_ENTRIES } sp_fuzz_count;
enum { SP_FUZZ_MANY_CODE = 0xF0 };
size_t sp_fuzz_how_many(sp_fuzz_count what, uint8_t code);
size_t sp_fuzz_fewer(sp_fuzz_count what, size_t n); /* the next smaller that has a code */
bool sp_fuzz_how_many_code(sp_fuzz_count what, size_t n, uint8_t *code);

/* The same for head dimensions: 1 to 48, and in eight codes some that models have. */
enum { SP_FUZZ_SMALL_D = 16, SP_FUZZ_LARGE_D = 48, SP_FUZZ_MODEL_DIMS = 4 };
size_t sp_fuzz_dim(uint8_t code);
uint8_t sp_fuzz_dim_code(size_t d); /* the nearest below that has a code; precondition: 1 <= d */

#endif
