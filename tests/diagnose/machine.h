/* SPDX-License-Identifier: Apache-2.0 */
/* A cache that is a list of keys, which are moved, copied and dropped the way real caches do it, with
 * one mistake. It shares nothing with the views by which the diagnosis computes what a mistake
 * gives. */
#ifndef TESTS_DIAGNOSE_MACHINE_H
#define TESTS_DIAGNOSE_MACHINE_H

#include "tests/judge_kernels.h"

/* One head; d_head = d_value, n_sink_tokens, window; no stream is longer than MACHINE_TOKENS. */
enum { MACHINE_D = 8, MACHINE_S = 2, MACHINE_W = 6, MACHINE_TOKENS = 40 };

typedef enum mistake {
  HONEST,
  PAIRS,
  UNROTATED,
  WRONG_SIGN,
  KEYS_ONLY,
  QUERIES_ONLY,
  BASE,
  WHOLE_ROW,
  NUMBERS,
  RANKS,
  FIRST_SEQUENCE_SHIFTED,
  NEVER_SHIFTED,
  SHIFTED_TWICE,
  RANKS_SHIFTED,
  LAST_SHIFT,
  NEWEST_AT_NUMBER,
  QUERY_AT_NUMBER,
  OLDER_LOW,
  OLDER_HIGH,
  RECENT_LOW,
  RECENT_HIGH,
  AT_BLOCK_END,
  QUERY_HIGH,
  QUERY_LOW,
  SLICED,
  OVER_PINNED,
  SLOT_0_ON_WRAP,
  SLOT_0_ALWAYS,
  PINNED_TWICE,
  FULL_EARLY,
  ONE_BY_ONE,
  HALF,
  STORED_FIRST,
  DENSE,
  FUTURE,
  REWOUND,
  ATTEND_MORE,
  ATTEND_LESS,
  APPEND_MORE,
  APPEND_LESS
} mistake;

/* Run the script of the case, of at most two sequences. Only REWOUND truncates, and only once.
 * Returns how many outputs there are. */
size_t machine_run(const sp_case *c, mistake which, sp_outputs *outputs);

#endif
