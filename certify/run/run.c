/* SPDX-License-Identifier: Apache-2.0 */
/* A run: identify the kernel, plan, deal the cases out to shards, merge, conclude.
 * spec: CT-5, CT-7, CT-8, CT-9, CT-10 */
#include "certify/run/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certify/profile/translate.h"
#include "certify/run/digest.h"

enum { MAX_SHARDS = 64, POLL_US = 100000 };

static bool refuse(sp_exit *status, sp_exit value, char *error, size_t capacity, const char *format,
                   const char *text) {
  *status = value;
  snprintf(error, capacity, format, text);
  return false;
}

static char *copy(const char *text) {
  return strdup(text ? text : "");
}

/* The identity of the kernel, copied: the host that reported it does not outlive this function. */
static bool identify(const sp_run_config *config, sp_report *report, sp_exit *status, char *error,
                     size_t capacity) {
  sp_host_config host_config = {.path = config->path,
                                .entry = config->entry,
                                .timeout_ms = config->timeout_ms,
                                .keep_output = config->keep_output};
  char why[240] = "";
  if (config->path && !sp_digest_file(config->path, report->digest))
    return refuse(status, SP_EXIT_CANNOT_LOAD, error, capacity, "cannot read '%s'", config->path);
  sp_host *host = sp_host_open(&host_config, why, sizeof why);
  if (!host) return refuse(status, SP_EXIT_CANNOT_LOAD, error, capacity, "%s", why);
  const sp_kernel *kernel =
      config->kernel < sp_host_count(host) ? sp_host_kernel(host, config->kernel) : NULL;
  if (kernel) {
    report->kernel = *kernel;
    report->evidence = sp_host_evidence(host);
    if (kernel->shapes != NULL) {
      report->shapes = *kernel->shapes;
      report->kernel.shapes = &report->shapes;
    }
    report->kernel.name = copy(kernel->name);
    report->kernel.version = copy(kernel->version);
    report->kernel.accuracy_class = copy(kernel->accuracy_class);
  }
  sp_host_close(host);
  if (!kernel)
    return refuse(status, SP_EXIT_CANNOT_LOAD, error, capacity, "%s has no such kernel",
                  config->path ? config->path : "the program");
  return true;
}

static bool choose_class(const sp_run_config *config, sp_report *report, sp_exit *status,
                         char *error, size_t capacity) {
  const char *text = config->class_text ? config->class_text : report->kernel.accuracy_class;
  char why[240] = "";
  if (!text[0])
    return refuse(status, SP_EXIT_USAGE, error, capacity,
                  "kernel '%s' claims no accuracy class; give one with --class (SPEC NU-6)",
                  report->kernel.name);
  if (sp_class_parse(text, &report->cls, why, sizeof why)) return true;
  return refuse(status, config->class_text ? SP_EXIT_USAGE : SP_EXIT_CANNOT_LOAD, error, capacity,
                "%s", why);
}

