/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's name: a number without it means nothing. Virtual machines hide the better part of
 * it, so family and model stand beside it. */
#include <stdio.h>
#include <string.h>

#include "certify/bench/bench.h"

/* What stands behind the colon of the first line that begins with `key`; "" if there is none. */
static void field(const char *key, char *value, size_t capacity) {
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");
  value[0] = '\0';
  while (file != NULL && value[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
    const char *colon = strchr(line, ':');
    const size_t length = strlen(key);
    if (colon == NULL || strncmp(line, key, length) != 0) continue;
    if (line[length] != '\t' && line[length] != ' ') continue;
    snprintf(value, capacity, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
  }
  if (file != NULL) fclose(file);
}

void sp_bench_cpu(char *text, size_t capacity) {
  char name[128], family[16], model[16];
  field("model name", name, sizeof name);
  field("cpu family", family, sizeof family);
  field("model", model, sizeof model);
  if (family[0] == '\0' || strncmp(model, name, sizeof model - 1) == 0)
    snprintf(text, capacity, "%s", name[0] ? name : "unknown processor");
  else
    snprintf(text, capacity, "%.90s (family %s, model %s)", name, family, model);
}
