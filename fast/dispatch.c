/* SPDX-License-Identifier: Apache-2.0 */
/* The list of variants and how one is chosen. See sinkproof/fast.h. */
#include <stdlib.h>
#include <string.h>

#include "fast/cpu.h"
#include "fast/impl.h"
#include "sinkproof/fast.h"

static const sp_fast_impl *const variants[] = {
#if defined(__x86_64__)
    &sp_fast_avx512, /* 16 lanes */
    &sp_fast_avx2,   /* 8 lanes */
#endif
    &sp_fast_scalar, /* needs nothing, so nothing behind it is ever chosen unless it is named */
#if defined(__x86_64__)
    &sp_fast_avx512bf16, /* half the digits of q and of the weights */
#endif
};
static const size_t n_variants = sizeof variants / sizeof *variants;

static bool runs_with(const sp_fast_impl *impl, uint32_t features) {
  return (impl->needs & ~features) == 0;
}

const sp_fast_impl *sp_fast_pick(uint32_t features) {
  size_t i = 0;
  while (!runs_with(variants[i], features)) i++;
  return variants[i];
}

const sp_fast_impl *sp_fast_variant(size_t index) {
  return index < n_variants ? variants[index] : NULL;
}

size_t sp_fast_n_variants(void) {
  return n_variants;
}

const char *sp_fast_variant_name(size_t index) {
  return index < n_variants ? variants[index]->name : NULL;
}

bool sp_fast_variant_available(size_t index) {
  return index < n_variants && runs_with(variants[index], sp_fast_cpu_features());
}

/* What the user has forced, or NULL. */
static const char *forced_name(void) {
  const char *name = getenv("SP_FAST_VARIANT");
  return name != NULL && name[0] != '\0' ? name : NULL;
}

/* spec: CT-10 what was asked for by name runs, or the answer is an error. */
sp_status sp_fast_find(const char *name, uint32_t features, const sp_fast_impl **impl) {
  for (size_t i = 0; i < n_variants; i++) {
    if (strcmp(variants[i]->name, name) != 0) continue;
    if (!runs_with(variants[i], features)) return SP_UNSUPPORTED;
    *impl = variants[i];
    return SP_OK;
  }
  return SP_INVALID;
}

static sp_status find_here(const char *name, const sp_fast_impl **impl) {
  uint32_t features = sp_fast_cpu_features();
  if (name == NULL) name = forced_name();
  if (name != NULL) return sp_fast_find(name, features, impl);
  *impl = sp_fast_pick(features);
  return SP_OK;
}

sp_status sp_fast_select(const char *name, const sp_kernel **kernel) {
  const sp_fast_impl *impl = NULL;
  sp_status status = find_here(name, &impl);
  if (status == SP_OK) *kernel = impl->kernel;
  return status;
}

const char *sp_fast_active(void) {
  const sp_fast_impl *impl = NULL;
  return find_here(NULL, &impl) == SP_OK ? impl->name : NULL;
}

/* Variants in order, those that cannot run here left out. */
static const sp_kernel *nth_available(uint32_t index) {
  uint32_t features = sp_fast_cpu_features();
  for (size_t i = 0; i < n_variants; i++)
    if (runs_with(variants[i], features) && index-- == 0) return variants[i]->kernel;
  return NULL;
}

const sp_kernel *sp_fast_kernel(uint32_t abi_major, uint32_t index) {
  const sp_fast_impl *impl = NULL;
  if (abi_major != SP_ABI_MAJOR) return NULL;
  if (forced_name() == NULL) return nth_available(index);
  return index == 0 && find_here(NULL, &impl) == SP_OK ? impl->kernel : NULL;
}
