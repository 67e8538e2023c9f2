/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants of the oracle. They are plain functions, so that a test can call them and see them
 * notice a planted fault; a build with -DSP_CHECKED also asserts them after every evaluation.
 * Private to ref/. */
#ifndef SINKPROOF_REF_CHECK_H
#define SINKPROOF_REF_CHECK_H

#include "ref/ref.h"

/* The enclosures of a row are consistent with each other and with its inputs: weights lie in
 * [0, 1] and sum to 1 - weight_sink, no log-sum-exp is below the largest logit, the output lies in
 * the (1 - weight_sink)-scaled hull of the visible values. */
bool sp_ref_row_holds(const sp_ref_row *row, const sp_ref_row_input *in);

/* The cache holds its pinned tokens and the last ones, within its capacity, and sees of them what the
 * definition says. */
bool sp_ref_cache_holds(const sp_ref_cache *cache);

#ifdef SP_CHECKED
_Noreturn void sp_ref_check_failed(const char *condition, const char *file, int line);
#define SP_CHECK(condition)                                                                        \
  ((condition) ? (void)0 : sp_ref_check_failed(#condition, __FILE__, __LINE__))
#else
#define SP_CHECK(condition) ((void)sizeof(condition))
#endif

#endif
