/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof list: what there is. */
#include <stdio.h>
#include <string.h>

#include "certify/command/cli.h"

static const char help[] =
    "usage: sinkproof list generators|faults|classes|profiles|questions\n"
    "       sinkproof list KERNEL.so\n\n"
    "  sinkproof list generators     every family of cases, its clause and the hazard it hunts\n"
    "  sinkproof list faults         the kernels that are wrong on purpose, with public threads\n"
    "  sinkproof list classes        the accuracy classes and their parameters (SPEC NU-6)\n"
    "  sinkproof list profiles       conventions of other systems, for certify --profile (SPEC "
    "CT-11)\n"
    "  sinkproof list questions      where systems differ, and the answers of each question\n"
    "  sinkproof list ./mine.so      the kernels of a library and what they offer\n";

static int list_generators(void) {
  size_t count;
  const sp_generator *generators = sp_generators(&count);
  for (size_t i = 0; i < count; i++)
    printf("%-22s %-6s %s\n", generators[i].name, generators[i].clause, generators[i].hazard);
  return 0;
}

static int list_faults(void) {
  size_t count;
  const sp_fault *faults = sp_faults(&count);
  for (size_t i = 0; i < count; i++)
    printf("%-34s %-6s %s%s%s\n", faults[i].name, faults[i].clause, faults[i].summary,
           faults[i].cite[0] ? " · " : "", faults[i].cite);
  return 0;
}

static int list_classes(void) {
  fputs("name[-b2][:key=value,...]   (SPEC NU-6 defines every parameter)\n\n"
        "cr          correctly rounded\n"
        "faithful    one of the two neighbours of the exact value\n"
        "w-deep      error model, sums of depth 24 + log2(N): blocked, pairwise, compensated\n"
        "w-lane16    error model, sums of depth N/16 + 8: one accumulator per vector lane\n"
        "w-seq       error model, sums of depth N + 1: one running sum\n"
        "w-loose     w-seq for forms like exp(x - lse) that are sensitive to shifts\n"
        "-b2         exponents in base 2 with one fused multiply-add\n"
        "tile=N      online rescaling every N keys      exp=-K      exponential good to 2^-K\n"
        "acc=TYPE    accumulators                       p=TYPE      weights rounded before values\n"
        "qk=TYPE     q rounded before the product       logit=TYPE  logits rounded\n"
        "u=TYPE      all arithmetic                     flush=WHAT  none, in, out, both\n",
        stdout);
  return 0;
}

/* Only what a system says; a profile that is silent is as core. */
static int list_profiles(void) {
  size_t count;
  const sp_profile *profiles = sp_profiles(&count);
  for (size_t i = 0; i < count; i++) {
    const sp_profile *profile = &profiles[i];
    printf("%s\n  read in     %s\n  parameters  %s\n  answers    ", profile->name, profile->source,
           profile->parameters);
    for (sp_question q = 0; q < SP_N_QUESTIONS; q++) {
      unsigned answer = profile->conventions.answer[q];
      if (answer == SP_UNSAID) continue;
      printf(" %s=%s", sp_question_text_of(q)->name, sp_question_text_of(q)->answer[answer].name);
      for (unsigned a = 1; a <= sp_n_answers(q); a++)
        if (a != answer && (sp_conventions_given(profile, q) >> a & 1) != 0)
          printf("/%s", sp_question_text_of(q)->answer[a].name);
    }
    putchar('\n');
    const char *separator = "  left out    ", *sentence;
    for (size_t k = 0; (sentence = sp_profile_exclusion(profile, k)) != NULL; k++) {
      printf("%s%s", separator, sentence);
      separator = "; ";
    }
    puts(separator[0] == ';' ? "\n" : "");
  }
  return 0;
}

static int list_questions(void) {
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++) {
    const sp_question_text *question = sp_question_text_of(q);
    printf("%-13s %-6s %s\n", question->name, question->clause, question->asks);
    for (unsigned a = 1; a <= sp_n_answers(q); a++)
      printf("  %-20s %s%s\n", question->answer[a].name, question->answer[a].sentence,
             a == SP_AS_CORE ? " (core)" : "");
  }
  return 0;
}

static int list_kernels(const char *text) {
  sp_subject subject;
  size_t index[64], count = 0;
  char why[240] = "";
  if (!sp_subject_parse(text, &subject))
    return (int)sp_usage_error("list", "'%s' is too long", text);
  sp_exit status = sp_subject_kernels(&subject, index, 64, &count);
  if (status != SP_EXIT_CONFORMS) return (int)status;
  sp_host_config config = {.path = subject.path};
  sp_host *host = sp_host_open(&config, why, sizeof why);
  for (size_t i = 0; host && i < count; i++) {
    const sp_kernel *kernel = sp_host_kernel(host, index[i]);
    printf("%-20s %-12s class %-20s %s%s%s\n", kernel->name, kernel->version,
           kernel->accuracy_class, kernel->softmax ? "softmax " : "",
           kernel->attention ? "attention " : "", kernel->cache ? "cache" : "");
  }
  if (host) sp_host_close(host);
  return host ? 0 : SP_EXIT_CANNOT_LOAD;
}

int sp_cmd_list(int argc, char **argv) {
  const char *what = argc == 2 ? argv[1] : "--help";
  if (strcmp(what, "generators") == 0) return list_generators();
  if (strcmp(what, "faults") == 0) return list_faults();
  if (strcmp(what, "classes") == 0) return list_classes();
  if (strcmp(what, "profiles") == 0) return list_profiles();
  if (strcmp(what, "questions") == 0) return list_questions();
  if (strcmp(what, "--help") != 0) return list_kernels(what);
  fputs(help, argc == 2 ? stdout : stderr);
  return argc == 2 ? 0 : SP_EXIT_USAGE;
}
