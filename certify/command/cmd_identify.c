/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof identify: which conventions the kernels of a library follow, with the evidence. */
#include <cjson/cJSON.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/command/cli.h"
#include "certify/profile/identify.h"

static const char help[] =
    "usage: sinkproof identify KERNEL.so[:NAME] [options]\n\n"
    "Asks a kernel, with a few tiny calls, which conventions it follows where real systems "
    "differ,\n"
    "and names the nearest profile. It is no certificate: certify --profile gives one.\n\n"
    "  sinkproof identify ./mine.so               answers, each with what was asked and got\n"
    "  sinkproof identify ./mine.so --evidence    … and what each answer predicts\n"
    "  sinkproof identify ./mine.so --json -      the same for programs\n\n"
    "  --evidence           show what each answer predicts for each probe\n"
    "  --json FILE          everything, as JSON; - for standard output\n"
    "  --timeout MS         per call, default 10000\n\n"
    "'sinkproof list questions' explains the answers, 'sinkproof list profiles' the profiles.\n";

typedef struct options {
  sp_subject subject;
  const char *json;
  uint64_t timeout_ms;
  bool evidence;
} options;

static sp_exit parse(int argc, char **argv, options *o) {
  static const struct option table[] = {{"evidence", 0, 0, 'e'},
                                        {"json", 1, 0, 'J'},
                                        {"timeout", 1, 0, 't'},
                                        {"help", 0, 0, 'h'},
                                        {0, 0, 0, 0}};
  for (int opt; (opt = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
    switch (opt) {
    case 'e':
      o->evidence = true;
      break;
    case 'J':
      o->json = optarg;
      break;
    case 't':
      if (sp_parse_count(optarg, &o->timeout_ms)) break;
      return sp_usage_error("identify", "--timeout: '%s' is not a number", optarg);
    case 'h':
      fputs(help, stdout);
      exit(0);
    default:
      return sp_usage_error("identify", "see above");
    }
  }
  if (optind + 1 != argc) return sp_usage_error("identify", "exactly one kernel library is needed");
  if (sp_subject_parse(argv[optind], &o->subject)) return SP_EXIT_CONFORMS;
  return sp_usage_error("identify", "'%s' is too long", argv[optind]);
}

/* ---- for people ---- */

static void print_numbers(const char *label, const double *numbers, size_t n) {
  printf("    %-12s", label);
  for (size_t i = 0; i < n; i++) printf(" %.6g", numbers[i]);
  putchar('\n');
}

static void print_evidence(sp_question q, const sp_reply *reply) {
  const sp_question_text *text = sp_question_text_of(q);
  for (size_t p = 0; p < reply->n_parts; p++) {
    const sp_probe_result *part = &reply->part[p];
    printf("    asked        %s\n", part->probe->text);
    print_numbers("got", part->got, part->n);
    for (unsigned a = 1; a <= sp_n_answers(q); a++)
      print_numbers(text->answer[a].name, part->expected[a], part->n);
  }
}

/* What was asked, and what came back. */
static void print_summary(const sp_reply *reply) {
  for (size_t p = 0; p < reply->n_parts; p++) {
    const sp_probe_result *part = &reply->part[p];
    printf("    %s:", part->probe->text);
    for (size_t i = 0; i < part->n; i++) printf(" %.4g", part->got[i]);
    putchar('\n');
  }
}

/* Answers that fit, side by side where the kernel offers nothing that tells them apart. */
static void join_answers(sp_question q, const sp_reply *reply, char names[80],
                         char sentences[240]) {
  const sp_question_text *text = sp_question_text_of(q);
  size_t n = 0, m = 0;
  for (unsigned a = 1; a <= sp_n_answers(q) && n < 80 && m < 240; a++) {
    if (!sp_reply_agrees(reply, a)) continue;
    n += (size_t)snprintf(names + n, 80 - n, "%s%s", n > 0 ? "/" : "", text->answer[a].name);
    m += (size_t)snprintf(sentences + m, 240 - m, "%s%s", m > 0 ? "; or " : "",
                          text->answer[a].sentence);
  }
}

static void print_reply(sp_question q, const sp_reply *reply, bool evidence) {
  static const char *const states[] = {"not offered", "", "neither", "failed"};
  char names[80] = "", sentences[240] = "";
  bool answered = reply->state == SP_REPLY_ANSWERED;
  bool differs = answered && !sp_reply_agrees(reply, SP_AS_CORE);
  const char *remark =
      reply->state == SP_REPLY_NEITHER ? "no answer predicts what it returned" : reply->remark;
  if (answered) join_answers(q, reply, names, sentences);
  printf("%c %-13s %-13s %s\n", differs ? '*' : ' ', sp_question_text_of(q)->name,
         answered ? names : states[reply->state], answered ? sentences : remark);
  if (evidence || reply->state == SP_REPLY_NEITHER)
    print_evidence(q, reply);
  else
    print_summary(reply);
}

/* The nearest first; then others that fit as well and say at least half as much. */
static void print_profiles(const sp_identity *identity) {
  size_t n;
  const sp_profile *profiles = sp_profiles(&n);
  const sp_profile_score *best = &identity->score[identity->nearest];
  unsigned n_neither = 0;
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++)
    n_neither += identity->reply[q].state == SP_REPLY_NEITHER;
  printf("nearest  %s: agrees in %u of %u answers", profiles[identity->nearest].name, best->agree,
         best->agree + best->disagree);
  if (n_neither > 0)
    printf("; %u result%s no convention known here, see above", n_neither,
           n_neither == 1 ? " fits" : "s fit");
  const char *separator = "\n         as well: ";
  for (size_t i = 0; i < n; i++) {
    const sp_profile_score *s = &identity->score[i];
    if (i == identity->nearest || s->differ != best->differ || 2 * s->agree < best->agree) continue;
    printf("%s%s (%u)", separator, profiles[i].name, s->agree);
    separator = ", ";
  }
  putchar('\n');
}

