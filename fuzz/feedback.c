/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer reads an array of counters in a section of this name beside its own. A counter is one
 * bucket of (type, length of the row, kernel, share used), so an input that reaches a higher share
 * than any before it, somewhere, is kept like one that reaches a new branch. Optimisers see stores
 * that nobody reads: the array has to be volatile, and `used`, or the section is empty. Other
 * engines ignore the section and fuzz as usual. */
#include "fuzz/feedback.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_TYPES = 4, N_LENGTHS = 6, N_PATHS = 8, N_LEVELS = 64, N_KINDS = 3 };

__attribute__((used, section("__libfuzzer_extra_counters"))) static volatile uint8_t
    counters[N_TYPES * N_LENGTHS * N_PATHS * N_KINDS * N_LEVELS];

static const char *const types[N_TYPES] = {"f32", "f64", "f16", "bf16"};
static const char *const ops[SP_N_OPS] = {"softmax", "attention", "cache"};

static struct {
  double budget;
  const char *name;
} worst_of[SP_N_OPS][N_TYPES][N_PATHS];
static double worst;

void sp_fuzz_feedback_print(void) {
  fprintf(stderr, "sinkproof fuzz: worst share of the budget %.4f\n", worst);
  for (size_t op = 0; op < SP_N_OPS; op++)
    for (size_t type = 0; type < N_TYPES; type++)
      for (size_t path = 0; path < N_PATHS; path++)
        if (worst_of[op][type][path].budget > 0)
          fprintf(stderr, "sinkproof fuzz: worst %s-%s-%s %.4f\n", ops[op], types[type],
                  worst_of[op][type][path].name, worst_of[op][type][path].budget);
}

static size_t length_class(size_t n) {
  static const size_t limit[N_LENGTHS - 1] = {1, 8, 16, 32, 64};
  size_t class = 0;
  while (class < N_LENGTHS - 1 && n > limit[class]) class ++;
  return class;
}

/* Shares near the bound are rare, and worth telling apart: levels are 1/64 wide. */
static size_t level_of(double budget) {
  double scaled = budget * N_LEVELS;
  return scaled < N_LEVELS - 1 ? (size_t)scaled : N_LEVELS - 1;
}

/* Where the output format is coarser than the bound, an accepted value can be said to use all of
 * it; that tells nothing about the kernel. */
static void note_worst(const sp_case *c, size_t type, size_t path, const char *name,
                       double budget) {
  const char *directory = getenv("SINKPROOF_WORST");
  char file[4096], why[240];
  if (budget >= 1 || budget <= worst_of[c->op][type][path].budget) return;
  worst_of[c->op][type][path].budget = budget;
  worst_of[c->op][type][path].name = name;
  if (budget > worst) worst = budget;
  if (directory == NULL || directory[0] == '\0') return;
  snprintf(file, sizeof file, "%s/%s-%s-%s.case", directory, ops[c->op], types[type], name);
  if (!sp_case_write(c, file, why, sizeof why)) fprintf(stderr, "sinkproof fuzz: %s\n", why);
}

static bool is_off(void) {
  static int off = -1;
  if (off < 0) {
    const char *value = getenv("SINKPROOF_FEEDBACK");
    off = value != NULL && value[0] == '0';
  }
  return off != 0;
}

void sp_fuzz_feedback(const sp_case *c, size_t path, const char *name, const sp_truth *truth,
                      const sp_judgement *judgement) {
  size_t type = c->dtype_q - SP_F32;
  size_t kind = judgement->output == SP_OUT_VALUES ? 0 : 1;
  if (path >= N_PATHS || type >= N_TYPES || judgement->verdict == SP_FAIL) return;
  note_worst(c, type, path, name, judgement->budget);
  if (is_off()) return;
  size_t bucket = ((type * N_LENGTHS + length_class(c->n_kv)) * N_PATHS + path) * N_KINDS;
  counters[(bucket + kind) * N_LEVELS + level_of(judgement->budget)] = 1;
  if (truth->n_undecided > 0) counters[(bucket + 2) * N_LEVELS] = 1;
}
