/* SPDX-License-Identifier: Apache-2.0 */
/* The report for people. */
#include <inttypes.h>
#include <string.h>

#include "certify/judge/proved.h"
#include "certify/report/report.h"
#include "certify/report/report_code.h"

static const char *const op_names[] = {"softmax", "attention", "cache", "-"};

const char *sp_group_state(const sp_group *group) {
  if (group->n_unsafe) return "UNSAFE";
  if (group->n_failed) return "FAIL";
  if (group->n_undecided || group->n_skipped) return "UNDECIDED";
  return group->n_passed ? "PASS" : "UNTESTED";
}

void sp_finding_line(const sp_report *report, const sp_finding *finding, char *line,
                     size_t capacity) {
  const sp_group *group = &report->tally->groups[finding->group];
  if (!group->generator) {
    snprintf(line, capacity, "gen=%s index=%" PRIu64, group->name, finding->index);
    return;
  }
  sp_generator_request request;
  sp_case c;
  sp_group_request(group, &report->kernel, report->config.seed, finding->index, &request);
  line[0] = '\0';
  if (!sp_case_make(&c, &request)) return;
  sp_case_line(&c, &request, line, capacity);
  sp_case_clear(&c);
  size_t length = strlen(line);
  if (report->config.profile != NULL)
    snprintf(line + length, capacity - length, " profile=%s", report->config.profile->text);
}

typedef struct paint {
  const char *good, *bad, *faint, *off;
} paint;

static const char *state_colour(const paint *p, const char *state) {
  if (strcmp(state, "PASS") == 0) return p->good;
  return strcmp(state, "UNTESTED") == 0 ? p->faint : p->bad;
}

/* spec: CT-12 */
static void print_profile(FILE *stream, const sp_profile *profile) {
  const char *separator = "\n        left out: ", *sentence;
  if (profile == NULL) return;
  fprintf(stream, "\nprofile %s (%s)\n        %s", profile->text, profile->source,
          profile->parameters);
  for (size_t i = 0; (sentence = sp_profile_exclusion(profile, i)) != NULL; i++) {
    fprintf(stream, "%s%s", separator, sentence);
    separator = "; ";
  }
}

static void print_head(FILE *stream, const sp_report *report) {
  const sp_kernel *kernel = &report->kernel;
  fprintf(stream, "sinkproof %s · SPEC version 1 · ABI %u.%u\n", SP_VERSION, SP_ABI_MAJOR,
          SP_ABI_MINOR);
  fprintf(stream, "kernel  %s %s", kernel->name, kernel->version);
  if (report->digest[0]) fprintf(stream, " · sha256 %.16s…", report->digest);
  fprintf(stream, "\nclaims  class %s", report->cls.text);
  if (kernel->claims & SP_CLAIM_DETERMINISTIC) fputs(" · deterministic", stream);
  if (kernel->claims & SP_CLAIM_BATCH_INVARIANT) fputs(" · batch-invariant", stream);
  if (kernel->claims & SP_CLAIM_THREAD_INVARIANT) fputs(" · thread-invariant", stream);
  if (report->cls.kind == SP_CLASS_MODEL)
    fprintf(stream,
            "\nbound   SPEC NU-7, proved as " SP_PROVED_WEIGHT ", " SP_PROVED_OUTPUT
            ", " SP_PROVED_LSE ", logits as " SP_PROVED_LOGIT "%s (claims %.16s…)",
            report->n_rotated > 0 ? " and " SP_PROVED_ROTATED : "", SP_PROVED_CLAIMS_SHA256);
  print_profile(stream, report->config.profile);
  fputs("\npaths   ", stream);
  bool any = false;
  for (size_t i = 0; i < SP_MAX_PATHS; i++) {
    const sp_path_count *path = &report->tally->paths[i];
    if (!path->calls) continue;
    fprintf(stream, "%s%s %" PRIu64 " cases", any ? ", " : "", path->name, path->calls);
    any = true;
  }
  fprintf(stream, "%s\n", any ? "" : "not told");
  sp_report_code_text(stream, report);
  fprintf(stream, "seed    0x%016" PRIx64 "\n\n", report->config.seed);
}

static uint64_t kills_in(const sp_report *report, size_t g) {
  uint64_t kills = 0;
  for (size_t i = 0; i < report->n_faults; i++) {
    const sp_fault_result *fault = &report->tally->faults[i];
    kills += fault->applicable && fault->killed && fault->group == g;
  }
  return kills;
}