static sp_tally *shared_tallies(size_t count) {
  void *memory = mmap(NULL, count * sizeof(sp_tally), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static uint64_t total_cases(const sp_tally *plan) {
  uint64_t total = 0;
  for (size_t g = 0; g < plan->n_groups; g++)
    if (plan->groups[g].generator) total += plan->groups[g].n_cases;
  return total;
}

static void show_progress(const sp_report *report, const sp_tally *parts, unsigned n_shards) {
  if (!report->config.progress) return;
  uint64_t done = 0;
  for (unsigned i = 0; i < n_shards; i++) done += *(const volatile uint64_t *)&parts[i].done;
  report->config.progress(done, total_cases(report->tally), report->config.context);
}

/* Wait for every child; a shard that did not end well is the tool's own failure. */
static void await(const sp_report *report, sp_tally *parts, const pid_t *pids, unsigned n_shards) {
  unsigned running = n_shards;
  bool ended[MAX_SHARDS] = {false};
  while (running) {
    for (unsigned i = 0; i < n_shards; i++) {
      int state = 0;
      if (ended[i] || waitpid(pids[i], &state, WNOHANG) == 0) continue;
      ended[i] = true;
      running--;
      if ((!WIFEXITED(state) || WEXITSTATUS(state) != 0) && !parts[i].tool_error[0])
        snprintf(parts[i].tool_error, sizeof parts[i].tool_error,
                 "shard %u of the run ended unexpectedly (wait status 0x%x)", i, (unsigned)state);
    }
    show_progress(report, parts, n_shards);
    if (running) usleep(POLL_US);
  }
}

typedef enum purpose { JUDGE, FIND_HIDDEN } purpose;

static void merge_hidden(sp_tally *whole, const sp_tally *part) {
  for (size_t i = 0; i < SP_MAX_FAULTS; i++) {
    whole->faults[i].hidden |= part->faults[i].hidden;
    whole->faults[i].declined |= part->faults[i].declined;
  }
  if (part->tool_error[0] && !whole->tool_error[0])
    memcpy(whole->tool_error, part->tool_error, sizeof whole->tool_error);
}

static void run_shard(const sp_report *report, purpose now, unsigned first, unsigned n_shards,
                      sp_tally *part) {
  if (now == JUDGE)
    sp_shard_run(&report->config, &report->kernel, &report->cls, first, n_shards, part);
  else
    sp_shard_hidden(&report->config, &report->kernel, &report->cls, first, n_shards, part);
}

static bool run_shards(sp_report *report, purpose now, unsigned n_shards) {
  sp_tally *parts = shared_tallies(n_shards);
  pid_t pids[MAX_SHARDS];
  if (!parts) return false;
  fflush(NULL);
  unsigned started = 0;
  for (; started < n_shards; started++) {
    memcpy(&parts[started], report->tally, sizeof *parts);
    if (started > 0) parts[started].done = 0; /* what an earlier pass did counts once */
    pids[started] = fork();
    if (pids[started] < 0) break;
    if (pids[started] > 0) continue;
    run_shard(report, now, started, n_shards, &parts[started]);
    _exit(0);
  }
  await(report, parts, pids, started);
  for (unsigned i = 0; i < started; i++)
    (now == JUDGE ? sp_tally_merge : merge_hidden)(report->tally, &parts[i]);
  munmap(parts, n_shards * sizeof *parts);
  return started == n_shards;
}

/* Of faults that have no other excuse. A kernel that hangs or crashes is not asked again: its
 * verdict needs no power. */
static bool any_survivor(const sp_tally *tally) {
  for (size_t g = 0; g < tally->n_groups; g++)
    if (tally->groups[g].n_unsafe > 0) return false;
  for (size_t i = 0; i < SP_MAX_FAULTS; i++) {
    const sp_fault_result *fault = &tally->faults[i];
    if (fault->applicable && !fault->killed && !fault->left_out && !fault->declined) return true;
  }
  return false;
}

/* Takes out of the account what shows only beyond the profile, in declined cases, or to a finer
 * class. Whoever computes nothing is owed whatever was declined. */
static void count_faults(sp_report *report) {
  const sp_fault *faults = sp_faults(&report->n_faults);
  for (size_t i = 0; i < report->n_faults; i++) {
    sp_fault_result *fault = &report->tally->faults[i];
    bool alive = fault->applicable && !fault->killed;
    bool left_out = alive && fault->left_out;
    fault->hidden &= alive && !left_out;
    fault->declined &= alive && !left_out && !fault->hidden && faults[i].family != '0';
    report->n_left_out += left_out;
    report->n_hidden += fault->hidden;
    report->n_declined += fault->declined;
    fault->applicable &= !(left_out || fault->hidden || fault->declined);
    report->n_applicable += fault->applicable;
    report->n_killed += fault->applicable && fault->killed;
  }
}

void sp_conclude(sp_report *report) {
  uint64_t passed = 0, failed = 0, undecided = 0, unsafe = 0, skipped = 0;
  const sp_tally *tally = report->tally;
  for (size_t g = 0; g < tally->n_groups; g++) {
    const sp_group *group = &tally->groups[g];
    if (group->generator) passed += group->n_passed;
    failed += group->n_failed;
    undecided += group->n_undecided;
    unsafe += group->n_unsafe;
    skipped += group->n_skipped;
    report->n_sink_visible += group->n_sink_visible;
    report->n_rotated += group->n_rotated;
  }
  count_faults(report);
  bool sink_unseen = (report->kernel.options & SP_OPT_SINK_LOGIT) && !report->n_sink_visible;
  report->mistrusted = !sp_power_suffices(report) || sink_unseen;
  report->path_ran = !report->config.require_path;
  for (size_t i = 0; i < SP_MAX_PATHS && !report->path_ran; i++)
    report->path_ran =
        tally->paths[i].calls > 0 && strcmp(tally->paths[i].name, report->config.require_path) == 0;
  struct {
    bool holds;
    sp_exit exit;
    const char *verdict;
  } const ladder[] = {{tally->tool_error[0] != '\0', SP_EXIT_TOOL_FAULT, "NO VERDICT"},
                      {unsafe > 0, SP_EXIT_UNSAFE, "UNSAFE"},
                      {failed > 0, SP_EXIT_NOT_CONFORMING, "DOES NOT CONFORM"},
                      {!report->path_ran, SP_EXIT_PATH_MISSING, "PATH NOT EXECUTED"},
                      {passed == 0, SP_EXIT_INCOMPLETE, "UNTESTED"},
                      {report->mistrusted && !report->partial, SP_EXIT_INCOMPLETE, "MISTRUSTED"},
                      {undecided + skipped > 0, SP_EXIT_INCOMPLETE, "UNDECIDED"},
                      {true, SP_EXIT_CONFORMS, "CONFORMS"}};
  size_t step = 0;
  while (!ladder[step].holds) step++;
  report->exit = ladder[step].exit;
  report->verdict = ladder[step].verdict;
}

bool sp_run(const sp_run_config *config, sp_report *report, sp_exit *status, char *error,
            size_t capacity) {
  *report = (sp_report){.config = *config};
  report->partial = config->ops || config->generator || config->clause;
  if (!identify(config, report, status, error, capacity) ||
      !choose_class(config, report, status, error, capacity))
    goto failed;
  report->withheld = report->kernel.options & sp_profile_withheld(config->profile, &report->cls);
  report->kernel.options &= ~report->withheld;
  if (!config->seed) report->config.seed = sp_digest_seed(report->digest);
  report->tally = calloc(1, sizeof *report->tally);
  if (!report->tally) goto no_memory;
  sp_plan(&report->config, &report->kernel, report->tally);
  size_t n_faults;
  const sp_fault *faults = sp_faults(&n_faults);
  for (size_t i = 0; i < n_faults && i < SP_MAX_FAULTS; i++)
    report->tally->faults[i].applicable =
        sp_fault_applicable(&faults[i], &report->kernel, report->tally, config->level);
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  unsigned n_shards =
      config->n_shards ? config->n_shards : (unsigned)(processors > 0 ? processors : 1);
  if (n_shards > MAX_SHARDS) n_shards = MAX_SHARDS;
  if (!run_shards(report, JUDGE, n_shards)) goto no_memory;
  if (!report->tally->tool_error[0] && any_survivor(report->tally) &&
      !run_shards(report, FIND_HIDDEN, n_shards))
    goto no_memory;
  sp_conclude(report);
  return true;
no_memory:
  refuse(status, SP_EXIT_TOOL_FAULT, error, capacity, "%s", strerror(errno));
failed:
  sp_report_clear(report);
  return false;
}

void sp_report_clear(sp_report *report) {
  free((char *)report->kernel.name);
  free((char *)report->kernel.version);
  free((char *)report->kernel.accuracy_class);
  free(report->tally);
  *report = (sp_report){0};
}
