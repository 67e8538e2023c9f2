/* SPDX-License-Identifier: Apache-2.0 */
/* Loading without the host's child, by the rules of its worker. A descriptor that would crash the
 * worker crashes the fuzzer, which is what a fuzzer is for. spec: KC-1 */
#include "fuzz/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "certify/host/worker.h"
#include "certify/museum/museum.h"

static bool refuse(const char *what, const char *why) {
  fprintf(stderr, "sinkproof fuzz: %s: %s\n", what, why != NULL ? why : "cannot be loaded");
  return false;
}

static sp_kernel_entry find_entry(sp_fuzz_plugin *plugin, const char *what) {
  if (strcmp(plugin->library, "museum") == 0) return sp_museum_kernel;
  void *library = dlopen(plugin->library, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    refuse(what, dlerror());
    return NULL;
  }
  void *symbol = dlsym(library, "sinkproof_kernel");
  sp_kernel_entry entry;
  memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer */
  if (symbol == NULL) refuse(what, "exports no function sinkproof_kernel");
  return entry;
}

/* Split "PATH:NAME". A path may hold colons before its last slash. */
static const char *split(sp_fuzz_plugin *plugin, const char *what) {
  snprintf(plugin->library, sizeof plugin->library, "%s", what);
  char *slash = strrchr(plugin->library, '/');
  char *colon = strrchr(plugin->library, ':');
  if (colon == NULL || (slash != NULL && colon < slash)) return NULL;
  *colon = '\0';
  return what + (colon - plugin->library) + 1;
}

bool sp_fuzz_plugin_load(sp_fuzz_plugin *plugin, const char *what) {
  plugin->n_kernels = 0;
  const char *name = split(plugin, what);
  sp_kernel_entry entry = find_entry(plugin, what);
  if (entry == NULL) return false;
  for (uint32_t i = 0; plugin->n_kernels < SP_FUZZ_PLUGINS; i++) {
    const sp_kernel *kernel = entry(SP_ABI_MAJOR, i);
    if (kernel == NULL) break;
    static sp_load_report load;
    static sp_descriptor descriptor;
    sp_kernel *copy = &plugin->kernel[plugin->n_kernels];
    if (!sp_worker_describe(kernel, copy, &descriptor, &load, i)) return refuse(what, load.error);
    if (name == NULL || strcmp(copy->name, name) == 0) plugin->n_kernels++;
  }
  return plugin->n_kernels > 0 || refuse(what, "offers no such kernel");
}