static void print_groups(FILE *stream, const sp_report *report, const paint *p) {
  fprintf(stream, "%-10s %-22s %-6s %6s %9s  %-9s %7s %9s %6s\n", "op", "group", "clause", "cases",
          "elements", "verdict", "budget", "resolves", "faults");
  for (size_t g = 0; g < report->tally->n_groups; g++) {
    const sp_group *group = &report->tally->groups[g];
    if (group->generator && group->n_none == group->n_cases) continue;
    const char *state = sp_group_state(group);
    if (group->conventions && group->n_none == group->n_cases) continue;
    uint64_t ran = group->n_passed + group->n_failed + group->n_undecided + group->n_unsafe;
    fprintf(stream, "%-10s %-22s %-6s %6" PRIu64 " %9" PRIu64 "  %s%-9s%s", op_names[group->op],
            group->name, group->clause, ran, group->n_elements, state_colour(p, state), state,
            p->off);
    if (group->n_elements && group->budget > 0)
      fprintf(stream, " %7.3g %9.1e", group->budget, group->resolution);
    else
      fprintf(stream, " %7s %9s", group->n_elements ? "exact" : "-", "-");
    fprintf(stream, " %6" PRIu64 "\n", kills_in(report, g));
  }
}

static void print_finding(FILE *stream, const sp_report *report, const sp_finding *finding,
                          const paint *p) {
  const sp_group *group = &report->tally->groups[finding->group];
  char line[768];
  sp_finding_line(report, finding, line, sizeof line);
  fprintf(stream, "\n%s%s%s %s  %s %s: %s\n", p->bad, finding->unsafe ? "UNSAFE" : "FAIL", p->off,
          finding->clause, op_names[group->op], group->name, finding->what);
  if (finding->likely[0]) fprintf(stream, "  likely  %s\n", finding->likely);
  if (group->generator && report->config.path)
    fprintf(stream, "  replay  sinkproof replay '%s:%s' '%s'\n", report->config.path,
            report->kernel.name, line);
}

/* Two findings tell the same story: the same diagnosis up to its place, or none in one group. */
static bool same_story(const sp_finding *a, const sp_finding *b) {
  if (a->unsafe != b->unsafe) return false;
  if (!a->likely[0] && !b->likely[0]) return a->group == b->group;
  size_t length = strcspn(a->likely, ";");
  return length == strcspn(b->likely, ";") && strncmp(a->likely, b->likely, length) == 0;
}

/* Generators in which a story was found again, besides the one of its first finding. */
static void print_also(FILE *stream, const sp_report *report, size_t first) {
  const sp_tally *tally = report->tally;
  const char *separator = "  also in ";
  uint32_t last = tally->findings[first].group;
  for (size_t i = first + 1; i < tally->n_findings; i++) {
    const sp_finding *finding = &tally->findings[i];
    if (finding->group == last || !same_story(&tally->findings[first], finding)) continue;
    fprintf(stream, "%s%s", separator, tally->groups[finding->group].name);
    separator = ", ";
    last = finding->group;
  }
  if (separator[0] == ',') fputc('\n', stream);
}

static bool is_first_of_story(const sp_tally *tally, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (same_story(&tally->findings[k], &tally->findings[i])) return false;
  return true;
}

/* What makes the verdict comes first: a violated contract before a wrong number. */
static void print_findings(FILE *stream, const sp_report *report, const paint *p, size_t max) {
  const sp_tally *tally = report->tally;
  size_t told = 0, stories = 0;
  for (int unsafe = 1; unsafe >= 0; unsafe--)
    for (size_t i = 0; i < tally->n_findings; i++) {
      if (tally->findings[i].unsafe != unsafe || !is_first_of_story(tally, i)) continue;
      stories++;
      if (max && told == max) continue;
      told++;
      print_finding(stream, report, &tally->findings[i], p);
      print_also(stream, report, i);
    }
  if (told < stories)
    fprintf(stream, "\n%zu more kinds of findings; --errors 0 shows all, --json FILE records all\n",
            stories - told);
}

/* By name: a certificate says what its class cannot see. */
static void print_hidden(FILE *stream, const sp_report *report) {
  size_t count;
  const sp_fault *faults = sp_faults(&count);
  if (!report->n_hidden) return;
  fprintf(stream, "        %zu more show in these cases, but class %s accepts what they do:\n",
          report->n_hidden, report->cls.text);
  for (size_t i = 0; i < count; i++)
    if (report->tally->faults[i].hidden)
      fprintf(stream, "        hidden by the class: %s (%s)\n", faults[i].name, faults[i].summary);
}

static void print_declined(FILE *stream, const sp_report *report) {
  size_t count;
  const sp_fault *faults = sp_faults(&count);
  if (!report->n_declined) return;
  fprintf(stream,
          "        %zu more show only in cases that the kernel declined or does not serve:\n",
          report->n_declined);
  for (size_t i = 0; i < count; i++)
    if (report->tally->faults[i].declined)
      fprintf(stream, "        not looked for: %s (%s)\n", faults[i].name, faults[i].summary);
}

