/* SPDX-License-Identifier: Apache-2.0 */
/* Sink logits and biases reach an f16 operator in f16. A value that f16 cannot hold is declined
 * rather than rounded: the operator would be judged for a logit that it never saw. */
#ifndef SINKPROOF_ADAPTERS_ONNXRUNTIME_HALF_H
#define SINKPROOF_ADAPTERS_ONNXRUNTIME_HALF_H

#include <stdbool.h>
#include <stdint.h>

/* The binary16 equal to x; false if there is none, or if x is NaN. */
bool sp_ort_half(float x, uint16_t *half);

#endif