static void print_identity(const options *o, const sp_kernel *kernel, const sp_identity *identity) {
  printf("kernel   %s %s\n\n", kernel->name, kernel->version);
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++) print_reply(q, &identity->reply[q], o->evidence);
  puts("\n* differs from core (SPEC.md)");
  if (identity->n_answered == 0) {
    puts("nearest  none: no question could be put to this kernel");
    return;
  }
  print_profiles(identity);
  printf("certify  sinkproof certify '%s:%s' --profile '%s'\n", o->subject.path, kernel->name,
         identity->profile);
}

/* ---- for programs ---- */

/* JSON has no infinities and no NaN: they are words. */
static cJSON *numbers_json(const double *numbers, size_t n) {
  cJSON *list = cJSON_CreateArray();
  for (size_t i = 0; i < n; i++) {
    const char *word = isnan(numbers[i]) ? "nan" : numbers[i] > 0 ? "inf" : "-inf";
    cJSON_AddItemToArray(list, isfinite(numbers[i]) ? cJSON_CreateNumber(numbers[i])
                                                    : cJSON_CreateString(word));
  }
  return list;
}

static cJSON *evidence_json(sp_question q, const sp_probe_result *part) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "asked", part->probe->text);
  cJSON_AddItemToObject(json, "got", numbers_json(part->got, part->n));
  cJSON *expected = cJSON_AddObjectToObject(json, "expected");
  for (unsigned a = 1; a <= sp_n_answers(q); a++)
    cJSON_AddItemToObject(expected, sp_question_text_of(q)->answer[a].name,
                          numbers_json(part->expected[a], part->n));
  return json;
}

static cJSON *reply_json(sp_question q, const sp_reply *reply) {
  static const char *const states[] = {"not offered", "answered", "neither", "failed"};
  const sp_question_text *text = sp_question_text_of(q);
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "question", text->name);
  cJSON_AddStringToObject(json, "asks", text->asks);
  cJSON_AddStringToObject(json, "clause", text->clause);
  cJSON_AddStringToObject(json, "state", states[reply->state]);
  cJSON_AddStringToObject(json, "answer", reply->answer ? text->answer[reply->answer].name : "");
  cJSON *fits = cJSON_AddArrayToObject(json, "fits");
  for (unsigned a = 1; a <= sp_n_answers(q); a++)
    if (sp_reply_agrees(reply, a))
      cJSON_AddItemToArray(fits, cJSON_CreateString(text->answer[a].name));
  cJSON_AddStringToObject(json, "core", text->answer[SP_AS_CORE].name);
  cJSON_AddStringToObject(json, "remark", reply->remark);
  cJSON *list = cJSON_AddArrayToObject(json, "evidence");
  for (size_t p = 0; p < reply->n_parts; p++)
    cJSON_AddItemToArray(list, evidence_json(q, &reply->part[p]));
  return json;
}

