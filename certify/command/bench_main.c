/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof bench: time kernels side by side, and judge what they computed. The command of the same
 * name and the static program of certify/export/bench.c both are this. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "certify/bench/bench.h"
#include "certify/bench/enter.h"
#include "certify/bench/report.h"
#include "certify/command/bench_options.h"
#include "certify/command/cli.h"

/* The kernel that belongs to this program lies in ../lib, both in a build and where installed. */
static bool own_kernel(sp_subject *subject) {
  char self[3000];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) return false;
  self[n] = '\0';
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(self, '/');
    if (slash == NULL) return false;
    *slash = '\0';
  }
  *subject = (sp_subject){0};
  snprintf(subject->path, sizeof subject->path, "%s/lib/kernel_fast.so", self);
  return access(subject->path, R_OK) == 0;
}

/* The kernels that are linked in, or else lie beside the program; the best variant comes first. */
static bool enter_own(sp_bench *bench, const sp_bench_options *o, sp_kernel_entry entry) {
  static sp_subject beside;
  char why[240] = "";
  if (entry == NULL && !own_kernel(&beside))
    return sp_usage_error("bench", "name a kernel library: none lies beside this program") ==
           SP_EXIT_CONFORMS;
  sp_bench_entrant entrant = {.path = entry ? NULL : beside.path,
                              .entry = entry,
                              .name = "",
                              .class_text = o->class_text,
                              .best_of_class = !o->variants,
                              .own = true};
  if (sp_bench_enter(bench, &entrant, why, sizeof why)) return true;
  fprintf(stderr, "sinkproof bench: cannot load its own kernel: %s\n", why);
  return false;
}

static sp_exit enter_all(sp_bench *bench, const sp_bench_options *o, sp_kernel_entry entry) {
  char why[240] = "";
  if ((o->own || o->n_subjects == 0) && !enter_own(bench, o, entry)) return SP_EXIT_USAGE;
  for (size_t i = 0; i < o->n_subjects; i++) {
    sp_bench_entrant entrant = {
        .path = o->subject[i].path, .name = o->subject[i].name, .class_text = o->class_text};
    if (sp_bench_enter(bench, &entrant, why, sizeof why)) continue;
    fprintf(stderr, "sinkproof bench: cannot load '%s': %s\n", o->subject[i].path, why);
    return SP_EXIT_CANNOT_LOAD;
  }
  return SP_EXIT_CONFORMS;
}

static void certify_all(sp_bench *bench, const sp_bench_options *o, FILE *file) {
  for (size_t i = 0; o->certify && i < bench->n_contenders; i++) {
    sp_contender *c = &bench->contender[i];
    sp_bench_certify(c, o->level, sp_show_progress);
    sp_hide_progress();
    if (file != NULL) fprintf(file, "%-26s %-26s %s\n", c->label, c->cls.text, c->certificate);
  }
}

static void list_shapes(void) {
  static const char *const suites[] = {"quick", "standard", "full", "none"};
  sp_bench_shape shape;
  for (size_t i = 0; sp_bench_shape_get(i, &shape); i++)
    printf("%-36s %s\n", shape.name, suites[shape.suite]);
}

static void print_limits(const sp_bench *bench) {
  if (bench->config.limit_time > 0) sp_bench_limits_table(stdout, bench);
}

static void print_block(const sp_bench *bench, size_t first) {
  sp_bench_table(stdout, bench, first);
  fflush(stdout);
}

/* Whether the timers will get what was asked for; said, because the numbers depend on it. */
static void try_realtime(void) {
  const struct sched_param first = {.sched_priority = 1}, none = {.sched_priority = 0};
  bool granted = sched_setscheduler(0, SCHED_FIFO, &first) == 0;
  if (granted) sched_setscheduler(0, SCHED_OTHER, &none);
  if (!granted)
    fputs("sinkproof bench: no real-time policy is granted; timing goes on without\n", stderr);
}

static bool to_stdout(const char *path) {
  return path != NULL && strcmp(path, "-") == 0;
}

/* A report that cannot be written is better known before the run than after it. */
static bool writable(const char *path) {
  if (path == NULL || to_stdout(path)) return true;
  FILE *file = fopen(path, "a");
  if (file != NULL) return fclose(file) == 0;
  fprintf(stderr, "sinkproof bench: cannot write '%s'\n", path);
  return false;
}

typedef bool writer(FILE *file, const sp_bench *bench);

static bool write_report(const char *path, const sp_bench *bench, writer *write) {
  if (path == NULL) return true;
  FILE *file = to_stdout(path) ? stdout : fopen(path, "w");
  bool ok = file != NULL && write(file, bench);
  if (file != NULL) ok = (file == stdout ? fflush(file) : fclose(file)) == 0 && ok;
  if (!ok) fprintf(stderr, "sinkproof bench: cannot write '%s'\n", path);
  return ok;
}

/* When, on what and how the run is made; reports say it. */
static void note_facts(sp_bench *bench, int argc, char **argv) {
  const time_t now = time(NULL);
  const long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
  struct tm utc;
  strftime(bench->made, sizeof bench->made, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  sp_bench_cpu(bench->cpu, sizeof bench->cpu);
  bench->n_cores = n_cores > 0 ? (uint32_t)n_cores : 1;
  size_t length = (size_t)snprintf(bench->command, sizeof bench->command, "sinkproof bench");
  for (int i = 1; i < argc && length < sizeof bench->command; i++)
    length +=
        (size_t)snprintf(bench->command + length, sizeof bench->command - length, " %s", argv[i]);
}

static sp_exit run(sp_bench *bench, const sp_bench_options *o) {
  char why[240] = "";
  bool quiet = to_stdout(o->json) || to_stdout(o->html);
  certify_all(bench, o, quiet ? NULL : stdout);
  if (!quiet) bench->started = print_limits;
  if (!quiet) bench->progress = print_block;
  if (!sp_bench_run(bench, why, sizeof why)) {
    fprintf(stderr, "sinkproof bench: %s\n", why);
    return SP_EXIT_TOOL_FAULT;
  }
  bool ok = write_report(o->json, bench, sp_bench_json);
  ok = write_report(o->html, bench, sp_bench_html) && ok;
  return ok ? SP_EXIT_CONFORMS : SP_EXIT_TOOL_FAULT;
}

int sp_bench_main(int argc, char **argv, sp_kernel_entry entry) {
  static sp_bench_options o;
  static sp_bench bench;
  bench.config = (sp_bench_config){
      .threads = {1, 2}, .seconds = 0.4, .limit_seconds = 20, .limit_time = 0.2, .seed = 1};
  if (!sp_bench_parse(argc, argv, &o, &bench.config)) return SP_EXIT_USAGE;
  if (o.list) {
    list_shapes();
    return SP_EXIT_CONFORMS;
  }
  if (!sp_bench_choose(&bench)) return SP_EXIT_TOOL_FAULT;
  if (bench.n_shapes == 0)
    return (int)sp_usage_error("bench", "no shape is called '%s' (--list)", bench.config.only);
  if (!writable(o.json) || !writable(o.html)) return SP_EXIT_USAGE;
  if (bench.config.realtime) try_realtime();
  note_facts(&bench, argc, argv);
  sp_exit status = enter_all(&bench, &o, entry);
  if (status == SP_EXIT_CONFORMS) status = run(&bench, &o);
  sp_bench_clear(&bench);
  return (int)status;
}
