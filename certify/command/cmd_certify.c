/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof certify: judge every kernel of a library, one report each. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certify/command/cli.h"
#include "certify/report/report.h"

enum { MAX_KERNELS = 64 };

static const char help[] =
    "usage: sinkproof certify KERNEL.so[:NAME] [options]\n\n"
    "Judges the kernels of a shared library against the oracle, under the accuracy class that "
    "each\n"
    "claims. Before the verdict counts, kernels that are wrong on purpose must be rejected on the\n"
    "same cases.\n\n"
    "  sinkproof certify ./mine.so                     everything the kernel offers\n"
    "  sinkproof certify ./mine.so:decode --op attention --clause EV-2\n"
    "  sinkproof certify ./mine.so --class w-seq:tile=64 --json report.json --junit junit.xml\n"
    "  sinkproof certify ./mine.so --profile flashinfer   in the terms of another system\n\n"
    "  --class CLASS        accuracy class instead of the claimed one (SPEC NU-6)\n"
    "  --profile PROFILE    NAME or NAME:question=answer,... (sinkproof list profiles; SPEC "
    "CT-11)\n"
    "  --level LEVEL        smoke (seconds, not a certificate), standard, full\n"
    "  --op OP              only softmax, attention or cache; may be repeated\n"
    "  --generator NAME     only this generator (sinkproof list generators)\n"
    "  --clause CLAUSE      only generators that witness this clause, e.g. EV-2\n"
    "  --seed N             seed of the cases; default: from the library's SHA-256\n"
    "  --require-path NAME  exit 6 unless the kernel reports that it ran this code path\n"
    "  --timeout MS         per call, default 10000\n"
    "  --jobs N             processes, default one per processor; the result does not depend on "
    "it\n"
    "  --errors N           findings to print, default 10; 0 = all\n"
    "  --json FILE, --junit FILE   further reports; - for standard output (then no text report)\n"
    "  --keep-output        let the kernel print\n";

typedef struct options {
  sp_run_config config;
  sp_subject subject;
  sp_profile profile;
  const char *json, *junit;
  size_t max_findings;
} options;

static sp_exit parse(int argc, char **argv, options *o) {
  static const struct option table[] = {{"class", 1, 0, 'c'},        {"level", 1, 0, 'l'},
                                        {"op", 1, 0, 'o'},           {"generator", 1, 0, 'g'},
                                        {"clause", 1, 0, 'C'},       {"seed", 1, 0, 's'},
                                        {"require-path", 1, 0, 'p'}, {"timeout", 1, 0, 't'},
                                        {"jobs", 1, 0, 'j'},         {"errors", 1, 0, 'e'},
                                        {"json", 1, 0, 'J'},         {"junit", 1, 0, 'U'},
                                        {"keep-output", 0, 0, 'k'},  {"help", 0, 0, 'h'},
                                        {"profile", 1, 0, 'P'},      {0, 0, 0, 0}};
  uint64_t number = 0;
  char why[240];
  for (int opt; (opt = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
    bool numeric = strchr("stje", opt) != NULL;
    if (numeric && !sp_parse_count(optarg, &number))
      return sp_usage_error("certify", "'%s' is not a number", optarg);
    switch (opt) {
    case 'c':
      o->config.class_text = optarg;
      break;
    case 'P':
      if (!sp_profile_parse(optarg, &o->profile, why, sizeof why))
        return sp_usage_error("certify", "%s", why);
      o->config.profile = strcmp(optarg, "core") == 0 ? NULL : &o->profile;
      break;
    case 'l':
      if (sp_parse_level(optarg, &o->config.level)) break;
      return sp_usage_error("certify", "no level '%s' (smoke, standard, full)", optarg);
    case 'o':
      if (sp_parse_op(optarg, &o->config.ops)) break;
      return sp_usage_error("certify", "no operation '%s' (softmax, attention, cache)", optarg);
    case 'g':
      o->config.generator = optarg;
      if (sp_generator_find(optarg)) break;
      return sp_usage_error("certify", "no generator '%s' (sinkproof list generators)", optarg);
    case 'C':
      o->config.clause = optarg;
      break;
    case 's':
      o->config.seed = number;
      break;
    case 'p':
      o->config.require_path = optarg;
      break;
    case 't':
      o->config.timeout_ms = (unsigned)number;
      break;
    case 'j':
      o->config.n_shards = (unsigned)number;
      break;
    case 'e':
      o->max_findings = number;
      break;
    case 'J':
      o->json = optarg;
      break;
    case 'U':
      o->junit = optarg;
      break;
    case 'k':
      o->config.keep_output = true;
      break;
    case 'h':
      fputs(help, stdout);
      exit(0);
    default:
      return sp_usage_error("certify", "see above");
    }
  }
  if (optind + 1 != argc) return sp_usage_error("certify", "exactly one kernel library is needed");
  if (!sp_subject_parse(argv[optind], &o->subject))
    return sp_usage_error("certify", "'%s' is too long", argv[optind]);
  o->config.path = o->subject.path;
  return SP_EXIT_CONFORMS;
}

static sp_exit write_file(const char *path, char *text) {
  FILE *file = !text ? NULL : strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
  bool ok = file && fputs(text, file) >= 0;
  if (file && file != stdout) ok = fclose(file) == 0 && ok;
  free(text);
  if (ok) return SP_EXIT_CONFORMS;
  fprintf(stderr, "sinkproof certify: cannot write '%s'\n", path);
  return SP_EXIT_TOOL_FAULT;
}

static sp_exit certify_one(const options *o, size_t kernel, sp_report *report) {
  static char label[] = "certifying";
  sp_run_config config = o->config;
  char error[320] = "";
  sp_exit status = SP_EXIT_CONFORMS;
  config.kernel = kernel;
  config.progress = sp_show_progress;
  config.context = label;
  if (!sp_run(&config, report, &status, error, sizeof error)) {
    fprintf(stderr, "sinkproof certify: %s\n", error);
    return status;
  }
  sp_hide_progress();
  bool quiet = (o->json && strcmp(o->json, "-") == 0) || (o->junit && strcmp(o->junit, "-") == 0);
  sp_text_options text = {.colour = isatty(STDOUT_FILENO), .max_findings = o->max_findings};
  if (!quiet && kernel) fputc('\n', stdout);
  if (!quiet) sp_report_text(stdout, report, &text);
  return report->exit;
}

int sp_cmd_certify(int argc, char **argv) {
  options o = {.max_findings = 10, .config.level = SP_LEVEL_STANDARD};
  sp_exit status = parse(argc, argv, &o);
  size_t kernels[MAX_KERNELS], count = 0, done = 0;
  static sp_report reports[MAX_KERNELS];
  if (status == SP_EXIT_CONFORMS)
    status = sp_subject_kernels(&o.subject, kernels, MAX_KERNELS, &count);
  if (status != SP_EXIT_CONFORMS) return (int)status;
  for (size_t i = 0; i < count; i++) {
    sp_exit one = certify_one(&o, kernels[i], &reports[done]);
    status = sp_exit_worse(status, one);
    done += reports[done].tally != NULL;
  }
  if (o.json) status = sp_exit_worse(status, write_file(o.json, sp_report_json(reports, done)));
  if (o.junit) status = sp_exit_worse(status, write_file(o.junit, sp_report_junit(reports, done)));
  for (size_t i = 0; i < done; i++) sp_report_clear(&reports[i]);
  return (int)status;
}
