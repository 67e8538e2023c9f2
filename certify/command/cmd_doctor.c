/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof doctor: what this machine can and cannot test. */
#include <gmp.h>
#include <mpfr.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "certify/command/cli.h"
#include "certify/host/fpstate.h"

static const sp_kernel *oracle_entry(uint32_t host_abi_major, uint32_t index) {
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? sp_ref_kernel() : NULL;
}

static bool row(const char *what, bool good, const char *detail) {
  printf("%-4s %-28s %s\n", good ? "ok" : "NO", what, detail);
  return good;
}

static void print_processor(void) {
  char line[256] = "", *name = NULL;
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && !name && fgets(line, sizeof line, file))
    if (strncmp(line, "model name", 10) == 0) name = strchr(line, ':');
  if (file) fclose(file);
  if (name) name[strcspn(name, "\n")] = '\0';
  printf("     processor                   %s, %ld online\n", name ? name + 1 : "unknown",
         sysconf(_SC_NPROCESSORS_ONLN));
}

static bool child_works(char *why, size_t capacity) {
  sp_host_config config = {.entry = oracle_entry};
  sp_host *host = sp_host_open(&config, why, capacity);
  if (host) sp_host_close(host);
  return host != NULL;
}

int sp_cmd_doctor(int argc, char **argv) {
  if (argc > 1) {
    fputs("usage: sinkproof doctor\n\nSays what this machine can test. Exit status 3 if something\n"
          "that a certificate needs is missing.\n",
          stdout);
    return strcmp(argv[1], "--help") == 0 ? 0 : SP_EXIT_USAGE;
  }
  char why[240] = "works";
  print_processor();
  printf("     oracle                      MPFR %s, GMP %s\n", mpfr_get_version(), gmp_version);
  bool good = row("child process", child_works(why, sizeof why), why);
  char state[120] = "round to nearest, no FTZ, no DAZ";
  bool changed = sp_fp_changed(sp_fp_initial(), sp_fp_read(), state, sizeof state);
  good &= row("floating-point state", !changed, state);
  good &= row("guard pages", sysconf(_SC_PAGESIZE) <= 65536, "mmap and mprotect");
  __builtin_cpu_init();
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  row("AVX-512 (F, BW, DQ, VL)", avx512,
      avx512 ? "AVX-512 paths can be certified here"
             : "AVX-512 paths CANNOT be tested here; use --require-path to notice");
  bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  row("AVX-512 BF16", bf16,
      bf16 ? "paths in bf16 dot products can be certified here"
           : "paths in bf16 dot products CANNOT be tested here; use --require-path to notice");
  return good ? 0 : SP_EXIT_INCOMPLETE;
}
