/* SPDX-License-Identifier: Apache-2.0 */
/* The options of sinkproof bench. */
#ifndef SINKPROOF_BENCH_OPTIONS_H
#define SINKPROOF_BENCH_OPTIONS_H

#include "certify/bench/bench.h"
#include "certify/command/cli.h"

enum { SP_BENCH_SUBJECTS = 32 };

typedef struct sp_bench_options {
  sp_subject subject[SP_BENCH_SUBJECTS];
  size_t n_subjects;
  const char *json, *html, *class_text;
  bool certify, list, own, variants;
  sp_level level;
} sp_bench_options;

/* False, with a sentence, when it makes no sense; --help prints and exits. */
bool sp_bench_parse(int argc, char **argv, sp_bench_options *options, sp_bench_config *config);

#endif