/* Who survived matters when it decides the verdict; otherwise a count says enough. */
static void print_power(FILE *stream, const sp_report *report) {
  size_t count;
  const sp_fault *faults = sp_faults(&count);
  fprintf(stream,
          "power   %zu of %zu kernels that are wrong on purpose were rejected on these cases\n",
          report->n_killed, report->n_applicable);
  if (report->n_left_out)
    fprintf(stream, "        %zu more show only in cases that the profile leaves out\n",
            report->n_left_out);
  print_declined(stream, report);
  print_hidden(stream, report);
  if (report->kernel.options & SP_OPT_SINK_LOGIT)
    fprintf(stream, "        the sink logit is large enough to be noticed in %" PRIu64 " cases\n",
            report->n_sink_visible);
  if (strcmp(report->verdict, "MISTRUSTED") != 0) return;
  for (size_t i = 0; i < count; i++)
    if (report->tally->faults[i].applicable && !report->tally->faults[i].killed)
      fprintf(stream, "        survived: %s (%s)\n", faults[i].name, faults[i].summary);
}

static void print_untested(FILE *stream, const sp_report *report) {
  static const struct {
    uint64_t bit;
    const char *name;
  } options[] = {{SP_OPT_SINK_LOGIT, "sink logit"},
                 {SP_OPT_KEY_BIAS, "key bias"},
                 {SP_OPT_MASK, "masks"},
                 {SP_OPT_SOFTCAP, "softcap"},
                 {SP_OPT_ALIBI, "ALiBi"},
                 {SP_OPT_WINDOW, "window"},
                 {SP_OPT_SINK_TOKENS, "pinned sink tokens"},
                 {SP_OPT_POSITIONS, "positions"},
                 {SP_OPT_BIAS_PAIR, "bias pair"},
                 {SP_OPT_GQA, "grouped heads"},
                 {SP_OPT_PREFILL, "prefill"},
                 {SP_OPT_BATCH, "batch"},
                 {SP_OPT_STRIDES, "strides"},
                 {SP_OPT_LSE_KEYS, "lse_keys"},
                 {SP_OPT_LSE_TOTAL, "lse_total"},
                 {SP_OPT_BIAS_PER_HEAD, "biases per head or batch entry"},
                 {SP_OPT_NONFINITE, "visible NaN and infinities"}};
  const sp_kernel *kernel = &report->kernel;
  const char *separator = "not offered, so not tested: ";
  fputs("scope   ", stream);
  if (!kernel->softmax || !kernel->attention || !kernel->cache) {
    fprintf(stream, "%s%s%s%s", separator, kernel->softmax ? "" : "softmax rows ",
            kernel->attention ? "" : "attention ", kernel->cache ? "" : "cache");
    separator = ", ";
  }
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (kernel->options & options[i].bit) continue;
    fprintf(stream, "%s%s", separator, options[i].name);
    separator = ", ";
  }
  fputs(separator[0] == 'n' ? "everything that SPEC.md defines\n" : "\n", stream);
  char shapes[256];
  sp_shapes_text(kernel->shapes, shapes, sizeof shapes);
  if (shapes[0]) fprintf(stream, "        shapes served, and no others tested:%s\n", shapes);
}

/* A kernel that serves one shape and does not say so declines nearly everything. */
static void print_declining(FILE *stream, const sp_report *report) {
  uint64_t declined = 0, all = 0;
  for (size_t g = 0; g < report->tally->n_groups; g++) {
    const sp_group *group = &report->tally->groups[g];
    if (!group->generator) continue;
    declined += group->n_declined;
    all += group->n_cases - group->n_none;
  }
  if (declined == 0) return;
  fprintf(stream, "declined %" PRIu64 " of %" PRIu64 " cases with SP_UNSUPPORTED", declined, all);
  if (declined > all / 4)
    fputs("; a kernel that serves only some shapes declares them:\n"
          "        .shapes in sp_kernel, or the options and types that it leaves out (KC-11)",
          stream);
  fputc('\n', stream);
}

void sp_report_text(FILE *stream, const sp_report *report, const sp_text_options *options) {
  static const paint plain = {"", "", "", ""};
  static const paint coloured = {"\033[32m", "\033[1;31m", "\033[2m", "\033[0m"};
  static const char *const levels[] = {"smoke", "standard", "full"};
  const paint *p = options->colour ? &coloured : &plain;
  print_head(stream, report);
  print_groups(stream, report, p);
  print_findings(stream, report, p, options->max_findings);
  fputc('\n', stream);
  print_power(stream, report);
  print_untested(stream, report);
  print_declining(stream, report);
  if (report->tally->tool_error[0])
    fprintf(stream, "fault of sinkproof itself: %s\n", report->tally->tool_error);
  if (report->config.require_path && !report->path_ran)
    fprintf(stream, "required path '%s' was not executed\n", report->config.require_path);
  const sp_profile *profile = report->config.profile;
  fprintf(stream, "verdict %s%s%s to %s%s%s · level %s%s · exit %d\n",
          report->exit == SP_EXIT_CONFORMS ? p->good : p->bad, report->verdict, p->off,
          report->cls.text, profile ? " under profile " : "", profile ? profile->text : "",
          levels[report->config.level],
          report->partial || report->config.level == SP_LEVEL_SMOKE ? " (not a certificate)" : "",
          (int)report->exit);
}
