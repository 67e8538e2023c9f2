/* SPDX-License-Identifier: Apache-2.0 */
/* A second opinion about outputs: the definitions of SPEC.md written down once more in long double,
 * and the bound of NU-7 in its plain form, without directed rounding. It shares nothing with the
 * oracle, the judge, the museum's kernel or the honest ones. tests: CT-2 NU-7 */
#ifndef SINKPROOF_NAIVE_H
#define SINKPROOF_NAIVE_H

#include "certify/judge/accuracy.h"
#include "certify/case/case.h"

/* Every requested output is accepted under the class. *budget is the largest share of an allowance
 * that was used (infinite for a special value or a list that is wrong). */
bool sp_naive_accepts(const sp_case *c, const sp_outputs *out, const char *class_text,
                      double *budget);

/* A random case of one operation that uses only `options`, in the given types, with rows of at
 * least min_n keys; false when this seed gives none. Small shapes, and numbers chosen to hurt: far
 * apart, far below zero, rising, equal, masked first tiles, loud sink logits, NaN where nobody may
 * look. */
bool sp_random_case(sp_case *c, sp_op op, uint64_t options, uint32_t dtypes, size_t min_n,
                    uint64_t seed);

#endif
