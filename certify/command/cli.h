/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of the command line share. Each command is one file, cmd_NAME.c, and returns an
 * exit status. spec: CT-7 */
#ifndef SINKPROOF_CLI_H
#define SINKPROOF_CLI_H

#include <stddef.h>

#include "certify/run/run.h"

int sp_cmd_certify(int argc, char **argv);
int sp_cmd_replay(int argc, char **argv);
int sp_cmd_identify(int argc, char **argv);
int sp_cmd_list(int argc, char **argv);
int sp_cmd_selftest(int argc, char **argv);
int sp_cmd_doctor(int argc, char **argv);
int sp_cmd_softmax(int argc, char **argv);
int sp_cmd_attention(int argc, char **argv);
int sp_cmd_bench(int argc, char **argv);
int sp_cmd_story(int argc, char **argv);

/* sinkproof bench, for this program and for one that has kernels linked into it: `entry` is theirs,
 * or NULL. */
int sp_bench_main(int argc, char **argv, sp_kernel_entry entry);

/* "path.so" or "path.so:kernel", as typed. */
typedef struct sp_subject {
  char path[4096];
  char name[128]; /* "" = every kernel of the library */
} sp_subject;

bool sp_subject_parse(const char *text, sp_subject *subject);

/* Indices of the chosen kernels in the library: at most capacity, *count of them. Prints what is
 * wrong and returns the exit status if there is none. */
sp_exit sp_subject_kernels(const sp_subject *subject, size_t *index, size_t capacity,
                           size_t *count);

/* Print "sinkproof COMMAND: message" and return SP_EXIT_USAGE. */
sp_exit sp_usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* certify/command/replay_report.c: everything in a JSON report once more. */
sp_exit sp_replay_report(const sp_subject *subject, const char *path);

bool sp_parse_level(const char *text, sp_level *level);
bool sp_parse_op(const char *text, uint32_t *ops); /* adds to the set */
bool sp_parse_count(const char *text, uint64_t *value);

/* "1,-0.5,inf" into doubles; -1 and a message for what is not a number. */
long sp_parse_numbers(const char *command, const char *what, const char *text, double *values,
                      size_t capacity);

/* The worse of two exit statuses, in the order of CT-7. */
sp_exit sp_exit_worse(sp_exit a, sp_exit b);

/* A progress line on standard error, only on a terminal; pass a label as context. */
void sp_show_progress(uint64_t done, uint64_t total, void *label);
void sp_hide_progress(void);

#endif