static cJSON *identity_json(const sp_kernel *kernel, const sp_identity *identity) {
  size_t n;
  const sp_profile *profiles = sp_profiles(&n);
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "kernel", kernel->name);
  cJSON_AddStringToObject(json, "version", kernel->version);
  cJSON_AddStringToObject(json, "nearest", profiles[identity->nearest].name);
  cJSON_AddStringToObject(json, "profile", identity->profile);
  cJSON *questions = cJSON_AddArrayToObject(json, "questions");
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++)
    cJSON_AddItemToArray(questions, reply_json(q, &identity->reply[q]));
  cJSON *scores = cJSON_AddArrayToObject(json, "profiles");
  for (size_t i = 0; i < n; i++) {
    cJSON *score = cJSON_CreateObject();
    cJSON_AddStringToObject(score, "name", profiles[i].name);
    cJSON_AddNumberToObject(score, "agree", identity->score[i].agree);
    cJSON_AddNumberToObject(score, "disagree", identity->score[i].disagree);
    cJSON_AddNumberToObject(score, "differ", identity->score[i].differ);
    cJSON_AddItemToArray(scores, score);
  }
  return json;
}

static sp_exit write_json(const char *path, cJSON *list) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "format", "sinkproof-identity-1");
  cJSON_AddStringToObject(json, "tool", SP_VERSION);
  cJSON_AddItemToObject(json, "kernels", list);
  char *text = cJSON_Print(json);
  cJSON_Delete(json);
  FILE *file = text == NULL ? NULL : strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
  bool ok = file != NULL && fputs(text, file) >= 0;
  if (file != NULL && file != stdout) ok = fclose(file) == 0 && ok;
  free(text);
  if (ok) return SP_EXIT_CONFORMS;
  fprintf(stderr, "sinkproof identify: cannot write '%s'\n", path);
  return SP_EXIT_TOOL_FAULT;
}

int sp_cmd_identify(int argc, char **argv) {
  enum { MAX_KERNELS = 64 };
  static sp_identity identity;
  options o = {0};
  size_t index[MAX_KERNELS], count = 0;
  char why[320] = "";
  sp_exit status = parse(argc, argv, &o);
  if (status == SP_EXIT_CONFORMS)
    status = sp_subject_kernels(&o.subject, index, MAX_KERNELS, &count);
  if (status != SP_EXIT_CONFORMS) return (int)status;
  sp_host_config config = {.path = o.subject.path, .timeout_ms = (unsigned)o.timeout_ms};
  sp_host *host = sp_host_open(&config, why, sizeof why);
  cJSON *list = cJSON_CreateArray();
  bool quiet = o.json != NULL && strcmp(o.json, "-") == 0;
  if (host == NULL) status = SP_EXIT_CANNOT_LOAD;
  for (size_t i = 0; i < count && status == SP_EXIT_CONFORMS; i++) {
    const sp_kernel *kernel = sp_host_kernel(host, index[i]);
    if (!sp_identify(host, index[i], &identity, why, sizeof why)) status = SP_EXIT_TOOL_FAULT;
    if (status != SP_EXIT_CONFORMS) break;
    if (!quiet && i > 0) putchar('\n');
    if (!quiet) print_identity(&o, kernel, &identity);
    cJSON_AddItemToArray(list, identity_json(kernel, &identity));
  }
  if (status != SP_EXIT_CONFORMS) fprintf(stderr, "sinkproof identify: %s\n", why);
  if (host != NULL) sp_host_close(host);
  if (o.json == NULL || status != SP_EXIT_CONFORMS)
    cJSON_Delete(list);
  else
    status = write_json(o.json, list);
  return (int)status;
}
