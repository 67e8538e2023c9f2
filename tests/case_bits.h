/* SPDX-License-Identifier: Apache-2.0 */
/* Are two cases the same, bit for bit? And requests that tests share. */
#ifndef SINKPROOF_TESTS_CASE_BITS_H
#define SINKPROOF_TESTS_CASE_BITS_H

#include "certify/gen/gen.h"

#define ALL_OPTIONS (((uint64_t)SP_OPT_BIAS_PER_HEAD << 1) - 1)
#define ALL_TYPES                                                                                  \
  (SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16))

/* 64 bits over every field, array, position and step. Where two cases are expected to be equal the
 * digests are; that different cases have different ones is what 64 bits are for. */
uint64_t case_digest(const sp_case *c);

/* Case `index` of a generator for an offer of everything, or of these options and types. */
sp_generator_request request_all(const sp_generator *generator, sp_op op, uint64_t index);
sp_generator_request request_of(const sp_generator *generator, sp_op op, uint64_t index,
                                uint64_t options, uint32_t dtypes);

#endif
