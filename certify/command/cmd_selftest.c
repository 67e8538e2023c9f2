/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof selftest: is the judge able to judge? The oracle's own kernel must certify as correctly
 * rounded, and every fault of the museum must be rejected by some generator. spec: CT-5 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/command/cli.h"
#include "certify/command/selftest_matrix.h"
#include "certify/report/report.h"

static const char help[] =
    "usage: sinkproof selftest [--level smoke|standard|full] [--matrix]\n\n"
    "Runs every fault of the museum over every generator, under the class that the museum's\n"
    "correct kernel claims, and the oracle's own kernel under class cr.\n"
    "  --matrix    print which generators reject each fault, how soon, and which faults only a\n"
    "              log-sum-exp, only a guard or only one generator can see\n";

static const char museum_class[] = "w-seq:tile=16";

static const sp_kernel *oracle_entry(uint32_t host_abi_major, uint32_t index) {
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? sp_ref_kernel() : NULL;
}

static sp_exit run(sp_level level, const char *class_text, bool matrix, sp_report *report) {
  static char label[] = "selftest";
  char why[320] = "";
  sp_exit status = SP_EXIT_CONFORMS;
  sp_run_config config = {.entry = oracle_entry,
                          .class_text = class_text,
                          .level = level,
                          .every_fault = matrix,
                          .progress = sp_show_progress,
                          .context = label};
  if (!sp_run(&config, report, &status, why, sizeof why)) {
    fprintf(stderr, "sinkproof selftest: %s\n", why);
    return status;
  }
  sp_hide_progress();
  return report->exit;
}

static void print_faults(const sp_report *report) {
  size_t count;
  const sp_fault *faults = sp_faults(&count);
  for (size_t i = 0; i < count; i++) {
    const sp_fault_result *result = &report->tally->faults[i];
    if (!result->applicable) continue;
    printf("%-9s %-34s %s\n", result->killed ? "rejected" : "SURVIVED", faults[i].name,
           result->killed ? report->tally->groups[result->group].name : faults[i].reveals);
  }
}

int sp_cmd_selftest(int argc, char **argv) {
  static const struct option table[] = {
      {"level", 1, 0, 'l'}, {"matrix", 0, 0, 'm'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
  sp_level level = SP_LEVEL_SMOKE;
  bool matrix = false;
  for (int opt; (opt = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
    if (opt == 'l' && sp_parse_level(optarg, &level)) continue;
    if (opt == 'h') fputs(help, stdout);
    if (opt == 'h') return 0;
    if (opt != 'm') return (int)sp_usage_error("selftest", "see above");
    matrix = true;
  }
  sp_report oracle, museum;
  sp_exit status = run(SP_LEVEL_SMOKE, "cr", false, &oracle);
  bool have_oracle = oracle.tally != NULL;
  if (have_oracle) {
    printf("oracle    %s to cr on %zu groups\n", oracle.verdict, oracle.tally->n_groups);
    if (status == SP_EXIT_NOT_CONFORMING)
      sp_report_text(stdout, &oracle, &(sp_text_options){.max_findings = 10});
    sp_report_clear(&oracle);
  }
  sp_exit power = run(level, museum_class, matrix, &museum);
  if (museum.tally) {
    if (matrix) sp_print_matrix(&museum);
    if (!matrix || museum.n_killed < museum.n_applicable) print_faults(&museum);
    printf("power     %zu of %zu faults rejected under %s\n", museum.n_killed, museum.n_applicable,
           museum_class);
    sp_report_clear(&museum);
  }
  return (int)sp_exit_worse(status, power);
}
