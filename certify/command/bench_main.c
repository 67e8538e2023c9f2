/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof bench: time kernels side by side, and judge what they computed. The command of the same
 * name and the static program of certify/export/bench.c both are this. */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certify/bench/bench.h"
#include "certify/bench/enter.h"
#include "certify/bench/report.h"
#include "certify/command/cli.h"

static const char help[] =
    "usage: sinkproof bench [KERNEL.so[:NAME]]... [options]\n\n"
    "Times kernels side by side in one interleaved run over the same buffers, and shows beside "
    "each\n"
    "time what the judge says of the outputs that were timed: the class claimed, the error "
    "measured,\n"
    "the share of the class's bound that was used. A kernel that fails is marked, not hidden.\n\n"
    "  sinkproof bench ./mine.so                          the quick suite\n"
    "  sinkproof bench ./mine.so ./theirs.so --only decode-gptoss-1024 --threads 1\n"
    "  sinkproof bench ./mine.so --suite standard --json bench.json --html bench.html\n\n"
    "  --own             sinkproof's own kernel too; without any KERNEL it is the only one\n"
    "  --suite SUITE     quick (default), standard, full\n"
    "  --only PATTERN    shapes whose name contains this, or matches it (* ? []), of any suite\n"
    "  --list            names of the shapes, and no run\n"
    "  --threads N,M     numbers of threads, default 1,2\n"
    "  --time SECONDS    of timing for each kernel, shape and number of threads, default 0.4\n"
    "  --limit SECONDS   that one call may take before the kernel counts as too slow, default 20\n"
    "  --certify LEVEL   certify each kernel first: none, smoke, standard, full; default none,\n"
    "                    and then every result says that its kernel is not certified\n"
    "  --class CLASS     accuracy class instead of the claimed ones\n"
    "  --no-roofs        do not measure the machine's own limits first\n"
    "  --realtime        ask for a real-time policy while timing: two threads then get two cores\n"
    "  --json FILE, --html FILE   reports; - for standard output (then no table)\n";

enum { MAX_SUBJECTS = 32 };

typedef struct options {
  sp_subject subject[MAX_SUBJECTS];
  size_t n_subjects;
  const char *json, *html, *class_text;
  bool certify, list, own;
  sp_level level;
} options;

static bool parse_threads(const char *text, uint32_t threads[4]) {
  double values[4];
  long n = sp_parse_numbers("bench", "--threads", text, values, 4);
  for (long i = 0; i < 4; i++) {
    if (i < n && !(values[i] >= 1 && values[i] <= 64)) return false;
    threads[i] = i < n ? (uint32_t)values[i] : 0;
  }
  return n > 0;
}

static bool parse_seconds(const char *what, double *seconds) {
  return sp_parse_numbers("bench", what, optarg, seconds, 1) == 1 && *seconds >= 0;
}

static bool parse_suite(sp_suite *suite) {
  static const char *const names[] = {"quick", "standard", "full"};
  for (sp_suite i = SP_SUITE_QUICK; i <= SP_SUITE_FULL; i++) {
    if (strcmp(optarg, names[i]) != 0) continue;
    *suite = i;
    return true;
  }
  sp_usage_error("bench", "no suite '%s' (quick, standard, full)", optarg);
  return false;
}

static bool parse_certify(options *o) {
  o->certify = strcmp(optarg, "none") != 0;
  if (!o->certify || sp_parse_level(optarg, &o->level)) return true;
  sp_usage_error("bench", "no level '%s' (none, smoke, standard, full)", optarg);
  return false;
}

static bool take(int opt, options *o, sp_bench_config *config) {
  switch (opt) {
  case 's':
    return parse_suite(&config->suite);
  case 'o':
    config->only = optarg;
    return true;
  case 't':
    return parse_threads(optarg, config->threads);
  case 'T':
    return parse_seconds("--time", &config->seconds);
  case 'L':
    return parse_seconds("--limit", &config->limit_seconds);
  case 'c':
    return parse_certify(o);
  case 'C':
    o->class_text = optarg;
    return true;
  case 'n':
    config->limit_time = 0;
    return true;
  case 'r':
    config->realtime = true;
    return true;
  case 'w':
    o->own = true;
    return true;
  case 'l':
    o->list = true;
    return true;
  case 'J':
    o->json = optarg;
    return true;
  case 'H':
    o->html = optarg;
    return true;
  case 'h':
    fputs(help, stdout);
    exit(0);
  default:
    sp_usage_error("bench", "see above");
    return false;
  }
}

