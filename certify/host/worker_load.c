/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a kernel library and copying what its descriptors say into shared memory. Any of this may
 * crash or hang, since it runs and reads a stranger's; that is why the worker does it.
 * spec: KC-1, KC-6 */
#include "certify/host/worker.h"

#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Everything up to the operations must be there; a descriptor of a megabyte is not one. */
#define LEAST_SIZE offsetof(sp_kernel, softmax)
#define MOST_SIZE  (1u << 20)
#define MOST_SHAPE 4096u

__attribute__((format(printf, 2, 3))) static bool refuse(sp_load_report *load, const char *format,
                                                         ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(load->error, sizeof load->error, format, arguments);
  va_end(arguments);
  return false;
}

static sp_kernel_entry open_library(const char *path, sp_load_report *load) {
  char here[4096];
  /* Without a slash dlopen would look in the system's directories instead of this one. */
  snprintf(here, sizeof here, "%s%s", strchr(path, '/') ? "" : "./", path);
  void *library = dlopen(here, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    const char *why = dlerror();
    refuse(load, "cannot load %s", why ? why : path);
    return NULL;
  }
  sp_kernel_entry entry;
  void *symbol = dlsym(library, "sinkproof_kernel");
  memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer */
  if (symbol == NULL)
    refuse(load, "%s exports no function sinkproof_kernel (KC-1); is it hidden?", path);
  return entry;
}

static bool copy_text(char *to, size_t capacity, const char *from) {
  to[0] = '\0';
  if (from == NULL) return true;
  for (size_t i = 0; i < capacity; i++) {
    to[i] = from[i];
    if (from[i] == '\0') return true;
    if (from[i] < 0x20 || from[i] > 0x7E) break;
  }
  to[0] = '\0';
  return false;
}

static bool is_name(const char *name) {
  return name[0] != '\0' &&
         strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             strlen(name);
}

static bool copy_names(const sp_kernel *kernel, sp_descriptor *d, sp_load_report *load,
                       uint32_t index) {
  if (kernel->name == NULL) return refuse(load, "kernel %u has no name", index);
  if (!copy_text(d->name, sizeof d->name, kernel->name) || !is_name(d->name))
    return refuse(load, "the name of kernel %u is not 1 to 63 letters, digits, '.', '_' or '-'",
                  index);
  if (!copy_text(d->version, sizeof d->version, kernel->version))
    return refuse(load, "the version of kernel %s is not printable text below 64 characters",
                  d->name);
  if (!copy_text(d->accuracy_class, sizeof d->accuracy_class, kernel->accuracy_class))
    return refuse(load, "the accuracy class of kernel %s is not printable text below 96 characters",
                  d->name);
  return true;
}

static bool check_cache(const sp_cache_ops *cache, const char *name, sp_load_report *load) {
  if (cache->size < sizeof(sp_cache_ops) || cache->size > MOST_SIZE)
    return refuse(load, "the cache operations of kernel %s have the absurd size %u", name,
                  cache->size);
  if (!cache->open || !cache->append || !cache->attend || !cache->visible || !cache->close)
    return refuse(load, "kernel %s lacks one of open, append, attend, visible, close", name);
  return true;
}

static bool check_plans(const sp_prepare_ops *ops, const char *name, sp_load_report *load) {
  if (ops->size < sizeof(sp_prepare_ops) || ops->size > MOST_SIZE)
    return refuse(load, "the prepare operations of kernel %s have the absurd size %u", name,
                  ops->size);
  if (ops->run == NULL || ops->release == NULL)
    return refuse(load, "kernel %s prepares calls, but lacks one of run, release", name);
  return true;
}

static bool check_dims(const sp_shapes *s, const sp_kernel *kernel, const char *name,
                       sp_load_report *load) {
  for (int i = 0; i < SP_MAX_SHAPES && s->dims[i].d_head != 0; i++) {
    uint32_t d_head = s->dims[i].d_head, d_value = s->dims[i].d_value;
    if (d_value == 0 || d_head > MOST_SHAPE || d_value > MOST_SHAPE)
      return refuse(load, "shapes.dims[%d] of kernel %s is {%u, %u}; each is 1 to %u (KC-11)", i,
                    name, d_head, d_value, MOST_SHAPE);
    if (d_value != d_head && !(kernel->options & SP_OPT_D_VALUE))
      return refuse(load,
                    "shapes.dims[%d] of kernel %s is {%u, %u}, without SP_OPT_D_VALUE (KC-11)", i,
                    name, d_head, d_value);
  }
  return true;
}

