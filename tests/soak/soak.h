/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the soak: inputs, the judge's opinion of one token, the state machine alone. */
#ifndef SINKPROOF_SOAK_H
#define SINKPROOF_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The shape of one group of heads of gpt-oss, behind the sinks and window of StreamingLLM. */
enum { N_HEADS = 8, D = 64, S = 4, W = 1020 };
#define ROPE_BASE 150000.0

/* What token `token` brings, binary32 numbers of [-1, 1); the same whenever it is asked for. */
void soak_key(uint64_t seed, uint64_t token, float k[D]);
void soak_value(uint64_t seed, uint64_t token, float v[D]);
void soak_query(uint64_t seed, uint64_t token, float q[N_HEADS * D]);

/* Some of the heads. */
typedef struct soak_heads {
  size_t first, n;
} soak_heads;

/* Of these heads, `out` is what class w-deep allows at this token, which sees the ascending visible[n]. Ranks and
 * nothing else are positions, so the oracle is asked about a short stream of the visible tokens.
 * spec: EV-14 */
bool soak_judge(uint64_t seed, const uint64_t *visible, uint64_t n, soak_heads heads,
                const float *out, float *budget);

/* n_appends through the ring alone, against a count kept by evicting; from three starts and for
 * three sizes of a batch. */
bool soak_ring(uint64_t n_appends);

#endif
