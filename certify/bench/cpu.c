/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's name: a number without it means nothing. */
#include <stdio.h>
#include <string.h>

#include "certify/bench/bench.h"

void sp_bench_cpu(char *text, size_t capacity) {
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");
  snprintf(text, capacity, "unknown processor");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, "model name", 10) != 0) continue;
    const char *name = strchr(line, ':');
    if (name != NULL) snprintf(text, capacity, "%.*s", (int)strcspn(name + 2, "\n"), name + 2);
    break;
  }
  if (file != NULL) fclose(file);
}
