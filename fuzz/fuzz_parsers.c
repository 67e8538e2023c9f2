/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of what strangers hand in: case files, replay lines, names of accuracy classes, and
 * JSON reports. The first byte says which. What a reader accepts has to be legal, and has to come
 * back the same when it is written and read again. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "certify/command/cli.h"
#include "certify/gen/gen.h"
#include "certify/judge/accuracy.h"
#include "fuzz/target.h"

static void require(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "sinkproof fuzz: %s\n", what);
  abort();
}

/* The text of a file that is still open, malloc'ed. */
static char *contents(int fd, size_t *length) {
  off_t end = lseek(fd, 0, SEEK_END);
  *length = end > 0 ? (size_t)end : 0;
  char *text = malloc(*length + 1);
  if (text != NULL && pread(fd, text, *length, 0) != (ssize_t)*length) *length = 0;
  return text;
}

/* Write a case into a file without a name; the text, malloc'ed. */
static char *written(const sp_case *c, size_t *length) {
  char path[40], why[200];
  int fd = memfd_create("case", MFD_CLOEXEC);
  if (fd < 0) return NULL;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  require(sp_case_write(c, path, why, sizeof why), "a case that was read cannot be written");
  char *text = contents(fd, length);
  close(fd);
  return text;
}

static void parse_case(const char *text, size_t size) {
  sp_case c, again;
  char why[200] = "";
  if (!sp_case_read_text(&c, text, size, why, sizeof why)) {
    require(why[0] != '\0', "a case file was refused without a reason");
    return;
  }
  require(sp_case_error(&c) == NULL, "a case file gave an illegal case");
  size_t n_first = 0, n_second = 0;
  char *first = written(&c, &n_first);
  if (first != NULL) {
    require(sp_case_read_text(&again, first, n_first, why, sizeof why), "written, not read again");
    char *second = written(&again, &n_second);
    bool same = second != NULL && n_first == n_second && memcmp(first, second, n_first) == 0;
    require(same, "a case file changes when it is read and written");
    free(second);
    sp_case_clear(&again);
  }
  free(first);
  sp_case_clear(&c);
}

static void parse_line(const char *text) {
  sp_generator_request request, again;
  char why[200] = "", line[512];
  if (!sp_case_parse_line(text, &request, why, sizeof why)) {
    require(why[0] != '\0', "a replay line was refused without a reason");
    return;
  }
  const sp_case c = {.op = request.op,
                     .generator = request.generator,
                     .seed = request.seed,
                     .index = request.index};
  sp_case_line(&c, &request, line, sizeof line);
  require(sp_case_parse_line(line, &again, why, sizeof why), "a printed line is refused");
  bool same = request.op == again.op && request.generator == again.generator &&
              request.seed == again.seed && request.index == again.index &&
              request.options == again.options && request.max_n == again.max_n &&
              request.dtypes_softmax == again.dtypes_softmax &&
              request.dtypes_q == again.dtypes_q && request.dtypes_kv == again.dtypes_kv;
  require(same, "a replay line changes when it is printed and read");
}

static void parse_class(const char *text) {
  sp_class cls;
  char why[200] = "";
  if (!sp_class_parse(text, &cls, why, sizeof why)) {
    require(why[0] != '\0', "a class was refused without a reason");
    return;
  }
  require(strlen(text) < sizeof cls.text && strcmp(cls.text, text) == 0, "a class is renamed");
  for (size_t n = 1; n < 1u << 20; n *= 4) {
    require(sp_class_height(&cls, n) >= 0, "a class has a negative height");
    require(sp_class_rescales(&cls, n) >= 0, "a class has negative rescales");
  }
}

/* The reader takes a path and runs what the report says on a library. This library does not exist,
 * so reading is all that happens. What it says to users is not wanted here. */
static void parse_report(const char *text, size_t size) {
  sp_subject subject = {0};
  char path[40];
  int fd = memfd_create("report", MFD_CLOEXEC), silence = open("/dev/null", O_WRONLY | O_CLOEXEC);
  int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
  bool ok = fd >= 0 && silence >= 0 && out >= 0 && err >= 0 &&
            write(fd, text, size) == (ssize_t)size && dup2(silence, STDOUT_FILENO) >= 0 &&
            dup2(silence, STDERR_FILENO) >= 0;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  snprintf(subject.path, sizeof subject.path, "/nonexistent/kernel.so");
  sp_exit status = ok ? sp_replay_report(&subject, path) : SP_EXIT_USAGE;
  fflush(stdout);
  if (out >= 0) dup2(out, STDOUT_FILENO);
  if (err >= 0) dup2(err, STDERR_FILENO);
  const int open_now[] = {fd, silence, out, err};
  for (size_t i = 0; i < 4; i++)
    if (open_now[i] >= 0) close(open_now[i]);
  require(status != SP_EXIT_CONFORMS, "a report was replayed without a kernel");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  char *text = malloc(size);
  if (text == NULL) return 0;
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  switch (data[0] % 8) {
  case 1:
  case 2:
    parse_line(text);
    break;
  case 3:
  case 4:
    parse_class(text);
    break;
  case 5:
    parse_report(text, size - 1);
    break;
  default:
    parse_case(text, size - 1);
  }
  free(text);
  return 0;
}
