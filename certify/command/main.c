/* SPDX-License-Identifier: Apache-2.0 */
/* The command `sinkproof`. */
#include <stdio.h>
#include <string.h>

#include "certify/command/cli.h"

static const struct {
  const char *name, *summary;
  int (*run)(int argc, char **argv);
} commands[] = {
    {"certify", "judge the kernels of a shared library against the oracle", sp_cmd_certify},
    {"replay", "run one case again, and show every element that fails", sp_cmd_replay},
    {"identify", "which conventions a kernel follows, and the nearest profile", sp_cmd_identify},
    {"list", "list generators, faults, classes, profiles, questions, or a library's kernels",
     sp_cmd_list},
    {"selftest", "check the judge itself: every fault against every generator", sp_cmd_selftest},
    {"doctor", "what this machine can and cannot test", sp_cmd_doctor},
    {"bench", "time kernels side by side, and judge the outputs that were timed", sp_cmd_bench},
    {"softmax", "calculate softmax weights, correctly rounded", sp_cmd_softmax},
    {"attention", "calculate one attention row, correctly rounded", sp_cmd_attention},
    {"story", "why sinks matter, in exact numbers, and what a window costs", sp_cmd_story},
};

static void print_help(FILE *stream) {
  fputs("sinkproof certifies softmax and attention kernels that have sinks.\n\n"
        "  sinkproof certify ./mykernel.so         judge a kernel; exit status 0 = it conforms\n"
        "  sinkproof softmax -- -0.1 -1.2 -0.9     calculate, correctly rounded\n\n"
        "Commands (each has --help):\n",
        stream);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
  fputs("\nExit status: 0 conforms · 1 does not conform · 2 usage · 3 undecided, mistrusted or\n"
        "nothing ran · 4 crash, hang or contract violation · 5 cannot load the kernel ·\n"
        "6 required path not executed · 7 fault of sinkproof itself (SPEC CT-7)\n",
        stream);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    print_help(stderr);
    return SP_EXIT_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
      strcmp(argv[1], "help") == 0) {
    print_help(stdout);
    return 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("sinkproof %s (SPEC version 1, ABI %u.%u)\n", SP_VERSION, SP_ABI_MAJOR, SP_ABI_MINOR);
    return 0;
  }
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
  fprintf(stderr, "sinkproof: no command '%s'\n\n", argv[1]);
  print_help(stderr);
  return SP_EXIT_USAGE;
}
