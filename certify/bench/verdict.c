/* SPDX-License-Identifier: Apache-2.0 */
/* What the judge says of the outputs that were timed. Each sampled row is a case of its own, and
 * judged under the class that its kernel claims, by the judge that certifies. What is accepted
 * depends on the class alone, so it is computed once for all kernels that claim the same.
 * spec: CT-1, CT-3, NU-8 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/bench/bench.h"
#include "certify/run/run.h"

enum { PRECISION = 4096 };

typedef struct tally {
  double error_square, exact_square, largest;
} tally;

/* How far the row is from the exact values, whatever any class allows. */
static void measure(const sp_truth *truth, const sp_outputs *outputs, tally *t) {
  const sp_array *got = &outputs->values;
  double least = got->dtype == SP_F16 ? 0x1p-14 : 0x1p-126; /* below, relative errors grow */
  for (size_t i = 0; i < truth->row_len; i++) {
    double exact = truth->values[i].exact;
    double error = fabs(sp_ref_load(got->dtype, got->bits, i) - exact);
    if (isnan(error)) error = INFINITY;
    t->error_square += error * error;
    t->exact_square += exact * exact;
    if (fabs(exact) >= least) t->largest = fmax(t->largest, error / fabs(exact));
  }
}

static void judge_row(const sp_truth *truth, const sp_case *c, const unsigned char *bits,
                      sp_bench_result *r, tally *t) {
  sp_outputs outputs;
  sp_judgement judgement;
  if (!sp_outputs_init(&outputs, c)) return;
  memcpy(outputs.values.bits, bits,
         outputs.values.count * sp_ref_format_bytes(outputs.values.dtype));
  sp_judge(truth, &outputs, &judgement);
  measure(truth, &outputs, t);
  if (r->n_rows == 0 || judgement.verdict > r->verdict || judgement.budget > r->budget) {
    sp_describe_judgement(c, truth, &judgement, r->why, sizeof r->why);
    r->budget = fmax(r->budget, judgement.budget);
  }
  if (judgement.verdict > r->verdict) r->verdict = judgement.verdict;
  r->n_rows++;
  sp_outputs_clear(&outputs);
}

/* All results of one class on one row. */
static bool judge_class(const sp_bench *bench, const sp_case *c, size_t row, const sp_class *cls,
                        sp_bench_result *results, const sp_cell *const *cells, size_t n,
                        tally *tallies) {
  sp_truth truth;
  char why[160] = "";
  bool bound = sp_truth_init(&truth, c, cls, PRECISION, why, sizeof why);
  for (size_t i = 0; i < n; i++) {
    const sp_contender *contender = &bench->contender[results[i].contender];
    if (results[i].state != SP_CELL_TIMED || !contender->has_class ||
        strcmp(contender->cls.text, cls->text) != 0)
      continue;
    results[i].judged = bound;
    if (bound) {
      judge_row(&truth, c, cells[i]->row[row], &results[i], &tallies[i]);
    } else {
      memcpy(results[i].why, why, sizeof why);
    }
  }
  if (bound) sp_truth_clear(&truth);
  return bound || strstr(why, "memory") == NULL;
}

/* The first of the results before i that claims the same class as i. */
static bool already(const sp_bench *bench, const sp_bench_result *results, size_t i) {
  const char *text = bench->contender[results[i].contender].cls.text;
  for (size_t k = 0; k < i; k++)
    if (results[k].state == SP_CELL_TIMED &&
        strcmp(bench->contender[results[k].contender].cls.text, text) == 0)
      return true;
  return false;
}

static bool judge_rows(const sp_bench *bench, const sp_bench_memory *m, sp_bench_result *results,
                       const sp_cell *const *cells, size_t n, tally *tallies) {
  sp_bench_row rows[SP_BENCH_ROWS];
  size_t n_rows = sp_bench_rows(m->shape, rows);
  bool ok = true;
  for (size_t r = 0; r < n_rows && ok; r++) {
    sp_case c;
    if (!sp_bench_row_case(m, &rows[r], &c)) return false;
    for (size_t i = 0; i < n && ok; i++) {
      const sp_contender *contender = &bench->contender[results[i].contender];
      if (results[i].state != SP_CELL_TIMED || !contender->has_class || already(bench, results, i))
        continue;
      ok = judge_class(bench, &c, r, &contender->cls, results, cells, n, tallies);
    }
    sp_case_clear(&c);
  }
  return ok;
}

bool sp_bench_judge(const sp_bench *bench, const sp_bench_memory *m, sp_bench_result *results,
                    const sp_cell *const *cells, size_t n) {
  tally *tallies = calloc(n + 1, sizeof *tallies);
  if (tallies == NULL) return false;
  bool ok = judge_rows(bench, m, results, cells, n, tallies);
  for (size_t i = 0; i < n; i++) {
    double square = tallies[i].exact_square;
    results[i].error = tallies[i].largest;
    if (m->shape->op == SP_OP_ATTENTION && square > 0)
      results[i].error = sqrt(tallies[i].error_square / square);
    if (results[i].state == SP_CELL_TIMED && !results[i].judged && !results[i].why[0])
      snprintf(results[i].why, sizeof results[i].why, "the kernel claims no accuracy class");
  }
  free(tallies);
  return ok;
}