static bool parse(int argc, char **argv, options *o, sp_bench_config *config) {
  static const struct option table[] = {
      {"suite", 1, 0, 's'},    {"only", 1, 0, 'o'},     {"threads", 1, 0, 't'},
      {"time", 1, 0, 'T'},     {"limit", 1, 0, 'L'},    {"certify", 1, 0, 'c'},
      {"class", 1, 0, 'C'},    {"list", 0, 0, 'l'},     {"json", 1, 0, 'J'},
      {"no-roofs", 0, 0, 'n'}, {"realtime", 0, 0, 'r'}, {"html", 1, 0, 'H'},
      {"own", 0, 0, 'w'},      {"help", 0, 0, 'h'},     {0, 0, 0, 0}};
  for (int opt; (opt = getopt_long(argc, argv, "h", table, NULL)) != -1;)
    if (!take(opt, o, config)) return false;
  for (; optind < argc; optind++) {
    if (o->n_subjects == MAX_SUBJECTS ||
        !sp_subject_parse(argv[optind], &o->subject[o->n_subjects]))
      return sp_usage_error("bench", "too many libraries, or too long a name") == SP_EXIT_CONFORMS;
    o->n_subjects++;
  }
  return true;
}

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

/* The best variant of the kernel that is linked in, or else lies beside the program. */
static bool enter_own(sp_bench *bench, const options *o, sp_kernel_entry entry) {
  static sp_subject beside;
  char why[240] = "";
  if (entry == NULL && !own_kernel(&beside))
    return sp_usage_error("bench", "name a kernel library: none lies beside this program") ==
           SP_EXIT_CONFORMS;
  sp_bench_entrant entrant = {.path = entry ? NULL : beside.path,
                              .entry = entry,
                              .name = "",
                              .class_text = o->class_text,
                              .first_only = true};
  if (sp_bench_enter(bench, &entrant, why, sizeof why)) return true;
  fprintf(stderr, "sinkproof bench: cannot load its own kernel: %s\n", why);
  return false;
}

static sp_exit enter_all(sp_bench *bench, const options *o, sp_kernel_entry entry) {
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

static void certify_all(sp_bench *bench, const options *o, FILE *file) {
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

static FILE *open_report(const char *path) {
  FILE *file = to_stdout(path) ? stdout : fopen(path, "w");
  if (file == NULL) fprintf(stderr, "sinkproof bench: cannot write '%s'\n", path);
  return file;
}

static bool close_report(FILE *file, bool ok) {
  return (file == stdout ? fflush(file) : fclose(file)) == 0 && ok;
}

static bool write_json(const char *path, const sp_bench *bench, const sp_bench_program *program) {
  FILE *file = open_report(path);
  char *text = file == NULL ? NULL : program->json(bench);
  bool ok = text != NULL && fputs(text, file) >= 0 && fputc('\n', file) != EOF;
  free(text);
  return file != NULL && close_report(file, ok);
}

static bool write_html(const char *path, const sp_bench *bench) {
  FILE *file = open_report(path);
  return file != NULL && close_report(file, sp_bench_html(file, bench));
}

static sp_exit write_reports(const options *o, const sp_bench *bench,
                             const sp_bench_program *program) {
  bool ok = o->json == NULL || write_json(o->json, bench, program);
  ok = (o->html == NULL || write_html(o->html, bench)) && ok;
  return ok ? SP_EXIT_CONFORMS : SP_EXIT_TOOL_FAULT;
}

int sp_bench_main(int argc, char **argv, const sp_bench_program *program) {
  static options o;
  static sp_bench bench;
  char why[240] = "";
  bench.config = (sp_bench_config){
      .threads = {1, 2}, .seconds = 0.4, .limit_seconds = 20, .limit_time = 0.2, .seed = 1};
  if (!parse(argc, argv, &o, &bench.config)) return SP_EXIT_USAGE;
  if (o.list) {
    list_shapes();
    return SP_EXIT_CONFORMS;
  }
  if (o.json != NULL && program->json == NULL)
    return (int)sp_usage_error("bench", "this program was built without --json");
  if (bench.config.realtime) try_realtime();
  bool quiet = to_stdout(o.json) || to_stdout(o.html);
  sp_exit status = enter_all(&bench, &o, program->entry);
  if (status != SP_EXIT_CONFORMS) return (int)status;
  sp_bench_cpu(bench.cpu, sizeof bench.cpu);
  certify_all(&bench, &o, quiet ? NULL : stdout);
  if (!quiet) bench.started = print_limits;
  if (!quiet) bench.progress = print_block;
  if (!sp_bench_run(&bench, why, sizeof why)) {
    fprintf(stderr, "sinkproof bench: %s\n", why);
    status = SP_EXIT_TOOL_FAULT;
  } else if (bench.n_shapes == 0) {
    status = sp_usage_error("bench", "no shape is called '%s' (--list)", bench.config.only);
  } else {
    status = write_reports(&o, &bench, program);
  }
  sp_bench_clear(&bench);
  return (int)status;
}
