/* SPDX-License-Identifier: Apache-2.0 */
/* The host's public face: open a kernel library, tell what it offers, run cases. spec: KC-1, KC-2
 */
#include "certify/host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/host/host_run.h"

/* Operations live in the child. In the host they only tell what is offered. */
static sp_status softmax_elsewhere(const sp_softmax_call *call) {
  (void)call;
  return SP_INTERNAL;
}

static sp_status attention_elsewhere(const sp_attention_call *call) {
  (void)call;
  return SP_INTERNAL;
}

static const char *path_elsewhere(void) {
  return "";
}

static const sp_cache_ops cache_elsewhere = {.size = sizeof(sp_cache_ops)};

static sp_status prepare_softmax_elsewhere(sp_prepared **prepared, const sp_softmax_call *call) {
  (void)prepared;
  return softmax_elsewhere(call);
}

static sp_status prepare_attention_elsewhere(sp_prepared **prepared,
                                             const sp_attention_call *call) {
  (void)prepared;
  return attention_elsewhere(call);
}

/* Which operations are prepared: neither, softmax, attention, both. */
static const sp_prepare_ops prepare_elsewhere[4] = {
    {.size = sizeof(sp_prepare_ops)},
    {.size = sizeof(sp_prepare_ops), .softmax = prepare_softmax_elsewhere},
    {.size = sizeof(sp_prepare_ops), .attention = prepare_attention_elsewhere},
    {.size = sizeof(sp_prepare_ops),
     .softmax = prepare_softmax_elsewhere,
     .attention = prepare_attention_elsewhere}};

static void adopt(const sp_descriptor *d, sp_kernel *kernel) {
  int plans = d->plans_softmax + 2 * d->plans_attention;
  *kernel = (sp_kernel){.size = sizeof *kernel,
                        .abi_major = SP_ABI_MAJOR,
                        .abi_minor = d->abi_minor,
                        .claims = d->claims,
                        .name = d->name,
                        .version = d->version,
                        .accuracy_class = d->accuracy_class,
                        .options = d->options,
                        .dtypes_softmax = d->dtypes_softmax,
                        .dtypes_q = d->dtypes_q,
                        .dtypes_kv = d->dtypes_kv,
                        .max_n = d->max_n,
                        .softmax = d->softmax ? softmax_elsewhere : NULL,
                        .attention = d->attention ? attention_elsewhere : NULL,
                        .cache = d->cache ? &cache_elsewhere : NULL,
                        .path = d->path ? path_elsewhere : NULL,
                        .prepare = plans ? &prepare_elsewhere[plans] : NULL,
                        .shapes = d->limits_shapes ? &d->shapes : NULL};
}

/* Copy what the child reported: the shared memory stays within the kernel's reach. */
static bool adopt_all(sp_host *host) {
  const sp_control *control = host->link.control;
  size_t n = control->load.n_kernels;
  if (n > SP_WORKER_KERNELS) return false;
  host->descriptors = malloc(n * sizeof *host->descriptors);
  host->kernels = malloc(n * sizeof *host->kernels);
  if (host->descriptors == NULL || host->kernels == NULL) return false;
  memcpy(host->descriptors, control->kernel, n * sizeof *host->descriptors);
  for (size_t i = 0; i < n; i++) {
    sp_descriptor *d = &host->descriptors[i];
    d->name[sizeof d->name - 1] = d->version[sizeof d->version - 1] = '\0';
    d->accuracy_class[sizeof d->accuracy_class - 1] = '\0';
    adopt(d, &host->kernels[i]);
  }
  host->n_kernels = n;
  return true;
}

static bool load(sp_host *host, char *error, size_t capacity) {
  sp_incident incident = {0};
  sp_link *link = &host->link;
  sp_load_report *report = &link->control->load;
  sp_ending ending = sp_link_start(link);
  report->error[sizeof report->error - 1] = '\0';
  if (ending == SP_END_LOST || atomic_load(&link->control->phase) == SP_PHASE_START) {
    snprintf(error, capacity, "%s", report->error[0] ? report->error : "cannot start a process");
    return false;
  }
  if (ending != SP_END_REPLY) {
    sp_death_words(link, NULL, "loading the kernel", ending, &incident);
    snprintf(error, capacity, "%s", incident.text);
    return false;
  }
  if (!report->ok) {
    snprintf(error, capacity, "%s", report->error);
    return false;
  }
  sp_fp_changed(report->before, report->after, host->fp_at_load, sizeof host->fp_at_load);
  if (adopt_all(host)) return true;
  snprintf(error, capacity, "out of memory");
  return false;
}

sp_host *sp_host_open(const sp_host_config *config, char *error, size_t capacity) {
  sp_host *host = calloc(1, sizeof *host);
  if (capacity > 0) error[0] = '\0';
  if (host == NULL || !sp_link_open(&host->link, config)) {
    snprintf(error, capacity, "cannot start a process with %zu MiB of shared address space",
             config->arena_bytes >> 20);
    free(host);
    return NULL;
  }
  if (load(host, error, capacity)) return host;
  sp_host_close(host);
  return NULL;
}

