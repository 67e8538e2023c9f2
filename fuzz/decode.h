/* SPDX-License-Identifier: Apache-2.0 */
/* From any bytes to a legal case, and from a case to bytes that decode to it.
 *
 * A fuzz input is a header (fuzz/header.h), the script and positions if there are any, and the bits
 * of the elements, array after array. There is no way to write an illegal case and nothing is
 * rejected: sizes wrap, an option that is not offered is not used, a step that cannot be is another
 * one. Input that ends early goes on with numbers that depend on header and index alone, so
 * sixty bytes are a whole case. (CT-3) */
#ifndef SINKPROOF_FUZZ_DECODE_H
#define SINKPROOF_FUZZ_DECODE_H

#include "certify/case/case.h"
#include "fuzz/header.h"

/* What the cases may ask for. Bytes mean the same under every offer, except where it refuses. */
typedef struct sp_fuzz_offer {
  uint32_t ops; /* 1u << SP_OP_… */
  uint64_t options;
  uint32_t dtypes_softmax, dtypes_q, dtypes_kv;
  uint64_t max_n; /* 0 = no limit */
} sp_fuzz_offer;

/* Everything that the ABI has. */
sp_fuzz_offer sp_fuzz_offer_all(void);

/* What all of these kernels offer, and of that only these operations. */
sp_fuzz_offer sp_fuzz_offer_of(const sp_kernel *const *kernel, size_t n, uint32_t ops);

/* The case is initialised here. False only when memory runs out; nothing to clear then. */
bool sp_fuzz_decode(sp_case *c, const uint8_t *data, size_t size, const sp_fuzz_offer *offer);

/* Bytes for this case. `like` gives what the case does not say: how elements past the end are made;
 * what they give is left out at the end. 0 when the case does not fit: into `capacity`, or into
 * what a header can say. A case that is not legal, say with a step too many, gives bytes that
 * decode to one near it. */
size_t sp_fuzz_encode(const sp_case *c, const sp_fuzz_header *like, uint8_t *data, size_t capacity);

/* Whether bytes give exactly this case, under the offer of everything. */
bool sp_fuzz_decodes_to(const sp_case *c, const uint8_t *data, size_t size);

/* The oracle's work on a case, in visits of a key by a row, and whether a fuzzer may ask for it. */
size_t sp_fuzz_work(const sp_case *c);
bool sp_fuzz_affordable(const sp_case *c);

/* So many rows of that length in one call of softmax, long or short, which is dear and rare. */
bool sp_fuzz_is_block(size_t n_rows, size_t n);

/* ---- shared by both directions (fuzz/tail.c) ---- */

/* The arrays of a case in the order of the input, by role. Absent ones have no bits. */
sp_array *sp_fuzz_array(sp_case *c, int role);

enum { SP_FUZZ_STEP_BYTES = 3, SP_FUZZ_SEQUENCES = 16 };
void sp_fuzz_step_read(sp_cache_step *step, const uint8_t bytes[SP_FUZZ_STEP_BYTES], bool streams);
bool sp_fuzz_step_write(const sp_cache_step *step, uint8_t bytes[SP_FUZZ_STEP_BYTES]);
size_t sp_fuzz_n_steps(uint8_t code);
bool sp_fuzz_n_steps_code(size_t n, uint8_t *code);

/* What a stream has beyond pinned tokens and a window, from the header and back; writing says whether the
 * header can say it. (fuzz/stream.c) */
void sp_fuzz_stream_read(sp_case *c, const sp_fuzz_header *h, const sp_fuzz_offer *offer);
bool sp_fuzz_stream_write(const sp_case *c, sp_fuzz_header *h);

#endif
