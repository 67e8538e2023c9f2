/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/ours.h"

#include <stdio.h>
#include <stdlib.h>

#include "certify/museum/museum.h"
#include "fuzz/feedback.h"
#include "fuzz/plugin.h"
#include "fuzz/pool.h"
#include "fuzz/target.h"
#include "sinkproof/fast.h"

static void announce(const sp_fuzz_checker *checker) {
  fprintf(stderr, "sinkproof fuzz: kernels");
  for (size_t i = 0; i < checker->n_subjects; i++)
    fprintf(stderr, " %s (%s)", checker->subject[i].kernel->name, checker->subject[i].cls.text);
  fprintf(stderr, "\n");
}

/* The first kernel of SINKPROOF_PLUGIN; without it, the correct kernel that the museum is made
 * from. */
static const sp_kernel *third_party(const char **library) {
  static sp_fuzz_plugin plugin;
  const char *what = getenv("SINKPROOF_PLUGIN");
  *library = "museum";
  if (what == NULL || what[0] == '\0') return sp_museum_base_kernel();
  if (!sp_fuzz_plugin_load(&plugin, what)) exit(1);
  *library = plugin.library;
  return &plugin.kernel[0];
}

/* What the kernels offer in common, but for variants of fast/ that take fewer types than the first. */
static sp_fuzz_offer common_offer(const sp_kernel *const *kernel, size_t n, size_t n_fast,
                                  uint32_t ops) {
  const sp_kernel *wide[SP_FUZZ_SUBJECTS];
  size_t n_wide = 0;
  for (size_t i = 0; i < n; i++)
    if (i >= n_fast || (kernel[i]->dtypes_kv == kernel[0]->dtypes_kv &&
                        kernel[i]->dtypes_softmax == kernel[0]->dtypes_softmax))
      wide[n_wide++] = kernel[i];
  return sp_fuzz_offer_of(wide, n_wide, ops);
}

static void open_ours(sp_fuzz_ours *ours) {
  const sp_kernel *kernel[SP_FUZZ_SUBJECTS];
  const char *library = NULL;
  size_t n = 0;
  sp_fuzz_pool_install();
  while (n + 2 < SP_FUZZ_SUBJECTS &&
         (kernel[n] = sp_fast_kernel(SP_ABI_MAJOR, (uint32_t)n)) != NULL)
    n++;
  const size_t n_fast = n;
  if (ours->plugin) kernel[n++] = third_party(&library);
  size_t n_others = n;
  if (ours->oracle) kernel[n++] = sp_ref_kernel();
  const sp_fuzz_offer offer = common_offer(kernel, n, n_fast, ours->ops);
  if (!sp_fuzz_checker_open(&ours->checker, kernel, n, "build/lib/kernel_fast.so", &offer, false))
    exit(1);
  if (ours->oracle) {
    ours->checker.subject[n_others].library = "build/lib/kernel_ref.so";
    ours->checker.offer.max_n = SP_FUZZ_LARGE_N; /* the oracle takes seconds for longer rows */
  }
  if (ours->plugin) ours->checker.subject[n_others - 1].library = library;
  ours->n_subjects = n;
  ours->checker.twice = ours->twice;
  ours->is_open = true;
  if (LLVMFuzzerMutate == NULL) return; /* a replay */
  announce(&ours->checker);
  atexit(sp_fuzz_feedback_print); /* for comparing campaigns */
}

/* By the input alone, so that it is replayed as it was run. */
static bool is_sampled(const uint8_t *data, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i < size; i++) sum = sum * 31 + data[i];
  return (sum >> 7) % 16 == 0;
}

int sp_fuzz_ours_input(sp_fuzz_ours *ours, const uint8_t *data, size_t size) {
  if (!ours->is_open) open_ours(ours);
  bool sampled = ours->sampled && is_sampled(data, size);
  bool without_oracle = ours->oracle && ours->sampled && !sampled;
  ours->checker.n_subjects = ours->n_subjects - without_oracle;
  ours->checker.plans = ours->twice || sampled;
  sp_fuzz_input(&ours->checker, data, size);
  return 0;
}
