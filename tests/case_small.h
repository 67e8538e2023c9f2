/* SPDX-License-Identifier: Apache-2.0 */
/* One small well-formed case of each operation that uses every field; elements of its arrays count up,
 * so that the first of each row is its index. */
#ifndef SINKPROOF_TESTS_CASE_SMALL_H
#define SINKPROOF_TESTS_CASE_SMALL_H

#include "certify/case/case.h"

void small_softmax(sp_case *c);
void small_attention(sp_case *c);
void small_cache(sp_case *c);
void small_case(sp_case *c, sp_op op); /* one of them */

#endif
