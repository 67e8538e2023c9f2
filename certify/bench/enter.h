/* SPDX-License-Identifier: Apache-2.0 */
/* Taking kernels into a benchmark, and certifying them. */
#ifndef SINKPROOF_BENCH_ENTER_H
#define SINKPROOF_BENCH_ENTER_H

#include "certify/bench/bench.h"
#include "certify/run/run.h"

typedef struct sp_bench_entrant {
  const char *path; /* must live as long as the benchmark; NULL with … */
  sp_kernel_entry entry;
  const char *name;       /* "" = every kernel of the library */
  const char *class_text; /* instead of what the kernel claims; NULL = that */
  bool best_of_class;     /* of kernels that claim the same class only the first */
  bool own;               /* sinkproof's */
} sp_bench_entrant;

/* False with a sentence when none could be taken in. */
bool sp_bench_enter(sp_bench *bench, const sp_bench_entrant *entrant, char *error, size_t capacity);

/* Certify a contender, all operations. False when the run could not be made. */
bool sp_bench_certify(sp_contender *contender, sp_level level,
                      void (*progress)(uint64_t done, uint64_t total, void *context));

#endif
