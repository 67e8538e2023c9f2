/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part: kernels of libraries, identified through the host, which survives whatever a
 * library does when it is loaded; and certified in the same run, so that no time stands beside a
 * claim that nobody has tested on this machine. */
#include <stdio.h>
#include <string.h>

#include "certify/bench/bench.h"
#include "certify/bench/enter.h"

static void take(sp_bench *bench, const sp_bench_entrant *entrant, sp_host *host, size_t index) {
  sp_contender *c = &bench->contender[bench->n_contenders++];
  char why[160];
  *c = (sp_contender){.path = entrant->path,
                      .entry = entrant->entry,
                      .index = index,
                      .own = entrant->own,
                      .kernel = *sp_host_kernel(host, index)};
  snprintf(c->label, sizeof c->label, "%s", c->kernel.name);
  snprintf(c->version, sizeof c->version, "%s", c->kernel.version);
  const char *text = entrant->class_text ? entrant->class_text : c->kernel.accuracy_class;
  c->has_class = text[0] && sp_class_parse(text, &c->cls, why, sizeof why);
}

/* Does an earlier kernel of the library claim the class of this one? */
static bool claimed_before(sp_host *host, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (strcmp(sp_host_kernel(host, i)->accuracy_class,
               sp_host_kernel(host, index)->accuracy_class) == 0)
      return true;
  return false;
}

bool sp_bench_enter(sp_bench *bench, const sp_bench_entrant *entrant, char *error,
                    size_t capacity) {
  sp_host_config config = {.path = entrant->path, .entry = entrant->entry};
  sp_host *host = sp_host_open(&config, error, capacity);
  size_t before = bench->n_contenders;
  if (host == NULL) return false;
  for (size_t i = 0; i < sp_host_count(host); i++) {
    const char *name = sp_host_kernel(host, i)->name;
    if (entrant->name[0] && strcmp(entrant->name, name) != 0) continue;
    if (entrant->best_of_class && claimed_before(host, i)) continue;
    if (bench->n_contenders == SP_BENCH_CONTENDERS) {
      snprintf(error, capacity, "more than %d kernels", SP_BENCH_CONTENDERS);
      break;
    }
    take(bench, entrant, host, i);
  }
  if (bench->n_contenders == before && !error[0])
    snprintf(error, capacity, "it has no kernel '%s'", entrant->name);
  sp_host_close(host);
  return bench->n_contenders > before && !error[0];
}

bool sp_bench_certify(sp_contender *c, sp_level level,
                      void (*progress)(uint64_t, uint64_t, void *)) {
  sp_run_config config = {.path = c->path,
                          .entry = c->entry,
                          .kernel = c->index,
                          .class_text = c->has_class ? c->cls.text : NULL,
                          .level = level,
                          .progress = progress,
                          .context = c->label};
  sp_report report;
  sp_exit status = SP_EXIT_CONFORMS;
  char error[320];
  if (!c->has_class) {
    snprintf(c->certificate, sizeof c->certificate, "claims no class");
    return true;
  }
  if (!sp_run(&config, &report, &status, error, sizeof error)) {
    snprintf(c->certificate, sizeof c->certificate, "%.60s", error);
    return false;
  }
  snprintf(c->certificate, sizeof c->certificate, "%s", report.verdict);
  c->certified = report.exit == SP_EXIT_CONFORMS;
  sp_report_clear(&report);
  return true;
}
