/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/ours.h"

#include <stdio.h>
#include <stdlib.h>

#include "sinkproof/fast.h"
#include "fuzz/feedback.h"
#include "fuzz/pool.h"
#include "fuzz/target.h"

static void announce(const sp_fuzz_checker *checker) {
  fprintf(stderr, "sinkproof fuzz: kernels");
  for (size_t i = 0; i < checker->n_subjects; i++)
    fprintf(stderr, " %s (%s)", checker->subject[i].kernel->name, checker->subject[i].cls.text);
  fprintf(stderr, "\n");
}

static void open_ours(sp_fuzz_ours *ours) {
  const sp_kernel *kernel[SP_FUZZ_SUBJECTS];
  size_t n = 0;
  sp_fuzz_pool_install();
  while (n + 1 < SP_FUZZ_SUBJECTS &&
         (kernel[n] = sp_fast_kernel(SP_ABI_MAJOR, (uint32_t)n)) != NULL)
    n++;
  if (ours->oracle) kernel[n++] = sp_ref_kernel();
  if (!sp_fuzz_checker_open(&ours->checker, kernel, n, "build/lib/kernel_fast.so", ours->ops,
                            false))
    exit(1);
  if (ours->oracle) {
    ours->checker.subject[n - 1].library = "build/lib/kernel_ref.so";
    ours->checker.offer.max_n = SP_FUZZ_LARGE_N; /* the oracle takes seconds for longer rows */
  }
  ours->checker.twice = ours->checker.plans = ours->twice;
  ours->is_open = true;
  if (LLVMFuzzerMutate == NULL) return; /* a replay */
  announce(&ours->checker);
  atexit(sp_fuzz_feedback_print); /* for comparing campaigns */
}

int sp_fuzz_ours_input(sp_fuzz_ours *ours, const uint8_t *data, size_t size) {
  if (!ours->is_open) open_ours(ours);
  sp_fuzz_input(&ours->checker, data, size);
  return 0;
}
