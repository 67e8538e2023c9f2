/* SPDX-License-Identifier: Apache-2.0 */
/* A main for a fuzz target where there is no fuzzing engine: it runs the target on every file that
 * is named, and on every file in directories that are named, in the order of their names. A corpus
 * is a regression test this way, with any compiler. Nothing is printed of inputs that pass; when the
 * process dies, the last line names the input that it died of. */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/target.h"

/* Called before a sanitizer ends the process; absent without one. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static size_t n_run;
static const char *current; /* the input that is being run */

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return; /* there is nobody to tell */
}

static void say_where(void) {
  if (current == NULL) return;
  say("sinkproof fuzz: this input: ");
  say(current);
  say("\n");
}

static void on_signal(int number) {
  say_where();
  raise(number); /* the default action: it was reset */
}

/* A sanitizer has handlers of its own for what it can explain better; abort is a finding's end. */
static void watch(void) {
  static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  bool sanitized = __sanitizer_set_death_callback != NULL;
  struct sigaction action = {.sa_flags = (int)SA_RESETHAND};
  action.sa_handler = on_signal;
  for (size_t i = 0; i < (sanitized ? 1 : sizeof deadly / sizeof *deadly); i++)
    sigaction(deadly[i], &action, NULL);
  if (sanitized) __sanitizer_set_death_callback(say_where);
}

static int fail(const char *path) {
  perror(path);
  return 1;
}

static int run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return fail(path);
  struct stat info;
  size_t size = fstat(fileno(file), &info) == 0 ? (size_t)info.st_size : 0;
  uint8_t *data = malloc(size + 1);
  int status = data != NULL && fread(data, 1, size, file) == size ? 0 : fail(path);
  fclose(file);
  uint8_t *exact = status == 0 ? malloc(size > 0 ? size : 1) : NULL; /* an over-read shows */
  if (exact != NULL) {
    memcpy(exact, data, size);
    current = path;
    status = LLVMFuzzerTestOneInput(exact, size);
    current = NULL;
    n_run++;
  }
  free(exact);
  free(data);
  return status;
}

static int visible(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static int run_path(const char *path) {
  struct stat info;
  if (stat(path, &info) != 0) return fail(path);
  if (!S_ISDIR(info.st_mode)) return run_file(path);
  struct dirent **entries;
  int n = scandir(path, &entries, visible, alphasort);
  if (n < 0) return fail(path);
  int status = 0;
  for (int i = 0; i < n; i++) {
    char inner[4096];
    snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
    free(entries[i]);
    status |= run_path(inner);
  }
  free(entries);
  return status;
}

int main(int argc, char **argv) {
  int status = 0;
  watch();
  for (int i = 1; i < argc; i++) status |= run_path(argv[i]);
  const char *slash = strrchr(argv[0], '/');
  printf("%s: %zu inputs\n", slash != NULL ? slash + 1 : argv[0], n_run);
  if (n_run == 0) fprintf(stderr, "%s: nothing was run\n", argv[0]);
  return status != 0 || n_run == 0;
}
