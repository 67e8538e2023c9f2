/* SPDX-License-Identifier: Apache-2.0 */
/* The table on the terminal: a block for each shape and number of threads, fastest first. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/bench/bench.h"
#include "certify/bench/report.h"

const char *sp_cell_state_name(sp_cell_state state) {
  static const char *const names[] = {"waiting", "timed",   "not offered",
                                      "error",   "crashed", "too slow"};
  return names[state];
}

const char *sp_bench_mark(const sp_bench *bench, const sp_bench_result *r) {
  if (r->state != SP_CELL_TIMED) return sp_cell_state_name(r->state);
  if (!r->judged) return "UNJUDGED";
  if (r->verdict == SP_FAIL) return "FAILS CLASS";
  if (r->verdict == SP_UNDECIDED) return "UNDECIDED";
  const sp_contender *c = &bench->contender[r->contender];
  if (c->certified) return "ok";
  return c->certificate[0] != '\0' ? "ok here, no certificate" : "not certified";
}

static double rank(const sp_bench_result *r) {
  return r->state == SP_CELL_TIMED ? r->least : 1e9 + (double)r->contender;
}

static int by_time(const void *a, const void *b) {
  double x = rank(*(const sp_bench_result *const *)a), y = rank(*(const sp_bench_result *const *)b);
  return (x > y) - (x < y);
}

size_t sp_bench_block(const sp_bench *bench, size_t first, const sp_bench_result *block[]) {
  const sp_bench_result *r = &bench->result[first];
  size_t n = 0;
  while (n < bench->n_contenders) {
    block[n] = &r[n];
    n++;
  }
  qsort(block, n, sizeof *block, by_time);
  return n;
}

void sp_bench_rate(const sp_bench_shape *shape, double seconds, char *text, size_t capacity) {
  sp_bench_work work;
  sp_bench_work_of(shape, &work);
  if (shape->op == SP_OP_SOFTMAX) {
    snprintf(text, capacity, "%.3f ns/el", seconds * 1e9 / work.elements);
  } else {
    snprintf(text, capacity, "%.1f GFLOP/s", work.flops / seconds * 1e-9);
  }
}

void sp_bench_time(double seconds, char *text, size_t capacity) {
  if (seconds < 1e-3) {
    snprintf(text, capacity, "%.1f us", seconds * 1e6);
  } else {
    snprintf(text, capacity, "%.3f ms", seconds * 1e3);
  }
}

/* Width of the column of classes. */
static int class_width(const sp_bench *bench) {
  int width = (int)strlen("class");
  for (size_t i = 0; i < bench->n_contenders; i++) {
    const int n = (int)strlen(bench->contender[i].cls.text);
    if (n > width) width = n;
  }
  return width;
}

static void print_row(FILE *file, const sp_bench *bench, const sp_bench_result *r, double best) {
  const sp_contender *c = &bench->contender[r->contender];
  char least[24], median[24], rate[32], roof[32] = "-";
  if (r->state != SP_CELL_TIMED) {
    fprintf(file, "  %-26s %s\n", c->label, sp_bench_mark(bench, r));
    return;
  }
  sp_bench_time(r->least, least, sizeof least);
  sp_bench_time(r->median, median, sizeof median);
  sp_bench_rate(&bench->shape[r->shape], r->least, rate, sizeof rate);
  if (r->roof.seconds > 0)
    snprintf(roof, sizeof roof, "%3.0f %% %s", 100 * r->roof.seconds / r->least,
             sp_limit_names[r->roof.limit]);
  fprintf(file, "  %-26s %11s %11s %4.0f %% %6.2fx %15s  %-18s %8.1e %6.3f  %-*s  %s%s\n", c->label,
          least, median, 100 * r->spread, r->least / best, rate, roof, r->error, r->budget,
          class_width(bench), c->cls.text, sp_bench_mark(bench, r), r->planned ? ", planned" : "");
}

static void print_absent(FILE *file, const sp_bench *bench, const sp_bench_result *const *block,
                         size_t n) {
  const char *before = "  not offered by ";
  for (size_t i = 0; i < n; i++) {
    if (block[i]->state != SP_CELL_NOT_OFFERED) continue;
    fprintf(file, "%s%s", before, bench->contender[block[i]->contender].label);
    before = ", ";
  }
  if (before[0] == ',') fputc('\n', file);
}

void sp_bench_table(FILE *file, const sp_bench *bench, size_t first) {
  const sp_bench_result *block[SP_BENCH_CONTENDERS];
  for (; first < bench->n_results; first += bench->n_contenders) {
    size_t n = sp_bench_block(bench, first, block);
    fprintf(file, "\n%s, %u thread%s\n", bench->shape[block[0]->shape].name, block[0]->n_threads,
            block[0]->n_threads == 1 ? "" : "s");
    fprintf(file, "  %-26s %11s %11s %6s %7s %15s  %-18s %8s %6s  %-*s  %s\n", "kernel", "least",
            "median", "spread", "ratio", "rate", "of nearest roof", "error", "budget",
            class_width(bench), "class", "judged");
    for (size_t i = 0; i < n; i++)
      if (block[i]->state != SP_CELL_NOT_OFFERED) print_row(file, bench, block[i], block[0]->least);
    print_absent(file, bench, block, n);
    for (size_t i = 0; i < n; i++)
      if (block[i]->state == SP_CELL_TIMED && (!block[i]->judged || block[i]->verdict == SP_FAIL))
        fprintf(file, "  %s: %s\n", bench->contender[block[i]->contender].label, block[i]->why);
  }
}

void sp_bench_limits_table(FILE *file, const sp_bench *bench) {
  fprintf(file, "%s, limits measured with %s code:\n", bench->cpu, bench->limits[0].isa);
  for (size_t t = 0; t < SP_BENCH_THREADS && bench->config.threads[t] > 0; t++) {
    const sp_limits *limits = &bench->limits[t];
    fprintf(file, "  %u thread%s", limits->n_threads, limits->n_threads == 1 ? ": " : "s:");
    for (sp_limit i = 0; i < SP_N_LIMITS; i++)
      if (limits->value[i] > 0)
        fprintf(file, "%s %s %.0f %s", i ? "," : "", sp_limit_names[i], limits->value[i] * 1e-9,
                sp_limit_is_bandwidth(i) ? "GB/s" : "G/s");
    fputc('\n', file);
  }
  fflush(file);
}
