/* SPDX-License-Identifier: Apache-2.0 */
/* What was typed behind sinkproof bench. */
#include "certify/command/bench_options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    "  --own             sinkproof's own kernels too, for each class the best variant; without "
    "any\n"
    "                    KERNEL they are the only ones\n"
    "  --variants        all variants of them that this processor can run\n"
    "  --suite SUITE     quick (default), standard, full\n"
    "  --only PATTERN    shapes whose name contains this, or matches it (* ? []), of any suite\n"
    "  --list            names of the shapes, and no run\n"
    "  --threads N,M     numbers of threads, default 1,2\n"
    "  --time SECONDS    of timing for each kernel, shape and number of threads, default 0.4\n"
    "                    a kernel that needs several times that for one call is timed once\n"
    "  --limit SECONDS   that one call may take before the kernel counts as too slow, default 20\n"
    "  --certify LEVEL   certify each kernel first: none, smoke, standard, full; default none,\n"
    "                    and then every result says that its kernel is not certified\n"
    "  --class CLASS     accuracy class instead of the claimed ones\n"
    "  --no-roofs        do not measure the machine's own limits first\n"
    "  --realtime        ask for a real-time policy while timing: two threads then get two cores\n"
    "  --json FILE, --html FILE   reports; - for standard output (then no table)\n\n"
    "Exit status: 0 the run was made, whatever it found; 2 usage; 5 a library cannot be loaded;\n"
    "7 sinkproof's own fault.\n";

static bool parse_threads(const char *text, uint32_t threads[4]) {
  double values[4];
  long n = sp_parse_numbers("bench", "--threads", text, values, 4);
  for (long i = 0; i < 4; i++) {
    if (i < n && !(values[i] >= 1 && values[i] <= 64 && fabs(values[i] - trunc(values[i])) <= 0)) {
      sp_usage_error("bench", "--threads: %g is no number of threads (1 to 64)", values[i]);
      return false;
    }
    threads[i] = i < n ? (uint32_t)values[i] : 0;
  }
  return n > 0;
}

static bool parse_seconds(const char *what, double *seconds) {
  if (sp_parse_numbers("bench", what, optarg, seconds, 1) != 1) return false;
  if (*seconds > 0 && *seconds <= 3600) return true;
  sp_usage_error("bench", "%s: %s is no number of seconds (above 0, up to 3600)", what, optarg);
  return false;
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

static bool parse_certify(sp_bench_options *o) {
  o->certify = strcmp(optarg, "none") != 0;
  if (!o->certify || sp_parse_level(optarg, &o->level)) return true;
  sp_usage_error("bench", "no level '%s' (none, smoke, standard, full)", optarg);
  return false;
}

static bool check_class(void) {
  sp_class class;
  char why[160];
  if (sp_class_parse(optarg, &class, why, sizeof why)) return true;
  sp_usage_error("bench", "%s", why);
  return false;
}

static bool take(int opt, sp_bench_options *o, sp_bench_config *config) {
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
    return check_class();
  case 'n':
    config->limit_time = 0;
    return true;
  case 'r':
    config->realtime = true;
    return true;
  case 'w':
    o->own = true;
    return true;
  case 'v':
    o->own = o->variants = true;
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

bool sp_bench_parse(int argc, char **argv, sp_bench_options *o, sp_bench_config *config) {
  static const struct option table[] = {
      {"suite", 1, 0, 's'}, {"only", 1, 0, 'o'},     {"threads", 1, 0, 't'},  {"time", 1, 0, 'T'},
      {"limit", 1, 0, 'L'}, {"certify", 1, 0, 'c'},  {"class", 1, 0, 'C'},    {"list", 0, 0, 'l'},
      {"json", 1, 0, 'J'},  {"no-roofs", 0, 0, 'n'}, {"realtime", 0, 0, 'r'}, {"html", 1, 0, 'H'},
      {"own", 0, 0, 'w'},   {"variants", 0, 0, 'v'}, {"help", 0, 0, 'h'},     {0, 0, 0, 0}};
  for (int opt; (opt = getopt_long(argc, argv, "h", table, NULL)) != -1;)
    if (!take(opt, o, config)) return false;
  if (o->json != NULL && o->html != NULL && strcmp(o->json, "-") == 0 &&
      strcmp(o->html, "-") == 0) {
    sp_usage_error("bench", "--json and --html cannot both go to standard output");
    return false;
  }
  for (; optind < argc; optind++) {
    if (o->n_subjects == SP_BENCH_SUBJECTS ||
        !sp_subject_parse(argv[optind], &o->subject[o->n_subjects]))
      return sp_usage_error("bench", "too many libraries, or too long a name") == SP_EXIT_CONFORMS;
    o->n_subjects++;
  }
  return true;
}