static bool check_shapes(const sp_shapes *s, const sp_kernel *kernel, const char *name,
                         sp_load_report *load) {
  if (s->size < sizeof(sp_shapes) || s->size > MOST_SIZE)
    return refuse(load, "the shapes of kernel %s have the absurd size %u", name, s->size);
  if (s->n_kv_multiple > MOST_SHAPE || (kernel->max_n != 0 && s->n_kv_multiple > kernel->max_n))
    return refuse(load, "shapes.n_kv_multiple of kernel %s is %u, above max_n or %u (KC-11)", name,
                  s->n_kv_multiple, MOST_SHAPE);
  for (int i = 0; i < SP_MAX_SHAPES && s->group[i] != 0; i++) {
    if (s->group[i] > MOST_SHAPE)
      return refuse(load, "shapes.group[%d] of kernel %s is %u, above %u (KC-11)", i, name,
                    s->group[i], MOST_SHAPE);
    if (s->group[i] > 1 && !(kernel->options & SP_OPT_GQA))
      return refuse(load, "shapes.group[%d] of kernel %s is %u, without SP_OPT_GQA (KC-11)", i,
                    name, s->group[i]);
  }
  return check_dims(s, kernel, name, load);
}

/* Size first: of a descriptor that is shorter than ours the rest is absent, and of one that is
 * longer the rest is unknown to us. */
bool sp_worker_describe(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                        sp_load_report *load, uint32_t index) {
  uint32_t size = theirs->size;
  if (size < LEAST_SIZE || size > MOST_SIZE || size % sizeof(void *) != 0)
    return refuse(load, "the descriptor of kernel %u has the absurd size %u (KC-1)", index, size);
  if (theirs->abi_major != SP_ABI_MAJOR)
    return refuse(load, "kernel %u is built for version %u of the interface; this is version %u",
                  index, theirs->abi_major, SP_ABI_MAJOR);
  memset(kernel, 0, sizeof *kernel);
  memcpy(kernel, theirs, size < sizeof *kernel ? size : sizeof *kernel);
  if (!copy_names(kernel, d, load, index)) return false;
  if (kernel->cache != NULL && !check_cache(kernel->cache, d->name, load)) return false;
  if (!kernel->softmax && !kernel->attention && !kernel->cache)
    return refuse(load, "kernel %s offers no operation", d->name);
  if (kernel->prepare != NULL && !check_plans(kernel->prepare, d->name, load)) return false;
  if (kernel->shapes != NULL && !check_shapes(kernel->shapes, kernel, d->name, load)) return false;
  d->limits_shapes = kernel->shapes != NULL;
  d->shapes = d->limits_shapes ? *kernel->shapes : (sp_shapes){0};
  d->plans_softmax = kernel->prepare != NULL && kernel->prepare->softmax != NULL;
  d->plans_attention = kernel->prepare != NULL && kernel->prepare->attention != NULL;
  d->options = kernel->options;
  d->max_n = kernel->max_n;
  d->abi_minor = kernel->abi_minor;
  d->claims = kernel->claims;
  d->dtypes_softmax = kernel->dtypes_softmax;
  d->dtypes_q = kernel->dtypes_q;
  d->dtypes_kv = kernel->dtypes_kv;
  d->softmax = kernel->softmax != NULL;
  d->attention = kernel->attention != NULL;
  d->cache = kernel->cache != NULL;
  d->path = kernel->path != NULL;
  return true;
}

static bool list(sp_kernel_entry entry, sp_kernel kernels[], sp_control *control) {
  sp_load_report *load = &control->load;
  for (uint32_t i = 0;; i++) {
    const sp_kernel *kernel = entry(SP_ABI_MAJOR, i);
    if (kernel == NULL) break;
    if (i == SP_WORKER_KERNELS)
      return refuse(load, "sinkproof_kernel still returns a kernel after %u: it must end with NULL",
                    i);
    if (!sp_worker_describe(kernel, &kernels[i], &control->kernel[i], load, i)) return false;
    load->n_kernels = i + 1;
  }
  if (load->n_kernels > 0) return true;
  return refuse(load, "sinkproof_kernel offers no kernel for interface version %u", SP_ABI_MAJOR);
}

static int find_image(struct dl_phdr_info *info, size_t size, void *argument) {
  sp_load_report *load = argument;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    uint64_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    if (load->image < from || load->image >= from + info->dlpi_phdr[i].p_memsz) continue;
    load->image = info->dlpi_addr;
    const ElfW(Phdr) *last = &info->dlpi_phdr[i];
    for (int k = i; k < info->dlpi_phnum; k++)
      if (info->dlpi_phdr[k].p_type == PT_LOAD) last = &info->dlpi_phdr[k];
    load->image_bytes = last->p_vaddr + last->p_memsz;
    sp_evidence_read(&load->evidence, info);
    return 1;
  }
  return 0;
}

bool sp_worker_load(const sp_worker_config *config, sp_kernel kernels[]) {
  sp_load_report *load = &config->control->load;
  sp_kernel_entry entry = config->entry;
  load->before = sp_fp_read();
  if (config->path != NULL) entry = open_library(config->path, load);
  if (entry == NULL) return false;
  bool ok = list(entry, kernels, config->control);
  load->after = sp_fp_read();
  memcpy(&load->image, &entry, sizeof load->image);
  dl_iterate_phdr(find_image, load);
  return ok;
}