void sp_host_close(sp_host *host) {
  if (host == NULL) return;
  sp_link_close(&host->link);
  free(host->descriptors);
  free(host->kernels);
  free(host);
}

size_t sp_host_count(const sp_host *host) {
  return host->n_kernels;
}

const sp_kernel *sp_host_kernel(const sp_host *host, size_t index) {
  return index < host->n_kernels ? &host->kernels[index] : NULL;
}

sp_evidence sp_host_evidence(const sp_host *host) {
  return host->link.control->load.evidence;
}

const char *sp_incident_name(sp_incident_kind kind) {
  static const char *const names[] = {
      "none",           "unsupported", "status",        "accepted",         "crash",
      "timeout",        "exit",        "wrote-outside", "wrote-input",      "unwritten",
      "wrote-declined", "fp-state",    "list",          "nondeterministic", "varies"};
  return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

/* All calls of the case, once. */
static bool pass(sp_host *host, size_t kernel, const sp_case *c, unsigned run, sp_outputs *outputs,
                 sp_incident *incident, char path[32]) {
  sp_status status = SP_OK;
  sp_call call;
  if (c->op == SP_OP_CACHE) return sp_host_stream(host, kernel, c, run, outputs, incident, path);
  bool softmax = c->op == SP_OP_SOFTMAX;
  if (softmax) {
    sp_call_softmax(&call, c);
  } else {
    sp_call_attention(&call, c);
  }
  if (!sp_host_place(host, &call, softmax ? "softmax" : "attention", &c->layout, run, incident) ||
      !sp_host_put(host, kernel, &status, incident, path))
    return false;
  if (incident->kind == SP_INCIDENT_NONE) sp_check_status(host, status, incident);
  if (incident->kind == SP_INCIDENT_NONE)
    sp_call_gather(&host->call, &host->link.arena, outputs, 0);
  return true;
}

static bool run_again(sp_host *host, size_t kernel, const sp_case *c, const sp_outputs *first,
                      sp_incident *incident) {
  sp_outputs second;
  char difference[160];
  if (!sp_outputs_init(&second, c)) {
    sp_incident_set(incident, SP_INCIDENT_NONE, "out of memory");
    return false;
  }
  bool ok = pass(host, kernel, c, 1, &second, incident, NULL);
  if (!ok || incident->kind > SP_INCIDENT_UNSUPPORTED) goto done;
  if (incident->kind == SP_INCIDENT_UNSUPPORTED) {
    sp_incident_set(incident, SP_INCIDENT_STATUS, "carried out a call once and declined it then");
    goto done;
  }
  sp_check_written(c, first, &second, incident);
  if (incident->kind != SP_INCIDENT_NONE) goto done;
  if (sp_same_outputs(c, first, &second, difference, sizeof difference)) goto done;
  bool claimed = (host->kernels[kernel].claims & SP_CLAIM_DETERMINISTIC) != 0;
  sp_incident_set(incident, claimed ? SP_INCIDENT_NONDETERMINISTIC : SP_INCIDENT_NONE,
                  "%s; they differ only in addresses and in the bytes beside the tensors",
                  difference);
done:
  sp_outputs_clear(&second);
  return ok;
}

static bool is_offered(const sp_kernel *kernel, sp_op op) {
  if (op == SP_OP_SOFTMAX) return kernel->softmax != NULL;
  return op == SP_OP_ATTENTION ? kernel->attention != NULL : kernel->cache != NULL;
}

bool sp_host_run(sp_host *host, size_t kernel, const sp_case *c, bool once, sp_outputs *outputs,
                 sp_incident *incident, char path[32]) {
  *incident = (sp_incident){0};
  memset(path, 0, 32);
  if (kernel >= host->n_kernels) {
    sp_incident_set(incident, SP_INCIDENT_NONE, "there is no kernel number %zu", kernel);
    return false;
  }
  if (!is_offered(&host->kernels[kernel], c->op)) {
    sp_incident_set(incident, SP_INCIDENT_UNSUPPORTED, "the operation is not offered");
    return true;
  }
  bool ok = pass(host, kernel, c, 0, outputs, incident, path);
  if (ok && incident->kind == SP_INCIDENT_NONE && once)
    sp_check_written(c, outputs, NULL, incident);
  if (ok && incident->kind == SP_INCIDENT_NONE && !once)
    ok = run_again(host, kernel, c, outputs, incident);
  if (!ok || incident->kind > SP_INCIDENT_UNSUPPORTED || !host->fp_at_load[0]) return ok;
  /* Said of every case, since a report must not depend on which came first. */
  sp_incident_set(incident, SP_INCIDENT_FP_STATE, "loading the library: %s", host->fp_at_load);
  return true;
}
