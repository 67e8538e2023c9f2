/* SPDX-License-Identifier: Apache-2.0 */
#include "certify/command/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certify/case/parse.h"

sp_exit sp_usage_error(const char *command, const char *format, ...) {
  va_list args;
  fprintf(stderr, "sinkproof %s: ", command);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fprintf(stderr, "\nTry 'sinkproof %s --help'.\n", command);
  return SP_EXIT_USAGE;
}

/* A colon splits only where the part before it is a file and the whole is not. A path without a
 * slash names a file here, not one that the dynamic linker would search for. */
bool sp_subject_parse(const char *text, sp_subject *subject) {
  *subject = (sp_subject){0};
  const char *colon = strrchr(text, ':');
  size_t length = strlen(text);
  if (colon && access(text, F_OK) != 0) {
    length = (size_t)(colon - text);
    if (strlen(colon + 1) >= sizeof subject->name) return false;
    strcpy(subject->name, colon + 1);
  }
  const char *prefix = memchr(text, '/', length) ? "" : "./";
  int n = snprintf(subject->path, sizeof subject->path, "%s%.*s", prefix, (int)length, text);
  return n > 0 && (size_t)n < sizeof subject->path;
}

sp_exit sp_subject_kernels(const sp_subject *subject, size_t *index, size_t capacity,
                           size_t *count) {
  char why[240] = "";
  sp_host_config config = {.path = subject->path};
  *count = 0;
  if (access(subject->path, R_OK) != 0) {
    fprintf(stderr, "sinkproof: cannot read '%s': %s\n", subject->path, strerror(errno));
    return SP_EXIT_CANNOT_LOAD;
  }
  sp_host *host = sp_host_open(&config, why, sizeof why);
  if (!host) {
    fprintf(stderr, "sinkproof: cannot load '%s': %s\n", subject->path, why);
    return SP_EXIT_CANNOT_LOAD;
  }
  size_t n = sp_host_count(host);
  for (size_t i = 0; i < n && *count < capacity; i++)
    if (!subject->name[0] || strcmp(subject->name, sp_host_kernel(host, i)->name) == 0)
      index[(*count)++] = i;
  if (*count == 0) {
    fprintf(stderr, "sinkproof: '%s' has no kernel '%s'; it has:", subject->path, subject->name);
    for (size_t i = 0; i < n; i++) fprintf(stderr, " %s", sp_host_kernel(host, i)->name);
    fputc('\n', stderr);
  }
  sp_host_close(host);
  return *count ? SP_EXIT_CONFORMS : SP_EXIT_CANNOT_LOAD;
}

bool sp_parse_level(const char *text, sp_level *level) {
  static const char *const names[] = {"smoke", "standard", "full"};
  for (sp_level i = SP_LEVEL_SMOKE; i <= SP_LEVEL_FULL; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    *level = i;
    return true;
  }
  return false;
}

bool sp_parse_op(const char *text, uint32_t *ops) {
  static const char *const names[] = {"softmax", "attention", "cache"};
  for (sp_op op = 0; op < SP_N_OPS; op++) {
    if (strcmp(text, names[op]) != 0) continue;
    *ops |= 1u << op;
    return true;
  }
  return false;
}

bool sp_parse_count(const char *text, uint64_t *value) {
  return sp_parse_u64(text, strlen(text), value);
}

long sp_parse_numbers(const char *command, const char *what, const char *text, double *values,
                      size_t capacity) {
  size_t count = 0;
  for (const char *at = text; *at;) {
    char *end;
    double value = strtod(at, &end);
    if (end == at || (*end != ',' && *end != '\0')) {
      sp_usage_error(command, "%s: '%s' is not a list of numbers separated by commas", what, text);
      return -1;
    }
    if (count == capacity) {
      sp_usage_error(command, "%s: more than %zu numbers", what, capacity);
      return -1;
    }
    values[count++] = value;
    at = *end == ',' ? end + 1 : end;
  }
  return (long)count;
}

sp_exit sp_exit_worse(sp_exit a, sp_exit b) {
  static const sp_exit order[] = {SP_EXIT_TOOL_FAULT, SP_EXIT_USAGE,          SP_EXIT_CANNOT_LOAD,
                                  SP_EXIT_UNSAFE,     SP_EXIT_NOT_CONFORMING, SP_EXIT_PATH_MISSING,
                                  SP_EXIT_INCOMPLETE};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (a == order[i] || b == order[i]) return order[i];
  return SP_EXIT_CONFORMS;
}

void sp_show_progress(uint64_t done, uint64_t total, void *label) {
  if (!isatty(STDERR_FILENO) || !total) return;
  fprintf(stderr, "\r\033[K%s: %" PRIu64 " of %" PRIu64 " cases, %" PRIu64 " %%",
          (const char *)label, done, total, 100 * done / total);
  fflush(stderr);
}

void sp_hide_progress(void) {
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}
